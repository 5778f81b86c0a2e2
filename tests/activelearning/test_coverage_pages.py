"""Coverage and Learning curve: what is drawn and said, what is missing, and why a pair was chosen."""

import csv
import io
import re
from dataclasses import asdict

import pytest
from django.http import HttpResponse
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from activelearning.acquisition.explaining import Context, explain
from activelearning.acquisition.selection import PairScores
from activelearning.acquisition.survey import Kind, KindShift, Points, Survey
from activelearning.models import LoopTurn, SelectedPair, SelectionBatch
from activelearning.pages import plots
from activelearning.pages.coverage import excerpt
from activelearning.pages.plots import Value
from activelearning.presentation import SERIES
from activelearning.services import recording
from tests import factories
from tests.cast import Cast, browser, make_cast

pytestmark = pytest.mark.django_db
NEEDED = {"labels": 20, "audit": 30, "prompts": 5}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def words(response: HttpResponse) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def look(cast: Cast, name: str, *number: int, query: str = "") -> HttpResponse:
    url = reverse(f"activelearning:{name}", args=["harbour", *number])
    response = browser(cast.engineer).get(url + query)
    assert response.status_code == 200
    return response


def table(response: HttpResponse) -> list[list[str]]:
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(io.StringIO(response.content.decode())))


def survey(cast: Cast, **fields: object) -> Survey:
    """Two kinds of prompts: baking, of which nothing is labelled, and sorting."""
    bread, lists = (
        str(
            (
                cast.project.prompts.filter(messages__0__content=text).first()
                or factories.prompt(cast.project, text)
            ).pk
        )
        for text in ("How do I bake bread?", "How do I sort <a list>?")
    )
    given = {
        "points": Points(
            x=(0.0, 1.0, 2.0, 3.0), y=(0.0, 1.0, 0.0, 2.0), deviation=(0.2, 0.4, 0.6, 0.8),
            status=(0, 1, 2, 0), cluster=(0, 1, 0, 0),
            response_a=("1", "3", "5", "7"), response_b=("2", "4", "6", "8"),
        ),
        "kinds": (
            Kind((bread,), pool=60, labelled=0, selected=30, deviation=0.5),
            Kind((lists,), pool=40, labelled=20, selected=10, deviation=0.25),
        ),
        "explained": 0.41,
        "labelled": KindShift(20, 0.6, 0.1, 0.2, length=90.0, pool_length=20.0),
        "deployment": None,
    }  # fmt: skip
    return Survey(**{**given, **fields})  # type: ignore[arg-type]


def surveyed(cast: Cast, found: Survey | None, number: int = 1) -> SelectionBatch:
    return SelectionBatch.objects.create(
        project=cast.project, number=number, strategy="regret", seed=1, candidates=100,
        survey=None if found is None else asdict(found),
    )  # fmt: skip


# --- coverage --------------------------------------------------------------------------------------


def test_without_a_survey_the_page_says_how_to_get_one(cast: Cast) -> None:
    surveyed(cast, None)
    assert "There is no map yet It is drawn when a batch is chosen by a model" in words(
        look(cast, "coverage")
    )
    assert table(look(cast, "coverage_csv")) == []


def test_the_map_the_kinds_and_the_shift_are_shown(cast: Cast) -> None:
    surveyed(cast, survey(cast))
    response = look(cast, "coverage")
    html, text = response.content.decode(), words(response)
    map_of = html[html.index('<rect class="map__frame"') : html.index("</figure>")]
    assert map_of.count("<circle cx=") == 3 + 2  # two open, one labelled, and the legend's
    assert len(re.findall(r'<path d="M[\d.]+ ', map_of)) == 1 + 1  # and the legend's
    assert "open 2 labelled 1 in this batch 1" in text
    assert "The labelled pairs do not look like the pool: 60 % of them" in text
    assert "(chance alone: 10 %, seldom above 20 %)" in text
    assert "More than their part are like “How do I sort &lt;a list&gt;?” (100 %, of the pool 40 %)" in text
    assert "fewer are like “How do I bake bread?” (0 %, of the pool 60 %)" in text
    assert "longer than 90 characters; in the pool, than 20." in text
    assert "1 · How do I bake bread? Pool 60 % 60 Labelled 0 % 0 This batch 75 % 30 Uncertainty .50" in text
    assert "hold 41 % of what tells pairs apart" in text
    assert "<a list>" not in html


