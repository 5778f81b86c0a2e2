"""Signs beyond gold, side and pace; and what follows from them."""

import numpy as np
import pytest

from annotation.aggregation import policy, signs
from annotation.aggregation.flags import Flag, Kind
from annotation.aggregation.patterns import Run, longest_run
from annotation.aggregation.policy import decide
from annotation.aggregation.reliability import Reliability


def flag(kind: Kind) -> Flag:
    return Flag(kind, 0.1, 40, 0.99)


def measured(theta: list[float], high: list[float], votes: int = 50) -> Reliability:
    n = len(theta)
    return Reliability(
        votes=np.full(n, votes),
        theta=np.array(theta),
        low=np.zeros(n),
        high=np.array(high),
        z=np.zeros(n),
        together=np.zeros(n),
    )


def test_who_guesses_is_flagged_with_the_groups_share_beside_it() -> None:
    found = signs.guesses(measured([0.6, 0.5, 0.7, 0.02], [0.8, 0.7, 0.9, 0.1]))
    assert set(found) == {3}
    assert found[3] == Flag("guesses", 0.02, 50, 0.1, pytest.approx(0.55))
    assert signs.guesses(measured([0.6, 0.5, 0.7, 0.02], [0.8, 0.7, 0.9, 0.1], votes=19)) == {}


@pytest.mark.slow
def test_runs_of_chance_are_no_sign() -> None:
    """Of 2,000 people who answer independently, whatever their shares, hardly any is flagged."""
    rng = np.random.default_rng(1)
    people = [
        longest_run(rng.choice(3, size=rng.integers(20, 300), p=rng.dirichlet((2, 2, 2))))
        for _ in range(2_000)
    ]
    assert len(signs.runs(people)) <= 0.01 * len(people)


def test_somebody_who_presses_one_key_for_a_while_is_found_among_many() -> None:
    rng = np.random.default_rng(2)
    people = [longest_run(rng.integers(0, 3, 100)) for _ in range(200)]
    lazy = rng.integers(0, 3, 100)
    lazy[40:65] = 1
    found = signs.runs([*people, longest_run(lazy), None])
    assert set(found) == {200}
    assert found[200].value >= 25
    assert found[200].n == 100


def test_a_short_run_matters_to_nobody() -> None:
    assert signs.runs([Run(length=11, answer=0, answers=100, chance=1e-9)]) == {}
    assert set(signs.runs([Run(length=12, answer=0, answers=100, chance=1e-9)])) == {0}
    assert signs.runs([Run(length=19, answer=0, answers=19, chance=1e-9)]) == {}


def test_unlike_needs_evidence() -> None:
    found = signs.unlike([(0, 0), (4, 0), (10, 2), (10, 5), (40, 20), (40, 12)])
    assert set(found) == {2, 5}
    assert (found[2].value, found[2].n) == (0.2, 10)
    assert found[2].strength < signs.ALIKE


def test_circles_need_evidence() -> None:
    found = signs.rounds([(0, 0), (9, 9), (40, 10), (40, 5), (400, 40)])
    assert set(found) == {2}
    assert (found[2].value, found[2].n, found[2].chance) == (0.25, 40, 0.25)


@pytest.mark.parametrize(
    ("kinds", "step"),
    [
        ([], "none"),
        (["gold"], "pause"),
        (["weak"], "watch"),
        (["guesses"], "watch"),
        (["left"], "watch"),
        (["fast"], "watch"),
        (["same", "run"], "watch"),
        (["unlike", "round"], "watch"),
        (["left", "run", "same"], "watch"),
        (["right", "unlike", "round"], "watch"),
        (["guesses", "fast"], "pause"),
        (["guesses", "left"], "pause"),
        (["guesses", "unlike"], "pause"),
        (["same", "fast"], "pause"),
        (["weak", "left"], "pause"),
    ],
)
def test_a_pause_needs_failed_gold_or_two_signs_of_different_kinds(kinds: list[Kind], step: str) -> None:
    flags = [flag(kind) for kind in kinds]
    decision = decide(flags)
    assert (decision.step, decision.flags) == (step, tuple(flags))


def test_whoever_was_restored_is_paused_on_new_gold_only() -> None:
    everything = [flag("gold"), flag("fast"), flag("same")]
    assert decide(everything, restored=True).step == "watch"
    assert decide(everything, restored=True, gold_since=(1, 1)).step == "watch"
    assert decide(everything, restored=True, gold_since=(1, 9)).step == "pause"
    assert decide([], restored=True, gold_since=(9, 1)).step == "none"


def test_every_flag_is_a_kind_of_sign() -> None:
    assert set(policy.KINDS_OF_SIGN) == set(Kind.__args__)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("rate", "watched"), [(0.0, 0.2), (0.05, 0.2), (0.15, 0.3), (0.8, 1.0)])
def test_who_is_watched_gets_more_gold(rate: float, watched: float) -> None:
    assert policy.watched_rate(rate) == watched
