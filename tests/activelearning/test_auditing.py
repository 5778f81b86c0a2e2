"""The audit set: drawn once from prompts that nothing trains on, judged by three, never replaced."""

import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from django.db import connection

from activelearning.models import AuditPair, LoopPolicy
from activelearning.services import auditing, selecting
from annotation.interchange.snapshot import read_splits
from annotation.interchange.split import assign_splits
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.work import Item
from annotation.services import aggregating, items, snapshotting
from rewardmodel.models import TrainingRun
from tests import factories
from tests.activelearning import scored
from tests.annotation.import_rows import bring, row

NINE = [{"text": f"Answer {n}."} for n in range(9)]
Pairs = list[tuple[int, int]]


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path) -> None:
    scored.own_folders(settings, tmp_path)


@pytest.fixture(autouse=True)
def _same_draws(db: None) -> None:
    scored.same_ids()


def policy(project: Project, **fields: int) -> LoopPolicy:
    return LoopPolicy.objects.update_or_create(project=project, defaults=fields)[0]


def ensure(project: Project, seed: int = 1, **fields: int) -> int:
    rng = np.random.default_rng(seed)
    return auditing.ensure(project=project, policy=policy(project, **fields), rng=rng)


def drawn(project: Project) -> Pairs:
    return list(project.audit_pairs.order_by("rank").values_list("response_a_id", "response_b_id"))


def audit_prompts(project: Project) -> set[int]:
    return set(project.prompts.filter(audit=True).values_list("pk", flat=True))


def on_test(project: Project) -> set[int]:
    ids = [str(pk) for pk in project.prompts.values_list("pk", flat=True)]
    splits = assign_splits(ids, snapshotting.SPLIT_SEED)
    return {int(prompt) for prompt, split in splits.items() if split == "test"}


def vote(project: Project, pair: tuple[int, int], choices: str) -> Item:
    (item,) = items.queue_pairs(
        project=project, pairs=[pair], priority=0, origins=["imported"], overlaps=[len(choices)]
    )
    for choice in choices:
        factories.judgment(item, factories.user(), choice)
    return item


# --- the drawing -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_pairs_are_drawn_from_the_test_prompts_with_their_chance() -> None:
    project = scored.candidates(40)
    assert ensure(project, audit_pairs=50) == 50
    assert audit_prompts(project) == on_test(project)
    assert len(audit_prompts(project)) == 4
    rows = project.audit_pairs.select_related("response_a", "response_b")
    assert [row.rank for row in rows] == list(range(1, 51))
    for pair in rows:
        assert pair.response_a.prompt_id == pair.response_b.prompt_id in audit_prompts(project)
        assert pair.propensity == pytest.approx(50 / (4 * 36))
        assert pair.item is None


@pytest.mark.slow
@pytest.mark.django_db
def test_every_open_pair_is_as_likely_as_any_other() -> None:
    project = scored.candidates(20, responses=4)  # two test prompts with six pairs each
    counts: Counter[tuple[int, int]] = Counter()
    for seed in range(120):
        ensure(project, seed, audit_pairs=4)
        counts.update(drawn(project))
        project.audit_pairs.all().delete()
    assert len(counts) == 12
    # Each count is binomial with n = 120, p = 1/3: mean 40, deviation 5.2.
    assert 22 < min(counts.values()) <= max(counts.values()) < 58


@pytest.mark.django_db
def test_what_was_drawn_stays_and_only_what_lacks_is_added() -> None:
    project = scored.candidates(40)
    ensure(project, audit_pairs=50)
    first = drawn(project)
    assert ensure(project, 2) == 50
    assert drawn(project) == first
    assert ensure(project, 3, audit_pairs=60) == 60
    assert drawn(project)[:50] == first
    assert len(set(drawn(project))) == 60
    assert ensure(project, 4, audit_pairs=10) == 60


@pytest.mark.django_db
def test_a_set_that_is_too_small_grows_with_new_prompts() -> None:
    project = scored.candidates(12)
    assert ensure(project, audit_pairs=100) == 36
    before = audit_prompts(project)
    assert len(before) == 1
    assert bring(project, *(row(n, responses=NINE) for n in range(100, 140))).applied
    assert ensure(project, 2, audit_pairs=100) == 100
    assert before < audit_prompts(project)
    assert bring(project, *(row(n, responses=NINE) for n in range(200, 260))).applied
    after = audit_prompts(project)
    assert ensure(project, 3, audit_pairs=100) == 100
    assert audit_prompts(project) == after  # complete: no prompt more is taken from training