def test_labels_and_deployment_prompts_like_the_pool_are_called_so(cast: Cast) -> None:
    found = survey(cast, labelled=KindShift(20, 0.1, 0.1, 0.2), deployment=KindShift(50, 0.1, 0.12, 0.2))
    surveyed(cast, found)
    text = words(look(cast, "coverage"))
    assert "The labelled pairs look like the pool: 10 % of them" in text
    assert "The deployment prompts look like the pool: 10 % of them" in text
    assert "More than their part" not in text


def test_deployment_prompts_of_another_kind_are_named(cast: Cast) -> None:
    kinds = (
        Kind(survey(cast).kinds[0].prompts, pool=100, labelled=0, selected=0, deviation=0.5, deployment=5),
        Kind((), pool=0, labelled=0, selected=0, deviation=None, deployment=45),
    )
    surveyed(cast, survey(cast, kinds=kinds, labelled=None, deployment=KindShift(50, 0.9, 0.12, 0.2)))
    text = words(look(cast, "coverage"))
    assert "Nothing is labelled yet." in text
    assert "The deployment prompts do not look like the pool: 90 % of them" in text
    assert "like “of deployment prompts only” (90 %, of the pool 0 %)" in text
    assert "Deployment 90 % 45" in text


def test_one_kind_is_shown_alone_and_a_batch_can_be_chosen(cast: Cast) -> None:
    surveyed(cast, survey(cast))
    surveyed(cast, survey(cast, explained=0.77), number=2)
    assert "hold 77 %" in words(look(cast, "coverage"))
    response = look(cast, "coverage", query="?batch=1&kind=2")
    assert "hold 41 %" in words(response)
    assert "Kind 2 on the map" in words(response)
    assert response.content.decode().count('class="is-faint"') == 3
    client = browser(cast.engineer)
    url = reverse("activelearning:coverage", args=["harbour"])
    for bad in ("?batch=9", "?batch=x", "?kind=-1", "?batch=99999999999999999999"):
        assert client.get(url + bad).status_code == 404


def test_the_map_downloads(cast: Cast) -> None:
    surveyed(cast, survey(cast))
    rows = table(look(cast, "coverage_csv"))
    assert rows[0] == ["response_a", "response_b", "status", "kind", "deviation", "x", "y"]
    assert rows[2] == ["3", "4", "labelled", "2", "0.4", "1.0", "1.0"]
    assert len(rows) == 5


# --- why this batch --------------------------------------------------------------------------------


def chosen(cast: Cast, batch: SelectionBatch, **fields: object) -> SelectedPair:
    item = factories.pair_item(cast.project)
    first, second = (row.response for row in item.item_responses.order_by("position"))
    given = {
        "rank": batch.pairs.count() + 1, "reason": "regret", "explanation": "So.", "scores": {}, **fields,
    }  # fmt: skip
    return SelectedPair.objects.create(batch=batch, item=item, response_a=first, response_b=second, **given)


def neighbour(cast: Cast, a_share: float) -> dict[str, object]:
    """A judged pair, as a selection names it."""
    item = factories.pair_item(
        cast.project, on=factories.prompt(cast.project, f"<bake> {cast.project.items.count()}?")
    )
    factories.soft_label(item, votes=4)
    a, b = (row.response_id for row in item.item_responses.order_by("position"))
    return {"response_a": str(a), "response_b": str(b), "similarity": 0.913, "a_share": a_share}


def test_every_reason_has_a_colour() -> None:
    assert set(SERIES) == set(SelectedPair.Reason.values)


def test_a_pair_tells_its_kind_what_the_model_says_and_what_it_is_like(cast: Cast) -> None:
    batch = surveyed(cast, survey(cast))
    near = [neighbour(cast, 0.25), neighbour(cast, 0.5)]
    scores = {"probability": 0.3, "deviation": 0.6, "stake": 5.31}
    why = recording.explained(explain("bald", PairScores(**scores), None, Context(labelled=2)))
    chosen(cast, batch, cluster=0, neighbours=near, scores=scores, reason="bald", propensity=0.0123, **why)
    response = look(cast, "batch", 1)
    text, html = words(response), response.content.decode()
    assert "Kind 1: How do I bake bread?" in text
    assert text.count("The model leans to B (70 %).") == 2  # on the line, and where it opens
    assert "The model leans to B (70 %). From 56 % to 81 % would fit what it knows." in text
    assert "The model calls it close: 30 % that the first is better." in text
    assert text.count("An answer settles 5.3 times what one on a typical pair would.") == 1
    assert "Chance of being drawn: 1.2 %." in text
    assert "91 % alike; 75 % for the side like B (4 votes)" in text
    assert "91 % alike; people were divided (4 votes)" in text
    assert "&lt;bake&gt;" in html
    assert "<bake>" not in html
    for one in near:
        item = cast.project.soft_labels.get(response_a_id=int(str(one["response_a"]))).item_id
        assert reverse("annotation:item", args=["harbour", item]) in html


