"""Competence: who knows and who guesses is recovered, whatever things are called."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from annotation.aggregation.competence import competence, posterior, predicted
from annotation.aggregation.votes import votes_of
from tests.annotation.aggregation.voting import renamed, simulated, turned


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    return float(spearmanr(first, second).statistic)


def test_competence_is_recovered_from_fifty_votes_each() -> None:
    """Rank correlation, the mean of ten simulated projects of a hundred people; five votes a pair."""
    found = [
        correlation(one.knows, competence(one.votes).learned.knows)
        for one in (simulated(seed) for seed in range(10))
    ]
    assert np.mean(found) >= 0.9


def test_the_pull_to_one_side_is_recovered_from_fifty_votes_each() -> None:
    """The pull as it shows in somebody's votes, (1 − θ) Δ: of who always knows, nobody can tell Δ."""
    found = []
    for seed in range(10):
        one = simulated(seed, knows=(0.1, 0.6), side=1.0, ties=0.1)
        learned = competence(one.votes).learned
        found.append(correlation((1 - one.knows) * one.side, (1 - learned.knows) * learned.side))
    assert np.mean(found) >= 0.9


def test_side_bias_does_not_pass_for_competence() -> None:
    """Somebody who always presses left agrees with half of the truth and knows none of it."""
    one = simulated(3, knows=(0.8, 0.8), side=0.0)
    votes = one.votes
    left = np.where(votes.swapped, 2, 0)
    outcome = np.where(votes.annotator == 0, left, votes.outcome)
    made = votes_of(
        votes.pair, votes.annotator, outcome, pairs=votes.pairs, annotators=100, swapped=votes.swapped
    )
    learned = competence(made).learned
    assert learned.knows[0] < 0.25
    assert learned.knows[1:].mean() > 0.7
    assert learned.side[0] > 0.7
    assert np.abs(learned.side[1:]).max() < learned.side[0]


def test_labels_are_right_more_often_than_the_majority() -> None:
    better = []
    for seed in range(5):
        one = simulated(seed)
        mine = competence(one.votes).truth.argmax(axis=1) == one.truth
        theirs = one.votes.counts.argmax(axis=1) == one.truth
        better.append(mine.mean() - theirs.mean())
    assert min(better) > 0.02


def test_chances_are_honest() -> None:
    """Of the pairs to which it gives a label with chance p, about p have it."""
    one = simulated(11, annotators=400)
    truth = competence(one.votes).truth
    top, right = truth.max(axis=1), truth.argmax(axis=1) == one.truth
    for low, high in ((0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        inside = (top >= low) & (top < high)
        assert right[inside].mean() == pytest.approx(top[inside].mean(), abs=0.06)


def test_names_and_order_do_not_matter() -> None:
    votes = simulated(1).votes
    found = competence(votes, tolerance=1e-9, most_steps=2000)
    made, pairs, people = renamed(votes, 2)
    other = competence(made, tolerance=1e-9, most_steps=2000)
    assert other.truth[pairs] == pytest.approx(found.truth, abs=1e-6)
    assert other.learned.knows[people] == pytest.approx(found.learned.knows, abs=1e-6)
    mirrored = competence(turned(votes), tolerance=1e-9, most_steps=2000)
    assert mirrored.truth[:, ::-1] == pytest.approx(found.truth, abs=1e-6)
    assert mirrored.learned.knows == pytest.approx(found.learned.knows, abs=1e-6)
    assert mirrored.learned.side == pytest.approx(found.learned.side, abs=1e-6)


def test_votes_of_weight_zero_move_nothing_and_are_measured_all_the_same() -> None:
    one = simulated(5)
    votes = one.votes
    out = votes.annotator < 30
    without = competence(votes.taken(~out))
    weighed = competence(votes.reweighted(np.where(out, 0.0, 1.0)))
    assert weighed.truth == pytest.approx(without.truth, abs=1e-9)
    assert weighed.learned.knows[30:] == pytest.approx(without.learned.knows[30:], abs=1e-9)
    assert correlation(weighed.learned.knows[:30], one.knows[:30]) > 0.8


def test_somebody_with_few_votes_is_taken_for_one_of_the_group() -> None:
    votes = simulated(6, knows=(0.7, 0.9)).votes
    one = votes_of(
        [*votes.pair, 0], [*votes.annotator, 100], [*votes.outcome, 1], pairs=votes.pairs, annotators=102
    )
    learned = competence(one).learned
    assert abs(learned.knows[100] - learned.group_knows) < 0.12
    assert learned.knows[101] == pytest.approx(learned.group_knows)


def test_an_outcome_nobody_gives_has_no_chance() -> None:
    one = simulated(7, ties=0.0)
    found = competence(one.votes)
    assert not found.truth[:, 1].any()
    assert found.truth.sum(axis=1) == pytest.approx(1)
    assert correlation(one.knows, found.learned.knows) > 0.8


def test_a_pair_without_votes_is_open() -> None:
    votes = simulated(8).votes
    more = votes_of(votes.pair, votes.annotator, votes.outcome, pairs=votes.pairs + 1, annotators=100)
    assert competence(more).truth[-1] == pytest.approx([1 / 3] * 3)


def test_what_was_learned_gives_the_same_labels_again() -> None:
    """So that new votes can be labelled without fitting anew."""
    votes = simulated(9).votes
    found = competence(votes)
    some = votes.pair < 50
    assert posterior(votes, found.learned) == pytest.approx(found.truth)
    assert posterior(votes.taken(some), found.learned)[:50] == pytest.approx(found.truth[:50])


def test_one_step_by_hand() -> None:
    """Two people, one pair, a against b: the posterior is what the odds say."""
    votes = votes_of([0, 0], [0, 1], [0, 2], pairs=1, annotators=2)
    found = competence(simulated(2).votes).learned
    odds = [
        found.knows[who] / ((1 - found.knows[who]) * found.guess[who, answer])
        for who, answer in ((0, 0), (1, 2))
    ]
    chances = np.array([1 + odds[0], 1, 1 + odds[1]])
    two = posterior(votes_of([0, 0], [0, 1], [0, 2], pairs=1, annotators=100), found)
    assert two[0] == pytest.approx(chances / chances.sum())
    foreseen = predicted(two, found, votes)
    assert foreseen.sum(axis=1) == pytest.approx(1)
    assert foreseen[0] == pytest.approx(found.knows[0] * two[0] + (1 - found.knows[0]) * found.guess[0])


def test_nobody_has_voted() -> None:
    found = competence(votes_of([], [], [], pairs=2, annotators=3))
    assert found.truth.shape == (2, 3)
    assert np.isfinite(found.learned.knows).all()
