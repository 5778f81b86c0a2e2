"""Ratings read from the database in one go are those that a loop over the judgments finds."""

from collections import defaultdict

import numpy as np
import pytest

from annotation.agreement.units import from_ratings
from annotation.models.standing import Standing
from annotation.rating_arrays import RatingArrays, dense, rankings, readings_of
from tests import factories
from tests.annotation.rated_world import CRITERIA, Said, counted, rated_world, said

KINDS = ("pairwise", "ranking", "rating")
pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def as_dict(ratings: RatingArrays) -> dict[tuple[int, int], dict[int, float]]:
    """{(item, number of the unit in it): {person: value}}: places are only known by their order."""
    first = {}
    for unit, item in enumerate(ratings.item.tolist()):
        first.setdefault(item, unit)
    found: dict[tuple[int, int], dict[int, float]] = defaultdict(dict)
    for unit, who, code in zip(ratings.unit, ratings.annotator, ratings.code, strict=True):
        item = int(ratings.item[unit])
        key = int(ratings.items[item]), int(unit) - first[item]
        found[key][int(ratings.people[who])] = ratings.numeric[code]
    return found


def by_order(found: Said, unit: str) -> dict[tuple[int, int], dict[int, float]]:
    places: dict[int, list] = defaultdict(list)
    for of, _, item, place in found:
        if of == unit:
            places[item].append(place)
    return {
        (item, sorted(places[item]).index(place)): by
        for (of, _, item, place), by in found.items()
        if of == unit
    }


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_the_arrays_hold_what_a_loop_over_the_judgments_finds(kind: str, criterion: str) -> None:
    project = rated_world(kind, seed=len(criterion))
    expected = said(project, criterion)
    found = readings_of(project, criterion)
    assert as_dict(found.pairs) == by_order(expected, "pair")
    if kind == "pairwise":
        assert found.responses is None
        assert found.main is found.pairs
        return
    own = "rated response" if kind == "rating" else "ranked response"
    assert found.responses is not None
    assert found.responses.kind == own
    assert as_dict(found.responses) == by_order(expected, own)
    assert found.main is (found.responses if kind == "rating" else found.pairs)


@pytest.mark.parametrize("kind", ["pairwise", "ranking"])
def test_days_are_those_of_the_judgments(kind: str) -> None:
    project = rated_world(kind, seed=4)
    ratings = readings_of(project, "overall").pairs
    expected = {
        (one.judgment.item_id, one.judgment.annotator_id): one.judgment.judged_at.date()
        for one in counted(project, "overall")
    }
    days = np.asarray(ratings.day).astype("datetime64[D]").tolist()
    items, people = ratings.items[ratings.item[ratings.unit]], ratings.people[ratings.annotator]
    assert dict(zip(zip(items.tolist(), people.tolist(), strict=True), days, strict=True)) == expected


def test_who_is_restored_counts_again() -> None:
    project = rated_world("pairwise", seed=1)
    before = readings_of(project, "overall").pairs
    paused = Standing.objects.get(project=project, state="paused")
    assert paused.annotator_id not in before.people
    Standing.objects.filter(pk=paused.pk).update(state="active")
    after = readings_of(project, "overall").pairs
    assert paused.annotator_id in after.people
    assert len(after) > len(before)


@pytest.mark.parametrize("kind", KINDS)
def test_counts_and_some_of_the_ratings(kind: str) -> None:
    ratings = readings_of(rated_world(kind, seed=2), "overall").main
    whole = from_ratings(ratings.unit, np.asarray(ratings.numeric)[ratings.code], categories=ratings.numeric)
    assert (ratings.counts().patterns.toarray() == whole.patterns.toarray()).all()
    assert (ratings.counts().multiplicity == whole.multiplicity).all()
    kept = ratings.annotator % 2 == 0
    some = ratings.of(kept)
    expected = {
        unit: {key: value for key, value in by.items() if key in ratings.people[::2]}
        for unit, by in as_dict(ratings).items()
    }
    ours = as_dict(some)
    assert sorted(map(sorted, (by.items() for by in ours.values()))) == sorted(
        sorted(by.items()) for by in expected.values() if by
    )
    assert (np.bincount(some.unit) > 0).all()


def test_rankings_are_those_given_by_mid_ranks() -> None:
    project = rated_world("ranking", seed=3)
    ranked = readings_of(project, "tone").responses
    assert ranked is not None
    expected: dict[tuple[int, int], dict[int, float]] = defaultdict(dict)
    for (unit, _, item, place), by in said(project, "tone").items():
        for person, value in by.items():
            if unit == "ranked response":
                expected[item, person][place] = value
    orders = [(item, *(of[place] for place in sorted(of))) for (item, _), of in expected.items()]
    items, ranks = rankings(ranked)
    ours = [(int(ranked.items[item]), *one.tolist()) for item, one in zip(items.tolist(), ranks, strict=True)]
    assert sorted(ours) == sorted(orders)


@pytest.mark.parametrize("kind", KINDS)
def test_a_project_without_a_judgment_has_empty_arrays(kind: str) -> None:
    found = readings_of(factories.project(kind=kind), "overall")
    for ratings in filter(None, (found.pairs, found.responses)):
        assert (len(ratings), len(ratings.items), len(ratings.people)) == (0, 0, 0)
        assert ratings.table.shape == (0, len(ratings.categories))
        assert ratings.counts().units == 0


def test_numbers_from_zero_in_the_order_of_the_ids() -> None:
    rng = np.random.default_rng(0)
    for ids in (rng.integers(0, 40, 30), rng.integers(0, 10**15, 30), np.zeros(0, np.int64)):
        number, found = dense(ids)
        assert found.tolist() == sorted(set(ids.tolist()))
        assert found[number].tolist() == ids.tolist()
