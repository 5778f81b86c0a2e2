"""Agreement of whole projects against independent libraries on what a loop over the judgments finds."""

import itertools
from dataclasses import replace

import krippendorff
import numpy as np
import pytest
from scipy.stats import friedmanchisquare, spearmanr
from sklearn.metrics import cohen_kappa_score

from accounts.models import User
from annotation.agreement.cohen import NO_SHARED_UNIT
from annotation.models.project import Project
from annotation.rating_arrays import RatingArrays, Readings, readings_of
from annotation.services import agreement_pairs
from annotation.services.agreeing import agreement_of, agreement_on
from annotation.services.agreement_pairs import FEWEST_UNITS, pairs_of_annotators
from annotation.services.agreement_slices import by_group, over_time
from tests import factories
from tests.annotation.ordering import item_of, vote
from tests.annotation.rated_world import CRITERIA, rated_world, said

KINDS = ("pairwise", "ranking", "rating")
pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def library_alpha(project: Project, criterion: str, unit: str, level: str) -> float:
    units = [by for (of, *_), by in said(project, criterion).items() if of == unit]
    people = sorted({person for by in units for person in by})
    table = [[by.get(person, np.nan) for by in units] for person in people]
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement=level))


@pytest.mark.parametrize("kind", KINDS)
def test_alpha_of_each_criterion_is_the_librarys(kind: str) -> None:
    project = rated_world(kind, seed=21)
    found = agreement_of(project=project, draws=20)
    assert [one.criterion for one in found] == list(CRITERIA)
    for one in found:
        reports = {"pair": one.report}
        if kind == "rating":
            assert one.ratings is not None
            reports["rated response"] = one.ratings
        for unit, report in reports.items():
            for level, estimate in report.krippendorff.items():
                expected = library_alpha(project, one.criterion, unit, level)
                assert estimate.value == pytest.approx(expected, abs=1e-9)
                assert report.over_annotators[level].value == pytest.approx(expected, abs=1e-9)
        if kind == "ranking":
            assert one.rankings is not None
            expected = library_alpha(project, one.criterion, "ranked response", "ordinal")
            assert one.rankings.alpha.value == pytest.approx(expected, abs=1e-9)
            assert one.rankings.over_annotators.value == pytest.approx(expected, abs=1e-9)


def test_w_is_friedmans_and_rho_the_mean_of_spearmans() -> None:
    project = rated_world("ranking", seed=22, fewest=3)
    by_item: dict[int, dict[int, dict[int, float]]] = {}
    for (unit, _, item, place), by in said(project, "tone").items():
        for person, rank in by.items():
            if unit == "ranked response":
                by_item.setdefault(item, {}).setdefault(person, {})[place] = rank
    w = []
    for rankings in by_item.values():
        orders = np.array([[of[place] for place in sorted(of)] for of in rankings.values()])
        if len(orders) > 1 and np.ptp(orders, axis=1).any():
            statistic = friedmanchisquare(*orders.T).statistic
            w.append(statistic / (len(orders) * (orders.shape[1] - 1)))
    found = agreement_of(project=project, draws=50)[1].rankings
    assert found is not None
    assert found.kendall_w.value == pytest.approx(np.mean(w), abs=1e-9)
    assert found.kendall_w.units == len(w)
    assert found.kendall_w.low < found.kendall_w.value < found.kendall_w.high


def test_rho_is_the_mean_over_all_two_people_where_nothing_is_level() -> None:
    project = factories.project(kind="ranking", overlap=4)
    rng = np.random.default_rng(3)
    expected = []
    for _ in range(5):
        item = item_of(project, 4)
        orders = [tuple(int(rank) for rank in rng.permutation(4) + 1) for _ in range(4)]
        for order in orders:
            vote(item, order)
        expected.append(np.mean([spearmanr(*two).statistic for two in itertools.combinations(orders, 2)]))
    found = agreement_of(project=project, draws=0)[0].rankings
    assert found is not None
    assert found.spearman.value == pytest.approx(np.mean(expected), abs=1e-9)


