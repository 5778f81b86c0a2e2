"""The loop: due when enough was judged here, one turn at a time, each step once, every failure explained."""

from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from activelearning.models import LoopPolicy, LoopTurn
from activelearning.services import looping, policies, selecting
from activelearning.tasks import turn_loops
from annotation.models.project import Project
from annotation.services import snapshotting
from rewardmodel.models import TrainingRun
from rewardmodel.services import gating, running
from rewardmodel.services.scoring import ScoringFailed
from tests import factories
from tests.activelearning import scored
from tests.annotation.crowds import at_once
from tests.annotation.import_rows import bring, row


@pytest.fixture(autouse=True)
def _own_folders(settings: object, tmp_path: Path) -> None:
    scored.own_folders(settings, tmp_path)


def judged(judgments: int, *, every: int = 10, slug: str = "") -> Project:
    """A project with that many answers given here, five imported votes and candidates to choose from."""
    project = scored.candidates(3, slug=slug, overlap=100)
    LoopPolicy.objects.create(project=project, retrain_every=every, batch_size=7)
    bring(project, row(90, *((f"w{n}", "a") for n in range(5))))
    judge(project, judgments)
    return project


def judge(project: Project, judgments: int) -> None:
    item = project.items.filter(is_gold=False).order_by("pk").first()
    for _ in range(judgments):
        factories.judgment(item, factories.user(), "a")


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """Runs that start and stay queued; the gate says "Promoted." Both note what they were asked."""
    asked: dict[str, list[Any]] = {"started": [], "judged": []}

    def start_run(*, project: Project, trigger: str) -> TrainingRun:
        asked["started"].append(project.slug)
        if project.training_runs.filter(state__in=running.ACTIVE).exists():
            raise running.RunUnderWay(project.training_runs.filter(state__in=running.ACTIVE)[0])
        snapshot = snapshotting.create(project=project)
        return factories.run(project, state="queued", trigger=trigger, snapshot=snapshot)

    def promote_if_not_worse(run: TrainingRun) -> bool:
        asked["judged"].append(run.number)
        run.verdict = "Promoted."
        run.save()
        return True

    monkeypatch.setattr(running, "start_run", start_run)
    monkeypatch.setattr(gating, "promote_if_not_worse", promote_if_not_worse)
    return asked


def end_run(project: Project, state: str = "succeeded", reason: str = "") -> None:
    project.training_runs.filter(state="queued").update(
        state=state, reason=reason, finished_at=timezone.now()
    )


# --- when ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_turn_is_due_after_that_many_judgments_and_not_before() -> None:
    project = judged(9)
    assert looping.judgments_until_next(project) == 1
    assert looping.begin_due_turns() == []
    judge(project, 1)
    assert looping.judgments_until_next(project) == 0
    (turn,) = looping.begin_due_turns()
    assert (turn.project, turn.judgments, turn.state) == (project, 10, "training")
    assert looping.judgments_until_next(project) == 10


@pytest.mark.django_db
def test_imported_votes_do_not_turn_the_loop() -> None:
    project = judged(0)
    bring(project, *(row(n, *((f"w{k}", "a") for k in range(5))) for n in range(100, 105)))
    assert looping.judgments_that_count(project) == 0
    assert looping.begin_due_turns() == []


@pytest.mark.slow
@pytest.mark.django_db
def test_the_next_turn_counts_from_where_the_last_began(trainer: dict[str, list[Any]]) -> None:
    project = judged(10)
    turn_loops()
    end_run(project, "failed")
    turn_loops()
    assert LoopTurn.objects.get().state == "failed"
    judge(project, 9)
    assert looping.begin_due_turns() == []
    judge(project, 1)
    assert [turn.judgments for turn in looping.begin_due_turns()] == [20]


@pytest.mark.django_db
@pytest.mark.parametrize("why", ["disabled", "paused", "closed"])
def test_no_turn_where_the_loop_may_not_run(why: str) -> None:
    project = judged(10)
    if why == "disabled":
        policies.set_policy(project=project, enabled=False, retrain_every=10, batch_size=7)
    else:
        Project.objects.update(state=why)
    assert looping.begin_due_turns() == []


