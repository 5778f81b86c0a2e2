"""What tests of reviews share: items with labels, and a reviewer's steps in few words."""

from collections.abc import Sequence

from accounts.models import User
from annotation.answering.answer import Answer
from annotation.models.project import Project
from annotation.models.review import Review
from annotation.models.work import Item
from annotation.services import adjudicating, aggregating, judging
from tests.annotation.watching import judged


def labelled(project: Project, *votes: str) -> list[Item]:
    """Finished items with one vote a letter, and their labels."""
    items = [judged(project, each) for each in votes]
    Item.objects.filter(pk__in=[item.pk for item in items]).update(slots_left=0)
    aggregating.rebuild(project=project)
    return [Item.objects.select_related("project").get(pk=item.pk) for item in items]


def blind(review: Review, reviewer: User, choice: str | Sequence[Answer]) -> Review:
    answers = judging.pairwise(review.project, choice) if isinstance(choice, str) else choice
    return adjudicating.answer_blind(review=review, reviewer=reviewer, answers=answers)


def decide(
    review: Review, reviewer: User, choice: str, reason: str = "It is.", *, gold: bool = False
) -> Review:
    return adjudicating.decide(
        review=review,
        reviewer=reviewer,
        answers=judging.pairwise(review.project, choice),
        reason=reason,
        make_gold=gold,
    )


def adjudicated(item: Item, reviewer: User, choice: str = "a", reason: str = "It is.") -> Review:
    """All the steps."""
    review = adjudicating.start(item=item, reviewer=reviewer)
    if adjudicating.needs_blind_answer(review, reviewer):
        blind(review, reviewer, choice)
    return decide(review, reviewer, choice, reason)
