"""Blind review: an item one may still judge is judged first, or its votes are seen and it never comes.

Whoever has read the votes on an item, or written its gold, cannot judge it any more as if they had not, nor
change what they answered before.
"""

import random

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from annotation.blind_selectors import new_to
from annotation.models.project import Project
from annotation.models.work import Assignment, Item
from annotation.qualification_selectors import may_work
from annotation.services import assigning, slots


class CannotClaim(Exception):
    """This item cannot be given to this person now; the message says why."""


@transaction.atomic
def claim_item(*, item: Item, annotator: User, rng: random.Random | None = None) -> Assignment:
    """This very item, leased to this person like any other. Raises `CannotClaim`."""
    terms = assigning.one_step_at_a_time(annotator, item.project_id)
    project = item.project
    held = Assignment.objects.filter(item=item, annotator=annotator, repeat=False).first()
    if held is not None and held.state == Assignment.State.OPEN:
        return held
    if terms.barred or project.state != Project.State.RUNNING or not may_work(project, annotator):
        raise CannotClaim(_("Nobody is given new items here at the moment."))
    if not new_to(annotator, project, [item.response_set]) or _holds_twin(item, annotator):
        raise CannotClaim(_("You have met these responses before, or they are before you now."))
    if not slots.take_slot_if_free(item.pk):
        raise CannotClaim(_("All places on this item are taken."))
    order = list(range(item.item_responses.count()))
    (rng or random.SystemRandom()).shuffle(order)
    held = held or Assignment(item=item, project=project, annotator=annotator, display_order=order)
    held.state, held.surplus, held.note, held.finished_at = Assignment.State.OPEN, False, "", None
    held.shown_at, held.lease_expires_at = timezone.now(), assigning.lease_end(project)
    held.save()
    return held


@transaction.atomic
def pass_over(*, item: Item, annotator: User, note: str) -> None:
    """Never give this person the item any more: it counts as skipped by them.

    What they answered stands, and stays as it is. `note` is one of `Assignment.KNOWS_THE_ANSWER`.
    """
    assigning.one_step_at_a_time(annotator)
    held = Assignment.objects.select_for_update().filter(item=item, annotator=annotator, repeat=False).first()
    if held is None:
        now = timezone.now()
        Assignment.objects.create(
            item=item,
            project=item.project,
            annotator=annotator,
            state=Assignment.State.SKIPPED,
            display_order=list(range(item.item_responses.count())),
            note=note,
            lease_expires_at=now,
            finished_at=now,
        )
    elif held.state in (Assignment.State.OPEN, Assignment.State.EXPIRED):
        assigning.release(held, state=Assignment.State.SKIPPED, note=note)
    elif held.state in (Assignment.State.DONE, Assignment.State.SKIPPED):
        held.note = note
        held.save(update_fields=["note"])


@transaction.atomic
def see_votes(*, item: Item, annotator: User) -> None:
    """Show the votes: this person never judges the item nor its twin, nor changes what they answered."""
    pass_over(item=item, annotator=annotator, note=Assignment.SAW_VOTES)
    for twin in Item.objects.filter(project_id=item.project_id, response_set=item.response_set).exclude(
        pk=item.pk
    ):
        if Assignment.objects.filter(item=twin, annotator=annotator).exists():
            pass_over(item=twin, annotator=annotator, note=Assignment.SAW_VOTES)


def _holds_twin(item: Item, annotator: User) -> bool:
    twins = Item.objects.filter(project_id=item.project_id, response_set=item.response_set)
    return any(_holds(twin, annotator) for twin in twins)


def _holds(item: Item, annotator: User) -> bool:
    return Assignment.objects.filter(item=item, annotator=annotator, state=Assignment.State.OPEN).exists()
