"""What the judging page says when it has no item to show: why, and what happens next.

Asked only when there is nothing, and every few seconds then: each question here is one that the database
answers without counting the project.
"""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from datetime import datetime

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from annotation.models.project import Project
from annotation.models.work import Assignment, Item
from annotation.progress_selectors import Progress
from annotation.qualification_selectors import may_work
from annotation.services import waiting
from annotation.standing_selectors import is_barred

Words = str | Promise


@dataclass(frozen=True)
class EmptyQueue:
    title: Words
    why: Words
    next: Words
    waits: bool = True  # something may come: the page looks again by itself
    door: str = ""  # where to go on first: the qualification test, or why somebody is paused
    door_words: Words = ""
    note: str = ""  # the daily goal

    @property
    def fingerprint(self) -> str:
        """Tells the page whether what it shows is still what is so."""
        said = json.dumps([str(part) for part in (self.title, self.why, self.next, self.door, self.note)])
        return hashlib.sha256(said.encode()).hexdigest()[:16]


PAUSED = EmptyQueue(
    gettext_lazy("This project is paused"),
    gettext_lazy("Whoever manages it has paused it. Your answers are saved."),
    gettext_lazy("It goes on here when it is resumed; there is nothing for you to do."),
)
CLOSED = EmptyQueue(
    gettext_lazy("This project is closed"),
    gettext_lazy("No more answers are collected. Thank you for yours."),
    gettext_lazy("Your other projects are one click away."),
    waits=False,
)
BARRED = EmptyQueue(
    gettext_lazy("You are paused in this project"),
    gettext_lazy("You are given no new items here for now. Your answers are kept."),
    gettext_lazy("See why, and say what you think of it."),
    door_words=gettext_lazy("See why"),
)
QUALIFICATION = EmptyQueue(
    gettext_lazy("First the qualification test"),
    gettext_lazy("This project gives items to people who have passed its test."),
    gettext_lazy("When you have passed, the first item appears here."),
    door_words=gettext_lazy("To the test"),
)
NOTHING_IMPORTED = EmptyQueue(
    gettext_lazy("Nothing to judge yet"),
    gettext_lazy("No items have been imported into this project."),
    gettext_lazy("A manager or engineer imports them; then they appear here."),
)
REST_IS_FOR_OTHERS = EmptyQueue(
    gettext_lazy("You have done all you can here"),
    gettext_lazy("You have answered, skipped or flagged every item that is still open."),
    gettext_lazy("What is left needs other people's eyes. New items appear here."),
)
ALL_DONE = EmptyQueue(
    gettext_lazy("All done"),
    gettext_lazy("Every item of this project has all the answers it needs. Thank you."),
    gettext_lazy("When the model has learned from them it may ask for more; they appear here."),
)


def why_empty(project: Project, annotator: User, progress: Progress) -> EmptyQueue:
    """The one that is true, most general reason first."""
    found = _why(project, annotator)
    if not progress.goal_reached:
        return found
    words = {"done": number_format(progress.mine_today), "goal": number_format(progress.goal or 0)}
    return replace(found, note=_("Today’s goal is reached: %(done)s of %(goal)s answers.") % words)


def _why(project: Project, annotator: User) -> EmptyQueue:
    if project.state != Project.State.RUNNING:
        return PAUSED if project.state == Project.State.PAUSED else CLOSED
    if is_barred(project, annotator):
        return replace(BARRED, door=reverse("annotation:standing", kwargs={"slug": project.slug}))
    if not may_work(project, annotator):
        return replace(QUALIFICATION, door=reverse("annotation:learn", kwargs={"slug": project.slug}))
    work = Item.objects.filter(project=project, is_gold=False)
    if not work.exists():
        return NOTHING_IMPORTED
    others = waiting.with_others(project, annotator.pk)
    if others.items and others.until is not None:
        return _with_others(others.items, others.until)
    return REST_IS_FOR_OTHERS if _unfinished(project) else ALL_DONE


def _unfinished(project: Project) -> bool:
    """Whether an answer is still to come: a free slot, or somebody who holds one."""
    return (
        Item.objects.filter(project=project, slots_left__gt=0, is_gold=False).exists()
        or Assignment.objects.filter(
            project=project, state=Assignment.State.OPEN, surplus=False, item__is_gold=False
        ).exists()
    )


def _with_others(items: int, until: datetime) -> EmptyQueue:
    count = ngettext(
        "%(n)s item that you could judge is with somebody else right now.",
        "%(n)s items that you could judge are with other people right now.",
        items,
    )
    minutes = max(1, math.ceil((until - timezone.now()).total_seconds() / 60))
    comes = ngettext(
        "What they skip or leave comes to you here by itself; the first is kept for %(n)s minute at most.",
        "What they skip or leave comes to you here by itself; the first is kept for %(n)s minutes at most.",
        minutes,
    )
    return EmptyQueue(
        _("Waiting for others"), count % {"n": number_format(items)}, comes % {"n": number_format(minutes)}
    )
