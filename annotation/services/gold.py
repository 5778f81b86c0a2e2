"""Gold: items with an expert's answer, met like any other, by which people are measured.

Gold is a twin: an item of its own with the responses of the item it was made from, so that the votes on that
one stay in the labels. A claim never gives somebody both.
"""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from accounts.services import audit
from annotation.answering.answer import Answer, to_display
from annotation.answering.expert import checked_expert
from annotation.gold_selectors import expert
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.quality import GoldAnswer, QualityReport
from annotation.models.work import Assignment, Item, ItemResponse
from annotation.services import import_merge, reviewing, slots
from annotation.services.import_staging import response_set
from annotation.typed_text import cleaned

LONGEST_REASON = 5_000


class UnfitResponses(ValueError):
    """Responses that cannot be one gold item; the message says why."""


@transaction.atomic
def write(
    *,
    project: Project,
    responses: Sequence[Response],
    answers: Sequence[Answer],
    reason: str = "",
    source: str = GoldAnswer.Source.WRITTEN,
    actor: User | None = None,
) -> Item:
    """The gold item of these responses with these answers, told in the order of `responses`.

    Where they are gold already the answers are corrected, and gold that was retired is in use again. An
    expert who writes gold by hand is not asked about it later. Raises `InvalidAnswer`, `UnfitResponses`.
    """
    given = checked_expert(answers, project.question, len(responses))
    reason = cleaned(reason)[:LONGEST_REASON]
    with connection.cursor() as cursor:
        import_merge.lock(cursor, project.pk)  # an import that brings the same responses waits
    set_hash = response_set([response.key for response in responses])
    item = Item.objects.filter(project=project, response_set=set_hash, is_gold=True).first()
    if item is None:
        item = _new_item(project, responses, set_hash)
        _store(item, given, reason, source, actor)
        audit.record(
            actor=actor, project=project, action="gold created", detail={"item": item.pk, "gold": _told(item)}
        )
    else:
        _correct(item, _in_its_order(item, responses, given), reason, source, actor)
        if item.retired_at is not None:
            restore(item=item, actor=actor)
    if actor is not None and source != GoldAnswer.Source.IMPORTED:
        reviewing.pass_over(item=item, annotator=actor, note=Assignment.WROTE_GOLD)
    return item


def write_for(
    *, item: Item, answers: Sequence[Answer], reason: str, source: str, actor: User | None = None
) -> Item:
    """Gold of any item, told in its order: of a work item its twin, of a gold item itself, corrected."""
    places = item.item_responses.select_related("response").order_by("position")
    return write(
        project=item.project,
        responses=[place.response for place in places],
        answers=answers,
        reason=reason,
        source=source,
        actor=actor,
    )


@transaction.atomic
def retire(*, item: Item, actor: User | None = None) -> None:
    """Hand this gold out no more. It counts for nobody and against nobody from now on; nothing is deleted.

    Whoever has it on the screen may still answer; who has it waiting behind the screen is given another.
    """
    if not Item.objects.filter(pk=item.pk, is_gold=True, retired_at__isnull=True).exists():
        return
    Assignment.objects.filter(
        item=item, state=Assignment.State.OPEN, shown_at__isnull=True, repeat=False
    ).update(state=Assignment.State.EXPIRED)
    item.retired_at = timezone.now()
    item.save(update_fields=["retired_at"])
    slots.recount_slots([item.pk])
    _report_changes(item.project)
    audit.record(actor=actor, project=item.project, action="gold retired", detail={"item": item.pk})


@transaction.atomic
def restore(*, item: Item, actor: User | None = None) -> None:
    """Hand retired gold out again, and count the answers it has."""
    if not Item.objects.filter(pk=item.pk, is_gold=True, retired_at__isnull=False).exists():
        return
    item.retired_at = None
    item.save(update_fields=["retired_at"])
    slots.recount_slots([item.pk])
    _report_changes(item.project)
    audit.record(actor=actor, project=item.project, action="gold restored", detail={"item": item.pk})


def make_gold(
    *, project: Project, better: Response, worse: Response, reason: str, actor: User | None = None
) -> Item:
    """A gold pair whose expert answer prefers `better`; the one there is, if the pair is already gold.

    Which of the two is canonical a is drawn from their keys, so that the answer is not always a.
    """
    pair = sorted((better, worse), key=lambda response: response.key)
    set_hash = response_set([response.key for response in pair])
    found = Item.objects.filter(project=project, response_set=set_hash, is_gold=True).first()
    return found or write(
        project=project,
        responses=pair,
        answers=[Answer(project.main_criterion, choice="a" if pair[0] == better else "b")],
        reason=reason,
        source=GoldAnswer.Source.IMPORTED,
        actor=actor,
    )


def _new_item(project: Project, responses: Sequence[Response], set_hash: str) -> Item:
    prompts = {response.prompt_id for response in responses}
    if len(prompts) != 1 or len({response.pk for response in responses}) != len(responses):
        raise UnfitResponses("Gold is made of different responses to one prompt.")
    key = json.dumps(["laurel.item.pair/1", True, set_hash])
    item = Item.objects.create(
        project=project,
        prompt_id=prompts.pop(),
        key=hashlib.sha256(key.encode()).hexdigest(),
        response_set=set_hash,
        origin=Item.Origin.GOLD,
        shuffle=random.random(),  # noqa: S311  an order, not a secret
        slots_left=slots.GOLD_SLOTS,
    )
    ItemResponse.objects.bulk_create(
        ItemResponse(item=item, response=response, position=position)
        for position, response in enumerate(responses)
    )
    return item


def _in_its_order(item: Item, responses: Sequence[Response], given: Sequence[Answer]) -> list[Answer]:
    """The answers, told in the order of `responses`, as this item tells them."""
    place = {response.pk: number for number, response in enumerate(responses)}
    own = item.item_responses.order_by("position").values_list("response_id", flat=True)
    order = [place[pk] for pk in own]
    return [to_display(answer, order) for answer in given]


def _correct(item: Item, given: Sequence[Answer], reason: str, source: str, actor: User | None) -> None:
    """Replace the answers; the audit log keeps what they were."""
    before = _told(item)
    after = [{**answer.as_json(), "reason": reason} for answer in given]
    if _sorted(before) == _sorted(after):
        return
    item.gold_answers.all().delete()
    _store(item, given, reason, source, actor)
    _report_changes(item.project)
    audit.record(
        actor=actor,
        project=item.project,
        action="gold corrected" if before else "gold created",
        detail={"item": item.pk, "before": before, "after": _told(item)},
    )


def _store(item: Item, given: Sequence[Answer], reason: str, source: str, actor: User | None) -> None:
    GoldAnswer.objects.bulk_create(
        GoldAnswer(
            item=item,
            criterion=answer.criterion,
            choice=answer.choice,
            ranks=None if answer.ranks is None else list(answer.ranks),
            ratings=None if answer.ratings is None else list(answer.ratings),
            reason=reason,
            source=source,
            created_by=actor,
        )
        for answer in given
    )


def _report_changes(project: Project) -> None:
    """Another answer is right: people are measured anew."""
    QualityReport.objects.filter(project=project).update(stale=True)


def _told(item: Item) -> list[dict[str, Any]]:
    """The gold answers as the audit log keeps them."""
    rows = GoldAnswer.objects.filter(item=item).order_by("pk")
    return [{**expert(row).as_json(), "reason": row.reason} for row in rows]


def _sorted(told: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(told, key=lambda one: str(one["criterion"]))
