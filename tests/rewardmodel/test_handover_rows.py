"""Handing over in the product: the row, the panel, the zip, the command. A stand-in makes the folder."""

import io
import json
import threading
import zipfile
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.services import audit
from rewardmodel.models import HandOver, TrainingRun
from rewardmodel.services import handing_over, promoting, sending
from tests import factories
from tests.cast import browser, make_cast
from tests.rewardmodel.worlds import run_folder

State = HandOver.State
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sent(monkeypatch):
    ids = []
    monkeypatch.setattr(sending, "wake_for_hand_over", lambda pk: ids.append(pk) or True)
    monkeypatch.setattr(handing_over, "PROGRAM", "tests.rewardmodel.fake_handover")
    return ids


@pytest.fixture
def cast():
    return make_cast()


def trained(project, act="succeed"):
    run = factories.run(project)
    (run_folder(run) / "ensemble").mkdir(parents=True)
    (run_folder(run) / "ensemble" / "ensemble.json").write_text("{}")
    (run_folder(run) / "play.json").write_text(json.dumps(act))
    return run


def page(user, run, name="run"):
    return browser(user).get(reverse(f"rewardmodel:{name}", args=[run.project.slug, run.number]))


@pytest.mark.slow
def test_from_the_button_to_the_zip(cast, sent, django_capture_on_commit_callbacks):
    run = trained(cast.project)
    text = page(cast.engineer, run).content.decode()
    assert "One standard reward model" in text
    target = reverse("rewardmodel:hand_over", args=[cast.project.slug, run.number])
    with django_capture_on_commit_callbacks(execute=True):
        assert browser(cast.engineer).post(target).status_code == 302
    made = HandOver.objects.get()
    assert (made.state, sent) == (State.QUEUED, [made.pk])
    assert "Waiting for a training worker" in page(cast.engineer, run).content.decode()
    assert handing_over.execute(made.pk)
    assert not handing_over.execute(made.pk)  # a message that comes twice
    made.refresh_from_db()
    assert (made.state, made.reason) == (State.READY, "")
    text = page(cast.engineer, run).content.decode()
    assert made.sha256 in text
    assert "0.700 (0.600 to 0.800)" in text
    answer = page(cast.engineer, run, "hand_over_zip")
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert archive.testzip() is None
    base = f"{cast.project.slug}-run-{run.number}"
    assert sorted(archive.namelist()) == [
        f"{base}/{n}" for n in ("handover.json", "manifest.json", "model/w")
    ]
    assert archive.read(f"{base}/model/w") == b"w" * 3_000_000
    actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"hand-over started", "hand-over downloaded"} <= actions
    assert not list(handing_over.folder(made).parent.glob("*.status"))


def test_a_failure_is_told_with_its_reason_and_can_be_tried_again(cast):
    run = trained(cast.project, "refuse")
    made = handing_over.start(run=run, actor=cast.engineer)
    handing_over.execute(made.pk)
    made.refresh_from_db()
    assert (made.state, made.reason) == (State.FAILED, "The encoder is gone. Bring it back.")
    text = page(cast.engineer, run).content.decode()
    assert "The encoder is gone. Bring it back." in text
    assert "Make it again" in text
    (run_folder(run) / "play.json").write_text('"succeed"')
    again = handing_over.start(run=run, actor=cast.engineer)
    assert (again.pk, again.reason) == (made.pk, "")
    assert again.folder != made.folder
    handing_over.execute(again.pk)
    assert HandOver.objects.get().state == State.READY


def test_a_crash_is_told_with_its_last_words(cast):
    made = handing_over.start(run=trained(cast.project, "crash"))
    handing_over.execute(made.pk)
    made.refresh_from_db()
    assert made.state == State.FAILED
    assert "exit code 7" in made.reason
    assert "the wheels came off" in made.reason


