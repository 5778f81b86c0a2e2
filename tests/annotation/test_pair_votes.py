"""Rankings and ratings reach labels, agreement, snapshots and exports as votes on pairs of responses."""

import itertools
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.agreement.bootstrap import estimates
from annotation.agreement.clusters import clusters_of
from annotation.agreement.krippendorff import alpha
from annotation.agreement.units import from_matrix
from annotation.interchange.snapshot import read_preferences, verify_snapshot
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.services import aggregating, agreeing, assigning, exporting, snapshotting
from tests import factories
from tests.annotation.ordering import item_of, vote

VOTES = {
    "ranking": [(1, 2, 3), (2, 1, 2), (1, 1, 1), (3, 2, 1)],
    "rating": [(5, 3, 1), (2, 4, 2), (3, 3, 3), (1, 4, 5)],
}


@pytest.fixture(autouse=True)
def folders(settings: object, tmp_path: Path) -> None:
    settings.LAUREL_DATA_DIR = tmp_path  # type: ignore[attr-defined]
    settings.LAUREL_SNAPSHOT_DIR = tmp_path / "snapshots"  # type: ignore[attr-defined]


def judged(kind: str, items: int = 6, responses: int = 3) -> Project:
    project = factories.project(kind=kind, overlap=4)
    for number in range(items):
        item = item_of(project, responses)
        for place in range(4):
            vote(item, VOTES[kind][(place + number * (place % 2)) % 4][:responses])
    return project


def counted(project: Project) -> dict[tuple[int, int, int], Counter[str]]:
    """The same in Python: one answer after the other, one pair after the other."""
    found: dict[tuple[int, int, int], Counter[str]] = defaultdict(Counter)
    for item in project.items.filter(is_gold=False):
        pks = list(item.item_responses.order_by("position").values_list("response_id", flat=True))
        for judgment in item.judgments.filter(live=True):
            (answer,) = judgment.answers.all()
            worth = [-rank for rank in answer.ranks] if answer.ranks else answer.ratings
            for i, j in itertools.combinations(range(len(pks)), 2):
                side = "a" if worth[i] > worth[j] else "b" if worth[i] < worth[j] else "tie"
                found[item.pk, pks[i], pks[j]][side] += 1
    return found


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["ranking", "rating"])
def test_labels_are_the_shares_of_votes_on_each_pair(kind: str) -> None:
    project = judged(kind)
    expected = counted(project)
    assert aggregating.rebuild(project=project) == len(expected) == 18
    for label in SoftLabel.objects.filter(project=project):
        votes = expected[label.item_id, label.response_a_id, label.response_b_id]
        shares = [votes[side] / 4 for side in ("a", "tie", "b")]
        assert [label.p_a, label.p_tie, label.p_b] == pytest.approx(shares)
        assert label.votes == 4
    taken_back = project.items.first().judgments.first()  # type: ignore[union-attr]
    assigning.skip(assignment_id=taken_back.assignment_id, annotator=taken_back.annotator)
    assert aggregating.rebuild(project=project) == 18
    assert set(SoftLabel.objects.values_list("votes", flat=True)) == {3, 4}


@pytest.mark.django_db
def test_one_rated_response_is_judged_and_compared_with_nothing() -> None:
    project = judged("rating", items=2, responses=1)
    assert aggregating.rebuild(project=project) == 0
    (found,) = agreeing.agreement_of(project=project, draws=20)
    assert found.report.units == 0
    assert found.main.units == 2
    with pytest.raises(snapshotting.NothingToSnapshot, match="compare no two responses"):
        snapshotting.create(project=project)


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["ranking", "rating"])
def test_snapshots_and_exports_hold_every_pair_under_an_id_of_its_own(kind: str, tmp_path: Path) -> None:
    project = judged(kind)
    item_of(project, 3)
    snapshot = snapshotting.create(project=project)
    folder = snapshotting.folder_of(snapshot)
    manifest = verify_snapshot(folder)
    assert (manifest.kind, manifest.counts["pairs"], manifest.counts["votes"]) == (kind, 18, 72)
    assert manifest.left_out == {"items without a judgment": 1}
    pairs = [label.preference.pair_id for label in read_preferences(folder)]
    assert len(set(pairs)) == len(pairs) == 18
    result = exporting.export_snapshot(snapshot=snapshot, format="trl-dpo", out=tmp_path / "out")
    won = sum(
        votes["a"] != votes["b"] and votes["tie"] <= max(votes["a"], votes["b"])
        for votes in counted(project).values()
    )
    assert sum(result.rows.values()) == won > 0
    rows = [json.loads(line) for path in (tmp_path / "out").glob("*.jsonl") for line in path.open()]
    assert all(row["chosen"] != row["rejected"] for row in rows)


