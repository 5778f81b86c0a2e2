"""Slices of agreement against the krippendorff library on the same ratings, cut by a loop in Python."""

import json
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

import krippendorff
import numpy as np
import pytest

from accounts.models import Membership, User
from accounts.selectors import groups_of
from annotation.item_selectors import items_by_category
from annotation.models.work import Item
from annotation.rating_arrays import readings_of
from annotation.services import agreement_slices
from annotation.services.agreement_parts import agreement_in_parts
from annotation.services.agreement_slices import by_category, by_group, over_time
from tests import factories
from tests.annotation.rated_world import START, counted, judged, rated_world, said

KINDS = ("pairwise", "ranking", "rating")
FEWEST_UNITS = agreement_slices.FEWEST_UNITS
MAIN = {"pairwise": "pair", "ranking": "pair", "rating": "rated response"}
pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture(autouse=True)
def every_slice_has_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement_slices, "FEWEST_UNITS", 1)


def library_alpha(units: Iterable[dict[int, float]], level: str) -> float | None:
    """None where fewer than two categories or no unit with two ratings are left."""
    rated = [list(by.values()) for by in units if len(by) > 1]
    if len({value for values in rated for value in values}) < 2:
        return None
    table = np.full((max(map(len, rated)), len(rated)), np.nan)
    for column, values in enumerate(rated):
        table[: len(values), column] = values
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement=level))


def agrees(found: agreement_slices.Slice, units: list[dict[int, float]]) -> None:
    assert (found.units, found.ratings) == (len(units), sum(map(len, units)))
    assert found.annotators == len({person for by in units for person in by})
    for level, estimate in found.alpha.items():
        expected = library_alpha(units, level)
        assert (estimate.value is None) == (expected is None), estimate
        if expected is None:
            assert estimate.reason
        else:
            assert estimate.value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_categories_part_the_units_and_each_agrees_with_the_library(kind: str) -> None:
    project = rated_world(kind, seed=11)
    ratings = readings_of(project, "tone").main
    found = by_category(ratings, items_by_category(project), draws=20)
    expected: dict[str, list[dict[int, float]]] = {}
    for (unit, category, *_), by in said(project, "tone").items():
        if unit == MAIN[kind]:
            expected.setdefault(category, []).append(by)
    assert [name for name, _ in found.categories] == sorted(expected)
    for name, of in found.categories:
        agrees(of, expected[name])
    assert sum(of.units for _, of in found.categories) == len(ratings.item)
    assert sum(of.ratings for _, of in found.categories) == len(ratings)
    assert found.others is None


@pytest.mark.slow
def test_small_categories_are_put_together_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    project = rated_world("pairwise", seed=12, items=40)
    ratings = readings_of(project, "overall").main
    whole = dict(by_category(ratings, items_by_category(project), draws=0).categories)
    monkeypatch.setattr(agreement_slices, "MOST_CATEGORIES", 1)
    found = by_category(ratings, items_by_category(project), draws=0)
    ((name, largest),) = found.categories
    assert largest == max(whole.values(), key=lambda of: of.units) == whole[name]
    assert found.others is not None
    assert found.others[0] == 2
    assert found.others[1].units + largest.units == len(ratings.item)
    units = [
        by
        for (unit, category, *_), by in said(project, "overall").items()
        if unit == "pair" and category != name
    ]
    agrees(found.others[1], units)


@pytest.mark.parametrize(("kind", "days"), [("pairwise", 60), ("ranking", 900), ("rating", 10)])
def test_an_item_stands_in_the_period_of_its_last_rating(kind: str, days: int) -> None:
    project = rated_world(kind, seed=13, days=days)
    found = over_time(readings_of(project, "overall").main, draws=20)
    assert found.step == {10: "day", 60: "week", 900: "month"}[days]
    last: dict[int, date] = {}
    for one in counted(project, "overall"):
        day = one.judgment.judged_at.date()
        last[one.judgment.item_id] = max(day, last.get(one.judgment.item_id, day))
    expected: dict[tuple[str, str], list[dict[int, float]]] = {}
    for (unit, _, item, _), by in said(project, "overall").items():
        if unit == MAIN[kind]:
            expected.setdefault(_period(last[item], found.step), []).append(by)
    assert [(first, until) for first, until, _ in found.periods] == sorted(expected)
    for first, until, of in found.periods:
        agrees(of, expected[first, until])


