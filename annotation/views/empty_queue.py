"""What the judging page says when it has no item to show: why, and what happens next."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from annotation import selectors
from annotation.models.project import Project
from annotation.models.work import Assignment


@dataclass(frozen=True)
class EmptyQueue:
    title: Promise
    why: Promise
    next: Promise
    can_reload: bool


PAUSED = EmptyQueue(
    _("This project is paused"),
    _("Whoever manages it has paused it. Your answers are saved."),
    _("It goes on here when it is resumed; there is nothing for you to do."),
    can_reload=True,
)
CLOSED = EmptyQueue(
    _("This project is closed"),
    _("No more answers are collected. Thank you for yours."),
    _("Your other projects are one click away."),
    can_reload=False,
)
NOT_PAIRWISE = EmptyQueue(
    _("Not for this page"),
    _("This project asks for rankings or ratings."),
    _("This version of Laurel collects pairwise comparisons."),
    can_reload=False,
)
NOTHING_IMPORTED = EmptyQueue(
    _("Nothing to judge yet"),
    _("No items have been imported into this project."),
    _("A manager or engineer imports them; then they appear here."),
    can_reload=True,
)
REST_IS_FOR_OTHERS = EmptyQueue(
    _("You have done all you can here"),
    _("You have answered, skipped or flagged every item that is still open."),
    _("What is left needs other people's eyes. New items appear here."),
    can_reload=True,
)
WITH_OTHERS = EmptyQueue(
    _("Waiting for others"),
    _("The last items are with other people right now."),
    _("An item that one of them skips or leaves lying comes back and appears here."),
    can_reload=True,
)
ALL_DONE = EmptyQueue(
    _("All done"),
    _("Every item of this project has all the answers it needs. Thank you."),
    _("When the model has learned from them it may ask for more; they appear here."),
    can_reload=True,
)


def why_empty(project: Project, progress: selectors.Progress) -> EmptyQueue:
    """The one that is true, most general reason first."""
    if project.kind != Project.Kind.PAIRWISE:
        return NOT_PAIRWISE
    if project.state != Project.State.RUNNING:
        return PAUSED if project.state == Project.State.PAUSED else CLOSED
    if not progress.total:
        return NOTHING_IMPORTED
    if progress.open_slots:
        return REST_IS_FOR_OTHERS
    if Assignment.objects.filter(item__project=project, state=Assignment.State.OPEN).exists():
        return WITH_OTHERS
    return ALL_DONE
