"""Ranking and rating projects with made-up scores, and people who answer by the responses' numbers."""

from annotation.answering.answer import Answer
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.work import Item
from annotation.services import items
from tests import factories


def world(kind: str = "ranking", prompts: int = 30, responses: int = 6, **fields: object) -> Project:
    """Prompts whose responses are in no item yet, as after an import of rollouts."""
    project = factories.project(kind=kind, **fields)
    for _ in range(prompts):
        factories.responses(factories.prompt(project), responses)
    return project


def item_of(project: Project, responses: list[Response], *, origin: str = "imported") -> Item:
    (item,) = items.queue_groups(
        project=project, groups=[[one.pk for one in responses]], priority=0, origins=[origin]
    )
    return item


def answer(item: Item, **fields: object) -> None:
    """The later a response came, the better it is."""
    places = list(item.item_responses.order_by("position").values_list("response_id", flat=True))
    best_first = sorted(places, reverse=True)
    ranks = tuple(best_first.index(pk) + 1 for pk in places)
    if item.project.kind == "ranking":
        given = Answer("overall", ranks=ranks)
    else:
        given = Answer("overall", ratings=tuple(max(1, 6 - rank) for rank in ranks))
    order = tuple(range(len(places)))
    factories.judgment(item, factories.user(), answers=[given], display_order=order, **fields)


def judge_some(project: Project, prompts: int, size: int = 3) -> list[Item]:
    """One answered group of each of the first prompts."""
    judged = []
    for prompt in project.prompts.order_by("pk")[:prompts]:
        judged.append(item_of(project, list(prompt.responses.order_by("pk")[:size])))
        answer(judged[-1])
    return judged