def _period(day: date, step: str) -> tuple[str, str]:
    if step == "day":
        return str(day), str(day)
    if step == "week":
        monday = day - timedelta(days=day.weekday())
        return str(monday), str(monday + timedelta(days=6))
    first = day.replace(day=1)
    return str(first), str((first + timedelta(days=31)).replace(day=1) - timedelta(days=1))


def test_days_are_those_where_the_project_lives(settings: Any) -> None:
    project = factories.project(overlap=3)
    for _ in range(3):
        item = factories.pair_item(project)
        for choice in "ab":
            _choose(item, factories.user(), choice, START.replace(hour=23))
    for zone, day in (("UTC", "2026-03-02"), ("Asia/Tokyo", "2026-03-03")):
        settings.TIME_ZONE = zone
        assert [first for first, *_ in over_time(readings_of(project, "overall").main).periods] == [day]


def _choose(item: Item, user: User, choice: str, at: datetime) -> None:
    judged(item, user, at, {"overall": {"choice": choice}})


@pytest.mark.parametrize("kind", KINDS)
def test_groups_compare_their_own_members_and_each_two_the_units_they_share(kind: str) -> None:
    project = rated_world(kind, seed=14)
    groups = groups_of(project)
    found = by_group(readings_of(project, "overall").main, groups, draws=20)
    assert [name for name, _ in found.groups] == ["", "crowd", "experts"]
    units = [by for (unit, *_), by in said(project, "overall").items() if unit == MAIN[kind]]
    inside = {
        name: [{key: value for key, value in by.items() if groups.get(key, "") == name} for by in units]
        for name, _ in found.groups
    }
    for name, of in found.groups:
        agrees(of, [by for by in inside[name] if by])
    assert [pair[:2] for pair in found.between] == [("", "crowd"), ("", "experts"), ("crowd", "experts")]
    for one, other, kappa in found.between:
        pairs = list(zip(inside[one], inside[other], strict=True))
        assert kappa["nominal"].units == sum(bool(first) and bool(second) for first, second in pairs)


def test_without_groups_there_is_nothing_to_say() -> None:
    project = rated_world("pairwise", seed=15)
    Membership.objects.update(group="")
    found = by_group(readings_of(project, "overall").main, groups_of(project))
    assert (found.groups, found.between) == ((), ())


def test_slices_of_few_units_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement_slices, "FEWEST_UNITS", FEWEST_UNITS)
    project = rated_world("pairwise", seed=16, items=12, days=60)
    for *_, of in over_time(readings_of(project, "overall").main, draws=20).periods:
        assert of.alpha["ordinal"].value is None
        assert of.alpha["ordinal"].reason


def test_a_fall_is_seen_in_the_week_in_which_it_happens() -> None:
    """Careful people for four weeks, then somebody who guesses on items that the others had finished."""
    project = factories.project(overlap=9)
    ann, ben, eve = (factories.user() for _ in range(3))
    for number in range(80):
        item = factories.pair_item(project)
        at = START + timedelta(days=number // 20 * 7)
        for user in (ann, ben):
            _choose(item, user, "ab"[number % 2], at)
        if number % 4 == 0:
            _choose(item, eve, "ab"[number // 4 % 2], START + timedelta(days=35))
    found = over_time(readings_of(project, "overall").main, draws=100).periods
    values = [of.alpha["nominal"].value for *_, of in found]
    assert values[:-1] == pytest.approx([1] * 4)
    assert values[-1] < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_everything_is_plain_json_and_the_same_each_time(kind: str) -> None:
    project = rated_world(kind, seed=17)
    first, second = (
        json.dumps([one.as_json() for one in agreement_in_parts(project=project, draws=30)], allow_nan=False)
        for _ in range(2)
    )
    assert first == second
    told = json.loads(first)
    assert len(told) == 2
    assert list(told[0])[-4:] == ["over_time", "by_category", "by_group", "pairs_of_annotators"]
    assert {told[0][part]["unit"] for part in ("over_time", "by_category", "by_group")} == {MAIN[kind]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_project_without_a_judgment_has_parts_too(kind: str) -> None:
    (found,) = agreement_in_parts(project=factories.project(kind=kind), draws=30)
    told = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert told["over_time"]["periods"] == told["by_category"]["categories"] == []
    assert told["pairs_of_annotators"]["people"] == []
    assert told["krippendorff"]["ordinal"]["reason"]