# --- every two people ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_kappa_of_every_two_people_is_the_librarys(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement_pairs, "FEWEST_UNITS", 1)
    project = rated_world(kind, seed=23)
    units = [by for (of, *_), by in said(project, "overall").items() if of == "pair"]
    found = pairs_of_annotators(readings_of(project, "overall").pairs)
    given = [sum(person.key in by for by in units) for person in found.people]
    assert [person.ratings for person in found.people] == given == sorted(given, reverse=True)
    names = {user.pk: user.username for user in User.objects.all()}
    assert all(person.name == names[person.key] for person in found.people)
    assert len(found.pairs) == len(found.people) * (len(found.people) - 1) // 2
    for pair in found.pairs:
        first, second = (found.people[place].key for place in (pair.first, pair.second))
        both = [(by[first], by[second]) for by in units if first in by and second in by]
        assert pair.units == len(both)
        assert (pair.low is not None) == (pair.kappa is not None and kind == "pairwise")
        if not both:
            assert pair.reason == NO_SHARED_UNIT
            continue
        ours = np.array(both, dtype=int)
        assert pair.percent == pytest.approx((ours[:, 0] == ours[:, 1]).mean())
        if pair.kappa is not None:
            assert pair.kappa == pytest.approx(cohen_kappa_score(*ours.T), abs=1e-9)
        else:
            assert len(set(ours.ravel())) == 1
            assert pair.reason


def test_people_who_share_little_have_a_reason_and_only_the_most_active_are_shown() -> None:
    project = factories.project(overlap=9)
    ann, ben, eve = (factories.user() for _ in range(3))
    for number in range(FEWEST_UNITS + 2):
        item = factories.pair_item(project)
        factories.judgment(item, ann, "ab"[number % 2])
        if number:
            factories.judgment(item, ben, "ab"[number % 2])
        else:
            factories.judgment(item, eve, "a")
    found = pairs_of_annotators(readings_of(project, "overall").pairs)
    assert [person.key for person in found.people] == [ann.pk, ben.pk, eve.pk]
    with_ben, with_eve, apart = found.pairs
    assert (with_ben.kappa, with_ben.units, with_ben.reason) == (1.0, FEWEST_UNITS + 1, "")
    assert (with_eve.kappa, with_eve.percent) == (None, 1.0)
    assert with_eve.reason == f"fewer than {FEWEST_UNITS} units in common"
    assert (apart.percent, apart.reason) == (None, NO_SHARED_UNIT)
    fewer = pairs_of_annotators(readings_of(project, "overall").pairs, most=2)
    assert fewer.people == found.people[:2]
    assert fewer.pairs == (with_ben,)


# --- who and which have no order --------------------------------------------------------------------


def shuffled(ratings: RatingArrays, rng: np.random.Generator) -> RatingArrays:
    """The same ratings told in another order by people, of units and items, with other numbers."""
    order = rng.permutation(len(ratings))
    unit, item, person = (
        rng.permutation(len(of)).astype(np.int32) for of in (ratings.item, ratings.items, ratings.people)
    )
    return replace(
        ratings,
        unit=unit[ratings.unit][order],
        annotator=person[ratings.annotator][order],
        code=ratings.code[order],
        day=ratings.day[order],
        item=item[ratings.item][np.argsort(unit)],
        items=ratings.items[np.argsort(item)],
        people=ratings.people[np.argsort(person)],
    )


@pytest.mark.parametrize("kind", ["pairwise", "rating"])
def test_the_order_of_people_and_items_changes_nothing(kind: str) -> None:
    project = rated_world(kind, seed=24)
    of = readings_of(project, "overall")
    rng = np.random.default_rng(0)
    other = Readings("overall", shuffled(of.pairs, rng), of.responses and shuffled(of.responses, rng))
    first, second = agreement_on(of, draws=400), agreement_on(other, draws=400)
    for one, two in zip(first.main.estimates.values(), second.main.estimates.values(), strict=True):
        assert one.value == pytest.approx(two.value, abs=1e-12)
        if kind == "pairwise":
            assert (one.low, one.high) == pytest.approx((two.low, two.high), abs=1e-12)
    groups = {int(key): "ab"[int(key) % 2] for key in of.main.people}
    for part in (over_time, lambda ratings, draws: by_group(ratings, groups, draws=draws)):
        assert part(of.main, draws=0).as_json() == _close(part(other.main, draws=0).as_json())
    pairs = [pairs_of_annotators(one.pairs) for one in (of, other)]
    ours, theirs = map(_by_names, pairs)
    assert ours == pytest.approx(theirs, abs=1e-12)


def _close(told: object) -> object:
    if isinstance(told, dict):
        return {name: _close(value) for name, value in told.items()}
    if isinstance(told, list):
        return [_close(value) for value in told]
    return pytest.approx(told, abs=1e-12) if isinstance(told, float) else told


def _by_names(found: agreement_pairs.PairsOfAnnotators) -> dict[frozenset[str], float]:
    return {
        frozenset({found.people[pair.first].name, found.people[pair.second].name}): pair.percent or 0.0
        for pair in found.pairs
    }