@pytest.mark.parametrize(
    ("chance", "said"),
    [(0.52, "The model cannot tell which is better (A: 52 %)."), (0.03, "nearly certain of B (97 %).")],
)
def test_a_chance_is_said_in_words(cast: Cast, chance: float, said: str) -> None:
    chosen(cast, surveyed(cast, None), scores={"probability": chance})
    assert said in words(look(cast, "batch", 1))


def test_a_neighbour_whose_label_is_gone_is_left_out(cast: Cast) -> None:
    gone = {"response_a": "999999999", "response_b": "999999998", "similarity": 0.9, "a_share": 1.0}
    chosen(cast, surveyed(cast, None), neighbours=[gone], cluster=3)
    text = words(look(cast, "batch", 1))
    assert "alike" not in text
    assert "Kind" not in text


# --- learning curve --------------------------------------------------------------------------------


def estimate(value: float, low: float, high: float, **fields: object) -> dict[str, object]:
    def point(labels: int, active: float) -> dict[str, object]:
        return {
            "labels": labels,
            "active": {"value": active, "low": active - 0.05, "high": active + 0.05},
            "random": {"value": 0.6, "low": 0.55, "high": 0.65},
            "gain": {"value": active - 0.6, "low": -0.01, "high": 0.1},
        }

    given = {"gain": value, "low": low, "high": high, "m": 120, "n_audit": 180, "prompts": 90,
             "curve": [point(30, 0.61), point(120, 0.64)], "missing": None, "needed": NEEDED}  # fmt: skip
    return {**given, **fields}


def turn(cast: Cast, judgments: int, accuracy: float | None = None, **fields: object) -> LoopTurn:
    metrics = {"accuracy": {"value": accuracy, "low": 0.5, "high": 0.9, "n": 60}} if accuracy else None
    run = factories.run(cast.project, metrics=metrics)
    return LoopTurn.objects.create(project=cast.project, judgments=judgments, run=run, state="done", **fields)


def test_without_turns_it_says_what_is_missing(cast: Cast) -> None:
    text = words(look(cast, "curve"))
    assert "No turn of the loop has been measured yet." in text
    assert "No turn has trained a model that was measured." in text


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("audit", "audit pairs with a winner. There are 12 of at least 30."),
        ("prompts", "prompts of audit pairs. There are 3 of at least 5."),
        ("active", "labels of chosen pairs. There are 15 of at least 20."),
        ("random", "labels of pairs drawn at random. There are 7 of at least 20."),
        ("scores", "The latest turn could not be measured: out of paper"),
    ],
)
def test_what_an_estimate_lacked_is_counted(cast: Cast, missing: str, said: str) -> None:
    found = {"missing": missing, "n_audit": 12, "prompts": 3, "active_labels": 15, "random_labels": 7,
             "curve": [], "gain": None, "needed": NEEDED, "reason": "out of paper"}  # fmt: skip
    turn(cast, 200, estimate=found)
    assert said in words(look(cast, "curve"))


@pytest.mark.parametrize(
    ("ends", "said"),
    [
        ((0.021, 0.004, 0.038), "Choosing pays: with 120 labels each the model is +2.1 points"),
        ((0.021, -0.01, 0.05), "Whether choosing pays cannot be told yet"),
        ((-0.03, -0.05, -0.01), "Choosing does harm: with 120 labels each the model is −3 points"),
    ],
)
def test_the_arms_are_drawn_and_the_verdict_heeds_the_interval(
    cast: Cast, ends: tuple[float, float, float], said: str
) -> None:
    turn(cast, 200, estimate=estimate(*ends))
    response = look(cast, "curve")
    assert said in words(response)
    assert response.content.decode().count('class="line series-') == 2
    assert "Measured on 180 audit pairs with a winner, of 90 prompts." in words(response)
    assert ".640 (.590–.690)" in words(response)


