"""Agreement of two groups is Cohen's κ of one of each, whatever their sizes; tables of every two people."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from annotation.agreement.annotators import ratings_of, table_of, tables_of
from annotation.agreement.between import NONE_SHARED, BetweenLevel, agreement_between
from annotation.agreement.estimate import ONE_CATEGORY
from annotation.agreement.units import UnusableRatingsError


def between(first: np.ndarray, second: np.ndarray, draws: int = 0, **more: object) -> dict:
    return agreement_between(first, second, rng=np.random.default_rng(0), draws=draws, **more)  # type: ignore[arg-type]


def groups(seed: int, units: int = 60, most: int = 4, agree: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """(units, 3) of each group: some of either rated nothing of a unit."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, units)
    shares = np.full((units, 3), (1 - agree) / 3)
    shares[np.arange(units), truth] += agree
    return tuple(
        np.array([rng.multinomial(rng.integers(0, most + 1), one) for one in shares]) for _ in range(2)
    )


def by_hand(first: np.ndarray, second: np.ndarray, level: BetweenLevel) -> float:
    """Every two ratings of a unit across the groups, and every two across all units."""
    ours = [
        (list(np.repeat(np.arange(3), one)), list(np.repeat(np.arange(3), other)))
        for one, other in zip(first, second, strict=True)
        if one.sum() and other.sum()
    ]
    share = [
        sum(sum(said == c for said in unit[side]) / len(unit[side]) for unit in ours) / len(ours)
        for side in (0, 1)
        for c in range(3)
    ]
    pooled = [(share[c] + share[c + 3]) / 2 for c in range(3)]
    rank = [sum(pooled[:c]) + pooled[c] / 2 for c in range(3)]

    def apart(c: int, k: int) -> float:
        return float(c != k) if level == "nominal" else (rank[c] - rank[k]) ** 2

    observed = np.mean([np.mean([apart(c, k) for c, k in itertools.product(*unit)]) for unit in ours])
    expected = sum(share[c] * share[k + 3] * apart(c, k) for c in range(3) for k in range(3))
    return float(1 - observed / expected)


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
@pytest.mark.parametrize("seed", range(6))
def test_equals_all_pairs_across_the_groups(seed: int, level: BetweenLevel) -> None:
    first, second = groups(seed)
    found = between(first, second)[level]
    assert found.value == pytest.approx(by_hand(first, second, level), abs=1e-12)
    assert found.units == int(((first.sum(axis=1) > 0) & (second.sum(axis=1) > 0)).sum())
    assert between(second, first)[level].value == pytest.approx(found.value, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_with_one_person_each_it_is_cohens_kappa(seed: int) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (2, 50))
    found = between(np.eye(4)[codes[0]], np.eye(4)[codes[1]])["nominal"]
    assert found.value == pytest.approx(cohen_kappa_score(*codes), abs=1e-12)


def test_one_that_says_the_same_and_one_at_random() -> None:
    one = np.eye(3)[np.random.default_rng(1).integers(0, 3, 2000)]
    assert between(one * 4, one)["ordinal"].value == pytest.approx(1)
    shuffled = np.random.default_rng(2).permutation(one)
    assert between(one * 2, shuffled)["ordinal"].value == pytest.approx(0, abs=0.05)


@pytest.mark.slow
def test_intervals_cover_and_widen_where_units_hang_together() -> None:
    truth = between(*groups(0, units=100_000, agree=0.5))["nominal"].value
    covered = 0
    for seed in range(100):
        found = between(*groups(seed + 1, units=150, agree=0.5), draws=300)["nominal"]
        covered += found.low <= truth <= found.high
    assert covered >= 88
    first, second = (np.repeat(one, 4, axis=0) for one in groups(3, units=100))
    alone = between(first, second, draws=500)["nominal"]
    whole = between(first, second, draws=500, cluster=np.repeat(np.arange(100), 4))["nominal"]
    assert whole.high - whole.low > 1.6 * (alone.high - alone.low)


def test_reasons() -> None:
    nothing = np.zeros((5, 3))
    only_a = np.eye(3)[np.zeros(5, int)]
    assert between(nothing, only_a)["nominal"].reason == NONE_SHARED
    assert between(only_a, only_a)["ordinal"].reason == ONE_CATEGORY
    with pytest.raises(UnusableRatingsError, match="same units"):
        between(np.zeros((5, 3)), np.zeros((4, 3)))


def test_tables_of_every_two_are_the_tables_of_two() -> None:
    rng = np.random.default_rng(5)
    kept = rng.random((40, 7)) < 0.5
    unit, who = np.nonzero(kept)
    ratings = ratings_of(unit, who, rng.integers(0, 3, len(unit)), annotators=7, categories=3)
    order = [4, 0, 6]
    found = tables_of(ratings, order)
    for (i, first), (j, second) in itertools.permutations(enumerate(order), 2):
        assert (found[i, j] == table_of(ratings, first, second)).all()
