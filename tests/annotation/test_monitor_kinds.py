"""The monitor of rankings and ratings: readable, and true for any number of responses."""

import csv
import html
import io
import random

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from annotation import annotator_selectors, item_selectors
from annotation.aggregation.consensus import majority
from annotation.aggregation.flags import Record, assess
from annotation.answering.answer import Answer
from annotation.models.project import Project
from annotation.models.work import Item
from annotation.services import assessing, reporting
from tests.annotation import watching
from tests.annotation.import_rows import bring, row
from tests.annotation.ordering import item_of, vote
from tests.cast import Cast, browser, make_cast, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def of_kind(cast: Cast, kind: str) -> Project:
    project = cast.project
    project.kind, project.overlap = kind, 8
    project.save()
    return project


def words(cast: Cast, name: str = "monitor", *args: object) -> str:
    page = browser(cast.engineer).get(reverse(f"annotation:{name}", args=["harbour", *args]))
    assert page.status_code == 200
    return html.unescape(watching.words(page.content.decode()))


def table(cast: Cast, name: str) -> list[dict[str, str]]:
    answer = browser(cast.engineer).get(reverse("annotation:monitor_csv", args=["harbour", name]))
    return list(csv.DictReader(io.StringIO(answer.content.decode())))


def crowd(project: Project, items: int = 30, responses: int = 4) -> list[Item]:
    """Four careful people, and one who puts on top whatever was shown first. Canonical 0 is the best."""
    rng = random.Random(5)
    users = [person(name) for name in ("ann", "ben", "cleo", "dov", "firsty")]
    made = []
    for _ in range(items):
        item = item_of(project, responses)
        made.append(item)
        for user in users:
            order = list(range(responses))
            rng.shuffle(order)
            best_first = sorted(range(responses), key=lambda place: place + rng.gauss(0, 0.7))
            if user.username == "firsty":
                best_first = order
            ranks = [best_first.index(place) + 1 for place in range(responses)]
            numbers = ranks if project.kind == "ranking" else [max(1, 6 - rank) for rank in ranks]
            vote(item, numbers, user, display_order=tuple(order))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ranking", "rating"])
def test_who_favours_what_is_shown_first_is_found_against_one_in_n(cast: Cast, kind: str) -> None:
    project = of_kind(cast, kind)
    crowd(project)
    rows = annotator_selectors.annotators(project)
    flagged = {one.row.name: [flag.kind for flag in one.flags] for one in assessing.qualities(project)}
    assert flagged == {"ann": [], "ben": [], "cleo": [], "dov": [], "firsty": ["first", "same", "guesses"]}
    firsty = next(row for row in rows if row.name == "firsty")
    assert (firsty.sided, firsty.chose_left, firsty.left_chance) == (30, 30, 0.25)
    text = words(cast)
    assert "The response shown first on top in 100 % of 30; chance: 25 %" in text
    assert "One favours the response shown first: firsty." in text
    assert "chance alone puts it first in 25 %" in text
    line = next(one for one in table(cast, "annotators") if one["annotator"] == "firsty")
    assert (line["sided"], line["chose_left"], line["expected_left"]) == ("30", "30", "7.5")


@pytest.mark.slow
def test_a_monitor_of_rankings_speaks_of_pairs_and_places(cast: Cast) -> None:
    project = of_kind(cast, "ranking")
    crowd(project)
    text = words(cast)
    assert "Agreement is" in text
    assert "The unit is a pair of responses of an item." in text
    assert "Which response came first, in the order of the data" in text
    assert "Left is better" not in text
    best = {one["best"]: int(one["judgments"]) for one in table(cast, "choices")}
    assert best["1"] == max(best[name] for name in ("1", "2", "3", "4"))
    units = {one["unit"]: one["units"] for one in table(cast, "agreement")}
    assert units == {"pair": "180", "ranking": "30", "ranked response": "120"}


@pytest.mark.slow
def test_a_monitor_of_ratings_speaks_of_points(cast: Cast) -> None:
    project = of_kind(cast, "rating")
    crowd(project, responses=3)
    text = words(cast)
    assert "Agreement of ratings, α ordinal" in text
    assert "How many points responses were given" in text
    assert "Spread in points" in text
    points = {one["points"]: one["responses"] for one in table(cast, "choices")}
    assert {name: points[name] for name in ("3", "4", "5")} == dict.fromkeys(("3", "4", "5"), "150")
    units = {one["unit"]: one["units"] for one in table(cast, "agreement")}
    assert units == {"pair": "90", "rated response": "90"}
    assert all(float(one["spread_points"]) >= 0 for one in table(cast, "items"))


