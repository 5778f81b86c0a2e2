"""Dawid and Skene: their own numbers, EM that never goes down, recovery, and what it does not depend on."""

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from annotation.aggregation.dawid_skene import competence, dawid_skene, posterior, predicted
from annotation.aggregation.votes import Votes, votes_of
from tests.annotation.aggregation.voting import renamed, simulated, turned
from tests.annotation.agreement.shared_data import shared_file


def patients() -> tuple[Votes, dict[str, object]]:
    """45 patients, five observers, the first of whom saw each three times; four classes."""
    entry = json.loads(shared_file("agreement/reference_values.json").read_text())["dawid_skene_1979"]
    rows = [
        (int(patient) - 1, int(observer) - 1, label - 1)
        for patient, seen in entry["data_patient_observer_labels"].items()
        for observer, labels in seen.items()
        for label in labels
    ]
    patient, observer, label = zip(*rows, strict=True)
    return votes_of(patient, observer, label, pairs=45, annotators=5, outcomes=4), entry["expected"]


def test_the_published_example() -> None:
    votes, expected = patients()
    found = dawid_skene(votes, shrinkage=0, tolerance=1e-12, most_steps=100_000)
    assert found.log_likelihood == pytest.approx(expected["loglik"], abs=1e-6)
    assert found.learned.prior == pytest.approx(expected["class_marginals"], abs=5e-5)
    assert found.learned.matrix[0] == pytest.approx(np.array(expected["observer1_confusion"]), abs=5e-4)
    assert np.bincount(found.truth.argmax(axis=1)).tolist() == expected["argmax_counts"]
    unsure = {str(patient + 1): row for patient, row in enumerate(found.truth) if row.max() < 0.99}
    assert set(unsure) == set(expected["non_certain_posteriors"])  # type: ignore[call-overload]
    for patient, row in expected["non_certain_posteriors"].items():  # type: ignore[attr-defined]
        assert unsure[patient] == pytest.approx(row, abs=5e-4)


def test_a_step_never_lowers_the_likelihood() -> None:
    votes = simulated(1, annotators=30).votes
    values = [dawid_skene(votes, shrinkage=0, tolerance=0, most_steps=n).log_likelihood for n in range(1, 25)]
    assert (np.diff(values) >= -1e-9).all()


def test_competence_is_recovered() -> None:
    found = []
    for seed in range(5):
        one = simulated(seed, per_pair=8)
        found.append(spearmanr(one.knows, competence(dawid_skene(one.votes).learned)).statistic)
    assert np.mean(found) >= 0.9


def test_names_and_order_do_not_matter() -> None:
    votes = simulated(1).votes
    found = dawid_skene(votes, tolerance=1e-10, most_steps=5000)
    made, pairs, people = renamed(votes, 2)
    other = dawid_skene(made, tolerance=1e-10, most_steps=5000)
    assert other.truth[pairs] == pytest.approx(found.truth, abs=1e-6)
    assert other.learned.matrix[people] == pytest.approx(found.learned.matrix, abs=1e-6)
    mirrored = dawid_skene(turned(votes), tolerance=1e-10, most_steps=5000)
    assert mirrored.truth[:, ::-1] == pytest.approx(found.truth, abs=1e-6)


def test_votes_of_weight_zero_move_nothing_and_are_measured_all_the_same() -> None:
    one = simulated(5)
    out = one.votes.annotator < 30
    without = dawid_skene(one.votes.taken(~out))
    weighed = dawid_skene(one.votes.reweighted(np.where(out, 0.0, 1.0)))
    assert weighed.truth == pytest.approx(without.truth, abs=1e-9)
    assert weighed.learned.matrix[30:] == pytest.approx(without.learned.matrix[30:], abs=1e-9)
    assert spearmanr(competence(weighed.learned)[:30], one.knows[:30]).statistic > 0.7


def test_shrinkage_takes_somebody_new_for_one_of_the_group() -> None:
    votes = simulated(6).votes
    more = votes_of(votes.pair, votes.annotator, votes.outcome, pairs=votes.pairs, annotators=101)
    learned = dawid_skene(more).learned
    assert learned.matrix[100] == pytest.approx(learned.group)
    assert learned.matrix.sum(axis=2) == pytest.approx(1)


def test_what_was_learned_gives_the_same_labels_again() -> None:
    votes = simulated(9).votes
    found = dawid_skene(votes)
    some = votes.pair < 50
    assert posterior(votes.taken(some), found.learned)[:50] == pytest.approx(found.truth[:50])
    assert predicted(found.truth, found.learned, votes).sum(axis=1) == pytest.approx(1)


def test_a_pair_without_votes_has_the_shares_of_the_others() -> None:
    votes = simulated(8).votes
    more = votes_of(votes.pair, votes.annotator, votes.outcome, pairs=votes.pairs + 1, annotators=100)
    found = dawid_skene(more)
    assert found.truth[-1] == pytest.approx(found.learned.prior, abs=0.01)


def test_an_outcome_nobody_gives_has_no_chance() -> None:
    found = dawid_skene(simulated(7, ties=0.0).votes)
    assert found.truth[:, 1].max() < 1e-9
    assert (competence(found.learned) >= 0).all()
