"""On 58,602 real votes on arguments: the labels that were released, and votes that nobody had seen."""

import gzip
import json

import numpy as np
import pytest

from annotation.aggregation.comparing import compared
from annotation.aggregation.competence import competence
from annotation.aggregation.dawid_skene import dawid_skene
from annotation.aggregation.shares import IntArray
from annotation.aggregation.votes import Votes, votes_of
from tests.annotation.agreement.shared_data import shared_file

OUTCOME = {"a1": 0, "equal": 1, "a2": 2}
MACE = 0.8907  # crowd-kit's, on the same pairs; majority has .8764, its Dawid-Skene .8891


@pytest.fixture(scope="module")
def debates() -> tuple[Votes, IntArray]:
    """Votes, and the released label of each pair, −1 where none was released."""
    with gzip.open(shared_file("ukpconvarg1/pairs.jsonl.gz"), "rt") as lines:
        rows = [json.loads(line) for line in lines]
    people: dict[str, int] = {}
    votes = [
        (pair, people.setdefault(vote["worker"], len(people)), OUTCOME[vote["value"]])
        for pair, row in enumerate(rows)
        for vote in row["votes"]
    ]
    pair, who, outcome = zip(*votes, strict=True)
    released = np.array([OUTCOME.get(row["gold"], -1) for row in rows])
    return votes_of(pair, who, outcome, pairs=len(rows), annotators=len(people)), released


@pytest.mark.slow
def test_competence_gives_the_released_labels_more_often_than_mace(
    debates: tuple[Votes, IntArray],
) -> None:
    votes, released = debates
    known = released >= 0
    assert known.sum() == 11_119

    def right(chances: np.ndarray) -> float:
        return float((chances.argmax(axis=1) == released)[known].mean())

    assert right(votes.counts) < 0.89
    assert right(dawid_skene(votes).truth) >= MACE
    assert right(competence(votes).truth) >= 0.93


@pytest.mark.slow
def test_both_foresee_votes_better_than_shares(debates: tuple[Votes, IntArray]) -> None:
    found = compared(debates[0], rng=np.random.default_rng(0), draws=300)
    scores = found.scores
    assert scores["competence"].low > 0.015  # type: ignore[operator]
    assert scores["dawid-skene"].low > 0.01  # type: ignore[operator]
    assert found.best == "competence"
