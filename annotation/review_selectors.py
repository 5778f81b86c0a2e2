"""Which items a reviewer should decide next: those whose label leaves most open.

The value of a decision is the uncertainty, in bits, that it ends. An expert's word settles an item, so that
is the entropy of the label as it stands, and two stated amounts more:

    p_k   = (n s_k + ½) / (n + K/2)       k: a, tie, b; K of them can be given (Jeffreys' Dirichlet(½, …, ½))
    value = H(p) + odds + flags           H(p) = −Σ p_k log₂ p_k

s_k are the shares of the soft label under the main criterion and n its effective votes, so that few votes
leave more open than many that are as far apart. Of several pairs the mean counts. odds: the Jensen-Shannon
divergence, in bits, between p and what the reward model says, where their most probable answers differ, else
0. flags: one bit for each person who flagged the item, at most two.

An item waits from `FLOOR` of the bits that K answers can hold: 3 : 0 : 0 leaves 0.99 of 1.58 and does not
wait, 2 : 0 : 1 leaves 1.35 and does. It waits once it is finished, for until then others are asked; at once
if somebody flags it. It leaves the queue once it was decided or put aside, or a spot check found its label
right, and comes back when somebody judges or flags it afterwards. Gold and retired items never wait.

A million judgments are too many to value each time. Valued are the flagged items and the first `CANDIDATES`
by H(p) and by odds, each found by an index: the order is exact but for what only the sum of two middling
amounts would bring up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2
from typing import Final

from django.db import connection
from django.db.models.fields.json import KT
from django.http import Http404

from annotation.models.content import Prompt
from annotation.models.project import Project
from annotation.models.review import ModelOdds, Review
from annotation.models.work import Assignment, Item

FLOOR: Final = 0.63
FLAG_BITS: Final = 1.0
MOST_FLAGS: Final = 2
CANDIDATES: Final = 500


def _bits(*shares: str) -> str:
    """SQL of the entropy of shares, which may be 0."""
    return "(" + " - ".join(["0", *(f"coalesce({p} * ln(nullif({p}, 0)), 0)" for p in shares)]) + ") / ln(2)"


def _top(a: str, tie: str, b: str) -> str:
    """SQL of the most probable answer as a sign; without a clear one it is neither side."""
    return f"CASE WHEN {a} > greatest({tie}, {b}) THEN 1 WHEN {b} > greatest({a}, {tie}) THEN -1 ELSE 0 END"


_DIVERGENCE = (
    f"({_bits('(a + m_a) / 2', '(tie + m_tie) / 2', '(b + m_b) / 2')}"
    f" - ({_bits('a', 'tie', 'b')}) / 2 - ({_bits('m_a', 'm_tie', 'm_b')}) / 2)"
)

# Reviews that end an item's wait, unless something came after them.
_SETTLED = """
    SELECT r.item_id FROM annotation_review r
    WHERE r.project_id = %(project)s
      AND (r.kind = 'adjudication' AND r.state IN ('done', 'dismissed')
           OR r.kind = 'spot_check' AND r."right")
      AND NOT EXISTS (SELECT 1 FROM annotation_judgment j
                      WHERE j.item_id = r.item_id AND j.live AND j.created_at > r.decided_at)
      AND NOT EXISTS (SELECT 1 FROM annotation_assignment s WHERE s.item_id = r.item_id
                      AND s.state = 'flagged' AND s.finished_at > r.decided_at)
"""

# `laurel_label_bits` is H(p) with three outcomes (migration 0008_model_odds), which the index has in order.
# What is settled is asked of labels and odds, not of their items: there the planner counts it anew for each
# item, and rather sorts a million labels than follow the index. A single vote is few only where one is all
# that is asked for. What an item wants of its own is found beforehand, for the same reason: most single votes
# fall away without a look at their items.
_QUEUE = f"""
    WITH settled AS MATERIALIZED ({_SETTLED}),
    singles AS MATERIALIZED (
        SELECT id AS item_id FROM annotation_item WHERE project_id = %(project)s AND overlap = 1
    ), open_most AS MATERIALIZED (
        SELECT l.item_id FROM annotation_softlabel l
        JOIN annotation_item i ON i.id = l.item_id AND {{finished}}
        WHERE l.project_id = %(project)s AND l.criterion = %(criterion)s
          AND (l.votes >= %(least)s OR l.item_id IN (SELECT item_id FROM singles))
          AND l.votes >= least(coalesce(i.overlap, %(overlap)s), 2)
          AND l.item_id NOT IN (SELECT item_id FROM settled)
        ORDER BY laurel_label_bits(l.p_a, l.p_tie, l.p_b, l.effective_votes) DESC
        LIMIT {{candidates}}
    ), most_at_odds AS MATERIALIZED (
        SELECT o.item_id FROM annotation_modelodds o
        JOIN annotation_item i ON i.id = o.item_id AND {{finished}}
        WHERE o.project_id = %(project)s AND o.odds > 0
          AND o.item_id NOT IN (SELECT item_id FROM settled)
        ORDER BY o.odds DESC
        LIMIT {{candidates}}
    ), flags AS MATERIALIZED (
        SELECT s.item_id, count(*) AS flags FROM annotation_assignment s
        JOIN annotation_item i ON i.id = s.item_id AND NOT i.is_gold AND i.retired_at IS NULL
        WHERE s.project_id = %(project)s AND s.state = 'flagged'
          AND s.item_id NOT IN (SELECT item_id FROM settled)
        GROUP BY s.item_id
    ), candidates AS MATERIALIZED (
        SELECT item_id FROM open_most UNION SELECT item_id FROM most_at_odds UNION SELECT item_id FROM flags
    ), shares AS (
        SELECT l.item_id, (n * p_a + 0.5) / (n + %(outcomes)s / 2.0) AS a,
               CASE WHEN %(outcomes)s = 2 THEN 0 ELSE (n * p_tie + 0.5) / (n + 1.5) END AS tie,
               (n * p_b + 0.5) / (n + %(outcomes)s / 2.0) AS b, m_a, m_tie, m_b
        FROM candidates c
        CROSS JOIN LATERAL (
            SELECT l.item_id, l.p_a, l.p_tie, l.p_b, l.effective_votes AS n,
                   o.p_a AS m_a, o.p_tie AS m_tie, o.p_b AS m_b
            FROM annotation_softlabel l
            LEFT JOIN annotation_modelodds o ON o.item_id = l.item_id
                 AND o.response_a_id = l.response_a_id AND o.response_b_id = l.response_b_id
            WHERE l.item_id = c.item_id AND l.criterion = %(criterion)s
        ) l
    ), labels AS (
        SELECT item_id, avg({_bits("a", "tie", "b")}) AS bits,
               avg(CASE WHEN {_top("m_a", "m_tie", "m_b")} <> {_top("a", "tie", "b")} AND m_a IS NOT NULL
                   THEN {_DIVERGENCE} ELSE 0 END) AS odds
        FROM shares GROUP BY item_id
    ), valued AS (
        SELECT item_id, coalesce(bits, 0) AS bits, coalesce(odds, 0) AS odds, coalesce(flags, 0) AS flags,
               coalesce(bits, 0) + coalesce(odds, 0)
               + {FLAG_BITS} * least(coalesce(flags, 0), {MOST_FLAGS}) AS value
        FROM candidates LEFT JOIN labels USING (item_id) LEFT JOIN flags USING (item_id)
    )
    SELECT item_id, value, bits, odds, flags, count(*) OVER () FROM valued
    WHERE value >= %(floor)s
    ORDER BY value DESC, item_id
    LIMIT %(limit)s