@pytest.mark.django_db
def test_what_people_work_on_is_not_drawn_but_what_has_its_votes_is_and_counts() -> None:
    project = scored.candidates(12)
    (prompt,) = on_test(project)
    one, two, three, four = Response.objects.filter(prompt=prompt).order_by("pk")[:4]
    whole = vote(project, (one.pk, two.pk), "aab")
    vote(project, (one.pk, three.pk), "ab")  # lacks a vote
    factories.gold_item(project, pair=[one, four])
    assert ensure(project, audit_pairs=100, audit_votes=3) == 34
    assert (one.pk, two.pk) in drawn(project)
    assert not {(one.pk, three.pk), (one.pk, four.pk)} & set(drawn(project))
    (settled,) = AuditPair.objects.filter(item__isnull=False)
    assert settled.item == whole
    assert settled not in auditing.due(project=project)
    assert len(auditing.due(project=project, n=5)) == 5


@pytest.mark.django_db
def test_votes_that_an_import_brings_after_the_drawing_count_too() -> None:
    project = scored.candidates(12)
    ensure(project, audit_pairs=5)
    pair = drawn(project)[3]
    item = vote(project, pair, "aaa")
    assert ensure(project, audit_pairs=5) == 5
    assert AuditPair.objects.get(item=item).rank == 4
    assert [row.rank for row in auditing.due(project=project)] == [1, 2, 3, 5]


# --- never trained on ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("seen_by", ["active", "earlier", "running"])
def test_prompts_that_a_model_has_learned_from_do_not_measure(seen_by: str) -> None:
    """Below a hundred prompts a later test prompt may have trained the ensemble before."""
    project = scored.candidates(60)
    scored.judge_some(project, 60)
    snapshot = snapshotting.create(project=project)
    splits = read_splits(snapshotting.folder_of(snapshot))
    state = TrainingRun.State.RUNNING if seen_by == "running" else TrainingRun.State.SUCCEEDED
    run = factories.run(project, snapshot=snapshot, state=state)
    if seen_by != "running":
        factories.ensemble(run, active=seen_by == "active")
    assert bring(project, *(row(n, responses=NINE) for n in range(500, 540))).applied
    trained_on = {int(prompt) for prompt, split in splits.items() if split != "test"}
    assert trained_on & on_test(project)  # the split has moved: this test tests something
    ensure(project, audit_pairs=500)
    assert audit_prompts(project) == on_test(project) - trained_on


@pytest.mark.slow
@pytest.mark.django_db
def test_whatever_comes_in_later_audit_prompts_test() -> None:
    project = scored.candidates(20)
    ensure(project, audit_pairs=20)
    audit = audit_prompts(project)
    assert len(audit) == 2
    assert bring(project, *(row(n, responses=NINE) for n in range(100, 175))).applied
    assert audit - on_test(project)  # by its hash alone one of them would train now
    assert audit_prompts(project) == audit
    scored.judge_some(project, 95)
    snapshot = snapshotting.create(project=project)
    splits = read_splits(snapshotting.folder_of(snapshot))
    assert {splits[str(prompt)] for prompt in audit} == {"test"}
    assert snapshot.manifest["split"]["audit_prompts"] == 2


# --- into batches ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_batches_queue_the_set_in_order_with_votes_of_its_own() -> None:
    project = scored.candidates(40, overlap=2)
    policy(project, audit_pairs=12, audit_votes=4, overlap_share=0.0)
    shares = []
    for seed in range(3):
        batch = selecting.select(project=project, n=50, seed=seed)
        assert batch is not None
        chosen = batch.pairs.filter(reason="audit").order_by("rank").select_related("item")
        shares.append(chosen.count())
        for pair in chosen:
            drawn_once = AuditPair.objects.get(item=pair.item)
            sides = sorted((pair.response_a_id, pair.response_b_id))
            assert sides == [drawn_once.response_a_id, drawn_once.response_b_id]
            assert pair.propensity == pytest.approx(12 / 144)
            assert "never learns from" in pair.explanation
            assert (pair.item.origin, pair.item.overlap, pair.item.slots_left) == ("random", 4, 4)
        others = batch.pairs.exclude(reason="audit")
        assert not others.filter(item__prompt__audit=True).exists()
        assert set(others.values_list("item__overlap", flat=True)) == {None}
    assert shares == [5, 5, 2]  # a tenth of each, until the set is complete
    queued = [row.item_id for row in project.audit_pairs.order_by("rank") if row.item_id]
    asked = Item.objects.filter(pk__in=queued).order_by("priority").values_list("pk", flat=True)
    assert set(asked[:5]) == set(queued[:5])
    assert set(asked[10:]) == set(queued[10:])
    assert auditing.due(project=project) == []


