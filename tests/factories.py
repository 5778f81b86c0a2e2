"""Rows for tests: each function makes one thing, with whatever it needs around it, and returns it."""

import itertools
import random
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from annotation.interchange.records import (
    ItemRecord,
    Message,
    ResponseRecord,
    item_key,
    prompt_key,
    response_key,
)
from annotation.models.content import Prompt, Response
from annotation.models.dataset import DatasetSnapshot
from annotation.models.project import Guideline, Project
from annotation.models.quality import GoldAnswer, SoftLabel
from annotation.models.work import Assignment, Item, ItemResponse, Judgment
from annotation.services import judging, slots
from annotation.services.import_staging import response_set
from rewardmodel.models import Ensemble, TrainingRun

_numbers = itertools.count(1)


def project(slug: str = "", **fields: Any) -> Project:
    number = next(_numbers)
    slug = slug or f"project-{number}"
    return Project.objects.create(**{"slug": slug, "name": slug.title(), "gold_rate": 0.0, **fields})


def user(username: str = "", **fields: Any) -> User:
    """A person without a password; tests that sign in with one use `tests.cast.person`."""
    return User.objects.create_user(username or f"person-{next(_numbers)}", **fields)


def simulated_user(username: str = "") -> User:
    name = username or f"simulated-{next(_numbers)}"
    return User.objects.create_user(name, origin=User.Origin.SIMULATED, is_active=False)


def guideline(of: Project, text: str = "# Guidelines\n\nPrefer what is *true*.") -> Guideline:
    return Guideline.objects.create(project=of, version=of.guidelines.count() + 1, text=text)


def prompt(of: Project, text: str = "", **fields: Any) -> Prompt:
    messages = fields.pop("messages", None) or [
        {"role": "user", "content": text or f"Question no. {next(_numbers)}?"}
    ]
    key = prompt_key([Message(turn["role"], turn["content"]) for turn in messages])
    return Prompt.objects.create(project=of, key=key, messages=messages, **fields)


def response(of: Prompt, text: str = "", *, model: str = "", **fields: Any) -> Response:
    text = text or f"Answer {next(_numbers)}."
    key = response_key(of.key, ResponseRecord(text=text, model=model or None))
    return Response.objects.create(prompt=of, key=key, text=text, model=model, **fields)


def responses(of: Prompt, count: int = 2) -> list[Response]:
    return [response(of) for _ in range(count)]


def pair_item(
    of: Project,
    *,
    texts: tuple[str, str] = ("", ""),
    on: Prompt | None = None,
    pair: Sequence[Response] = (),
    origin: str = Item.Origin.IMPORTED,
    **fields: Any,
) -> Item:
    """Two responses to compare, in canonical order; made on a fresh prompt unless `on` or `pair` is given."""
    on = on or (pair[0].prompt if pair else prompt(of))
    pair = list(pair) or [response(on, text) for text in texts]
    record = ItemRecord(
        prompt=tuple(Message(turn["role"], turn["content"]) for turn in on.messages),
        responses=tuple(ResponseRecord(text=each.text, model=each.model or None) for each in pair),
        id=fields.get("external_id") or f"{origin}-{next(_numbers)}",
    )
    values = {
        "slots_left": fields.get("overlap") or of.overlap,
        "shuffle": random.random(),
        "key": item_key(record),
        "response_set": response_set([each.key for each in pair]),
        **fields,
    }
    item = Item.objects.create(project=of, prompt=on, origin=origin, **values)
    for position, each in enumerate(pair):
        ItemResponse.objects.create(item=item, response=each, position=position)
    return item


def gold_item(
    of: Project, *, choice: str = "a", reason: str = "The other one is wrong.", **fields: Any
) -> Item:
    item = pair_item(of, origin=Item.Origin.GOLD, **fields)
    GoldAnswer.objects.create(item=item, criterion=of.main_criterion, choice=choice, reason=reason)
    return item


def assignment(of: Item, annotator: User, *, display_order: Sequence[int] = (0, 1)) -> Assignment:
    """An open hold on the item; takes one of its slots."""
    slots.take_slot_if_free(of.pk)
    return Assignment.objects.create(
        item=of,
        project=of.project,
        annotator=annotator,
        display_order=list(display_order),
        lease_expires_at=timezone.now() + timedelta(seconds=of.project.lease_seconds),
    )


def judgment(of: Item, annotator: User, choice: str = "a", **fields: Any) -> Judgment:
    """One stored answer, in canonical terms, through the service that stores them all."""
    display_order = fields.pop("display_order", (0, 1))
    held = assignment(of, annotator, display_order=display_order)
    source = fields.pop("source", Judgment.Source.BROWSER)
    key = fields.pop("idempotency_key", f"test-{next(_numbers)}")
    submission = judging.submit(
        assignment_id=held.pk,
        annotator=annotator,
        answers=fields.pop("answers", None) or judging.pairwise(of.project, choice),
        idempotency_key=key,
        source=source,
        **fields,
    )
    return submission.judgment


def soft_label(of: Item, *, p_a: float = 1.0, p_tie: float = 0.0, votes: int = 1, **fields: Any) -> SoftLabel:
    first, second = of.item_responses.select_related("response")[:2]
    values = {
        "criterion": of.project.main_criterion,
        "p_b": 1.0 - p_a - p_tie,
        "effective_votes": float(votes),
        "method": "shares",
        **fields,
    }
    return SoftLabel.objects.create(
        project=of.project,
        item=of,
        response_a=first.response,
        response_b=second.response,
        p_a=p_a,
        p_tie=p_tie,
        votes=votes,
        **values,
    )


def snapshot(of: Project, **fields: Any) -> DatasetSnapshot:
    """The row of a snapshot; no folder stands behind it."""
    number = of.snapshots.count() + 1
    manifest = {
        "format": "laurel-snapshot/1",
        "project": of.slug,
        "kind": of.kind,
        "criteria": of.criterion_names,
        "split": {
            "seed": 0,
            "fractions": {"train": 0.8, "calibration": 0.1, "test": 0.1},
            "prompts": {"train": 1, "calibration": 1, "test": 1},
            "pairs": {"train": 1, "calibration": 1, "test": 1},
        },
        "files": {},
        "counts": {"prompts": 3, "responses": 6, "pairs": 3, "votes": 3},
        "left_out": [],
        "guideline_version": None,
    }
    values = {
        "number": number,
        "folder": f"snapshots/{of.slug}/{number}",
        "manifest": manifest,
        "manifest_sha256": "0" * 64,
        **fields,
    }
    return DatasetSnapshot.objects.create(project=of, **values)


def run(of: Project, *, state: str = TrainingRun.State.SUCCEEDED, **fields: Any) -> TrainingRun:
    """The row of a training run; nothing was trained."""
    number = of.training_runs.count() + 1
    on = fields.pop("snapshot", None) or snapshot(of)
    values = {
        "number": number,
        "snapshot_sha256": on.manifest_sha256,
        "config": {},
        "seed": 0,
        "code_version": "test",
        "folder": f"runs/{of.slug}/{number}-{uuid.uuid4().hex[:8]}",  # no other test's files
        **fields,
    }
    return TrainingRun.objects.create(project=of, snapshot=on, state=state, **values)


def ensemble(of: TrainingRun, *, active: bool = True, **fields: Any) -> Ensemble:
    return Ensemble.objects.create(project=of.project, run=of, active=active, **fields)
