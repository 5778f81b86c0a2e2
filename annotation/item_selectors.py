"""Reads about single items: which ones people disagree on most."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.http import Http404

from annotation.answer_words import LETTERS
from annotation.models.project import Project
from annotation.models.work import Item
from annotation.pair_votes import counts_sql

# Votes on each pair of responses; an item's entropy is the mean over its pairs, a to b are of the pair that
# is disputed most.
_ENTROPY = """
    WITH votes AS ({counted}), scored AS (
        SELECT item_id, a_at, b_at, a, tie, b, a + tie + b AS n,
               abs(-(coalesce(a / n * ln(nullif(a, 0) / n), 0) + coalesce(tie / n * ln(nullif(tie, 0) / n), 0)
                     + coalesce(b / n * ln(nullif(b, 0) / n), 0)) / ln(2)) AS entropy
        FROM (SELECT *, (a + tie + b)::float AS n FROM votes) counted
    ), ranked AS (
        SELECT *, avg(entropy) OVER w AS of_item,
               row_number() OVER (PARTITION BY item_id ORDER BY entropy DESC, a_at, b_at) AS place
        FROM scored WINDOW w AS (PARTITION BY item_id)
    )
    SELECT s.item_id, p.messages -> -1 ->> 'content', s.n, s.of_item, s.a_at, s.b_at, s.a, s.tie, s.b
    FROM ranked s
    JOIN annotation_item i ON i.id = s.item_id
    JOIN annotation_prompt p ON p.id = i.prompt_id
    WHERE s.place = 1 AND s.n >= %(least)s AND s.of_item >= %(floor)s
    ORDER BY s.of_item DESC, s.n DESC, s.item_id
    LIMIT %(limit)s
"""

# Ratings differ by so many points: the standard deviation of each response, the mean over the item's.
_SPREAD = """
    WITH spread AS (
        SELECT j.item_id, r.position, count(*) AS n, stddev_pop(r.rating)::float AS points
        FROM annotation_judgment j
        JOIN annotation_item i ON i.id = j.item_id
        JOIN annotation_answer a ON a.judgment_id = j.id AND a.criterion = %(criterion)s
        CROSS JOIN LATERAL unnest(a.ratings) WITH ORDINALITY AS r(rating, position)
        WHERE i.project_id = %(project)s AND NOT i.is_gold AND j.live
          AND (%(items)s::bigint[] IS NULL OR j.item_id = ANY(%(items)s))
        GROUP BY j.item_id, r.position
    ), scored AS (SELECT item_id, max(n) AS n, avg(points) AS points FROM spread GROUP BY item_id)
    SELECT s.item_id, p.messages -> -1 ->> 'content', s.n, s.points
    FROM scored s
    JOIN annotation_item i ON i.id = s.item_id
    JOIN annotation_prompt p ON p.id = i.prompt_id
    WHERE s.n >= %(least)s AND s.points >= %(floor)s
    ORDER BY s.points DESC, s.n DESC, s.item_id
    LIMIT %(limit)s
"""


# What annotators see as the category: the item's own, else its prompt's.
_CATEGORIES = """
    SELECT coalesce(nullif(i.metadata ->> 'category', ''), p.metadata ->> 'category', ''), array_agg(i.id)
    FROM annotation_item i JOIN annotation_prompt p ON p.id = i.prompt_id
    WHERE i.project_id = %(project)s AND NOT i.is_gold
    GROUP BY 1
"""


@dataclass(frozen=True)
class DisputedItem:
    """How far people part on one item.

    entropy: in bits, of the votes on its pairs of responses: 0 unanimous, 1.58 an even three; of ratings it
    is the spread in points. a, tie, b: votes on the pair that is disputed most, at the positions a_at and
    b_at; both-are-bad counts as a tie. None of these for ratings.
    """

    id: int
    prompt: str  # its last turn, whole
    votes: int
    entropy: float
    a_at: int | None = None
    b_at: int | None = None
    a: int | None = None
    tie: int | None = None
    b: int | None = None

    @property
    def pair(self) -> str:
        """A : C"""
        if self.a_at is None or self.b_at is None:
            return ""
        return f"{LETTERS[self.a_at]} : {LETTERS[self.b_at]}"


def disputed(project: Project, *, limit: int | None = 10) -> list[DisputedItem]:
    """Items on which people differ, most first; only items with two votes or more and not all the same."""
    return _disputed(project, limit=limit, least=2, floor=1e-9)


def votes_by_item(project: Project) -> list[DisputedItem]:
    """Every item with a vote, most disputed first."""
    return _disputed(project, limit=None, least=1, floor=-1.0)


def votes_on_items(project: Project, items: Sequence[int]) -> dict[int, DisputedItem]:
    """Those of these items that have a vote, by their ids."""
    found = _disputed(project, limit=None, least=1, floor=-1.0, items=items)
    return {one.id: one for one in found}


def _disputed(
    project: Project, *, limit: int | None, least: int, floor: float, items: Sequence[int] | None = None
) -> list[DisputedItem]:
    values: dict[str, int | float | str | list[int] | None] = {
        "project": project.pk,
        "items": None if items is None else list(items),
        "criterion": project.main_criterion,
        "limit": limit,
        "least": least,
        "floor": floor,
    }
    some = "" if items is None else " AND v.item_id = ANY(%(items)s)"
    counted = counts_sql(project, where=f"v.criterion = %(criterion)s{some}")
    statement = _SPREAD if project.kind == Project.Kind.RATING else _ENTROPY.format(counted=counted)
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [DisputedItem(*row) for row in cursor.fetchall()]


def item_for(project: Project, item_id: int) -> Item:
    """The project's item with its prompt, or Http404."""
    item = project.items.select_related("prompt", "project").filter(pk=item_id).first()
    if item is None:
        raise Http404("No such item.")
    return item


def items_by_category(project: Project) -> dict[str, list[int]]:
    """The keys of the work items of each category, "" without one."""
    with connection.cursor() as cursor:
        cursor.execute(_CATEGORIES, {"project": project.pk})
        return dict(cursor.fetchall())
