"""What somebody has entered and not yet submitted, kept on the server."""

import json
from typing import Any

from django.db import transaction

from accounts.models import User
from annotation.models.work import Assignment, Draft, Judgment
from annotation.services.assigning import lease_end, one_step_at_a_time
from annotation.services.judging import standing_answer

LARGEST_DRAFT = 100_000  # characters of JSON


class InvalidDraft(ValueError):
    """The draft cannot be kept; the message says why."""


class StaleDraft(Exception):
    """Another tab or device has saved since. `stored` is what it saved."""

    def __init__(self, stored: Draft) -> None:
        super().__init__("A newer draft of this answer was saved elsewhere.")
        self.stored = stored


class AlreadyAnswered(Exception):
    """The item was answered since, and the sender has not seen `stored`: nothing is left to draft."""

    def __init__(self, stored: Judgment | None) -> None:
        super().__init__("This item is answered already.")
        self.stored = stored


@transaction.atomic
def save(
    *, assignment_id: int, annotator: User, body: dict[str, Any], seen: int, replaces: int | None = None
) -> Draft:
    """Keep `body` if nothing newer than version `seen` is stored (0: nothing seen); its lease is renewed.

    On an answered item only whoever changes the answer that stands, and names it in `replaces`, keeps a
    draft: one that was still on its way when the answer arrived comes too late. Raises `StaleDraft` where
    something newer stands, `AlreadyAnswered`, or `InvalidDraft` for what is too large or cannot be stored.
    """
    text = json.dumps(body)
    if len(text) > LARGEST_DRAFT or "\\u0000" in text.replace("\\\\", ""):
        raise InvalidDraft(f"A draft has up to {LARGEST_DRAFT} characters and no NUL.")
    one_step_at_a_time(annotator)
    assignment = Assignment.objects.select_related("project").get(pk=assignment_id, annotator=annotator)
    if assignment.state == Assignment.State.DONE:
        standing = standing_answer(assignment)
        if standing is None or standing.pk != replaces:
            raise AlreadyAnswered(standing)
    draft = Draft.objects.select_for_update().filter(assignment=assignment).first()
    if draft is None:
        draft = Draft(assignment=assignment, version=0)
    elif draft.body == body:
        return draft
    elif draft.version != seen:
        raise StaleDraft(draft)
    draft.body = body
    draft.version += 1
    draft.save()
    if assignment.state == Assignment.State.OPEN:
        Assignment.objects.filter(pk=assignment.pk).update(lease_expires_at=lease_end(assignment.project))
    return draft


def draft_of(assignment: Assignment) -> Draft | None:
    return Draft.objects.filter(assignment=assignment).first()
