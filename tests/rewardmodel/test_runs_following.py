"""Carrying out a run: every way a training process can end, and the row that is left."""

import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest
from django.db import OperationalError, connection

from annotation.services import snapshotting
from rewardmodel.models import Ensemble, TrainingRun
from rewardmodel.services import children, following, leasing, outcomes, running
from tests.rewardmodel.worlds import judged_project, playing_run, run_folder

State = TrainingRun.State
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setattr(following, "TRAINER", "tests.rewardmodel.fake_trainer")
    monkeypatch.setattr(following, "BEAT_SECONDS", 0.05)
    following.stopping.clear()
    yield
    following.stopping.clear()


def carry_out(*acts):
    run = playing_run(judged_project(), *acts)
    assert following.execute(run.pk)
    run.refresh_from_db()
    return run


def when_training(run, act):
    """Call `act` from a thread as soon as the run's process trains."""

    def wait():
        while not (run_folder(run) / "progress.json").exists():
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def trainer_pid(run):
    return int((run_folder(run) / "process.lock").read_text().split()[1])


@pytest.mark.slow
def test_a_run_ends_with_its_metrics_and_scores():
    run = carry_out("succeed")
    assert (run.state, run.attempts, run.metrics["accuracy"]["value"]) == (State.SUCCEEDED, 1, 0.71)
    assert run.progress["phase"] == "comparing"
    assert run.verdict.startswith("Promoted as the project's first ensemble. Accuracy 0.710")
    assert Ensemble.objects.get(active=True).run == run
    assert not following.execute(run.pk)  # a message that comes twice


@pytest.mark.slow
def test_a_reason_the_trainer_gives_is_passed_on_and_not_tried_again():
    run = carry_out("refuse")
    assert (run.state, run.attempts, run.reason) == (State.FAILED, 1, "There is one vote. Collect more.")


@pytest.mark.slow
def test_a_crash_says_its_last_words():
    run = carry_out("crash")
    assert (run.state, run.attempts) == (State.FAILED, 1)
    assert "exit code 7" in run.reason
    assert "the wheels came off" in run.reason


@pytest.mark.slow
def test_a_killed_process_is_started_again():
    run = carry_out("killed", "succeed")
    assert (run.state, run.attempts, run.reason) == (State.SUCCEEDED, 2, "")


@pytest.mark.slow
def test_after_three_kills_the_run_fails_with_the_reason():
    run = carry_out("killed")
    assert (run.state, run.attempts) == (State.FAILED, 3)
    assert "SIGKILL" in run.reason
    assert "attempt 3" in run.reason


@pytest.mark.slow
def test_out_of_memory_is_not_tried_again(monkeypatch):
    kills = iter(range(10))
    monkeypatch.setattr(outcomes, "memory_kills", lambda: next(kills))
    run = carry_out("killed")
    assert (run.state, run.attempts) == (State.FAILED, 1)
    assert "ran out of memory" in run.reason


def test_a_changed_snapshot_is_refused():
    run = playing_run(judged_project(), "succeed")
    with (snapshotting.folder_of(run.snapshot) / "manifest.json").open("a") as manifest:
        manifest.write(" ")
    following.execute(run.pk)
    run.refresh_from_db()
    assert run.state == State.FAILED
    assert "was changed" in run.reason


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_cancelling_ends_the_process():
    run = playing_run(judged_project(), "hang")

    def cancel():
        running.cancel(run=run)
        connection.close()

    thread = when_training(run, cancel)
    following.execute(run.pk)
    thread.join()
    run.refresh_from_db()
    assert (run.state, run.reason) == (State.CANCELLED, "Cancelled.")
    assert not psutil.pid_exists(trainer_pid(run))


def test_a_worker_that_stops_gives_the_run_back():
    run = playing_run(judged_project(), "hang")
    thread = when_training(run, following.stopping.set)
    following.execute(run.pk)
    thread.join()
    run.refresh_from_db()
    assert (run.state, run.attempts, run.holder) == (State.QUEUED, 0, "")
    assert not psutil.pid_exists(trainer_pid(run))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_run_that_went_to_another_worker_is_left_alone():
    run = playing_run(judged_project(), "hang")

    def take_over():
        TrainingRun.objects.filter(pk=run.pk).update(holder="somebody else")
        connection.close()

    thread = when_training(run, take_over)
    following.execute(run.pk)
    thread.join()
    run.refresh_from_db()
    assert (run.state, run.holder) == (State.RUNNING, "somebody else")
    assert not psutil.pid_exists(trainer_pid(run))


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_a_database_that_goes_away_for_a_while_is_waited_for(monkeypatch):
    real, failures = leasing.finish, []

    def away_at_first(*arguments, **fields):
        if len(failures) < 2:
            failures.append(1)
            raise OperationalError("the database system is starting up")
        return real(*arguments, **fields)

    monkeypatch.setattr(leasing, "renew", lambda *_: (_ for _ in ()).throw(OperationalError("gone")))
    monkeypatch.setattr(leasing, "finish", away_at_first)
    run = carry_out("succeed")
    assert (run.state, run.attempts, len(failures)) == (State.SUCCEEDED, 1, 2)


# --- processes ------------------------------------------------------------------------------------


def test_a_left_over_is_ended_before_the_next_attempt(tmp_path):
    lock = tmp_path / "lock"
    left = children.Child("http.server", ["0"], log=tmp_path / "log", lock=lock)
    deadline = time.monotonic() + 20
    while not (lock.exists() and lock.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert children.end_left_over(lock)
    assert left.poll(5) == -signal.SIGKILL
    assert not children.end_left_over(lock)
    left.close()


STARTER = """
import os, sys, time, threading
from pathlib import Path
import django; django.setup()
from rewardmodel.services.children import Child
def start():
    child = Child("http.server", ["0"], log=Path(sys.argv[1]))
    print(child.pid, flush=True)
    globals()["kept"] = child
thread = threading.Thread(target=start); thread.start(); thread.join()
time.sleep(60)
"""


@pytest.mark.slow
def test_a_child_dies_with_its_worker_and_not_with_the_thread_that_started_it(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    ) as starter:
        child = psutil.Process(int(starter.stdout.readline()))
        time.sleep(1.0)
        assert child.is_running()  # the thread ended long ago
        os.kill(starter.pid, signal.SIGKILL)
        child.wait(10)
    assert not child.is_running()
