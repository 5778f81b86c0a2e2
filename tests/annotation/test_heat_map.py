"""The table of how alike people judge, two by two."""

import re

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from annotation.heat_map import BOUNDS, MOST_PEOPLE, STEPS, Cell, HeatMap, Pair, heat_map, step_of

NAMES = ("ann", "<ben>", "cleo")
PAIRS = {(0, 1): Pair(0.62, 1200), (0, 2): Pair(-0.05, 5), (1, 2): Pair(0.9, 4)}


def made(**options: object) -> HeatMap:
    found = heat_map(NAMES, PAIRS, **options)
    assert found is not None
    return found


def test_each_pair_stands_twice_and_the_diagonal_is_empty() -> None:
    rows = made().rows
    assert rows[0] == (
        Cell(""),
        Cell(".62", "ann and <ben>", "1,200 common items", 7),
        Cell("−.05", "ann and cleo", "5 common items", 0),
    )
    assert [[cell.text for cell in row] for row in rows] == [
        ["", ".62", "−.05"], [".62", "", "–"], ["−.05", "–", ""],
    ]  # fmt: skip


def test_too_few_common_items_and_unknown_pairs_are_said_and_have_no_colour() -> None:
    assert made().rows[1][2] == Cell("–", "<ben> and cleo", "4 common items")
    alone = heat_map(NAMES, {(0, 1): Pair(None, 50)})
    assert alone is not None
    assert alone.rows[0][1:] == (
        Cell("–", "ann and <ben>", "50 common items"), Cell("–", "ann and cleo", "0 common items"),
    )  # fmt: skip


@pytest.mark.parametrize("of", ["kappa", "percent"])
def test_there_are_as_many_colours_as_steps_and_a_key_to_each(of: str) -> None:
    key = made(of=of).key
    assert [step for step, _words in key] == list(range(STEPS))
    assert [step_of(bound, of) for bound in BOUNDS[of]] == list(range(1, STEPS))
    assert step_of(-1, of) == 0
    assert key[-1][1] == {"kappa": ".80 or more", "percent": "90 % or more"}[of]


def test_percent_is_written_as_such_and_in_the_language_of_the_page() -> None:
    assert made(of="percent").rows[0][1].text == "62 %"
    with translation.override("de"):
        assert made().rows[0][1].text == "0,62"


def test_the_first_thirty_are_shown_and_the_rest_counted() -> None:
    many = heat_map([f"p{number}" for number in range(33)], {})
    assert many is not None
    assert (len(many.names), len(many.rows), len(many.rows[0]), many.left_out) == (30, 30, 30, 3)
    assert MOST_PEOPLE == 30
    assert heat_map(["alone"], {}) is None


def test_the_page_names_people_on_both_axes_as_text() -> None:
    page = render_to_string("partials/heat.html", {"name": "heat", "title": "Alike", "heat": made()})
    assert page.count("&lt;ben&gt;</span></th>") == 2
    assert "<ben>" not in page
    cell = re.search(r'<td class="heat-7" title="([^"]*)">\.62<span class="visually-hidden"> ([^<]*)', page)
    assert cell
    assert cell.groups() == ("ann and &lt;ben&gt;: 1,200 common items", "1,200 common items")
    empty = render_to_string(
        "partials/heat.html", {"name": "heat", "title": "A", "heat": None, "empty": "No."}
    )
    assert "No." in empty
    assert "<table" not in empty