def test_asked_twice_it_is_one(cast, sent):
    run = trained(cast.project)
    assert handing_over.start(run=run).pk == handing_over.start(run=run).pk
    assert AuditEntry.objects.filter(action="hand-over started").count() == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_promotion_does_not_wait_for_a_hand_over_that_is_being_started(monkeypatch):
    """Else each can wait for the other: promoting holds the project, and starting needs it."""
    run = trained(factories.project())
    record, promoted = audit.record, []

    def promote():
        promoted.append(promoting.promote(run=run))
        connection.close()

    def meanwhile(**told):
        if not promoted:
            thread = threading.Thread(target=promote)
            thread.start()
            thread.join(10)
            assert promoted
        record(**told)

    monkeypatch.setattr(handing_over, "audit", SimpleNamespace(record=meanwhile))
    assert handing_over.start(run=run).state == State.QUEUED


def test_a_lost_worker_and_a_lost_message_lose_nothing(cast, sent):
    made = handing_over.start(run=trained(cast.project))
    assert handing_over.reconcile() == [made.pk]  # never sent
    assert handing_over.reconcile() == []  # on its way
    past = timezone.now() - timedelta(seconds=1)
    HandOver.objects.update(state=State.RUNNING, holder="gone", lease_expires_at=past, attempts=1)
    assert handing_over.reconcile() == [made.pk]
    assert HandOver.objects.get().state == State.QUEUED
    HandOver.objects.update(state=State.RUNNING, lease_expires_at=past, attempts=handing_over.ATTEMPTS)
    assert handing_over.reconcile() == []
    made.refresh_from_db()
    assert made.state == State.FAILED
    assert "lost several times" in made.reason


def test_a_folder_that_was_whole_when_its_worker_was_lost_is_ready(cast):
    made = handing_over.start(run=trained(cast.project))
    handing_over.execute(made.pk)
    HandOver.objects.update(state=State.QUEUED, holder="", bytes=None, sha256="", about=None)
    assert handing_over.execute(made.pk)
    made.refresh_from_db()
    assert (made.state, made.reason) == (State.READY, "")
    assert made.bytes > 3_000_000
    assert made.about["kind"] == "distilled"


def test_what_has_nothing_to_hand_over(cast):
    failed = factories.run(cast.project, state=TrainingRun.State.FAILED)
    with pytest.raises(handing_over.CannotHandOver, match="nothing to hand over"):
        handing_over.start(run=failed)
    assert "hand-over-title" not in page(cast.engineer, failed).content.decode()
    bare = factories.run(cast.project)
    with pytest.raises(handing_over.CannotHandOver, match="are gone from"):
        handing_over.start(run=bare)
    assert page(cast.engineer, bare, "hand_over_zip").status_code == 302


def test_the_command_hands_over_what_scores_and_refuses_in_words(cast, tmp_path):
    run = trained(cast.project)
    words = ("handover", cast.project.slug, str(tmp_path / "out"))
    with pytest.raises(CommandError, match="Nothing scores yet: name a run with --run N"):
        call_command(*words, stdout=io.StringIO())
    promoting.promote(run=run)
    out = io.StringIO()
    call_command(*words, "--json", stdout=out, stderr=io.StringIO())
    printed = json.loads(out.getvalue())
    assert (printed["run"], printed["folder"]) == (run.number, str(tmp_path / "out"))
    assert printed["handover"]["kind"] == "distilled"
    assert AuditEntry.objects.filter(action="handed over").exists()
    with pytest.raises(CommandError, match="exists already"):
        call_command(*words, stdout=io.StringIO())
    with pytest.raises(CommandError, match="has no run 9"):
        call_command("handover", cast.project.slug, str(tmp_path / "other"), "--run", "9")
    (run_folder(run) / "play.json").write_text('"refuse"')
    with pytest.raises(CommandError, match="The encoder is gone"):
        call_command("handover", cast.project.slug, str(tmp_path / "other"), stdout=io.StringIO())
