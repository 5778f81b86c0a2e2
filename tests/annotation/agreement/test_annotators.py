"""Drawing the people: exact at w = 1, as copying them by hand gives, honest intervals; and who meets whom."""

import itertools

import numpy as np
import pytest

from annotation.agreement import annotators
from annotation.agreement.annotators import (
    Ratings,
    estimates_over_people,
    meetings,
    ratings_of,
    table_of,
)
from annotation.agreement.bootstrap import estimates
from annotation.agreement.cohen import cohen_kappa
from annotation.agreement.krippendorff import LEVELS, Level, alpha, krippendorff_alpha
from annotation.agreement.units import UnitCounts, UnusableRatingsError, from_ratings

VALUES = np.array([1.0, 2.0, 5.0])


def arrays(
    seed: int, units: int = 120, people: int = 12, most: int = 5, careless: float = 0.3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Units of 1 … `most` ratings; each annotator answers at random with a chance of their own."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, most + 1, units)
    who = np.concatenate([rng.permutation(people)[:size] for size in sizes])
    unit = np.repeat(np.arange(units), sizes)
    skill = np.where(rng.random(people) < careless, 0.0, 0.9)
    truth = rng.integers(0, 3, units)[unit]
    return unit, who, np.where(rng.random(len(unit)) < skill[who], truth, rng.integers(0, 3, len(unit)))


def ratings(seed: int, people: int = 12, **shape: float) -> Ratings:
    return ratings_of(*arrays(seed, people=people, **shape), annotators=people, categories=3)  # type: ignore[arg-type]


def counts_of(unit: np.ndarray, code: np.ndarray) -> UnitCounts:
    return from_ratings(unit, VALUES[code], categories=VALUES.tolist())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("seed", range(5))
def test_with_everybody_once_it_is_krippendorffs_alpha(level: Level, seed: int) -> None:
    unit, _, code = arrays(seed)
    found = estimates_over_people(
        ratings(seed), levels=[level], numeric=VALUES, rng=np.random.default_rng(0), draws=0
    )[level]
    expected = krippendorff_alpha(counts_of(unit, code), level)
    assert found.value == pytest.approx(expected.value, abs=1e-12)
    assert (found.units, found.ratings, found.dropped_units) == (
        expected.units,
        expected.ratings,
        expected.dropped_units,
    )


def test_a_draw_is_what_copying_people_gives_without_their_own_copies() -> None:
    """Every pair of ratings of a unit by two different people, as often as their copies meet."""
    unit, who, code = arrays(3, units=25, people=6)
    sizes = np.bincount(unit)
    weights = np.random.default_rng(1).multinomial(6, np.full(6, 1 / 6))
    expected = np.zeros((3, 3))
    for one, other in itertools.permutations(range(len(unit)), 2):
        if unit[one] == unit[other]:
            pairs = weights[who[one]] * weights[who[other]]
            expected[code[one], code[other]] += pairs / (sizes[unit[one]] - 1)
    found = annotators._coincidences(ratings(3, people=6, units=25), weights[None].astype(float))[0]
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("level", LEVELS)
def test_whole_and_sparse_tables_give_the_same(monkeypatch: pytest.MonkeyPatch, level: Level) -> None:
    def found() -> annotators.Estimate:
        return estimates_over_people(
            ratings(4), levels=[level], numeric=VALUES, rng=np.random.default_rng(2), draws=50
        )[level]

    whole = found()
    monkeypatch.setattr(annotators, "DENSE", 0)
    sparse = found()
    assert (sparse.value, sparse.low, sparse.high) == pytest.approx((whole.value, whole.low, whole.high))


def test_units_and_people_are_interchangeable() -> None:
    unit, who, code = arrays(5)
    rng = np.random.default_rng(6)
    order, names, numbers = rng.permutation(len(unit)), rng.permutation(12), rng.permutation(120)
    straight = ratings_of(unit, who, code, annotators=12, categories=3)
    turned = ratings_of(numbers[unit][order], names[who][order], code[order], annotators=12, categories=3)
    levels: list[Level] = ["nominal", "ordinal"]
    values = [
        estimates_over_people(one, levels=levels, rng=np.random.default_rng(0), draws=0)
        for one in (straight, turned)
    ]
    for level in levels:
        assert values[0][level].value == pytest.approx(values[1][level].value, abs=1e-12)


@pytest.mark.slow
def test_the_interval_covers_where_people_differ_and_that_over_items_does_not() -> None:
    """Each sample is twenty other people, a third of them careless: what does α say of the next twenty?"""
    people, samples = 20, 100
    over_people = over_items = 0
    values = []
    found = []
    for seed in range(samples):
        unit, who, code = arrays(seed, units=400, people=people)
        of = ratings_of(unit, who, code, annotators=people, categories=3)
        mine = estimates_over_people(of, levels=["nominal"], rng=np.random.default_rng(seed), draws=300)
        counts = counts_of(unit, code)
        theirs = estimates(counts, {"nominal": alpha("nominal")}, rng=np.random.default_rng(seed), draws=300)
        values.append(mine["nominal"].value)
        found.append((mine["nominal"], theirs["nominal"]))
    truth = float(np.mean([value for value in values if value is not None]))
    for mine_, theirs_ in found:
        assert mine_.low is not None
        assert mine_.high is not None
        assert theirs_.low is not None
        assert theirs_.high is not None
        over_people += mine_.low <= truth <= mine_.high
        over_items += theirs_.low <= truth <= theirs_.high
    assert over_people >= 86, f"{over_people} of {samples} intervals over people hold"
    assert over_items <= 70, f"{over_items} of {samples} intervals over items hold"


def test_who_meets_whom() -> None:
    unit, who, code = arrays(7, units=60, people=5)
    of = ratings_of(unit, who, code, annotators=5, categories=3)
    shown = [3, 0, 4]
    found = meetings(of, shown)
    said = {(u, w): c for u, w, c in zip(unit, who, code, strict=True)}
    for (row, one), (column, other) in itertools.product(enumerate(shown), repeat=2):
        both = [u for u in range(60) if one != other and (u, one) in said and (u, other) in said]
        same = sum(said[u, one] == said[u, other] for u in both)
        assert (found.units[row, column], found.agreed[row, column]) == (len(both), same)
    assert np.isnan(np.diagonal(found.share)).all()
    table = table_of(of, 3, 0)
    assert table.sum() == found.units[0, 1]
    assert np.trace(table) == found.agreed[0, 1]
    assert cohen_kappa(table).units == found.units[0, 1]


def test_reasons_where_there_is_no_value_or_interval() -> None:
    rng = np.random.default_rng(0)

    def of(unit: list[int], who: list[int], code: list[int]) -> annotators.Estimate:
        made = ratings_of(unit, who, code, annotators=9, categories=3)
        return estimates_over_people(made, levels=["nominal"], rng=rng)["nominal"]

    assert of([0, 1], [0, 1], [0, 1]).reason == "no unit has two ratings"
    assert of([0, 0], [0, 1], [2, 2]).reason == "all ratings fall in one category"
    few = of([0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1])
    assert few.value == pytest.approx(1)
    assert few.reason == "fewer than 5 people share items: no interval over people"
    with pytest.raises(UnusableRatingsError, match="interval level needs"):
        estimates_over_people(ratings(0), levels=["interval"], rng=rng)


@pytest.mark.parametrize(
    ("unit", "who", "code", "match"),
    [
        ([0, 0], [1], [0, 0], "one length"),
        ([0, 0], [1, 3], [0, 0], "annotator must be in 0 … 2, found 1 … 3"),
        ([0, 0], [1, 2], [0, 9], "code must be in 0 … 2"),
        ([0, 0], [1, 1], [0, 2], "rated a unit twice"),
    ],
)
def test_bad_input_is_named(unit: list[int], who: list[int], code: list[int], match: str) -> None:
    with pytest.raises(UnusableRatingsError, match=match):
        ratings_of(unit, who, code, annotators=3, categories=3)
