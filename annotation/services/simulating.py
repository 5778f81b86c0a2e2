"""Simulated annotators, clearly marked, who work through the same doors as people."""

import hashlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction
from django.utils import timezone

from accounts.models import Membership, Role, User
from accounts.services import audit
from annotation.aggregation.simulated import AnnotatorProfile, Side, answer, draw_profiles
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.work import Assignment, Judgment
from annotation.services import assigning, judging

MOST_ANNOTATORS = 1_000
DAYS = 14


class InvalidSimulation(ValueError):
    """The simulation cannot be run as asked; the message says what to change."""


@dataclass(frozen=True)
class Simulation:
    annotators: int
    judgments: int
    by_kind: dict[str, int]  # annotators of each kind
    exhausted: bool  # ended early: nothing was left that any of them may judge


@dataclass
class _Worker:
    user: User
    profile: AnnotatorProfile
    idle: bool = False


def simulate(
    *,
    project: Project,
    annotators: int,
    judgments: int,
    seed: int,
    refill: Callable[[], int] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Simulation:
    """Let simulated annotators give up to `judgments` answers through claim and submit.

    They judge by the `quality` in a response's metadata where there is one, else by a stable made-up quality.
    `refill` is called when the queue runs dry and returns how many items it added. The answers are dated over
    the last `DAYS` days. Raises `InvalidSimulation`.
    """
    if project.kind != Project.Kind.PAIRWISE:
        raise InvalidSimulation(f"Only pairwise projects can be simulated; {project.slug} is {project.kind}.")
    if project.state != Project.State.RUNNING:
        raise InvalidSimulation(f"{project.slug} is {project.state}; set it running first.")
    if not 1 <= annotators <= MOST_ANNOTATORS:
        raise InvalidSimulation(f"{annotators} annotators: ask for 1 to {MOST_ANNOTATORS}.")
    if judgments < 0:
        raise InvalidSimulation(f"{judgments} judgments: ask for zero or more.")
    rng, order = np.random.default_rng(seed), random.Random(seed)  # noqa: S311  reproducible on purpose
    workers = _hire(project, draw_profiles(annotators, rng), seed)
    qualities: dict[int, float] = {}
    done, started = 0, timezone.now() - timedelta(days=DAYS)
    while done < judgments:
        ready = [worker for worker in workers if not worker.idle]
        if not ready:
            if refill is None or refill() == 0:
                break
            for worker in workers:
                worker.idle = False
            continue
        worker = order.choice(ready)
        assignment = assigning.claim(project=project, annotator=worker.user, rng=order)
        if assignment is None:
            worker.idle = True
            continue
        at = started + timedelta(days=DAYS * done / judgments)
        _judge(worker, assignment, qualities, rng, at)
        done += 1
        if progress is not None:
            progress(done)
    kinds = [worker.profile.kind for worker in workers]
    audit.record(
        actor=None, project=project, action="simulation", detail={"annotators": annotators, "judgments": done}
    )
    return Simulation(
        annotators, done, {kind: kinds.count(kind) for kind in sorted(set(kinds))}, done < judgments
    )


@transaction.atomic
def _hire(project: Project, profiles: tuple[AnnotatorProfile, ...], seed: int) -> list[_Worker]:
    """The simulated members of this seed; running the same seed again meets the same people."""
    workers = []
    for number, profile in enumerate(profiles, start=1):
        name = f"Simulated {profile.kind.replace('_', '-')} {number}"
        user, _ = User.objects.get_or_create(
            username=f"~{project.slug}/{seed}-{number}",  # no import can bring a name that starts so
            defaults={
                "display_name": name,
                "origin": User.Origin.SIMULATED,
                "is_active": False,
                "password": "!",
            },
        )
        Membership.objects.get_or_create(user=user, project=project, defaults={"role": Role.ANNOTATOR})
        workers.append(_Worker(user, profile))
    return workers


def _judge(
    worker: _Worker,
    assignment: Assignment,
    qualities: dict[int, float],
    rng: np.random.Generator,
    at: datetime,
) -> None:
    pair = [
        row.response for row in assignment.item.item_responses.select_related("response").order_by("position")
    ]
    for response in pair:
        qualities.setdefault(response.pk, _quality(response))
    left: Side = "a" if assignment.display_order[0] == 0 else "b"
    given = answer(worker.profile, qualities[pair[0].pk], qualities[pair[1].pk], left, rng)
    judging.submit(
        assignment_id=assignment.pk,
        annotator=worker.user,
        answers=judging.pairwise(assignment.project, given.choice),
        comment=given.reason or "",
        seconds=given.seconds,
        idempotency_key=f"simulated-{assignment.pk}",
        source=Judgment.Source.SIMULATED,
        judged_at=at,
    )


def _quality(response: Response) -> float:
    """The writer's honest quality where the data carry one; else made up, stable, longer a little better."""
    stated = response.metadata.get("quality")
    if isinstance(stated, int | float) and math.isfinite(stated):
        return float(stated)
    digest = hashlib.sha256(response.key.encode()).digest()
    uniform = (int.from_bytes(digest[:7], "big") + 0.5) / 2**56
    return float(math.log(uniform / (1 - uniform)) / 1.8 + 0.3 * (math.log1p(len(response.text)) - 6))
