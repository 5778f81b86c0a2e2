"""Reads about spot checks: what waits, and how often a label says something else than a reviewer."""

from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from accounts.models import User
from annotation.aggregation.wilson import wilson
from annotation.models.learning import PracticeAnswer
from annotation.models.project import Project
from annotation.models.review import Review
from annotation.models.work import Assignment, Item, Judgment


@dataclass(frozen=True)
class ErrorRate:
    """Of the labels seen again so many were wrong, so many of them turned round: A for B, or B for A.

    low, high: the 95 % interval of Wilson. None of the three shares without a spot check; `reversed` counts
    pairs only, an order is turned round in too many ways.
    """

    checked: int
    wrong: int
    reversed: int
    waiting: int

    @property
    def share(self) -> float | None:
        return self.wrong / self.checked if self.checked else None

    @property
    def low(self) -> float | None:
        return self._interval[0] if self._interval else None

    @property
    def high(self) -> float | None:
        return self._interval[1] if self._interval else None

    @property
    def _interval(self) -> tuple[float, float] | None:
        return wilson(self.wrong, self.checked)


def error_rate(project: Project) -> ErrorRate:
    """How often the most probable answer under the main criterion is not the reviewer's."""
    turned = Q()
    for label, blind in (("a", "b"), ("b", "a")):
        said = {"label": label, "blind": blind}
        turned |= Q(
            **{
                f"{name}__contains": [{"criterion": project.main_criterion, "choice": choice}]
                for name, choice in said.items()
            }
        )
    counted = _checks(project).aggregate(
        checked=Count("pk", filter=Q(right__isnull=False)),
        wrong=Count("pk", filter=Q(right=False)),
        reversed=Count("pk", filter=Q(right=False) & turned),
        waiting=Count("pk", filter=Q(state=Review.State.OPEN)),
    )
    return ErrorRate(**counted)


def waiting_for(user: User, project: Project) -> QuerySet[Review]:
    """Open spot checks this person can do, in the order of their numbers.

    Whoever has judged or practised on an item or its twin, or knows what is said of it, would not look at it
    as if for the first time; and what somebody else has begun is theirs.
    """
    waiting = _checks(project).filter(state=Review.State.OPEN).filter(Q(reviewer=None) | Q(reviewer=user))
    twins = Item.objects.filter(project=project, response_set=OuterRef("item__response_set"))
    return waiting.filter(~Exists(twins.filter(_knows(user)))).order_by("pk")


def knows(user: User, item: Item) -> bool:
    """Whether this person has judged the item, or seen or written what is said of it, or of its twin."""
    twins = Item.objects.filter(project_id=item.project_id, response_set=item.response_set)
    return twins.filter(_knows(user)).exists()


def _knows(user: User) -> Q:
    own = {"item": OuterRef("pk"), "annotator": user}
    told = Assignment.objects.filter(**own, note__in=Assignment.KNOWS_THE_ANSWER)
    return (
        Q(Exists(Judgment.objects.filter(**own)))
        | Q(Exists(told))
        | Q(Exists(PracticeAnswer.objects.filter(**own)))
    )


def _checks(project: Project) -> QuerySet[Review]:
    return Review.objects.filter(project=project, kind=Review.Kind.SPOT_CHECK)
