"""Items of any number of responses with rankings and ratings on them."""

from collections.abc import Sequence
from typing import Any

from accounts.models import User
from annotation.answering.answer import Answer
from annotation.models.project import Project
from annotation.models.work import Item, Judgment
from tests import factories


def item_of(project: Project, responses: int, **fields: Any) -> Item:
    return factories.pair_item(project, texts=("",) * responses, **fields)


def told(project: Project, numbers: Sequence[int], criterion: str = "") -> Answer:
    """An answer of the project's kind: ranks or points."""
    name = criterion or project.main_criterion
    if project.kind == Project.Kind.RANKING:
        return Answer(name, ranks=tuple(numbers))
    return Answer(name, ratings=tuple(numbers))


def vote(item: Item, numbers: Sequence[int], by: User | None = None, **fields: Any) -> Judgment:
    """The same ranks or ratings under every criterion, in canonical terms."""
    project = item.project
    fields.setdefault("display_order", tuple(range(len(numbers))))
    answers = [told(project, numbers, criterion) for criterion in project.criterion_names]
    return factories.judgment(item, by or factories.user(), answers=answers, **fields)
