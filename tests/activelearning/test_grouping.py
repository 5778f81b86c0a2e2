"""Rankings and ratings are selected too: groups that nobody judged, each with the pair that tells most."""

from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from activelearning.models import AuditPair, LoopPolicy, SelectedPair, SelectionBatch
from activelearning.services import auditing, group_audit, grouping, selecting
from annotation.interchange.snapshot import read_preferences
from annotation.models.project import Project
from annotation.models.work import Item
from annotation.services import aggregating, snapshotting
from tests import factories
from tests.activelearning import ranked, scored

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path) -> None:
    scored.own_folders(settings, tmp_path)


@pytest.fixture(autouse=True)
def _same_draws(db: None) -> None:
    scored.same_ids()


def groups_of(batch: SelectionBatch | None) -> list[frozenset[int]]:
    assert batch is not None
    return [frozenset(pair.item.responses.values_list("pk", flat=True)) for pair in batch.pairs.all()]


def pairs_of(groups: list[frozenset[int]]) -> set[frozenset[int]]:
    return {frozenset(pair) for group in groups for pair in combinations(group, 2)}


def without_audit(project: Project) -> None:
    LoopPolicy.objects.create(project=project, audit_pairs=0)


def measured(project: Project) -> set[int]:
    rows = read_preferences(snapshotting.folder_of(project.ensembles.get().run.snapshot))
    return {int(row.preference.prompt_id) for row in rows if row.split == "test"}


