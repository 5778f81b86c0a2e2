"""The votes of a snapshot as terms: each as it was answered, none twice, whatever stays out counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardmodel.likelihood.objective import Pairs, Rankings, Ratings, Strengths
from rewardmodel.training import data, votes
from rewardmodel.training.failure import SnapshotError
from tests.rewardmodel.answered import add_answers, answer, write_answered
from tests.rewardmodel.synthetic import write_snapshot


def read(folder: Path) -> tuple[data.Snapshot, votes.Votes]:
    snapshot = data.read(folder, None)
    return snapshot, votes.read(folder, snapshot)


def names(snapshot: data.Snapshot, places: Any) -> list[Any]:
    return np.array(snapshot.responses.ids)[places.numpy()].tolist()


def test_a_snapshot_without_answers_is_its_soft_labels(tmp_path: Path) -> None:
    snapshot, found = read(write_snapshot(tmp_path / "s", prompts=4, responses=3))
    (pairs,) = found.terms
    assert isinstance(pairs, Pairs)
    np.testing.assert_array_equal(pairs.responses.numpy(), [snapshot.pairs.left, snapshot.pairs.right])
    np.testing.assert_allclose(pairs.shares.numpy().T, snapshot.pairs.shares, rtol=1e-6)
    assert (found.counts, found.left_out) == ({"pairs": 12}, ())


def test_comparisons_without_strength_are_their_soft_labels(tmp_path: Path) -> None:
    answers = [answer("p", f"u{i}", ["x", "y"], choice=c) for i, c in enumerate(("a", "a", "both_bad"))]
    _, found = read(write_answered(tmp_path / "s", answers))
    (pairs,) = found.terms
    assert isinstance(pairs, Pairs)
    assert pairs.weight.tolist() == [3.0]
    np.testing.assert_allclose(pairs.shares[:, 0], [2 / 3, 0, 1 / 3], rtol=1e-6)
    assert found.left_out == ()


def test_with_one_strength_all_comparisons_are_answers(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = [
        {"choice": "a", "strength": 3},
        {"choice": "a", "strength": 3, "weight": 0.5},
        {"choice": "b", "strength": 1},
        {"choice": "tie"},
        {"choice": "both_bad"},
        {"choice": "b"},
    ]
    answers = [answer("p", f"u{i}", ["x", "y"], **one) for i, one in enumerate(said)]
    snapshot, found = read(write_answered(tmp_path / "s", answers))
    (term,) = found.terms
    assert isinstance(term, Strengths)
    rows = zip(term.least.tolist(), term.most.tolist(), term.weight.tolist(), strict=True)
    assert sorted(rows) == [(-3, -1, 1.0), (-1, -1, 1.0), (0, 0, 2.0), (3, 3, 1.5)]
    assert names(snapshot, term.responses) == [["x"] * 4, ["y"] * 4]
    assert (term.levels, term.ties) == (3, True)
    assert found.counts == {"pairs": 0, "strengths": 6}
    assert dict(found.left_out) == {"pairs of answers that are learned from as given": 1}


def test_rankings_are_sorted_and_grouped_by_length(tmp_path: Path) -> None:
    answers = [
        answer("p", "u0", ["x", "y", "z"], ranks=[2, 3, 1]),
        answer("p", "u1", ["x", "y", "z"], ranks=[2, 1, 2], weight=0.25),
        answer("q", "u0", ["v", "w"], ranks=[2, 1]),
    ]
    snapshot, found = read(write_answered(tmp_path / "s", answers))
    two, three = found.terms
    assert isinstance(two, Rankings)
    assert isinstance(three, Rankings)
    assert names(snapshot, two.responses.T) == [["w", "v"]]
    assert names(snapshot, three.responses.T) == [["z", "x", "y"], ["y", "x", "z"]]
    assert three.ranks.T.tolist() == [[1, 2, 3], [1, 2, 2]]
    assert three.votes.tolist() == [2.0, 0.5]
    assert len(snapshot.pairs.ids) == 4  # still what a run is tested on
    assert found.counts == {"pairs": 0, "rankings": 3}


def test_ratings_know_who_gave_them(tmp_path: Path) -> None:
    answers = [
        answer("p", "u1", ["x", "y"], ratings=[4, 1]),
        answer("p", "u0", ["x", "y"], ratings=[5, 5], weight=2.0),
        answer("p", "u1", ["z"], ratings=[3]),
    ]
    snapshot, found = read(write_answered(tmp_path / "s", answers))
    (term,) = found.terms
    assert isinstance(term, Ratings)
    assert names(snapshot, term.responses[0]) == ["x", "y", "x", "y", "z"]
    assert term.points.tolist() == [4, 1, 5, 5, 3]
    assert term.annotator.tolist() == [1, 1, 0, 0, 1]
    assert term.weight.tolist() == [1, 1, 2, 2, 1]
    assert (term.annotators, term.best) == (2, 5)


def test_kinds_stand_side_by_side_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    answers = [
        answer("p", "u0", ["x", "y", "z"], ranks=[1, 2, 3]),
        answer("q", "u0", ["v", "w"], choice="a"),
        answer("q", "u1", ["v", "w"], choice="b"),
        answer("r", "u1", ["s", "t"], ratings=[1, 2]),
    ]
    snapshot, found = read(write_answered(tmp_path / "s", answers))
    assert [type(term) for term in found.terms] == [Pairs, Rankings, Ratings]
    assert found.counts == {"pairs": 1, "rankings": 1, "ratings": 1}
    assert sum(float(term.votes.sum()) for term in found.terms) == 2 + 2 + 2
    assert len(snapshot.pairs.ids) == 5
    prompts = np.unique(snapshot.pairs.prompt)[1:]
    moved = votes.Votes(found.terms[1:2], {}, ()).renumbered(np.array([0, 5]))
    assert moved[0].prompt.tolist() == [0]
    assert len(prompts) == 2


def test_what_is_not_learned_from_is_counted(tmp_path: Path) -> None:
    answers = [
        answer("p", "u0", ["x", "y"], ratings=[1, 2]),
        answer("p", "u1", ["x", "y"], ratings=[1, 2], weight=0.0),
        answer("q", "u0", ["alone"], ratings=[2]),
        answer("p", "u2", ["x", "y"], ratings=[1, 2], criterion="tone"),
    ]
    _, found = read(write_answered(tmp_path / "s", answers))
    assert found.counts == {"pairs": 0, "ratings": 1}
    assert dict(found.left_out) == {
        "pairs of answers that are learned from as given": 1,
        "answers that weigh nothing": 1,
        "answers on prompts without a pair": 1,
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"responses": ["x", "nobody"]}, "nobody"), ({"responses": ["x", "v"]}, "two prompts")],
)
def test_answers_that_contradict_the_responses_are_refused(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    answers = [answer("p", "u0", ["x", "y"], ranks=[1, 2]), answer("q", "u0", ["v", "w"], ranks=[1, 2])]
    folder = write_answered(tmp_path / "s", answers)
    add_answers(folder, [{"split": "train", **answers[0], **change}])
    with pytest.raises(SnapshotError, match=reason):
        read(folder)


def test_changed_answers_are_refused(tmp_path: Path) -> None:
    folder = write_answered(tmp_path / "s", [answer("p", "u0", ["x", "y"], ranks=[1, 2])])
    with (folder / "judgments.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(SnapshotError, match=r"judgments\.parquet has changed"):
        data.read(folder, None)
