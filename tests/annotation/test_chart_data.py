"""Charts as plain data: the JSON the script draws, the table beside it, and both in the page."""

import html
import json
import re
from datetime import date

import pytest
from django.template.loader import render_to_string
from django.utils import translation

from annotation.chart_data import Bars, Chart, Histogram, Line, Series, Stacked, Table

ALPHA = Line(
    "Week",
    (date(2026, 3, 2), date(2026, 3, 9), date(2026, 3, 16)),
    (
        Series("Helpful", (0.354, None, -0.05), 1, (0.2, None, -0.21), (0.5, None, 0.1)),
        Series("Harmless", (1.0, 0.6, 0.5), 2, (0.9, None, 0.25), (1.0, None, 0.75)),
    ),
    weekly=True,
)
ANSWERS = Stacked("Answer", ("",), (Series("A", (5,), 1), Series("Tie", (1,), 5), Series("B", (1234,), 2)))


def shown(chart: Chart | None, **context: object) -> str:
    values = {"name": "it", "title": "All <of> it", "chart": chart, "csv": "/it.csv", **context}
    return render_to_string("partials/chart.html", values)


def figures(page: str) -> dict[str, object]:
    found = re.search(r'data-figures="([^"]*)"', page)
    assert found
    return json.loads(html.unescape(found[1]))


def cells(page: str) -> list[list[str]]:
    """The table in the page, line by line."""
    lines = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    return [
        [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line)] for line in lines
    ]


def test_a_line_is_gaps_intervals_and_weeks() -> None:
    assert ALPHA.as_json() == {
        "kind": "line",
        "unit": "coefficient",
        "marks": [",", "."],
        "dates": "week",
        "labels": ["2026-03-02", "2026-03-09", "2026-03-16"],
        "series": [
            {
                "name": "Helpful", "colour": 1, "values": (0.354, None, -0.05),
                "low": (0.2, None, -0.21), "high": (0.5, None, 0.1),
            },
            {
                "name": "Harmless", "colour": 2, "values": (1.0, 0.6, 0.5),
                "low": (0.9, None, 0.25), "high": (1.0, None, 0.75),
            },
        ],
    }  # fmt: skip
    assert ALPHA.table() == Table(
        ("Week", "Helpful (95 %)", "Harmless (95 %)"),
        (
            ("Week of March 2, 2026", ".35 (.20–.50)", "1 (.90–1)"),
            ("Week of March 9, 2026", "–", ".60"),
            ("Week of March 16, 2026", "−.05 (−.21–.10)", ".50 (.25–.75)"),
        ),
    )
    assert [(part.name, part.count) for part in ALPHA.legend()] == [("Helpful", None), ("Harmless", None)]


def test_numbers_are_written_as_the_language_of_the_page_has_them() -> None:
    days = Bars("Tag", (date(2026, 3, 2),), (Series("Urteile", (12345,)),))
    with translation.override("de"):
        assert days.as_json()["marks"] == [".", ","]
        assert days.table().rows == (("2. März 2026", "12.345"),)
        assert ALPHA.table().rows[1][2] == "0,60"


def test_a_single_bar_of_parts_says_number_and_share_of_each() -> None:
    assert ANSWERS.table() == Table(
        ("Answer", "Number", "Share"), (("A", "5", "0 %"), ("Tie", "1", "0 %"), ("B", "1,234", "100 %"))
    )
    assert [(part.percent, part.count) for part in ANSWERS.legend()] == [(0, 5), (0, 1), (100, 1234)]


def test_several_bars_of_parts_share_a_table_and_halves_round_up() -> None:
    groups = Stacked("Group", ("Crowd", "Nobody"), (Series("A", (1, 0), 1), Series("B", (7, 0), 2)))
    assert groups.table() == Table(
        ("Group", "A", "B"), (("Crowd", "1 · 13 %", "7 · 88 %"), ("Nobody", "0 · 0 %", "0 · 0 %"))
    )
    assert groups.as_json()["dates"] is None


def test_a_histogram_brings_the_words_under_its_edges() -> None:
    times = Histogram("Time", ("1 – 2 s", "2 – 4 s"), (Series("n", (3, 4)),), edges=("1 s", "", "4 s"))
    assert times.as_json()["edges"] == ["1 s", "", "4 s"]
    assert times.legend() == ()


@pytest.mark.parametrize("chart", [ALPHA, ANSWERS])
def test_the_page_holds_the_same_figures_twice(chart: Chart) -> None:
    page = shown(chart)
    assert figures(page) == json.loads(json.dumps(chart.as_json()))
    assert cells(page) == [list(chart.table().head), *(list(row) for row in chart.table().rows)]


def test_the_page_takes_names_as_text_and_needs_no_script_element() -> None:
    """htmx removes script elements, also those that hold data, from whatever it swaps in."""
    name = '<b>"it\'s"</b>'
    page = shown(Bars(name, ("x",), (Series(name, (1,)),)))
    assert "<b>" not in page
    assert "<script" not in page
    assert figures(page)["series"] == [{"name": name, "values": [1], "colour": 1, "low": [], "high": []}]
    assert cells(page)[0] == [name, name]
    assert "All &lt;of&gt; it" in page


def test_without_figures_the_page_says_why() -> None:
    page = shown(None, empty="Nothing yet.", caption="Of what")
    assert "Nothing yet." in page
    assert "data-chart" not in page
    assert "Of what" not in page
