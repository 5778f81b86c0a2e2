"""What recipes would have cost on the project's own labels: asked for here, replayed in a child process.

(none) --start--> queued --claim--> running --> done | failed
                     ^                 |
                     +--- lease out ---+     at most `ATTEMPTS` times; arms and seeds that are done are kept

A claim counts the attempts up, so whoever lost the row to another worker cannot write to it any more.
"""

import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from activelearning.acquisition.comparing import REFERENCE
from activelearning.acquisition.quotas import RECIPES
from activelearning.models import Replay
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.services import aggregating
from rewardmodel.models import Ensemble
from rewardmodel.services import scoring, sending
from rewardmodel.services.children import Child
from rewardmodel.services.following import stopping
from rewardmodel.services.handing_over import read_json

PROGRAM = "activelearning.acquisition.comparing"
TASK = "activelearning.replay"
LEASE = timedelta(seconds=60)
SEND_AGAIN = timedelta(seconds=30)
BEAT_SECONDS = 1.0
ATTEMPTS = 3
OPEN = (Replay.State.QUEUED, Replay.State.RUNNING)

FEWEST_PAIRS, MOST_PAIRS = 150, 20_000
FEWEST_SEEDS, MOST_SEEDS = 5, 20
SMALLEST_BATCH, LARGEST_BATCH = 5, 500
MOST_RECIPES = 4  # beside the reference: a chart with more lines cannot be read


class CannotReplay(ValueError):
    """The replay cannot be started as asked; the message says why."""


def labelled_pairs(project: Project) -> QuerySet[SoftLabel]:
    """The labels a replay buys from."""
    labels = SoftLabel.objects.filter(project=project, criterion=project.main_criterion)
    return labels.filter(effective_votes__gt=0)


def start(
    *, project: Project, recipes: Sequence[str], seeds: int, batch: int, actor: User | None = None
) -> Replay:
    """Queue a replay; the one that is under way if there is one. Raises `CannotReplay`."""
    config = _checked(project, recipes, seeds, batch)
    if standing := project.replays.filter(state__in=OPEN).first():
        return standing
    try:
        with transaction.atomic():
            made = Replay.objects.create(project=project, config=config, created_by=actor)
            audit.record(actor=actor, project=project, action="replay started", detail=config)
            transaction.on_commit(lambda: _send(made.pk))
    except IntegrityError:  # two clicks: the other one was first
        if standing := project.replays.filter(state__in=OPEN).first():
            return standing
        raise
    return made


def execute(replay_id: int) -> bool:
    """Carry a queued replay out. False when there was nothing to do."""
    claimed = Replay.objects.filter(pk=replay_id, state=Replay.State.QUEUED).update(
        state=Replay.State.RUNNING, attempts=F("attempts") + 1, lease_expires_at=timezone.now() + LEASE
    )
    if not claimed:
        return False
    found = Replay.objects.select_related("project").get(pk=replay_id)
    where = folder(found)
    where.mkdir(parents=True, exist_ok=True)
    try:
        if not (where / "world.npz").exists():
            with _kept(found):
                _write_world(found, where)
        code = _run(found, where)
    except (CannotReplay, scoring.ScoringFailed) as error:
        _end(found, state=Replay.State.FAILED, reason=str(error))
        return True
    if code is not None:
        _finish(found, where, code)
    return True


def reconcile() -> list[int]:
    """Send again what nobody works on. Returns the ids sent."""
    now = timezone.now()
    lost = Replay.objects.filter(state=Replay.State.RUNNING, lease_expires_at__lt=now)
    lost.filter(attempts__gte=ATTEMPTS).update(
        state=Replay.State.FAILED,
        finished_at=now,
        lease_expires_at=None,
        reason="The worker that replayed was lost several times. Look at its log and the machine's memory.",
    )
    lost.filter(attempts__lt=ATTEMPTS).update(state=Replay.State.QUEUED, lease_expires_at=None)
    waiting = Replay.objects.filter(_unsent(), state=Replay.State.QUEUED).values_list("pk", flat=True)
    return [pk for pk in waiting if _send(pk)]


def folder(replay: Replay) -> Path:
    return Path(settings.LAUREL_DATA_DIR) / "replays" / replay.project.slug / str(replay.pk)


