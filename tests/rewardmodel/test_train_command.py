"""./laurel train and ./laurel promote: what they print, and how they exit."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from annotation.models.content import Response
from annotation.services import heartbeat, snapshotting
from rewardmodel.models import Ensemble, TrainingRun
from rewardmodel.services import following, scoring, sending, waiting
from tests import factories
from tests.rewardmodel.worlds import judged_project, learnable_project, run_folder

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_listens(monkeypatch):
    monkeypatch.setattr(sending, "wake_trainer", lambda run_id: True)


@pytest.fixture
def plays(monkeypatch):
    """`plays(project, "refuse")`: what the stand-in trainer will do with the project's next run."""
    monkeypatch.setattr(following, "TRAINER", "tests.rewardmodel.fake_trainer")
    real = snapshotting.create

    def act(*acts):
        def create(**given):
            snapshot = real(**given)
            (snapshotting.folder_of(snapshot) / "play.json").write_text(json.dumps(acts))
            return snapshot

        monkeypatch.setattr(snapshotting, "create", create)

    return act


def command(*words):
    out, err = io.StringIO(), io.StringIO()
    call_command(*words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.mark.slow
def test_waiting_without_a_worker_trains_here_and_prints_exactly_one_object(plays):
    project = judged_project()
    plays("succeed")
    out, err = command("train", project.slug, "--wait", "--json", "--seed", "5")
    printed = json.loads(out)
    assert list(printed) == ["run", "state", "metrics", "seconds"]
    assert (printed["run"], printed["state"]) == (1, "succeeded")
    assert printed["metrics"]["accuracy"] == {"value": 0.71, "low": 0.62, "high": 0.8, "n": 120}
    assert printed["metrics"]["baselines"].keys() == {"length", "majority"}
    assert printed["seconds"] > 0
    assert "training: Step 3" in err
    assert TrainingRun.objects.get().seed == 5
    assert Ensemble.objects.get().active


@pytest.mark.slow
def test_words_for_people_say_what_the_gate_said(plays):
    project = judged_project()
    plays("succeed")
    out, _ = command("train", project.slug, "--wait")
    assert "accuracy          0.7100  (0.6200 to 0.8000, 120 pairs)" in out
    assert "length            0.6500" in out
    assert "Promoted as the project's first ensemble." in out


def test_a_failed_run_is_an_error_with_its_reason(plays):
    project = judged_project()
    plays("refuse")
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"Run 1 failed. There is one vote. Collect more."):
        call_command("train", project.slug, "--wait", "--json", stdout=out, stderr=io.StringIO())
    printed = json.loads(out.getvalue())
    assert (printed["state"], printed["metrics"]) == ("failed", None)


def test_without_waiting_it_says_that_it_is_queued_and_who_would_take_it():
    project = judged_project()
    out, _ = command("train", project.slug)
    assert "Run 1 is queued." in out
    assert "No training worker is running" in out
    with pytest.raises(CommandError, match="already queued"):
        command("train", project.slug)


@pytest.mark.slow
def test_waiting_joins_the_run_that_is_under_way(plays):
    project = judged_project()
    plays("succeed")
    command("train", project.slug)
    out, err = command("train", project.slug, "--wait", "--json")
    assert json.loads(out)["run"] == 1
    assert "already under way" in err
    assert TrainingRun.objects.count() == 1


def test_with_a_living_worker_it_is_left_to_the_worker(plays, monkeypatch):
    project = judged_project()
    plays("succeed")
    run = factories.run(project, state=TrainingRun.State.QUEUED)
    heartbeat.beat(name="trainer@here", queue="training", pid=1, host="here", started_at=run.created_at)
    monkeypatch.setattr(following, "execute", lambda *_args, **_options: pytest.fail("trained here"))
    looks = []

    def worker_ends_it(_seconds):
        looks.append(1)
        if len(looks) == 3:
            TrainingRun.objects.update(state=TrainingRun.State.CANCELLED, reason="Enough.")

    monkeypatch.setattr(waiting, "sleep", worker_ends_it)
    assert waiting.wait_for(run, tell=lambda progress: None).reason == "Enough."
    assert len(looks) == 3


def test_bad_input_is_named(tmp_path):
    project = judged_project()
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "odd.json").write_text('{"headz": 9}')
    for words, message in (
        (["no-such"], "There is no project “no-such”"),
        ([project.slug, "--config", str(tmp_path / "none.json")], "cannot be read"),
        ([project.slug, "--config", str(tmp_path / "bad.json")], "is not JSON"),
        ([project.slug, "--config", str(tmp_path / "list.json")], "one JSON object"),
        ([project.slug, "--config", str(tmp_path / "odd.json")], "Unknown setting 'headz'"),
        ([factories.project().slug], "no judgments yet"),
    ):
        with pytest.raises(CommandError, match=message):
            command("train", *words)
    assert not TrainingRun.objects.exists()


def test_promote_names_a_run_that_is_not_there_or_cannot_score():
    run = factories.run(factories.project(), state=TrainingRun.State.FAILED)
    with pytest.raises(CommandError, match="has no run 9"):
        command("promote", run.project.slug, "9")
    with pytest.raises(CommandError, match="has failed"):
        command("promote", run.project.slug, "1")


@pytest.mark.slow
def test_real_training_scores_promotes_and_compares():
    """The real trainer, end to end: learns that careful answers win, scores, and passes its own gate."""
    project = learnable_project(prompts=24)
    out, _ = command("train", project.slug, "--wait", "--json")
    printed = json.loads(out)
    accuracy = printed["metrics"]["accuracy"]
    assert accuracy["value"] > 0.8
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert accuracy["n"] >= 48
    assert {"nll", "brier", "ece"} <= printed["metrics"].keys()
    ensemble = Ensemble.objects.get(active=True)
    assert (run_folder(ensemble.run) / "ensemble" / "heads.safetensors").is_file()

    good, bad = (
        list(Response.objects.filter(text__contains=text).values_list("pk", flat=True)[:5])
        for text in ("once a week", "whatever")
    )
    scored = scoring.score(ensemble=ensemble, response_ids=[*bad, *good])
    assert scored.response_ids == [*bad, *good]
    assert scored.rewards.shape == (10, 8)
    assert scored.features.shape[0] == 10
    assert scored.rewards[5:].mean() > scored.rewards[:5].mean()
    again = scoring.score(ensemble=ensemble, response_ids=[good[0], good[0]])
    assert again.rewards[0] == pytest.approx(scored.rewards[5], abs=1e-5)
    with pytest.raises(scoring.ScoringFailed, match="1 of 1 ids are of no response"):
        scoring.score(ensemble=ensemble, response_ids=[10**9])

    command("train", project.slug, "--wait")
    second = TrainingRun.objects.get(number=2)
    assert second.verdict.startswith("Promoted: +0.0 points of accuracy against run 1")
    assert second.metrics["accuracy"] == accuracy
    out, _ = command("promote", project.slug, "1", "--reason", "I prefer it", "--json")
    assert json.loads(out) == {"project": project.slug, "run": 1, "active": True, "reason": "I prefer it"}