@pytest.mark.django_db
def test_a_project_without_a_policy_has_the_default_one() -> None:
    project = factories.project()
    assert policies.policy_of(project).retrain_every == 200
    assert looping.judgments_until_next(project) == 200
    assert not LoopPolicy.objects.exists()
    for bad in ({"retrain_every": 0, "batch_size": 5}, {"retrain_every": 5, "batch_size": 0}):
        with pytest.raises(policies.InvalidPolicy):
            policies.set_policy(project=project, enabled=True, **bad)


@pytest.mark.slow
@pytest.mark.django_db
def test_one_open_turn_per_project(trainer: dict[str, list[Any]]) -> None:
    project = judged(10)
    looping.begin_due_turns()
    judge(project, 10)
    assert looping.begin_due_turns() == []
    with pytest.raises(IntegrityError), transaction.atomic():
        LoopTurn.objects.create(project=project, judgments=20)


# --- step by step ----------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db
def test_train_promote_select_done(trainer: dict[str, list[Any]]) -> None:
    project = judged(10, slug="harbour")
    assert turn_loops() == 1
    turn = LoopTurn.objects.get()
    assert (turn.state, turn.run.number, turn.run.trigger) == ("training", 1, "loop")
    assert turn_loops() == 0  # still training
    end_run(project)
    assert turn_loops() == 1
    turn.refresh_from_db()
    assert (turn.state, turn.note, turn.finished_at) == ("selecting", "Promoted.", None)
    assert turn_loops() == 1
    turn.refresh_from_db()
    assert (turn.state, turn.note) == ("done", "Promoted.")
    assert turn.finished_at is not None
    assert turn.batch.pairs.count() == 7
    assert turn_loops() == 0
    assert trainer == {"started": ["harbour"], "judged": [1]}
    assert (LoopTurn.objects.count(), project.selection_batches.count()) == (1, 1)


@pytest.mark.slow
@pytest.mark.django_db
def test_a_run_somebody_else_started_is_waited_for(trainer: dict[str, list[Any]]) -> None:
    project = judged(10)
    factories.run(project, state="queued")
    turn_loops()
    turn_loops()
    assert LoopTurn.objects.get().run is None
    end_run(project)
    turn_loops()
    assert LoopTurn.objects.get().run.number == 2


@pytest.mark.slow
@pytest.mark.django_db
@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_run_that_ends_badly_ends_the_turn_with_its_reason(
    state: str, trainer: dict[str, list[Any]]
) -> None:
    project = judged(10)
    turn_loops()
    end_run(project, state, "Out of memory.")
    turn_loops()
    turn = LoopTurn.objects.get()
    assert (turn.state, turn.note) == ("failed", f"Run 1 {state}: Out of memory.")
    assert turn.finished_at is not None
    assert not project.selection_batches.exists()


@pytest.mark.django_db
def test_what_cannot_be_trained_ends_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    judged(10)

    def refuse(**_: object) -> None:
        raise running.CannotTrain("Too few prompts.")

    monkeypatch.setattr(running, "start_run", refuse)
    turn_loops()
    turn = LoopTurn.objects.get()
    assert (turn.state, turn.note) == ("failed", "Too few prompts.")


@pytest.mark.slow
@pytest.mark.django_db
def test_nothing_left_to_select_is_a_good_end(trainer: dict[str, list[Any]]) -> None:
    project = factories.project(overlap=100)
    LoopPolicy.objects.create(project=project, retrain_every=3)
    factories.pair_item(project)
    judge(project, 3)
    turn_loops()
    end_run(project)
    turn_loops()
    turn_loops()
    turn = LoopTurn.objects.get()
    assert (turn.state, turn.batch) == ("done", None)
    assert turn.note == "Promoted. Nothing is left to select."


