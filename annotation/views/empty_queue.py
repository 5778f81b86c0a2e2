"""What the judging page says when it has no item to show: why, and what happens next.

Asked only when there is nothing, and every few seconds then: each question here is one that the database
answers without counting the project.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Min
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import User
from annotation import progress_selectors
from annotation.models.project import Project
from annotation.models.work import Assignment, Item
from annotation.qualification_selectors import may_work
from annotation.services import slots

Words = str | Promise


@dataclass(frozen=True)
class EmptyQueue:
    title: Words
    why: Words
    next: Words
    waits: bool = True  # something may come: the page looks again by itself
    door: str = ""  # where to go on, with the words on the door
    door_words: Words = ""
    note: str = ""  # the daily goal


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


def why_empty(project: Project, annotator: User, progress: progress_selectors.Progress) -> EmptyQueue:
    """The one that is true, most general reason first."""
    found = _why(project, annotator)
    if progress.goal_reached:
        note = _("You have reached your goal for today: %(done)s of %(goal)s.")
        words = {"done": progress.mine_today, "goal": progress.goal}
        return EmptyQueue(**{**vars(found), "note": note % words})
    return found


def _why(project: Project, annotator: User) -> EmptyQueue:
    if project.state == Project.State.CLOSED:
        return CLOSED
    if project.state == Project.State.PAUSED:
        return PAUSED
    if not may_work(project, annotator):
        return _qualification(project)
    items = Item.objects.filter(project=project)
    if not items.exists():
        return NOTHING_IMPORTED
    held = Assignment.objects.filter(project=project, state=Assignment.State.OPEN, repeat=False)
    theirs = held.exclude(annotator=annotator).filter(item__in=_new_to(annotator, project))
    waiting = theirs.aggregate(items=Count("item", distinct=True), until=Min("lease_expires_at"))
    if waiting["items"]:
        return _with_others(waiting["items"], waiting["until"])
    if items.filter(slots_left__gt=0, is_gold=False).exists():
        return REST_IS_FOR_OTHERS
    if held.exists():
        return REST_IS_FOR_OTHERS
    return ALL_DONE
