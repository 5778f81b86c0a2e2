"""Guessers are found, careful minorities are left alone, and nobody is measured against their own votes."""

import numpy as np
import pytest

from annotation.aggregation.competence import competence
from annotation.aggregation.reliability import LEAST, permutation_z, reliability
from annotation.aggregation.votes import votes_of
from annotation.aggregation.wilson import wilson
from tests.annotation.aggregation.voting import (
    CAREFUL,
    GUESSER,
    MINORITY,
    renamed,
    simulated,
    tastes,
    turned,
)


def flagged(kind: int, projects: int, **shape: float) -> tuple[int, int]:
    """(called guessers, of how many) among people of one kind in so many simulated projects."""
    found = of = 0
    for seed in range(projects):
        kinds, votes = tastes(seed, **shape)  # type: ignore[arg-type]
        guesses = reliability(votes, competence(votes).learned).guesses
        found += int(guesses[kinds == kind].sum())
        of += int((kinds == kind).sum())
    return found, of


@pytest.mark.parametrize("likeness", [0.5, 0.2])
@pytest.mark.parametrize("noise", [1.0, 2.0])
@pytest.mark.slow
def test_careful_minorities_are_not_flagged(likeness: float, noise: float) -> None:
    """At most 5 % of those who see things their own way, the upper end of the 95 % interval at most 8 %."""
    found, of = flagged(MINORITY, 30, likeness=likeness, noise=noise)
    share, interval = found / of, wilson(found, of)
    assert interval is not None
    assert share <= 0.05, f"{found} of {of}"
    assert interval[1] <= 0.08, f"{found} of {of}: {interval}"


@pytest.mark.slow
def test_even_a_minority_that_shares_nothing_with_the_others_is_left_alone() -> None:
    found, of = flagged(MINORITY, 60, likeness=0.0)
    assert found / of <= 0.06, f"{found} of {of}"


@pytest.mark.slow
def test_guessers_are_found_and_careful_people_never() -> None:
    for votes, least in ((100, 0.2), (200, 0.5)):
        found, of = flagged(GUESSER, 10, likeness=0.5, votes=votes)
        assert found / of >= least, f"{found} of {of} with {votes} votes"
        assert flagged(CAREFUL, 10, likeness=0.5, votes=votes)[0] == 0


@pytest.mark.slow
def test_nobody_is_flagged_where_all_pairs_are_close() -> None:
    """Honest people among whom agreement is hardly above chance."""
    assert flagged(CAREFUL, 10, likeness=0.5, noise=6.0, minority=0.0, guessers=0.0)[0] == 0


@pytest.mark.slow
def test_nobody_validates_themselves() -> None:
    """Of two people who share all pairs, each is measured by the other alone: a copy of one's own votes is
    as good for θ as it is told by somebody else, and one's own weight does nothing for it."""
    votes = simulated(1).votes
    learned = competence(votes).learned
    heavy = np.where(votes.annotator == 3, 50.0, 1.0)
    for weight in (heavy, np.where(votes.annotator == 3, 0.0, 1.0)):
        other = reliability(votes.reweighted(weight), learned)
        assert other.theta[3] == reliability(votes, learned).theta[3]
        assert other.z[3] == pytest.approx(reliability(votes, learned).z[3])


def test_a_pair_nobody_else_judged_tells_nothing() -> None:
    votes = votes_of([0, 0, 1, 2], [0, 1, 0, 1], [0, 0, 2, 1], pairs=3, annotators=3)
    found = reliability(votes, competence(votes).learned)
    assert found.votes.tolist() == [1, 1, 0]
    assert np.isnan(found.theta[2])
    assert not found.guesses.any()
    assert np.isnan(found.typical)


def test_few_votes_flag_nobody() -> None:
    found, _ = flagged(GUESSER, 5, likeness=0.5, votes=LEAST - 1)
    assert found == 0


@pytest.mark.slow
def test_names_and_sides_do_not_matter() -> None:
    votes = simulated(1).votes
    found = reliability(votes, competence(votes, tolerance=1e-9, most_steps=2000).learned)
    made, _, people = renamed(votes, 2)
    other = reliability(made, competence(made, tolerance=1e-9, most_steps=2000).learned)
    assert other.theta[people] == pytest.approx(found.theta, abs=0.011)
    assert other.z[people] == pytest.approx(found.z, abs=1e-4)
    mirrored = turned(votes)
    again = reliability(mirrored, competence(mirrored, tolerance=1e-9, most_steps=2000).learned)
    assert again.z == pytest.approx(found.z, abs=1e-4)


@pytest.mark.slow
def test_z_is_that_of_shuffled_answers() -> None:
    """Mean and spread of Σ T[v] over 20,000 reorderings of one person's answers."""
    rng = np.random.default_rng(5)
    truth = rng.dirichlet([0.5, 0.3, 0.5], 30)
    answers = np.array([rng.choice(3, p=row) for row in truth])
    votes = votes_of(np.arange(30), np.zeros(30), answers, pairs=30, annotators=1)
    sums = [truth[np.arange(30), rng.permutation(answers)].sum() for _ in range(20_000)]
    observed = truth[np.arange(30), answers].sum()
    expected = (observed - np.mean(sums)) / np.std(sums)
    assert permutation_z(votes, truth)[0] == pytest.approx(expected, abs=0.05)


def test_one_answer_to_everything_has_no_z() -> None:
    truth = np.random.default_rng(1).dirichlet([1, 1, 1], 25)
    votes = votes_of(np.arange(25), np.zeros(25), np.zeros(25), pairs=25, annotators=1)
    assert permutation_z(votes, truth)[0] == 0
