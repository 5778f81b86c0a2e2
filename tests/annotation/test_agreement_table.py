"""The table of coefficients: what is said of rankings, of groups, and both intervals."""

import random

import pytest

from accounts.models import Role
from annotation.agreement_table import axis_of, criterion_rows, parts_of
from annotation.answering.answer import Answer
from annotation.charts import decimal
from annotation.services.agreement_parts import agreement_in_parts
from tests import factories
from tests.cast import member

pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_both_intervals_of_alpha_are_said() -> None:
    project = factories.project(overlap=6)
    rng = random.Random(1)
    people = [factories.user() for _ in range(6)]
    for _ in range(30):
        item, truth = factories.pair_item(project), rng.choice("ab")
        for one in people:
            factories.judgment(item, one, truth if rng.random() < 0.8 else rng.choice("ab"))
    (parts,) = agreement_in_parts(project=project)
    rows = criterion_rows(parts.overall, axis_of([parts.overall])).measures
    ordinal = next(row for row in rows if "ordinal" in str(row.name))
    over = parts.overall.report.over_annotators["ordinal"]
    assert over.low is not None
    assert over.high is not None
    assert ordinal.people == f"{decimal(over.low)}–{decimal(over.high)}"
    assert ordinal.people not in ordinal.text
    assert next(row for row in rows if "Fleiss" in str(row.name)).people == ""


@pytest.mark.slow
def test_rankings_are_said_as_rankings_first() -> None:
    project = factories.project(kind="ranking", overlap=3)
    people = [factories.user() for _ in range(3)]
    for number in range(15):
        on = factories.prompt(project)
        item = factories.pair_item(project, on=on, pair=factories.responses(on, 3))
        for place, one in enumerate(people):
            ranks = (1, 2, 3) if (number + place) % 4 else (2, 1, 3)
            factories.judgment(item, one, answers=[Answer("overall", ranks=ranks)], display_order=(0, 1, 2))
    (parts,) = agreement_in_parts(project=project)
    rows = criterion_rows(parts.overall, axis_of([parts.overall])).measures
    assert [str(row.name) for row in rows[:2]] == ["α of the ranks, ordinal", "Kendall's W"]
    assert parts.overall.rankings is not None
    assert rows[1].text.startswith(decimal(parts.overall.rankings.kendall_w.value or 0))


@pytest.mark.slow
def test_groups_are_compared_within_and_between() -> None:
    project = factories.project(overlap=4)
    people = [factories.user(name) for name in ("ann", "ben", "cleo", "dov")]
    for place, one in enumerate(people):
        row = member(one, project, Role.ANNOTATOR)
        row.group = ("east", "west")[place % 2]
        row.save()
    for number in range(40):
        item = factories.pair_item(project)
        for place, one in enumerate(people):
            said = "ab"[number % 2] if place % 2 == 0 else "ab"[(number // 2) % 2]
            factories.judgment(item, one, said)
    (parts,) = agreement_in_parts(project=project)
    (part,) = parts_of(parts, axis_of([parts.overall]))
    found = {row.name: (row.text.split(" ")[0], row.annotators) for row in part.rows}
    assert found["east"] == ("1", 2)
    assert found["west"] == ("1", 2)
    assert found["east – west"] == ("0", None)
