"""The queue does not run dry, and does not pile up: refills, and picks of an older model that go back."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from activelearning.models import LoopTurn, SelectedPair
from activelearning.services import policies, selecting, supplying, withdrawing
from activelearning.tasks import refill_queues
from annotation.models.project import Project
from annotation.models.work import Item
from rewardmodel.models import Ensemble
from rewardmodel.services.scoring import ScoringFailed
from tests import factories
from tests.activelearning import scored
from tests.annotation.crowds import at_once


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path) -> None:
    scored.own_folders(settings, tmp_path)
    cache.clear()


def world(prompts: int = 4, **policy: Any) -> Project:
    """Candidates, no open item, and a policy somebody has set; the audit set is left out."""
    project = scored.candidates(prompts, overlap=1)
    project.items.all().delete()
    values = {
        "batch_size": 6,
        "retrain_every": 100,
        "audit_pairs": 0,
        "random_share": 0.0,
        "overlap_share": 0.0,
    }
    policies.set_policy(project=project, **{**values, **policy})
    return project


def answer_all(project: Project) -> None:
    for item in project.items.filter(slots_left__gt=0).order_by("pk"):
        factories.judgment(item, factories.user(), "a")


def new_model(project: Project) -> Ensemble:
    project.ensembles.update(active=False)
    return factories.ensemble(factories.run(project))


def scored_world(monkeypatch: pytest.MonkeyPatch, **policy: Any) -> Project:
    project = world(**policy)
    scored.score_by(monkeypatch, scored.unsure)
    scored.with_no_test_prompts(monkeypatch)
    new_model(project)
    return project


# --- refills -----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_low_queue_is_filled_once() -> None:
    project = world()
    assert refill_queues() == 1
    assert (project.selection_batches.count(), project.items.count()) == (1, 6)
    assert project.selection_batches.get().config["refill"] is True
    assert refill_queues() == 0  # as nobody has answered anything
    assert project.selection_batches.count() == 1


@pytest.mark.django_db
def test_the_next_refill_comes_when_people_have_worked() -> None:
    project = world()
    refill_queues()
    for item in project.items.order_by("pk")[:3]:
        factories.judgment(item, factories.user())
    assert refill_queues() == 0  # three are left: half a batch
    factories.judgment(project.items.filter(slots_left=1).first(), factories.user())
    assert refill_queues() == 1
    assert project.items.filter(slots_left__gt=0).count() == 8


@pytest.mark.django_db
def test_imported_work_keeps_the_queue_full_but_not_what_is_the_last_resort() -> None:
    project = world()
    made = [factories.pair_item(project) for _ in range(3)]
    assert not supplying.needs_refill(project)
    Item.objects.filter(pk=made[0].pk).update(priority=-1)
    assert supplying.needs_refill(project)


@pytest.mark.django_db
def test_nobody_asked_for_choosing_nobody_gets_it() -> None:
    project = scored.candidates(2)
    project.items.all().delete()
    assert not supplying.needs_refill(project)
    policies.set_policy(project=project, enabled=False)
    assert not supplying.needs_refill(project)
    policies.set_policy(project=project, enabled=True)
    assert supplying.needs_refill(project)


@pytest.mark.django_db
def test_where_a_turn_is_due_or_selecting_its_batch_is_waited_for() -> None:
    project = world(retrain_every=1)
    factories.judgment(factories.pair_item(project), factories.user())
    assert not supplying.needs_refill(project)  # due
    turn = LoopTurn.objects.create(project=project, judgments=1, state="selecting")
    assert not supplying.needs_refill(project)
    LoopTurn.objects.filter(pk=turn.pk).update(state="training")
    assert supplying.needs_refill(project)


@pytest.mark.django_db
def test_while_a_model_is_trained_there_is_one_refill() -> None:
    project = world()
    LoopTurn.objects.create(project=project, judgments=0, state="training")
    assert refill_queues() == 1
    answer_all(project)
    assert refill_queues() == 0
    LoopTurn.objects.update(state="done")
    assert refill_queues() == 1


@pytest.mark.django_db
def test_where_nothing_is_left_it_is_not_asked_at_every_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    world(prompts=1).prompts.all().delete()
    asked = []
    choose = selecting.choose

    def watched(**values: Any) -> Any:
        asked.append(values["n"])
        return choose(**values)

    monkeypatch.setattr(selecting, "choose", watched)
    assert [refill_queues() for _ in range(3)] == [0, 0, 0]
    assert asked == [6]


@pytest.mark.django_db
def test_a_project_that_cannot_be_scored_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, sound = world(), world()
    choose = selecting.choose

    def fail_for_one(*, project: Project, n: int) -> Any:
        if project == broken:
            raise ScoringFailed("The encoder is missing.")
        return choose(project=project, n=n)

    monkeypatch.setattr(selecting, "choose", fail_for_one)
    assert refill_queues() == 1
    assert sound.selection_batches.exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_workers_refill_once() -> None:
    project = world()
    at_once(lambda _: refill_queues(), range(2))
    assert project.selection_batches.count() == 1


# --- older picks go back -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_newer_model_ranks_anew_what_nobody_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored_world(monkeypatch)
    first = selecting.select(project=project, n=6)
    begun = first.pairs.order_by("rank").first()
    factories.assignment(begun.item, factories.user())
    new_model(project)
    second = selecting.select(project=project, n=4)
    assert first.pairs.filter(withdrawn_at__isnull=False).count() == 5
    begun.refresh_from_db()
    assert begun.withdrawn_at is None
    open_now = project.items.filter(slots_left__gt=0, priority__gte=0)
    assert set(open_now.values_list("pk", flat=True)) == set(second.pairs.values_list("item_id", flat=True))
    back = SelectedPair.objects.filter(batch=first, withdrawn_at__isnull=False).values_list("item", flat=True)
    again = set(second.pairs.values_list("item_id", flat=True))
    for item in Item.objects.filter(pk__in=back):
        assert item.priority == (2 if item.pk in again else -1)


@pytest.mark.django_db
def test_withdrawn_pairs_can_all_be_chosen_again(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored_world(monkeypatch, prompts=1)
    every = 36  # pairs of nine responses
    assert selecting.select(project=project, n=every).pairs.count() == every
    new_model(project)
    assert selecting.select(project=project, n=every).pairs.count() == every
    assert project.items.count() == every


@pytest.mark.django_db
def test_the_same_model_withdraws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored_world(monkeypatch)
    selecting.select(project=project, n=6)
    selecting.select(project=project, n=6)
    assert not SelectedPair.objects.filter(withdrawn_at__isnull=False).exists()
    assert project.items.filter(priority__gt=0).count() == 12


@pytest.mark.django_db
def test_what_chance_drew_stays_and_so_do_second_opinions(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored_world(monkeypatch, random_share=0.5)
    first = selecting.select(project=project, n=6)
    kept = list(first.pairs.filter(reason="random").values_list("pk", flat=True))
    assert len(kept) == 3
    first.pairs.filter(pk=first.pairs.exclude(pk__in=kept).first().pk).update(reason="repeat")
    newer = new_model(project)
    assert withdrawing.withdrawable(project, newer).count() == 2
    assert withdrawing.withdrawable(project, None).count() == 0
    assert not withdrawing.withdrawable(project, newer).filter(pk__in=kept).exists()


@pytest.mark.django_db
def test_an_expired_hold_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    project = scored_world(monkeypatch)
    first = selecting.select(project=project, n=2)
    held = factories.assignment(first.pairs.first().item, factories.user())
    newer = new_model(project)
    assert withdrawing.withdrawable(project, newer).count() == 1
    type(held).objects.update(state="expired", lease_expires_at=timezone.now() - timedelta(hours=1))
    assert withdrawing.withdrawable(project, newer).count() == 2