@pytest.mark.slow
@pytest.mark.django_db
def test_scoring_is_tried_three_times(trainer: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    project = judged(10)
    turn_loops()
    end_run(project)
    turn_loops()

    def fail(**_: object) -> None:
        raise ScoringFailed("The encoder is missing.")

    with monkeypatch.context() as broken:
        broken.setattr(selecting, "choose", fail)
        for attempts in (1, 2):
            turn_loops()
            turn = LoopTurn.objects.get()
            assert (turn.state, turn.attempts, turn.note) == ("selecting", attempts, "Promoted.")
        turn_loops()
    turn.refresh_from_db()
    assert (turn.state, turn.note) == ("failed", "The encoder is missing.")


@pytest.mark.slow
@pytest.mark.django_db
def test_a_step_that_fails_once_goes_on_the_next_time(
    trainer: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = judged(10)
    turn_loops()
    end_run(project)

    def fail(_: TrainingRun) -> bool:
        raise OSError("the disk is away")

    with monkeypatch.context() as broken:
        broken.setattr(gating, "promote_if_not_worse", fail)
        turn_loops()
    turn = LoopTurn.objects.get()
    assert (turn.state, turn.attempts) == ("training", 1)
    turn_loops()
    turn.refresh_from_db()
    assert (turn.state, turn.attempts) == ("selecting", 0)


@pytest.mark.slow
@pytest.mark.django_db
def test_one_projects_failure_does_not_stop_anothers_turn(
    trainer: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(10, slug="broken")
    judged(10, slug="sound")
    start = running.start_run

    def fail_for_one(*, project: Project, trigger: str) -> TrainingRun:
        if project.slug == "broken":
            raise OSError("no space left")
        return start(project=project, trigger=trigger)

    monkeypatch.setattr(running, "start_run", fail_for_one)
    for _ in range(3):
        turn_loops()
    states = {turn.project.slug: (turn.state, turn.note) for turn in LoopTurn.objects.all()}
    assert states == {"broken": ("failed", "no space left"), "sound": ("training", "")}
    assert LoopTurn.objects.get(project__slug="sound").run is not None


# --- twice, and side by side -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_eight_workers_at_once_do_what_one_does(trainer: dict[str, list[Any]]) -> None:
    project = judged(10, slug="harbour")
    at_once(lambda _: turn_loops(), range(8))
    assert (LoopTurn.objects.count(), TrainingRun.objects.count()) == (1, 1)
    end_run(project)
    for _ in range(2):
        at_once(lambda _: turn_loops(), range(8))
    turn = LoopTurn.objects.get()
    assert (turn.state, project.selection_batches.count()) == ("done", 1)
    assert trainer["judged"] == [1]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_a_model_scores(
    trainer: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = judged(10)
    turn_loops()
    end_run(project)
    open_then: list[bool] = []
    promote, choose = gating.promote_if_not_worse, selecting.choose

    def watched_promote(run: TrainingRun) -> bool:
        open_then.append(connection.in_atomic_block)
        return promote(run)

    def watched_choose(**asked: Any) -> Any:
        open_then.append(connection.in_atomic_block)
        return choose(**asked)

    monkeypatch.setattr(gating, "promote_if_not_worse", watched_promote)
    monkeypatch.setattr(selecting, "choose", watched_choose)
    turn_loops()
    turn_loops()
    assert open_then == [False, False]
    assert LoopTurn.objects.get().state == "done"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_before_it_notes_its_step_selects_nothing_twice(
    trainer: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = judged(10)
    turn_loops()
    end_run(project)
    turn_loops()

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(looping, "_end", die)
        with pytest.raises(Killed):
            turn_loops()
    assert not project.selection_batches.exists()
    turn_loops()
    assert LoopTurn.objects.get().batch == project.selection_batches.get()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_run_is_never_started_without_its_turn_knowing(
    trainer: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(10)
    looping.begin_due_turns()

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(LoopTurn, "save", die)
        with pytest.raises(Killed):
            looping.advance_turns()
    assert not TrainingRun.objects.exists()
    looping.advance_turns()
    assert LoopTurn.objects.get().run == TrainingRun.objects.get()
