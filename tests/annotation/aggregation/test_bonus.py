"""Who earns a bonus, and what is missing where nobody does."""

from dataclasses import replace

import pytest

from annotation.aggregation.bonus import LEAST, Missing, Record, missing

GOOD = Record(votes=LEAST, theta=0.6, gold="passes", flagged=False)


@pytest.mark.parametrize(
    ("record", "lacks"),
    [
        (GOOD, ()),
        (replace(GOOD, votes=LEAST - 1), ("few votes",)),
        (replace(GOOD, flagged=True), ("flagged",)),
        (replace(GOOD, gold="open"), ("gold not passed",)),
        (replace(GOOD, theta=0.59), ("below the typical reliability",)),
        (replace(GOOD, theta=None), ("below the typical reliability",)),
        (
            Record(votes=0, theta=None, gold="none", flagged=True),
            ("few votes", "flagged", "gold not passed", "below the typical reliability"),
        ),
    ],
)
def test_each_thing_that_is_missing_is_named(record: Record, lacks: tuple[Missing, ...]) -> None:
    assert missing(record, typical=0.6, gold_given=True) == lacks


def test_without_gold_in_the_project_nobody_has_to_pass_it() -> None:
    assert missing(replace(GOOD, gold="none"), typical=0.6, gold_given=False) == ()


def test_without_anybody_typical_nobody_earns_it() -> None:
    assert missing(GOOD, typical=float("nan"), gold_given=True) == ("below the typical reliability",)
