"""Reads about gold: what the expert said, who met it, how many were right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from django.db import connection
from django.utils.translation import gettext as _

from accounts.models import Role, User
from annotation import blind_selectors
from annotation.answer_words import one_in_words
from annotation.answering.answer import Answer as Given
from annotation.answering.credit import RIGHT
from annotation.models.project import Project
from annotation.models.quality import GoldAnswer
from annotation.models.work import Item

State = Literal["used", "retired", "all"]
STATES: Final[tuple[State, ...]] = ("used", "retired", "all")
ROUNDING: Final = 1e-9  # means of credits in SQL and in Python differ by less

# One row a judgment on gold: judgment, item_id, annotator_id, credit (as `answering.expert.judgment_credit`).
_CREDITS = """
    SELECT j.id AS judgment, j.item_id, j.annotator_id,
           avg({credit}) AS credit
    FROM annotation_item i
    JOIN annotation_goldanswer g ON g.item_id = i.id AND {counted}
    JOIN annotation_judgment j ON j.item_id = i.id AND j.live
    JOIN annotation_answer a ON a.judgment_id = j.id AND a.criterion = g.criterion
    WHERE i.project_id = %(project)s AND i.is_gold AND {which}
    GROUP BY j.id
"""


def credit_sql(answer: str, expert: str) -> str:
    """The credit of one answer against another, by the names of their rows.

    That of a choice is reckoned on the spot: a call of the function takes ten times as long as the rest.
    """
    given = ", ".join(f"{row}.{name}" for row in (answer, expert) for name in ("choice", "ranks", "ratings"))
    same = f"({answer}.choice = {expert}.choice)::int::float8"
    return f"CASE WHEN {expert}.choice <> '' THEN {same} ELSE laurel_credit({given}) END"


def _credits(project: Project, *, which: str = "true") -> str:
    """Of pairs only the main criterion says who is right; see `answering.expert.judgment_credit`."""
    main_only = project.kind == Project.Kind.PAIRWISE
    counted = "g.criterion = %(main)s" if main_only else "true"
    return _CREDITS.format(counted=counted, which=which, credit=credit_sql("a", "g"))


@dataclass(frozen=True)
class Checks:
    """Answers to gold, and those with credit enough to be right."""

    answered: int = 0
    right: int = 0

    @property
    def share(self) -> float | None:
        return self.right / self.answered if self.answered else None


def checks_by_annotator(project: Project) -> dict[int, Checks]:
    """How everybody answers the gold in use; retired gold counts for nobody and against nobody."""
    return _counted(project, "annotator_id", _credits(project, which="i.retired_at IS NULL"))


def checks_since_restored(project: Project) -> dict[int, Checks]:
    """How those who were paused and restored have answered the gold in use since then."""
    which = """i.retired_at IS NULL AND j.judged_at > (
        SELECT st.restored_at FROM annotation_standing st
        WHERE st.project_id = i.project_id AND st.annotator_id = j.annotator_id)"""
    return _counted(project, "annotator_id", _credits(project, which=which))


def checks_by_item(project: Project) -> dict[int, Checks]:
    """How each gold item is answered, retired ones too."""
    return _counted(project, "item_id", _credits(project))


def _counted(project: Project, key: str, credits: str) -> dict[int, Checks]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key}, count(*), count(*) FILTER (WHERE credit >= %(right)s) "  # noqa: S608  our own texts
            f"FROM ({credits}) credits GROUP BY {key}",
            {"project": project.pk, "main": project.main_criterion, "right": RIGHT - ROUNDING},
        )
        return {row[0]: Checks(*row[1:]) for row in cursor.fetchall()}


@dataclass(frozen=True)
class GoldRow:
    """One gold item in a list. answers: (criterion, in words). hidden: the viewer may still answer it."""

    item: Item
    checks: Checks
    answers: tuple[tuple[str, str], ...]
    gold: tuple[GoldAnswer, ...]
    hidden: bool

    @property
    def reason(self) -> str:
        return "\n".join(dict.fromkeys(one.reason for one in self.gold if one.reason))

    @property
    def source(self) -> str:
        return _(self.gold[0].get_source_display()) if self.gold else ""


def gold_ids(project: Project, state: State, checks: Mapping[int, Checks]) -> list[int]:
    """Gold items, those that people most often get wrong first, then the newest.

    checks: `checks_by_item`, which takes long enough to be asked once a page.
    """
    found = project.items.filter(is_gold=True)
    if state != "all":
        found = found.filter(retired_at__isnull=state == "used")

    def wrong(pk: int) -> float:
        of = checks.get(pk, Checks())
        return (of.answered - of.right) / (of.answered + 1)

    return sorted(found.values_list("pk", flat=True), key=lambda pk: (-wrong(pk), -pk))


def gold_rows(
    project: Project, ids: Sequence[int], viewer: User, role: Role | None, checks: Mapping[int, Checks]
) -> list[GoldRow]:
    """A page of the list, in the order of `ids`."""
    items = {
        item.pk: item
        for item in Item.objects.filter(project=project, pk__in=ids)
        .select_related("prompt")
        .prefetch_related("gold_answers")
    }
    hidden = blind_selectors.hidden_items(viewer, role, project, list(items))
    order = {name: place for place, name in enumerate(project.criterion_names)}
    rows = []
    for pk in ids:
        if pk not in items:
            continue
        answers = sorted(items[pk].gold_answers.all(), key=lambda one: order.get(one.criterion, 99))
        rows.append(
            GoldRow(
                item=items[pk],
                checks=checks.get(pk, Checks()),
                answers=tuple((one.criterion, one_in_words(expert(one))) for one in answers),
                gold=tuple(answers),
                hidden=pk in hidden,
            )
        )
    return rows


def counts_by_state(project: Project) -> dict[str, int]:
    gold = project.items.filter(is_gold=True)
    used = gold.filter(retired_at__isnull=True).count()
    total = gold.count()
    return {"used": used, "retired": total - used, "all": total}


def gold_twin(item: Item) -> Item | None:
    """The gold item with the same responses; the item itself if it is gold."""
    if item.is_gold:
        return item
    return Item.objects.filter(
        project_id=item.project_id, response_set=item.response_set, is_gold=True
    ).first()


def expert_answers(item: Item) -> dict[str, GoldAnswer]:
    return {one.criterion: one for one in item.gold_answers.all()}


def expert(gold: GoldAnswer) -> Given:
    """A gold answer as a plain value, in canonical terms."""
    return Given(
        gold.criterion,
        gold.choice,
        ranks=None if gold.ranks is None else tuple(gold.ranks),
        ratings=None if gold.ratings is None else tuple(gold.ratings),
    )
