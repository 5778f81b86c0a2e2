"""The loop by the clock, the estimating step, and what a killed worker leaves of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from activelearning.models import LoopTurn
from activelearning.services import estimating, looping, policies, selecting
from activelearning.tasks import turn_loops
from annotation.models.project import Project
from annotation.services import snapshotting
from rewardmodel.services import gating
from tests import factories
from tests.activelearning import scored, turns
from tests.annotation.crowds import at_once


class Killed(BaseException):
    """The worker is gone, in the midst of it."""


def die(*_: object, **__: object) -> None:
    raise Killed


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored.own_folders(settings, tmp_path)
    monkeypatch.setattr(gating, "promote_if_not_worse", lambda _: True)


def judge(project: Project, judgments: int = 1) -> None:
    item = project.items.order_by("pk").first() or factories.pair_item(project)
    for _ in range(judgments):
        factories.judgment(item, factories.user())


def hours_ago(turn: LoopTurn, hours: float) -> None:
    LoopTurn.objects.filter(pk=turn.pk).update(created_at=timezone.now() - timedelta(hours=hours))


def at_selecting(**policy: Any) -> LoopTurn:
    """A turn whose model is trained and judged by the gate."""
    project = scored.candidates(3, overlap=100)
    policies.set_policy(project=project, **{"batch_size": 7, "audit_pairs": 0, **policy})
    judge(project, 2)
    run = factories.run(project, snapshot=snapshotting.create(project=project))
    return LoopTurn.objects.create(project=project, judgments=2, run=run, state="selecting", note="Promoted.")


# --- by the clock ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_turn_is_due_after_hours_with_one_new_judgment() -> None:
    project = factories.project(overlap=100)
    policies.set_policy(project=project, every_hours=12)
    judge(project)
    last = turns.past_turn(project)
    LoopTurn.objects.filter(pk=last.pk).update(judgments=1)
    hours_ago(last, 13)
    assert looping.begin_due_turns() == []  # nothing new to learn from
    judge(project)
    hours_ago(last, 11)
    assert looping.begin_due_turns() == []
    hours_ago(last, 12.1)
    assert [turn.judgments for turn in looping.begin_due_turns()] == [2]


@pytest.mark.django_db
def test_without_a_turn_the_hours_count_from_the_first_judgment(monkeypatch: pytest.MonkeyPatch) -> None:
    project = factories.project(overlap=100)
    policies.set_policy(project=project, every_hours=2)
    assert looping.next_by_clock(project) is None
    judge(project)
    assert not looping.is_due(project)
    later = timezone.now() + timedelta(hours=2, minutes=1)
    monkeypatch.setattr(looping.timezone, "now", lambda: later)
    assert looping.is_due(project)


@pytest.mark.django_db
def test_without_hours_only_judgments_count() -> None:
    project = factories.project(overlap=100)
    judge(project)
    hours_ago(turns.past_turn(project), 10_000)
    judge(project)
    assert looping.begin_due_turns() == []


# --- the estimating step -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db
def test_a_turn_has_its_estimate_before_it_selects(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = at_selecting()
    seen = []
    choose = selecting.choose

    def watched(**asked: Any) -> Any:
        seen.append(LoopTurn.objects.get().estimate)
        return choose(**asked)

    monkeypatch.setattr(selecting, "choose", watched)
    turn_loops()
    turn.refresh_from_db()
    assert (turn.state, turn.recipe, turn.attempts) == ("done", "regret", 0)
    assert seen == [turn.estimate]
    assert turn.estimate["reason"]
    assert turn.advice["reason"] == "No model has been measured on audit pairs yet."


@pytest.mark.django_db
def test_killed_after_the_estimate_only_the_selection_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = at_selecting()
    times = []
    monkeypatch.setattr(estimating, "estimate", lambda one: times.append(one.pk) or {"reason": "Too few."})
    with monkeypatch.context() as dying:
        dying.setattr(selecting, "choose", die)
        with pytest.raises(Killed):
            turn_loops()
    turn.refresh_from_db()
    assert (turn.state, turn.estimate, turn.attempts) == ("selecting", {"reason": "Too few."}, 0)
    turn_loops()
    turn.refresh_from_db()
    assert (turn.state, len(times), turn.project.selection_batches.count()) == ("done", 1, 1)
    turn_loops()
    assert (len(times), turn.project.selection_batches.count()) == (1, 1)


@pytest.mark.django_db
def test_an_estimate_that_kills_its_worker_is_given_up_not_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = at_selecting()
    with monkeypatch.context() as dying:
        dying.setattr(estimating, "estimate", die)
        for _ in range(looping.MOST_ATTEMPTS):
            with pytest.raises(Killed):
                turn_loops()
        turn_loops()
    turn.refresh_from_db()
    assert (turn.state, turn.estimate["reason"]) == ("done", looping.GIVEN_UP)
    assert turn.batch.pairs.count() == 7


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_estimate_and_select_once(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = at_selecting()
    times = []
    monkeypatch.setattr(estimating, "estimate", lambda one: times.append(one.pk) or {"reason": "Too few."})
    at_once(lambda _: turn_loops(), range(2))
    turn.refresh_from_db()
    assert (turn.state, len(times), turn.project.selection_batches.count()) == ("done", 1, 1)


@pytest.mark.django_db
def test_a_fall_back_is_told_in_the_note_and_rules_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    turn = at_selecting(batch_size=10)
    LoopTurn.objects.filter(pk=turn.pk).update(state="done")
    for _ in range(2):
        turns.past_turn(turn.project, -0.02)
    LoopTurn.objects.filter(pk=turn.pk).delete()
    last = LoopTurn.objects.create(project=turn.project, judgments=2, run=turn.run, state="selecting")
    scored.score_by(monkeypatch, scored.unsure)
    factories.ensemble(turn.run)
    monkeypatch.setattr(estimating, "estimate", lambda _: {"gain": -0.01, "low": -0.1, "high": 0.1, "m": 30})
    turn_loops()
    last.refresh_from_db()
    assert (last.state, last.recipe) == ("done", "regret")
    assert "80% of a batch is drawn at random" in last.note
    assert last.batch.pairs.filter(reason="random").count() == 8
    assert last.batch.config["random_share"] == 0.8
