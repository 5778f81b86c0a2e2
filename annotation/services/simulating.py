"""Simulated annotators, clearly marked, who work through the same doors as people."""

import hashlib
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction
from django.utils import timezone

from accounts.models import Membership, Role, User
from accounts.services import audit
from annotation.aggregation.simulated import AnnotatorProfile, Noise, ProfileError, Side, draw_profiles
from annotation.aggregation.simulated import answer as simulated_answer
from annotation.aggregation.simulated_orders import ranking, rating, strength
from annotation.answering.answer import Answer as Given
from annotation.answering.answer import to_canonical
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
    noise: Noise | None = None,
    truth: Mapping[str, float] | None = None,
) -> Simulation:
    """Let simulated annotators give up to `judgments` answers through claim and submit.

    truth: the quality of every response by its own id, which they judge by on the main criterion; the project
    never sees it. Without it they judge by the `quality` in a response's metadata where there is one, by
    criterion in its `qualities`, else by a stable made-up quality.
    noise: all of them answer with just this noise; without it they are a mixture, mostly careful.
    `refill` is called when the queue runs dry and returns how many items it added. The answers are dated over
    the last `DAYS` days. Raises `InvalidSimulation`.
    """
    if project.state != Project.State.RUNNING:
        raise InvalidSimulation(f"{project.slug} is {project.state}; set it running first.")
    if not 1 <= annotators <= MOST_ANNOTATORS:
        raise InvalidSimulation(f"{annotators} annotators: ask for 1 to {MOST_ANNOTATORS}.")
    if judgments < 0:
        raise InvalidSimulation(f"{judgments} judgments: ask for zero or more.")
    if truth is not None:
        _check_truth(project, truth)
    rng, order = np.random.default_rng(seed), random.Random(seed)  # noqa: S311  reproducible on purpose
    workers = _hire(project, _profiles(annotators, noise, rng), seed)
    qualities: dict[tuple[int, str], float] = {}
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
        _judge(worker, assignment, qualities, truth or {}, rng, at)
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


def _profiles(n: int, noise: Noise | None, rng: np.random.Generator) -> tuple[AnnotatorProfile, ...]:
    try:
        return draw_profiles(n, rng) if noise is None else (noise.profile(),) * n
    except ProfileError as error:
        raise InvalidSimulation(str(error)) from error


def _check_truth(project: Project, truth: Mapping[str, float]) -> None:
    """Every response has its quality: a made-up one among real ones would be noise that nobody stated."""
    ids = (
        Response.objects.filter(prompt__project=project).order_by("pk").values_list("external_id", flat=True)
    )
    lacking = [one for one in ids if one not in truth]
    if lacking:
        named = ", ".join(f"“{one}”" if one else "one without an id" for one in lacking[:3])
        raise InvalidSimulation(
            f"The truth lacks {len(lacking):,} of {len(ids):,} responses of {project.slug}, first {named}."
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
    qualities: dict[tuple[int, str], float],
    truth: Mapping[str, float],
    rng: np.random.Generator,
    at: datetime,
) -> None:
    project, order = assignment.project, assignment.display_order
    responses = [
        row.response for row in assignment.item.item_responses.select_related("response").order_by("position")
    ]
    answers, seconds, reason = [], 0.0, ""
    for number, criterion in enumerate(project.criterion_names):
        for response in responses:
            if (response.pk, criterion) not in qualities:
                qualities[response.pk, criterion] = _quality(response, criterion, truth, main=number == 0)
        felt = [qualities[response.pk, criterion] for response in responses]
        answer, took, said = _answered(worker.profile, project, criterion, felt, order, rng)
        answers.append(answer)
        seconds += took if number == 0 else 0.4 * took  # the responses are read already
        reason = reason or said
    judging.submit(
        assignment_id=assignment.pk,
        annotator=worker.user,
        answers=answers,
        comment=reason,
        seconds=seconds,
        idempotency_key=f"simulated-{assignment.pk}",
        source=Judgment.Source.SIMULATED,
        judged_at=at,
    )


def _answered(
    profile: AnnotatorProfile,
    project: Project,
    criterion: str,
    qualities: Sequence[float],
    order: Sequence[int],
    rng: np.random.Generator,
) -> tuple[Given, float, str]:
    """(canonical answer, seconds, reason) under one criterion; `qualities` are in the item's order."""
    if project.kind == Project.Kind.PAIRWISE:
        return _chosen(profile, project, criterion, qualities, order, rng)
    shown = [qualities[position] for position in order]
    if project.kind == Project.Kind.RANKING:
        found = ranking(profile, shown, rng, ties=project.ties)
        answer = Given(criterion, ranks=found.numbers)
    else:
        found = rating(profile, shown, rng, points=project.rating_points)
        answer = Given(criterion, ratings=found.numbers)
    return to_canonical(answer, order), found.seconds, ""


def _chosen(
    profile: AnnotatorProfile,
    project: Project,
    criterion: str,
    qualities: Sequence[float],
    order: Sequence[int],
    rng: np.random.Generator,
) -> tuple[Given, float, str]:
    """What the project does not offer becomes the nearest that it does."""
    left: Side = "a" if order[0] == 0 else "b"
    given = simulated_answer(profile, qualities[0], qualities[1], left, rng)
    choice: str = given.choice
    if choice == "both_bad" and not project.both_bad:
        choice = "tie"
    if choice == "tie" and not project.ties:
        choice = "a" if qualities[0] + rng.normal() > qualities[1] else "b"
    sided = project.strength_scale and choice in ("a", "b")
    how_much = strength(profile, qualities[0] - qualities[1]) if sided else None
    return Given(criterion, choice, how_much), given.seconds, given.reason or ""


def _quality(response: Response, criterion: str, truth: Mapping[str, float], *, main: bool) -> float:
    """The stated quality, else the writer's honest one where the data carry it: `qualities` by criterion,
    `quality` for the main.

    Else it is made up, stable, longer a little better; other criteria go along with the main one by half.
    """
    if main and response.external_id in truth:
        return truth[response.external_id]
    by_criterion = response.metadata.get("qualities")
    stated = by_criterion.get(criterion) if isinstance(by_criterion, dict) else None
    stated = response.metadata.get("quality") if stated is None and main else stated
    if isinstance(stated, int | float) and math.isfinite(stated):
        return float(stated)
    if main:
        return _made_up(response.key) + 0.3 * (math.log1p(len(response.text)) - 6)
    return 0.5 * _quality(response, "", truth, main=True) + 0.85 * _made_up(f"{criterion}/{response.key}")


def _made_up(key: str) -> float:
    digest = hashlib.sha256(key.encode()).digest()
    uniform = (int.from_bytes(digest[:7], "big") + 0.5) / 2**56
    return math.log(uniform / (1 - uniform)) / 1.8
