"""Reads about single items: which ones people disagree on most, and who said what."""

from dataclasses import dataclass

from django.db import connection
from django.http import Http404

from annotation.models.project import Project
from annotation.models.quality import GoldAnswer
from annotation.models.work import Item, Judgment

_DISPUTED = """
    WITH votes AS (
        SELECT j.item_id AS item, count(*)::float AS n,
               count(*) FILTER (WHERE a.choice = 'a') AS a,
               count(*) FILTER (WHERE a.choice IN ('tie', 'both_bad')) AS tie,
               count(*) FILTER (WHERE a.choice = 'b') AS b
        FROM annotation_judgment j
        JOIN annotation_item i ON i.id = j.item_id
        JOIN annotation_answer a ON a.judgment_id = j.id AND a.criterion = %(criterion)s
        WHERE i.project_id = %(project)s AND NOT i.is_gold AND j.live AND a.choice <> ''
        GROUP BY j.item_id
    ), scored AS (
        SELECT item, a, tie, b, n,
               -(coalesce(a / n * ln(nullif(a, 0) / n), 0) + coalesce(tie / n * ln(nullif(tie, 0) / n), 0)
                 + coalesce(b / n * ln(nullif(b, 0) / n), 0)) / ln(2) AS entropy
        FROM votes
    )
    SELECT s.item, p.messages -> -1 ->> 'content', s.a, s.tie, s.b, abs(s.entropy)
    FROM scored s
    JOIN annotation_item i ON i.id = s.item
    JOIN annotation_prompt p ON p.id = i.prompt_id
    WHERE s.n >= %(least)s AND s.entropy >= %(floor)s
    ORDER BY s.entropy DESC, s.n DESC, s.item
    LIMIT %(limit)s
"""


@dataclass(frozen=True)
class DisputedItem:
    """Votes on one item; both-are-bad counts as a tie. entropy in bits: 0 unanimous, 1.58 an even three."""

    id: int
    prompt: str  # its last turn, whole
    a: int
    tie: int
    b: int
    entropy: float

    @property
    def votes(self) -> int:
        return self.a + self.tie + self.b


def disputed(project: Project, *, limit: int | None = 10) -> list[DisputedItem]:
    """Items on which people differ, most first; only items with two votes or more and not all the same."""
    return _disputed(project, limit=limit, least=2, floor=1e-9)


def votes_by_item(project: Project) -> list[DisputedItem]:
    """Every item with a vote, most disputed first."""
    return _disputed(project, limit=None, least=1, floor=-1.0)


def _disputed(project: Project, *, limit: int | None, least: int, floor: float) -> list[DisputedItem]:
    values: dict[str, int | float | str | None] = {
        "project": project.pk,
        "criterion": project.main_criterion,
        "limit": limit,
        "least": least,
        "floor": floor,
    }
    with connection.cursor() as cursor:
        cursor.execute(_DISPUTED, values)
        return [DisputedItem(*row) for row in cursor.fetchall()]


def item_for(project: Project, item_id: int) -> Item:
    """The project's item with its prompt, or Http404."""
    item = project.items.select_related("prompt").filter(pk=item_id).first()
    if item is None:
        raise Http404("No such item.")
    return item


def gold_answer(item: Item) -> GoldAnswer | None:
    return GoldAnswer.objects.filter(item=item, criterion=item.project.main_criterion).first()


@dataclass(frozen=True)
class Vote:
    """One live judgment as a reviewer reads it. left: "a" or "b", "" where nobody knows what was shown."""

    annotator: str
    origin: str
    choice: str
    left: str
    judgment: Judgment


def votes_on(item: Item, criterion: str) -> list[Vote]:
    """Live judgments, oldest first, on one criterion."""
    judgments = (
        Judgment.objects.filter(item=item, live=True)
        .select_related("annotator")
        .prefetch_related("answers")
        .order_by("judged_at", "pk")
    )
    return [
        Vote(
            annotator=str(judgment.annotator),
            origin=judgment.annotator.origin,
            choice=answer.choice,
            left="ab"[judgment.display_order[0]] if judgment.display_order else "",
            judgment=judgment,
        )
        for judgment in judgments
        for answer in judgment.answers.all()
        if answer.criterion == criterion
    ]
