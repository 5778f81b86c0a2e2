"""The power law is recovered, bounded, and not extrapolated where nothing warrants it."""

import numpy as np
import pytest

from rewardmodel.evaluation import clustered, learning_curve

N = np.array([500.0, 1000, 2000, 4000, 8000])


def draws(prompts: int, seed: int = 0) -> np.ndarray:
    return clustered.resamples(prompts, 300, np.random.default_rng(seed))


@pytest.mark.parametrize(("a", "b", "c"), [(0.9, -2.0, 0.5), (0.75, -8.0, 0.8), (1.0, -0.6, 0.2)])
def test_an_exact_power_law_is_recovered(a: float, b: float, c: float) -> None:
    found = learning_curve.fit(N, (a + b * N**-c)[None])
    assert (found.a[0], found.b[0], found.c[0]) == pytest.approx((a, b, c), abs=1e-6)
    assert found.at(9000)[0] == pytest.approx(a + b * 9000**-c)


@pytest.mark.slow
def test_the_fit_is_the_least_squares_of_scipy_within_the_bounds() -> None:
    from scipy.optimize import lsq_linear

    rng = np.random.default_rng(0)
    values = 0.95 - 3 * N**-0.45 + rng.normal(scale=0.03, size=(20, 5))
    found = learning_curve.fit(N, values)
    for i, row in enumerate(values):
        costs = [
            lsq_linear(np.stack([np.ones(5), N**-c * 100], axis=1), row, ([0, -np.inf], [1, 0])).cost
            for c in learning_curve.EXPONENTS
        ]
        mine = np.square(row - found.a[i] - found.b[i] * N ** -found.c[i]).sum() / 2
        assert mine == pytest.approx(min(costs), rel=1e-4, abs=1e-9)
    assert (found.a <= 1).all()
    assert (found.b <= 0).all()


def curve(*given: np.ndarray) -> learning_curve.Curve:
    return learning_curve.curve(*given, np.random.default_rng(0))


def right(accuracies: list[float], pairs: int, seed: int = 0) -> np.ndarray:
    level = np.random.default_rng(seed).random(pairs)  # the same pairs are easy at every size
    return (level < np.array(accuracies)[:, None]).astype(float)


def test_a_rising_curve_says_what_a_thousand_more_votes_bring() -> None:
    truth = lambda n: 0.85 - 4 * n**-0.5  # noqa: E731
    prompt = np.arange(20_000) // 100
    found = curve(N, right([truth(n) for n in N], 20_000), prompt, draws(200))
    assert found.reason is None
    assert found.gain is not None
    assert found.gain.low <= truth(9000) - truth(8000) <= found.gain.high
    assert found.gain.low > 0
    assert found.gain.n == 200
    assert [one.value for one in found.accuracy] == sorted(one.value for one in found.accuracy)


def test_no_extrapolation_is_made_where_none_is_warranted() -> None:
    prompt = np.arange(1000) // 10
    rising, flat = [0.6, 0.65, 0.7, 0.72, 0.73], [0.7] * 5
    few = curve(N[:3], right(rising[:3], 1000), prompt, draws(100))
    assert "only 3 sizes" in (few.reason or "")
    assert few.gain is None
    far = curve(N / 20, right(rising, 1000), prompt, draws(100))
    assert "more than twice the 400" in (far.reason or "")
    level = curve(N, right(flat, 1000), prompt, draws(100))
    assert "does not rise" in (level.reason or "")
    falling = curve(N, right(rising[::-1], 1000), prompt, draws(100))
    assert "does not rise" in (falling.reason or "")
    lonely = curve(N, right(rising, 1000), prompt % 2, draws(2))
    assert "only 2 held-out prompts" in (lonely.reason or "")


def test_what_the_fit_leaves_unexplained_widens_the_interval() -> None:
    prompt = np.arange(20_000) // 100
    smooth = curve(N, right([0.85 - 4 * n**-0.5 for n in N], 20_000), prompt, draws(200))
    bumps = np.array([0.01, -0.02, 0.02, -0.02, 0.01])
    rough = curve(N, right([0.85 - 4 * n**-0.5 + b for n, b in zip(N, bumps, strict=True)], 20_000), prompt,
                  draws(200))  # fmt: skip
    assert smooth.gain is not None
    assert rough.gain is None or rough.gain.high - rough.gain.low > 2 * (smooth.gain.high - smooth.gain.low)