def _checked(project: Project, recipes: Sequence[str], seeds: int, batch: int) -> dict[str, Any]:
    if project.kind != Project.Kind.PAIRWISE:
        raise CannotReplay(_("Only projects in which two responses are compared can be replayed."))
    names = [name for name in RECIPES if name in recipes and name != REFERENCE]
    if not 1 <= len(names) <= MOST_RECIPES or set(recipes) - set(RECIPES):
        raise CannotReplay(_("Choose one to %(most)d recipes.") % {"most": MOST_RECIPES})
    if not FEWEST_SEEDS <= seeds <= MOST_SEEDS or not SMALLEST_BATCH <= batch <= LARGEST_BATCH:
        raise CannotReplay(
            _("Ask for %(few)d to %(many)d repetitions in batches of %(small)d to %(large)d.")
            % {
                "few": FEWEST_SEEDS,
                "many": MOST_SEEDS,
                "small": SMALLEST_BATCH,
                "large": LARGEST_BATCH,
            }
        )
    if not Ensemble.objects.filter(project=project, active=True).exists():
        raise CannotReplay(_("There is no model yet: train one first, its view of the texts is needed."))
    aggregating.refresh(project=project)
    if (pairs := labelled_pairs(project).count()) < FEWEST_PAIRS:
        raise CannotReplay(
            _("%(pairs)d labelled pairs are too few to tell recipes apart; at least %(need)d are needed.")
            % {"pairs": pairs, "need": FEWEST_PAIRS}
        )
    return {"recipes": [*names, REFERENCE], "seeds": seeds, "batch": batch}


def _write_world(replay: Replay, where: Path) -> None:
    """The labels with the features that the active ensemble has of their responses."""
    project = replay.project
    rows = list(
        labelled_pairs(project)
        .order_by("pk")
        .values_list("response_a_id", "response_b_id", "p_a", "p_tie", "p_b", "effective_votes")
    )
    if len(rows) > MOST_PAIRS:
        drawn = np.random.default_rng(replay.pk).choice(len(rows), MOST_PAIRS, replace=False)
        rows = [rows[i] for i in np.sort(drawn)]
    ensemble = Ensemble.objects.filter(project=project, active=True).select_related("run").first()
    if ensemble is None or not rows:
        raise CannotReplay("There is no model or no label any more.")
    ids = sorted({pk for row in rows for pk in row[:2]})
    prompt_of = dict(project.prompts.filter(responses__in=ids).values_list("responses", "pk"))
    features = scoring.score(ensemble=ensemble, response_ids=ids).features
    place = {pk: row for row, pk in enumerate(ids)}
    shares = np.array([row[2:5] for row in rows], dtype=np.float64)
    beside = where / "world.new.npz"
    np.savez(
        beside,
        features=features,
        prompt=np.unique([prompt_of[pk] for pk in ids], return_inverse=True)[1],
        first=np.array([place[row[0]] for row in rows]),
        second=np.array([place[row[1]] for row in rows]),
        counts=shares * np.array([row[5] for row in rows])[:, None],
    )
    (where / "plan.json").write_text(json.dumps(replay.config))
    beside.rename(where / "world.npz")


@contextmanager
def _kept(replay: Replay) -> Iterator[None]:
    """Keep the lease while this thread waits for something that cannot be asked how far it is."""
    done = threading.Event()

    def beat() -> None:
        try:
            while not done.wait(LEASE.total_seconds() / 4):
                _held(replay).update(lease_expires_at=timezone.now() + LEASE)
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"lease of replay {replay.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _run(replay: Replay, where: Path) -> int | None:
    """Wait for the child and keep the lease. None when the row is no longer ours, or this worker stops."""
    child = Child(PROGRAM, [where], log=where / "log.txt")
    try:
        while (code := child.poll(BEAT_SECONDS)) is None:
            fields: dict[str, Any] = {"lease_expires_at": timezone.now() + LEASE}
            if (progress := read_json(where / "progress.json")) is not None:
                fields["progress"] = progress
            if not _held(replay).update(**fields):
                return None
            if stopping.is_set():
                _held(replay).update(
                    state=Replay.State.QUEUED, attempts=F("attempts") - 1, lease_expires_at=None
                )
                return None
        return code
    finally:
        child.end()


def _finish(replay: Replay, where: Path, code: int) -> None:
    result = read_json(where / "result.json")
    if code == 0 and result is not None:
        ended = _end(replay, state=Replay.State.DONE, result=result)
    else:
        told = (read_json(where / "failure.json") or {}).get("reason")
        log = (where / "log.txt").read_text(errors="replace").strip()[-600:]
        reason = told or f"The program ended with exit code {code}. Its last words: {log}"
        ended = _end(replay, state=Replay.State.FAILED, reason=reason)
    if ended:
        shutil.rmtree(where, ignore_errors=True)


def _end(replay: Replay, **fields: Any) -> bool:
    return bool(_held(replay).update(lease_expires_at=None, finished_at=timezone.now(), **fields))


def _held(replay: Replay) -> QuerySet[Replay]:
    return Replay.objects.filter(pk=replay.pk, state=Replay.State.RUNNING, attempts=replay.attempts)


def _send(pk: int) -> bool:
    marked = Replay.objects.filter(_unsent(), pk=pk, state=Replay.State.QUEUED).update(
        lease_expires_at=timezone.now() + SEND_AGAIN
    )
    return bool(marked) and sending.wake(TASK, pk)


def _unsent() -> Q:
    """A queued row's `lease_expires_at` is until when its message may be under way."""
    return Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lt=timezone.now())