@pytest.mark.slow
@pytest.mark.django_db
def test_agreement_rests_on_pairs_and_ratings_also_on_themselves() -> None:
    project = judged("rating")
    (found,) = agreeing.agreement_of(project=project, draws=50)
    votes = [[one[side] for side in ("a", "tie", "b")] for one in counted(project).values()]
    plain = from_matrix(votes, numeric=(1, 2, 3))
    rng = np.random.default_rng(0)
    expected = estimates(plain, {"x": alpha("ordinal")}, rng=rng, draws=0)["x"].value
    assert found.report.krippendorff["ordinal"].value == pytest.approx(expected)
    assert (found.report.units, found.report.ratings) == (18, 72)
    assert found.ratings is not None
    assert (found.ratings.units, found.ratings.ratings) == (18, 72)
    told = found.as_json()
    assert (told["unit"], told["rated_responses"]["unit"]) == ("pair", "rated response")
    assert (
        told["rated_responses"]["krippendorff"]["ordinal"]["value"]
        == found.main.krippendorff["ordinal"].value
    )


@pytest.mark.slow
@pytest.mark.django_db
def test_people_who_rate_alike_agree_and_a_scale_read_backwards_does_not() -> None:
    project = factories.project(kind="rating", overlap=3, rating_points=7)
    ann, ben, eve = (factories.user() for _ in range(3))
    for number in range(10):
        item = item_of(project, 2)
        first, second = number % 7 + 1, (3 * number) % 7 + 1
        vote(item, (first, second), ann)
        vote(item, (first, second), ben)
    (same,) = agreeing.agreement_of(project=project, draws=0)
    assert same.main.krippendorff["ordinal"].value == pytest.approx(1)
    for item in project.items.all():
        points = item.judgments.first().answers.get().ratings  # type: ignore[union-attr]
        vote(item, tuple(8 - point for point in points), eve)
    (apart,) = agreeing.agreement_of(project=project, draws=0)
    assert apart.main.krippendorff["ordinal"].value < 0.3


# --- items drawn whole ---------------------------------------------------------------------------


def test_units_of_one_cluster_count_as_one_in_the_interval() -> None:
    """A copy of every unit in the same cluster is no new evidence: the interval stays as wide as it was."""
    rng = np.random.default_rng(1)
    table = rng.multinomial(3, (0.5, 0.2, 0.3), size=60)

    def width(rows: np.ndarray, cluster: np.ndarray | None) -> float:
        counts = from_matrix(rows, numeric=(1, 2, 3))
        of = None if cluster is None else clusters_of(counts, rows, cluster)
        found = estimates(
            counts, {"x": alpha("ordinal")}, rng=np.random.default_rng(2), draws=2000, clusters=of
        )["x"]
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    alone = width(table, None)
    copied = np.repeat(table, 9, axis=0)
    assert width(copied, np.repeat(np.arange(60), 9)) == pytest.approx(alone, rel=0.1)
    assert width(copied, None) == pytest.approx(alone / 3, rel=0.15)
    assert width(table, np.arange(60)) == pytest.approx(alone, rel=0.1)


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)), max_size=30
    )
)
def test_the_clusters_hold_every_rated_unit_once(rows: list[tuple[int, int, int, int]]) -> None:
    table = np.array([row[1:] for row in rows], dtype=np.int64).reshape(-1, 3)
    ids = np.array([row[0] for row in rows], dtype=np.int64)
    counts = from_matrix(table)
    found = clusters_of(counts, table, ids).incidence
    assert np.asarray(found.sum(axis=0)).ravel().tolist() == counts.multiplicity.tolist()
    rated = table.sum(axis=1) > 0
    assert sorted(np.asarray(found.sum(axis=1)).ravel().tolist()) == sorted(
        Counter(ids[rated].tolist()).values()
    )
