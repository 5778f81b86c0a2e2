"""Blind review: whose votes a person must not see yet, because their own judgment should not lean on them."""

from collections.abc import Collection, Sequence
from typing import Any, Final, Literal

from django.db.models import Q, QuerySet

from accounts.models import Role, User
from annotation.models.learning import PracticeAnswer
from annotation.models.project import Project
from annotation.models.work import Assignment, Item, Judgment
from annotation.selectors import JUDGES, may_be_changed

Why = Literal["may be asked", "may change"]
ASKED: Final[Why] = "may be asked"
CHANGE: Final[Why] = "may change"
AT_A_TIME: Final = 5_000


def new_to(person: User, project: Project, response_sets: Collection[str]) -> set[str]:
    """Which of these sets of responses could still be given to this person: as `slots` decides it of a claim.

    Nobody is asked about responses they have held, judged or practised on, as work or as gold; a hold that
    expired is forgotten, one that is open is still before them.
    """
    twins = Item.objects.filter(project=project, response_set__in=response_sets)
    met = _sets(
        Assignment.objects.filter(item__in=twins, annotator=person).exclude(
            state__in=(Assignment.State.EXPIRED, Assignment.State.OPEN)
        )
    ).union(
        _sets(Judgment.objects.filter(item__in=twins, annotator=person, live=True)),
        _sets(PracticeAnswer.objects.filter(item__in=twins, annotator=person)),
    )
    return set(response_sets) - {row[0] for row in met}


def hidden(
    person: User, role: Role | None, project: Project, response_sets: Collection[str]
) -> dict[str, Why]:
    """The sets of responses on which this person must not see what others said, and why."""
    if not _hides(role, project):
        return {}
    asked = dict.fromkeys(new_to(person, project, response_sets), ASKED)
    return asked | dict.fromkeys(_changeable(person, project, response_sets), CHANGE)


def hidden_items(person: User, role: Role | None, project: Project, items: Sequence[int]) -> set[int]:
    """`hidden` of many items, by their ids; retired ones are open to all."""
    found: set[int] = set()
    for start in range(0, len(items) if _hides(role, project) else 0, AT_A_TIME):
        some = items[start : start + AT_A_TIME]
        rows = Item.objects.filter(project=project, pk__in=some, retired_at=None)
        sets = dict(rows.values_list("pk", "response_set"))
        closed = hidden(person, role, project, set(sets.values()))
        found |= {pk for pk, response_set in sets.items() if response_set in closed}
    return found


def own_answer(person: User, item: Item) -> int | None:
    """This person's assignment of the item, where they have answered it."""
    own = Assignment.objects.filter(item=item, annotator=person, state=Assignment.State.DONE, repeat=False)
    return own.values_list("pk", flat=True).first()


def _hides(role: Role | None, project: Project) -> bool:
    return project.blind_review and role in JUDGES and project.state != Project.State.CLOSED


def _changeable(person: User, project: Project, response_sets: Collection[str]) -> set[str]:
    """Those they have answered and may still answer differently, or skipped and may take up again."""
    met = Assignment.objects.filter(
        item__project=project, item__response_set__in=response_sets, annotator=person
    )
    untouched = Q(state=Assignment.State.SKIPPED) & ~Q(note__in=Assignment.KNOWS_THE_ANSWER)
    return {row[0] for row in _sets(met.filter(may_be_changed() | untouched))}


def _sets(
    rows: "QuerySet[Assignment] | QuerySet[Judgment] | QuerySet[PracticeAnswer]",
) -> "QuerySet[Any, tuple[str]]":
    return rows.order_by().values_list("item__response_set")
