"""A run's row is the truth: who may start it, take it, write to it, and what if nobody does."""

import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import PurePosixPath

import psutil
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts.models import AuditEntry
from rewardmodel.models import Ensemble, TrainingRun
from rewardmodel.services import leasing, reconciling, running, sending
from rewardmodel.services.leasing import Standing
from tests import factories
from tests.rewardmodel.worlds import judged_project

State = TrainingRun.State
pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch):
    """The ids sent to the training queue."""
    ids = []
    monkeypatch.setattr(sending, "wake_trainer", lambda run_id: ids.append(run_id) or True)
    return ids


def queued(**fields):
    return factories.run(factories.project(), state=State.QUEUED, **fields)


def lapse(run):
    TrainingRun.objects.filter(pk=run.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def state_of(run):
    run.refresh_from_db()
    return run.state


# --- starting -------------------------------------------------------------------------------------


def test_a_start_freezes_the_votes_and_sends_the_run_after_the_commit(
    sent, django_capture_on_commit_callbacks
):
    project, person = judged_project(), factories.user()
    with django_capture_on_commit_callbacks(execute=True):
        run = running.start_run(project=project, actor=person, seed=7)
        assert sent == []
    assert sent == [run.pk]
    assert (run.state, run.number, run.seed) == (State.QUEUED, 1, 7)
    assert run.config["seed"] == 7
    assert run.config["criterion"] is None  # every criterion that has votes
    assert run.snapshot_sha256 == run.snapshot.manifest_sha256
    assert AuditEntry.objects.filter(action="training started", actor=person, project=project).exists()


def test_a_second_start_gives_the_run_that_is_there(sent):
    project = judged_project()
    first = running.start_run(project=project)
    with pytest.raises(running.RunUnderWay, match="Run 1 is already queued") as refusal:
        running.start_run(project=project)
    assert refusal.value.run == first
    assert project.snapshots.count() == 1
    TrainingRun.objects.update(state=State.FAILED)
    assert running.start_run(project=project).number == 2


@pytest.mark.slow
def test_heads_begin_where_the_ensemble_in_use_ended_wherever_the_data_folder_lies(sent):
    project = judged_project()
    first = running.start_run(project=project)
    assert first.config["warm_start"] is None
    TrainingRun.objects.update(state=State.SUCCEEDED)
    Ensemble.objects.create(project=project, run=first, active=True)
    second = running.start_run(project=project)
    start = PurePosixPath(second.config["warm_start"])
    assert not start.is_absolute()
    assert (running.folder_of(second) / start).resolve() == running.folder_of(first) / "ensemble"
    TrainingRun.objects.update(state=State.SUCCEEDED)
    cold = running.start_run(project=project, config={"warm_start": None})
    assert cold.config["warm_start"] is None
    TrainingRun.objects.update(state=State.SUCCEEDED)
    tuned = running.start_run(project=project, config={"tier": "finetune", "backbone": "a/b"})
    assert "warm_start" not in tuned.config


def test_the_database_holds_one_run_a_project_even_without_the_service():
    run = queued()
    with pytest.raises(IntegrityError, match="run_one_active_per_project"), transaction.atomic():
        factories.run(run.project, state=State.RUNNING)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_are_one_run(sent):
    project = judged_project()
    barrier, outcomes = threading.Barrier(4), []

    def click():
        try:
            barrier.wait()
            outcomes.append(running.start_run(project=project).pk)
        except running.RunUnderWay as error:
            outcomes.append(error.run.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 4
    assert set(outcomes) == {TrainingRun.objects.get().pk}
    assert sent == [outcomes[0]]
    assert project.snapshots.count() == 1


@pytest.mark.parametrize(
    ("config", "words"),
    [({"max_stepz": 3}, "Unknown setting 'max_stepz'"), ({"heads": 2}, "heads is 2; it must be at least 8")],
)
def test_a_wrong_setting_is_named(config, words):
    with pytest.raises(running.CannotTrain, match=words):
        running.start_run(project=judged_project(), config=config)
    assert not TrainingRun.objects.exists()


def test_without_votes_there_is_nothing_to_train_on():
    with pytest.raises(running.CannotTrain, match="no judgments yet"):
        running.start_run(project=factories.project())


# --- taking and holding ---------------------------------------------------------------------------


def test_only_one_gets_a_run():
    run = queued()
    lease = leasing.claim(run.pk)
    assert leasing.claim(run.pk) is None
    run.refresh_from_db()
    assert (run.state, run.attempts, run.holder) == (State.RUNNING, 1, lease.holder)
    assert run.started_at is not None


def test_progress_and_lease_are_renewed_together():
    run = queued()
    lease = leasing.claim(run.pk)
    lapse(run)
    assert leasing.renew(lease, {"phase": "training"}) is Standing.HELD
    run.refresh_from_db()
    assert run.progress == {"phase": "training"}
    assert run.lease_expires_at > timezone.now()


def test_who_lost_a_run_cannot_write_to_it():
    run = queued()
    late = leasing.claim(run.pk)
    lapse(run)
    reconciling.reconcile()
    leasing.claim(run.pk)
    assert leasing.renew(late, {"phase": "done"}) is Standing.LOST
    assert not leasing.finish(late, state=State.FAILED, reason="late")
    assert not leasing.put_down(late)
    assert not leasing.next_attempt(late)
    run.refresh_from_db()
    assert (run.state, run.attempts, run.reason, run.progress) == (State.RUNNING, 2, "", {})


def test_attempts_are_counted_and_end():
    run = queued()
    lease = leasing.claim(run.pk)
    assert leasing.next_attempt(lease)
    assert leasing.next_attempt(lease)
    assert not leasing.next_attempt(lease)


def test_a_run_put_down_on_purpose_loses_no_attempt():
    run = queued()
    for _ in range(TrainingRun.MAX_ATTEMPTS + 1):
        assert leasing.put_down(leasing.claim(run.pk))
    run.refresh_from_db()
    assert (run.state, run.attempts) == (State.QUEUED, 0)


def test_a_run_that_is_to_end_is_not_given_back_when_its_worker_stops():
    run = queued()
    lease = leasing.claim(run.pk)
    running.cancel(run=run)
    assert leasing.put_down(lease)
    run.refresh_from_db()
    assert (run.state, run.reason) == (State.CANCELLED, "Cancelled.")


# --- cancelling -----------------------------------------------------------------------------------


def test_a_waiting_run_is_cancelled_at_once_and_a_running_one_is_asked():
    waiting, person = queued(), factories.user("ada")
    running.cancel(run=waiting, actor=person)
    assert (waiting.state, waiting.reason) == (State.CANCELLED, "Cancelled by ada.")
    busy = queued()
    lease = leasing.claim(busy.pk)
    running.cancel(run=busy)
    assert busy.state == State.RUNNING
    assert leasing.renew(lease) is Standing.CANCEL
    with pytest.raises(running.CannotCancel, match="it cancelled"):
        running.cancel(run=waiting)


# --- nothing is lost ------------------------------------------------------------------------------


def test_a_run_whose_lease_ran_out_is_sent_again(sent):
    run = queued()
    leasing.claim(run.pk)
    assert reconciling.reconcile() == []  # its holder lives
    lapse(run)
    assert leasing.claim(run.pk) is None  # without the reconciler it would stay so for ever
    assert reconciling.reconcile() == [run.pk] == sent
    assert state_of(run) == State.QUEUED
    assert leasing.claim(run.pk) is not None


def test_a_holder_known_to_be_dead_is_not_waited_for(sent):
    run = queued()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        here = leasing.claim(run.pk).holder.split(" ")[0]
        holder = f"{here} {process.pid} {psutil.Process(process.pid).create_time():.2f} token"
        TrainingRun.objects.filter(pk=run.pk).update(holder=holder)
        assert reconciling.reconcile() == []
        process.kill()
    assert reconciling.reconcile() == [run.pk]


@pytest.mark.parametrize(
    "holder", ["", "elsewhere/1 1 0.00 token", "nonsense"], ids=["nobody", "another machine", "unreadable"]
)
def test_an_unknown_holder_is_given_its_lease(holder):
    assert not leasing.holder_is_gone(holder)


def test_the_third_loss_is_the_end_and_says_so(sent):
    run = queued(attempts=2)
    leasing.claim(run.pk)
    lapse(run)
    assert reconciling.reconcile() == []
    assert state_of(run) == State.FAILED
    assert "lost 3 times" in run.reason
    assert run.finished_at is not None


def test_a_lost_run_that_was_to_be_cancelled_is_cancelled(sent):
    run = queued()
    leasing.claim(run.pk)
    running.cancel(run=run)
    lapse(run)
    assert reconciling.reconcile() == []
    assert state_of(run) == State.CANCELLED


def test_a_lost_message_is_sent_again_but_not_at_once(sent):
    run = queued()
    assert reconciling.reconcile() == [run.pk]
    assert reconciling.reconcile() == []  # it may still be under way
    lapse(run)
    assert reconciling.reconcile() == [run.pk]
    assert state_of(run) == State.QUEUED


def test_a_broker_that_is_away_loses_nothing(monkeypatch, django_capture_on_commit_callbacks):
    def away(*_args, **_options):
        raise OperationalError("no broker")

    monkeypatch.setattr(sending.current_app, "send_task", away)
    with django_capture_on_commit_callbacks(execute=True):
        run = running.start_run(project=judged_project())
    assert state_of(run) == State.QUEUED
    messages = []
    monkeypatch.setattr(
        sending.current_app, "send_task", lambda name, **options: messages.append((name, options))
    )
    lapse(run)
    assert reconciling.reconcile() == [run.pk]
    assert messages == [("rewardmodel.train", {"args": [run.pk], "queue": "training", "retry": False})]