@pytest.mark.django_db
def test_a_pair_that_two_batches_chose_is_queued_once() -> None:
    project = scored.candidates(20)
    choices = [selecting.choose(project=project, n=20, seed=seed) for seed in (1, 2)]
    batches = [selecting.queue(project=project, choice=choice) for choice in choices]
    assert [batch.pairs.filter(reason="audit").count() for batch in batches if batch] == [2, 0]
    assert project.audit_pairs.filter(item__isnull=False).count() == 2


@pytest.mark.django_db
def test_a_drawn_pair_with_a_first_vote_still_gets_the_others() -> None:
    project = scored.candidates(20)
    ensure(project, audit_pairs=1)
    item = vote(project, drawn(project)[0], "a")
    batch = selecting.select(project=project, n=20, seed=1)
    assert batch is not None
    (pair,) = batch.pairs.filter(reason="audit").select_related("item")
    assert pair.item == item
    assert (pair.item.overlap, pair.item.slots_left) == (3, 2)


@pytest.mark.django_db
def test_a_small_project_gets_a_small_set_and_is_told() -> None:
    batch = selecting.select(project=scored.candidates(9, responses=3), n=10, seed=1)
    assert batch is not None
    assert any("audit set has 3 pairs" in note for note in batch.notes)
    bare = selecting.select(project=scored.candidates(2), n=10, seed=1)
    assert bare is not None
    assert any("audit set has 0 pairs" in note for note in bare.notes)
    plenty = selecting.select(project=scored.candidates(80), n=10, seed=1)
    assert plenty is not None
    assert not any("audit set" in note for note in plenty.notes)


@pytest.mark.django_db
def test_who_wants_no_audit_set_gets_none() -> None:
    project = scored.candidates(30)
    policy(project, audit_pairs=0)
    batch = selecting.select(project=project, n=20, seed=1)
    assert batch is not None
    assert set(batch.pairs.values_list("reason", flat=True)) == {"random"}
    assert not audit_prompts(project)
    assert not any("audit" in note for note in batch.notes)


@pytest.mark.django_db(transaction=True)
def test_two_workers_draw_one_set() -> None:
    project = scored.candidates(20)
    policy(project, audit_pairs=30)
    found, begin = [], threading.Barrier(2)

    def work(seed: int) -> None:
        try:
            begin.wait(timeout=20)
            found.append(ensure(Project.objects.get(pk=project.pk), seed))
        finally:
            connection.close()

    workers = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
    assert found == [30, 30]
    assert AuditPair.objects.count() == 30


# --- what is read of it ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_set_is_read_with_shares_of_the_lower_id_first() -> None:
    project = scored.candidates(20)
    ensure(project, audit_pairs=6)
    pairs = drawn(project)
    turned = vote(project, (pairs[1][1], pairs[1][0]), "aab")  # the item has the higher id first
    vote(project, pairs[4], "bbb")
    few = vote(project, pairs[5], "a")
    AuditPair.objects.filter(rank=6).update(item=few)
    ensure(project, audit_pairs=6)
    aggregating.refresh(project=project)
    found = auditing.audit_set(project)
    assert (found.asked, found.pairs, found.queued, found.judged) == (6, 6, 3, 2)
    assert found.prompts == len({Response.objects.get(pk=a).prompt_id for a, _ in pairs})
    first, second = found.labels
    assert (first.rank, first.item_id, first.votes) == (2, turned.pk, 3)
    assert (first.response_a, first.response_b) == pairs[1]
    assert (first.p_a, first.p_tie, first.p_b) == pytest.approx((1 / 3, 0, 2 / 3))
    assert (second.p_a, second.p_b) == pytest.approx((0, 1))
    assert first.prompt_id in audit_prompts(project)
    assert [label.rank for label in auditing.audit_set(project, votes=1).labels] == [2, 5, 6]


@pytest.mark.django_db
def test_a_project_without_a_set_reads_as_empty() -> None:
    found = auditing.audit_set(factories.project())
    assert (found.labels, found.pairs, found.queued, found.judged) == ((), 0, 0, 0)
    assert found.asked == 200