# --- what is chosen --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ranking", "rating"])
def test_a_batch_of_groups_follows_the_recipe(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = ranked.world(kind, prompts=40, responses=5)
    judged = ranked.judge_some(project, 20)
    ensemble = scored.with_ensemble(project)
    calls = scored.score_by(monkeypatch, scored.unsure)
    batch = selecting.select(project=project, n=20, seed=1)
    assert batch is not None
    assert calls == [200]
    assert (batch.ensemble, batch.strategy) == (ensemble, "regret")
    assert Counter(batch.pairs.values_list("reason", flat=True)) == {"regret": 16, "random": 2, "audit": 2}
    assert sorted(batch.pairs.values_list("rank", flat=True)) == list(range(1, 21))
    assert {len(group) for group in groups_of(batch)} == {3}  # as what was judged
    asked = pairs_of([frozenset(item.responses.values_list("pk", flat=True)) for item in judged])
    for pair, group in zip(batch.pairs.select_related("item"), groups_of(batch), strict=True):
        assert {pair.response_a_id, pair.response_b_id} <= group
        assert pairs_of([group]) - asked
        by_chance = pair.reason in ("audit", "random")
        assert pair.item.origin == ("random" if by_chance else "selected")
        assert (pair.propensity is not None) == by_chance
        assert pair.item.priority == batch.number
    assert not {item.pk for item in judged} & set(batch.pairs.values_list("item", flat=True))
    measuring = set(project.prompts.filter(audit=True).values_list("pk", flat=True)) | measured(project)
    assert not batch.pairs.filter(reason="regret", item__prompt__in=measuring).exists()


@pytest.mark.slow
def test_two_selections_do_not_choose_the_same_group(monkeypatch: pytest.MonkeyPatch) -> None:
    project = ranked.world(prompts=20, responses=4)
    without_audit(project)
    ranked.judge_some(project, 10, size=2)
    scored.with_ensemble(project)
    scored.score_by(monkeypatch, scored.unsure)
    first = selecting.choose(project=project, n=8, seed=1)
    second = selecting.choose(project=project, n=8, seed=1)  # before the first is queued
    assert len(groups_of(selecting.queue(project=project, choice=first))) == 8
    assert selecting.queue(project=project, choice=second) is None
    third = selecting.select(project=project, n=8, seed=1)
    earlier = project.selection_batches.get(number=1)
    assert not set(groups_of(third)) & set(groups_of(earlier))
    assert not pairs_of(groups_of(third)) <= pairs_of(groups_of(earlier))


def test_chance_chooses_until_there_is_a_model_and_ends_when_all_is_asked() -> None:
    project = ranked.world(prompts=3, responses=4)
    factories.responses(factories.prompt(project), 1)  # a single response is no group
    without_audit(project)
    batch = selecting.select(project=project, n=50, seed=1)
    assert batch is not None
    assert batch.strategy == "cold start: random"
    assert {pair.reason for pair in batch.pairs.all()} <= {"random", "audit"}
    assert sorted(map(len, groups_of(batch))) == [4, 4, 4]
    assert "Only 3 open groups, 50 were asked for." in batch.notes
    assert selecting.select(project=project, n=50) is None


def test_before_the_first_run_the_texts_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    project = ranked.world(prompts=30, responses=4)
    without_audit(project)
    scored.embed_as(monkeypatch, scored.anything)
    batch = selecting.select(project=project, n=10, seed=1)
    assert batch is not None
    assert (batch.ensemble, batch.strategy, batch.by_texts) == (None, "cold start: regret", True)
    assert Counter(batch.pairs.values_list("reason", flat=True)) == {"i_optimal": 9, "random": 1}
    assert all(pair.explanation.startswith("No model yet. Of these 4") for pair in batch.pairs.exclude(
        reason="random"))  # fmt: skip
    assert all(pair.scores["probability"] is None for pair in batch.pairs.all())
    scored.assert_said_in_parts(batch)
    assert batch.notes
    ranked.answer(batch.pairs.get(rank=1).item)
    later = selecting.select(project=project, n=10, seed=2)
    assert later is not None
    assert later.pairs.filter(reason="regret").count() == 9


def test_an_imported_group_is_asked_about_as_it_is() -> None:
    project = ranked.world(prompts=2, responses=5)
    without_audit(project)
    groups = [list(prompt.responses.order_by("pk")) for prompt in project.prompts.order_by("pk")]
    waiting, gold = ranked.item_of(project, groups[0]), groups[1]
    ranked.item_of(project, gold, origin="gold")
    batch = selecting.select(project=project, n=10, seed=1)
    assert batch is not None
    assert [pair.item for pair in batch.pairs.select_related("item")] == [waiting]
    assert Item.objects.get(pk=waiting.pk).priority == 1
    assert Item.objects.filter(project=project).count() == 2


def test_a_new_group_is_as_large_as_most_items_are() -> None:
    project = ranked.world("rating", prompts=8, responses=9)
    assert grouping.group_size(project) == 4
    prompts = [list(prompt.responses.all()) for prompt in project.prompts.all()]
    factories.pair_item(project, pair=prompts[0][:2], origin="gold")
    assert grouping.group_size(project) == 4
    ranked.item_of(project, prompts[1][:3])
    ranked.item_of(project, prompts[2][:5])
    assert grouping.group_size(project) == 5
    ranked.item_of(project, prompts[3][:3])
    assert grouping.group_size(project) == 3
    for prompt in prompts[4:]:
        ranked.item_of(project, prompt[:2], origin="selected")  # what was selected decides nothing
    assert grouping.group_size(project) == 3


# --- prompts that measure --------------------------------------------------------------------------


@pytest.mark.slow
def test_audit_groups_are_drawn_once_and_their_pairs_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    project = ranked.world(prompts=60, responses=5, overlap=1)
    LoopPolicy.objects.create(project=project, audit_pairs=9, audit_votes=2)
    ranked.judge_some(project, 30)
    scored.with_ensemble(project)
    scored.score_by(monkeypatch, scored.unsure)
    batch = selecting.select(project=project, n=30, seed=1)
    drawn = {(pair.response_a_id, pair.response_b_id): pair for pair in project.audit_pairs.all()}
    assert len(drawn) == 9  # three groups of three
    assert batch is not None
    audited = batch.pairs.filter(reason="audit").select_related("item")
    assert len(audited) == 3
    assert set(AuditPair.objects.values_list("item", flat=True)) == {pair.item_id for pair in audited}
    assert {pair.item.overlap for pair in audited} == {2}
    assert all(pair.item.prompt.audit for pair in audited)
    for pair in audited:
        for _ in range(2):
            ranked.answer(pair.item)
    aggregating.refresh(project=project)
    found = auditing.audit_set(project)
    assert (found.pairs, found.queued, found.judged, len(found.labels)) == (9, 9, 9, 9)
    assert all((one.p_a, one.p_b, one.votes) == (0.0, 1.0, 2) for one in found.labels)
    selecting.select(project=project, n=30, seed=2)
    assert project.audit_pairs.count() == 9


@pytest.mark.slow
def test_an_audit_group_that_people_judged_unasked_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    project = ranked.world(prompts=30, responses=4, overlap=1)
    LoopPolicy.objects.create(project=project, audit_pairs=200, audit_votes=1)
    judged = ranked.judge_some(project, 30, size=4)
    selecting.select(project=project, n=5, seed=1)
    rows = project.audit_pairs.all()
    assert len(rows) == 6 * project.prompts.filter(audit=True).count() > 0
    assert {row.item_id for row in rows} <= {item.pk for item in judged}


@pytest.mark.slow
def test_no_audit_pair_is_drawn_twice_although_more_are_asked_for() -> None:
    project = ranked.world(prompts=20, responses=6)
    policy = LoopPolicy.objects.create(project=project, audit_pairs=6)
    for more in (6, 12, 200, 200, 200):
        LoopPolicy.objects.update(audit_pairs=more)
        policy.refresh_from_db()
        selecting.select(project=project, n=6, seed=more)
    pairs = list(project.audit_pairs.values_list("response_a", "response_b"))
    assert len(pairs) == len(set(pairs)) > 12
    assert {len(one.responses) for one in group_audit.due(project)} <= {4}  # a prompt's wait is one group


# --- what an older model picked --------------------------------------------------------------------


@pytest.mark.slow
def test_picks_of_an_older_model_are_withdrawn_and_formed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    project = ranked.world(prompts=12, responses=4)
    without_audit(project)
    ranked.judge_some(project, 6, size=2)
    older = scored.with_ensemble(project)
    scored.score_by(monkeypatch, scored.unsure)
    first = selecting.select(project=project, n=5, seed=1)
    assert first is not None
    begun = first.pairs.filter(reason="regret").first()
    assert begun is not None
    ranked.answer(begun.item)
    older.active = False
    older.save()
    scored.with_ensemble(project)
    second = selecting.select(project=project, n=8, seed=2)
    assert second is not None
    withdrawn = SelectedPair.objects.filter(batch=first, withdrawn_at__isnull=False)
    assert {pair.reason for pair in withdrawn} == {"regret"}
    assert begun not in withdrawn
    assert len(withdrawn) == first.pairs.filter(reason="regret").count() - 1
    assert begun.item not in [pair.item for pair in second.pairs.all()]