@pytest.mark.slow
def test_one_rated_response_has_no_first_place_and_no_pair(cast: Cast) -> None:
    project = of_kind(cast, "rating")
    for number in range(25):
        item = item_of(project, 1)
        for name in ("ann", "ben"):
            user = person(name) if not number else type(cast.manager).objects.get(username=name)
            vote(item, (1 + (number + (name == "ben") * (number % 5 == 0)) % 5,), user)
    text = words(cast)
    assert "Agreement is" in text
    assert "Nothing is known of the place on the screen" in text
    row_ = annotator_selectors.annotators(project)[0]
    assert (row_.sided, row_.left_share, row_.ties) == (0, None, 0)
    spreads = sorted(one.entropy for one in item_selectors.disputed(project))
    assert spreads == pytest.approx([0.5] * 5)


@pytest.mark.parametrize("kind", ["ranking", "rating"])
def test_an_empty_project_of_any_kind_opens(cast: Cast, kind: str) -> None:
    of_kind(cast, kind)
    assert "Nobody has judged yet." in words(cast)
    for name in ("annotators", "volume", "times", "choices", "agreement", "items"):
        table(cast, name)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ranking", "rating"])
def test_imported_votes_without_a_screen_are_shown(cast: Cast, kind: str) -> None:
    project = of_kind(cast, kind)
    answer = {"ranking": {"ranks": [1, 2]}, "rating": {"ratings": {"overall": [9, 2]}}}[kind]
    report = bring(
        project, row(1) | {"votes": [{"annotator": "w1", **answer}, {"annotator": "w2", **answer}]}
    )
    assert report.applied
    assert "w1" in words(cast)
    item = project.items.get()
    assert "not known" in words(cast, "item", item.pk)
    assert {"ranking": "A > B", "rating": "A 9, B 2"}[kind] in words(cast, "item", item.pk)


@pytest.mark.slow
def test_rankings_on_which_people_part_come_first_with_the_pair(cast: Cast) -> None:
    project = of_kind(cast, "ranking")
    alike, mild, apart = (item_of(project, 3) for _ in range(3))
    for item, rankings in (
        (alike, [(1, 2, 3), (1, 2, 3)]),
        (mild, [(1, 2, 3), (1, 3, 2)]),
        (apart, [(1, 2, 3), (3, 2, 1)]),
    ):
        for ranks in rankings:
            vote(item, ranks)
    found = item_selectors.disputed(project)
    assert [(one.id, one.pair, one.votes) for one in found] == [(apart.pk, "A : B", 2), (mild.pk, "B : C", 2)]
    assert [one.entropy for one in found] == pytest.approx([1.0, 1 / 3])
    assert (found[1].a, found[1].tie, found[1].b) == (1, 0, 1)
    assert {one["item"] for one in table(cast, "items")} == {str(one.pk) for one in (alike, mild, apart)}
    assert "B : C" in words(cast)


@pytest.mark.parametrize("kind", ["ranking", "rating"])
@pytest.mark.slow
def test_the_page_asks_the_database_as_often_however_much_there_is(
    cast: Cast, kind: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    project = of_kind(cast, kind)
    crowd(project, items=2)
    reporting.make(project=project)
    queries = {"ranking": 39, "rating": 40}[kind]
    for item in project.items.all():
        vote(item, (1, 1, 2, 3))
    with django_assert_num_queries(queries):
        reporting.make(project=project)
    for item in project.items.all():
        for _ in range(5):
            vote(item, (1, 1, 2, 3))
    with django_assert_num_queries(queries):
        reporting.make(project=project)


# --- in numbers ------------------------------------------------------------------------------------------


def test_a_place_is_judged_by_its_own_chance() -> None:
    """45 % first of three responses is a bias; of two it is none; a quarter of four is chance."""
    of_three = Record(sided=200, chose_left=110, chance=1 / 3, ordered=True)
    of_four = Record(sided=200, chose_left=50, chance=0.25, ordered=True)
    of_two = Record(sided=200, chose_left=110)
    seldom = Record(sided=200, chose_left=10, chance=0.25, ordered=True)
    found = [[flag.kind for flag in one.flags] for one in assess([of_three, of_four, of_two, seldom])]
    assert found == [["first"], [], [], ["later"]]
    (flag,) = assess([of_three])[0].flags
    assert flag.strength == pytest.approx((110 - 200 / 3) / (200 * 2 / 9) ** 0.5)
    assert flag.chance == pytest.approx(1 / 3)


def test_most_people_are_a_proposal_and_a_tie_of_choices_is_none() -> None:
    def chosen(*choices: str) -> Answer | None:
        return majority([Answer("x", choice=choice) for choice in choices])

    assert chosen("a", "b", "b") == Answer("x", choice="b")
    assert chosen("a", "b") is None
    assert majority([]) is None
    ranked = [Answer("x", ranks=ranks) for ranks in [(1, 2, 3), (2, 1, 3), (1, 3, 2), (2, 3, 1)]]
    assert majority(ranked) == Answer("x", ranks=(1, 2, 2))
    rated = [Answer("x", ratings=ratings) for ratings in [(1, 5), (2, 5), (5, 1)]]
    assert majority(rated) == Answer("x", ratings=(2, 5))