""".format(  # noqa: S608  texts of our own
    finished="i.slots_left = 0 AND NOT i.is_gold AND i.retired_at IS NULL",
    candidates=CANDIDATES,
)


@dataclass(frozen=True)
class Waiting:
    """An item in the queue, and what its value is made of, in bits."""

    item_id: int
    value: float
    bits: float
    odds: float
    flags: int  # people who flagged it


@dataclass(frozen=True)
class Queue:
    """The first of those that wait, and how many wait; from `CANDIDATES` on there may be more."""

    rows: tuple[Waiting, ...]
    total: int

    @property
    def more(self) -> bool:
        return self.total >= CANDIDATES


def queue(project: Project, *, limit: int = 50) -> Queue:
    """Items by the value of a decision, the highest first, in one statement."""
    outcomes = outcomes_of(project)
    values: dict[str, int | float | str] = {
        "project": project.pk,
        "criterion": project.main_criterion,
        "outcomes": outcomes,
        "floor": FLOOR * log2(outcomes),
        "overlap": project.overlap,
        "least": min(project.overlap, 2),
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE, values)
        found = cursor.fetchall()
    return Queue(tuple(Waiting(*row[:5]) for row in found), found[0][5] if found else 0)


def outcomes_of(project: Project) -> int:
    """How many answers a pair of responses can have: ratings may always be equal."""
    both_bad = project.both_bad and project.kind == Project.Kind.PAIRWISE
    return 3 if project.ties or both_bad or project.kind == Project.Kind.RATING else 2


def review_for(project: Project, review_id: int) -> Review:
    """The project's review with its item and prompt, or Http404."""
    rows = Review.objects.select_related("project", "item__prompt", "item__project", "reviewer", "judgment")
    review = rows.filter(project=project, pk=review_id).first()
    if review is None:
        raise Http404("No such review.")
    return review


def prompts_of(project: Project, items: Sequence[int]) -> dict[int, str]:
    """The last turn of each item's prompt."""
    prompts = Prompt.objects.filter(project=project, items__in=items)
    return dict(prompts.annotate(asked=KT("messages__-1__content")).values_list("items", "asked"))


def model_on(project: Project, items: Sequence[int]) -> dict[int, ModelOdds]:
    """What the model says of items with one pair; of longer ones it has too much to say for a line."""
    found: dict[int, list[ModelOdds]] = {}
    for one in ModelOdds.objects.filter(project=project, item__in=items):
        found.setdefault(one.item_id, []).append(one)
    return {item: rows[0] for item, rows in found.items() if len(rows) == 1}


def flags_on(item: Item) -> list[Assignment]:
    """Who flagged the item, with their notes, oldest first."""
    flagged = Assignment.objects.filter(item=item, state=Assignment.State.FLAGGED)
    return list(flagged.select_related("annotator").order_by("finished_at", "pk"))


def open_on(project: Project, items: Sequence[int]) -> dict[int, Review]:
    """The adjudications under way, by item."""
    found = Review.objects.filter(
        project=project, item__in=items, kind=Review.Kind.ADJUDICATION, state=Review.State.OPEN
    )
    return {review.item_id: review for review in found.select_related("reviewer")}


def decided(project: Project, *, limit: int = 20) -> list[Review]:
    """Adjudications that are over, the latest first."""
    over = Review.objects.filter(project=project, kind=Review.Kind.ADJUDICATION).exclude(
        state=Review.State.OPEN
    )
    return list(
        over.select_related("reviewer", "item__prompt", "judgment").order_by("-decided_at", "-pk")[:limit]
    )


def reviews_of(item: Item) -> list[Review]:
    """Every adjudication of the item, the latest first."""
    return list(item.reviews.filter(kind=Review.Kind.ADJUDICATION).select_related("reviewer").order_by("-pk"))
