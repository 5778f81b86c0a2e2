"""The loop, the refills, the estimate and the commands in ranking and rating projects."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.cache import cache
from django.core.management import call_command

from activelearning.models import LoopTurn
from activelearning.services import arms, estimating, looping, policies, selecting, supplying
from activelearning.tasks import turn_loops
from annotation.models.project import Project
from annotation.models.work import Item, Judgment
from annotation.services import aggregating, snapshotting
from rewardmodel.services import gating
from tests import factories
from tests.activelearning import ranked, scored, turns

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored.own_folders(settings, tmp_path)
    scored.same_ids()
    cache.clear()
    monkeypatch.setattr(gating, "promote_if_not_worse", lambda _: True)


def answer_all(project: Project) -> None:
    for item in Item.objects.filter(project=project, slots_left__gt=0).order_by("-priority", "pk"):
        ranked.answer(item)


@pytest.mark.parametrize("kind", ["ranking", "rating"])
def test_a_turn_selects_and_queues_groups(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project = ranked.world(kind, prompts=12, responses=5, overlap=1)
    policies.set_policy(project=project, retrain_every=8, batch_size=6, audit_pairs=0)
    ranked.judge_some(project, 8)
    scored.score_by(monkeypatch, scored.unsure)
    (turn,) = looping.begin_due_turns()
    assert turn.project == project
    snapshot = snapshotting.create(project=project)
    run = factories.run(project, snapshot=snapshot)
    factories.ensemble(run)
    LoopTurn.objects.filter(pk=turn.pk).update(run=run, state="selecting")
    turn_loops()
    turn.refresh_from_db()
    assert turn.state == "done", turn.note
    assert turn.batch is not None
    assert turn.batch.pairs.count() == 6
    assert turn.estimate["missing"] == "audit"  # the set was not to be drawn
    for pair in turn.batch.pairs.all():
        assert pair.item.responses.count() == 3
        assert pair.item.priority == turn.batch.number


def test_a_queue_that_runs_low_is_refilled() -> None:
    project = ranked.world("rating", prompts=12, responses=4, overlap=1)
    policies.set_policy(project=project, retrain_every=100, batch_size=4, audit_pairs=0)
    assert supplying.refill_low_queues() == 1
    assert supplying.refill_low_queues() == 0
    answer_all(project)
    assert supplying.refill_low_queues() == 1
    assert [batch.pairs.count() for batch in project.selection_batches.all()] == [4, 4]


@pytest.mark.slow
def test_the_estimate_compares_answers_and_measures_on_audit_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    project = ranked.world(prompts=120, responses=3, overlap=1)
    policies.set_policy(project=project, audit_pairs=30, audit_votes=1, random_share=0.5, overlap_share=0.0)
    ranked.judge_some(project, 1)
    scored.score_by(monkeypatch, turns.quality)
    ensemble = scored.with_ensemble(project)
    selecting.select(project=project, n=100, seed=1)
    answer_all(project)
    turn = LoopTurn.objects.create(project=project, judgments=0, run=ensemble.run, state="selecting")
    aggregating.refresh(project=project)
    labels = arms.labels_of(project, ensemble.run)
    first = labels.item == labels.item[labels.active][0]
    assert (int(first.sum()), labels.votes[first].tolist()) == (3, pytest.approx([2 / 3] * 3))
    found = estimating.estimate(turn)
    counted = project.selection_batches.get().pairs.values_list("reason", flat=True)
    assert found["active_labels"] == list(counted).count("regret") >= 20
    assert found["random_labels"] - 1 == list(counted).count("random") >= 20  # and the one before the batch
    assert found["audit"]["n"] == found["n_audit"] == 30
    assert found["missing"] is None
    assert found["m"] == min(found["active_labels"], found["random_labels"])
    assert found["low"] <= found["gain"] <= found["high"]


def test_the_error_of_pairs_that_stand_and_fall_together_is_that_of_their_prompts() -> None:
    shares = np.tile([1.0, 0.0, 0.0], (60, 1))
    right = np.repeat(np.tile([1.0, -1.0], 5), 6)  # ten prompts, half of them right in all six pairs
    together = estimating._accuracy(right, shares, np.repeat(np.arange(10), 6).astype(np.str_))
    alone = estimating._accuracy(right, shares, np.arange(60).astype(np.str_))
    assert together["accuracy"] == alone["accuracy"] == 0.5
    assert together["standard_error"] == pytest.approx(np.sqrt(0.25 / 10))
    assert alone["standard_error"] == pytest.approx(np.sqrt(0.25 / 60), rel=0.01)
    # t with 9 degrees of freedom: 2.262; the ten prompts were drawn, so their variance is over nine
    assert together["reach"] == pytest.approx(2.262 * np.sqrt(0.25 / 9), rel=0.001)
    single = estimating._accuracy(right, shares, np.full(60, "p"))
    assert single["reach"] == 1.0


def test_the_select_command_speaks_of_groups() -> None:
    project = ranked.world("rating", prompts=5, responses=4)
    out = StringIO()
    call_command("select", project.slug, "--n", "3", "--json", stdout=out)
    found = json.loads(out.getvalue())
    assert len(found["pairs"]) == 3
    assert {len(pair["responses"]) for pair in found["pairs"]} == {4}
    out = StringIO()
    call_command("select", project.slug, "--n", "1", stdout=out)
    assert "candidate groups are queued" in out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ranking", "rating"])
def test_simulated_annotators_work_through_what_is_selected(kind: str) -> None:
    project = ranked.world(kind, prompts=8, responses=4, overlap=2)
    out = StringIO()
    call_command("simulate", project.slug, "--annotators", "3", "--judgments", "12", "--json", stdout=out)
    assert json.loads(out.getvalue())["judgments"] == 12
    assert Judgment.objects.filter(item__selections__batch__project=project).count() == 12