def test_an_earlier_curve_stays_when_the_latest_turn_lacks_something(cast: Cast) -> None:
    turn(cast, 200, estimate=estimate(0.02, 0.01, 0.03))
    turn(cast, 400, estimate=estimate(0, 0, 0, curve=[], missing="audit", gain=None))
    text = words(look(cast, "curve"))
    assert "Choosing pays" in text
    assert "This is of an earlier turn. Still missing: audit pairs with a winner." in text


def test_the_model_grows_turn_by_turn(cast: Cast) -> None:
    turn(cast, 200, 0.612)
    assert "One turn so far: .612 after 200 judgments" in words(look(cast, "curve"))
    turn(cast, 1400, 0.7)
    text = words(look(cast, "curve"))
    assert "Latest: .700 after 1,400 judgments, on 60 held-out pairs." in text
    rows = table(look(cast, "curve_csv"))
    assert [row[:5] for row in rows[1:]] == [
        ["held-out", "200", "0.612", "0.5", "0.9"],
        ["held-out", "1400", "0.7", "0.5", "0.9"],
    ]


def test_the_growth_is_told_on_the_audit_set_as_soon_as_that_says_anything(cast: Cast) -> None:
    for judgments, n, accuracy in ((200, 29, 0.9), (400, 30, 0.6), (600, 90, 0.7)):
        audit = {"accuracy": accuracy, "standard_error": 0.05, "n": n}
        if n == 90:
            audit["reach"] = 0.12  # as estimates tell it since they know how many prompts there were
        turn(cast, judgments, 0.55, estimate=estimate(0, -0.1, 0.1, audit=audit))
    response = look(cast, "curve")
    assert "Latest: .700 after 600 judgments, on 90 pairs of the audit set." in words(response)
    assert "pairs that were chosen because they are hard" in words(response)
    assert ".700 (.580–.820)" in words(response)
    assert response.content.decode().count('class="line series-') == 4  # both arms, and both of the growth
    rows = [row[:3] for row in table(look(cast, "curve_csv")) if row[0] in ("audit", "held-out")]
    assert rows == [
        ["held-out", "200", "0.55"],
        ["audit", "400", "0.6"], ["held-out", "400", "0.55"],
        ["audit", "600", "0.7"], ["held-out", "600", "0.55"],
    ]  # fmt: skip


def test_the_arms_download(cast: Cast) -> None:
    turn(cast, 200, estimate=estimate(0.02, 0.01, 0.03))
    rows = table(look(cast, "curve_csv"))
    assert [row[0] for row in rows[1:]] == ["active", "random", "gain"] * 2
    assert rows[1][:4] == ["active", "30", "0.61", "0.56"]


# --- drawing, and what it costs --------------------------------------------------------------------


def test_a_plot_places_values_in_order_and_keeps_them_inside() -> None:
    lines = [("one", 1, [Value(10, 0.6, 0.5, 0.7), Value(40, 0.8, 0.7, 0.9)]), ("two", 2, [Value(10, 0.6)])]
    made = plots.plot(lines, name="n", across="a")
    assert made is not None
    (first, last), (alone,) = made.lines[0].marks, made.lines[1].marks
    assert first == alone
    assert first[0] < last[0] <= made.right
    assert made.bottom >= first[1] > last[1] >= 0
    assert made.lines[1].band == ""
    assert made.table.rows == (("10", ".600 (.500–.700)", ".600"), ("40", ".800 (.700–.900)", "–"))
    assert plots.plot([("none", 1, [])], name="n", across="a") is None


def test_excerpts_end_at_a_word() -> None:
    assert excerpt("a\n\nb  c") == "a b c"
    assert excerpt("long words here", 12) == "long words…"


def test_the_pages_ask_the_database_as_often_however_much_there_is(
    cast: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = browser(cast.engineer)
    batch = surveyed(cast, survey(cast))
    for judgments in (200, 400):
        turn(cast, judgments, 0.6, estimate=estimate(0.02, 0.01, 0.03))
        chosen(cast, batch, cluster=0, neighbours=[neighbour(cast, 1.0)])
        with django_assert_num_queries(7):
            client.get(reverse("activelearning:coverage", args=["harbour"]))
        with django_assert_num_queries(8):
            client.get(reverse("activelearning:curve", args=["harbour"]))
        with django_assert_num_queries(12):
            client.get(reverse("activelearning:batch", args=["harbour", 1]))
