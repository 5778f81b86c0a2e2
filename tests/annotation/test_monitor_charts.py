"""What the charts of the monitor are drawn from: volume by day or week, times in bins."""

import csv
import io
from bisect import bisect_right
from datetime import date
from itertools import pairwise

import pytest
from django.urls import reverse
from django.utils import translation

from annotation import monitor_charts, monitor_selectors
from annotation.models.work import Judgment
from annotation.monitor_selectors import TIME_EDGES, DayVolume
from tests import factories
from tests.cast import Cast, browser, make_cast

SECONDS = (0.0, 1.8, 1.9, 2.0, 29.99, 30.0, 59.9, 60.0, 61.0, 1919.9, 1920.0, 90_000.0)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def answered(cast: Cast, *seconds: float | None) -> None:
    for each in seconds:
        item = factories.pair_item(cast.project)
        factories.judgment(item, cast.annotator, "a", seconds=each, source="simulated")


def test_the_edges_are_half_octaves_around_a_minute() -> None:
    assert (TIME_EDGES[0], TIME_EDGES[10], TIME_EDGES[-1], len(TIME_EDGES)) == (1.9, 60.0, 1920.0, 21)
    ratios = [high / low for low, high in pairwise(TIME_EDGES)]
    assert all(ratio == pytest.approx(2**0.5, rel=0.02) for ratio in ratios)


@pytest.mark.django_db
def test_times_are_counted_between_edges_the_lower_one_included(cast: Cast) -> None:
    answered(cast, *SECONDS, None)
    replaced = factories.judgment(
        factories.pair_item(cast.project), cast.annotator, "a", seconds=3.0, source="simulated"
    )
    Judgment.objects.filter(pk=replaced.pk).update(live=False)
    elsewhere = factories.pair_item(factories.project("elsewhere"))
    factories.judgment(elsewhere, cast.annotator, "a", seconds=3.0, source="simulated")

    expected = [0] * (len(TIME_EDGES) + 1)
    for each in SECONDS:
        expected[bisect_right(TIME_EDGES, each)] += 1
    assert monitor_selectors.times(cast.project) == expected
    assert (expected[0], expected[-1]) == (2, 2)


@pytest.mark.slow
@pytest.mark.django_db
def test_the_csv_has_every_bin_and_the_outer_ones_are_open(cast: Cast) -> None:
    answered(cast, *SECONDS)
    page = browser(cast.manager).get(reverse("annotation:monitor_csv", args=["harbour", "times"]))
    rows = list(csv.DictReader(io.StringIO(page.content.decode())))
    assert [rows[0], rows[-1]] == [
        {"from_seconds": "", "to_seconds": "1.9", "judgments": "2"},
        {"from_seconds": "1920.0", "to_seconds": "", "judgments": "2"},
    ]
    assert sum(int(row["judgments"]) for row in rows) == len(SECONDS)
    assert len(rows) == len(TIME_EDGES) + 1


@pytest.mark.slow
@pytest.mark.django_db
def test_the_monitor_shows_times_and_says_when_there_are_none(cast: Cast) -> None:
    url = reverse("annotation:monitor", args=["harbour"])
    answered(cast, None)
    page = browser(cast.manager).get(url).content.decode()
    assert "How long judgments took is not known" in page
    assert 'data-chart="histogram"' not in page
    answered(cast, 45.0)
    page = browser(cast.manager).get(url).content.decode()
    assert 'data-chart="histogram"' in page
    assert "42 s – 1 min" in page


def test_a_histogram_begins_and_ends_where_there_are_judgments() -> None:
    counts = [0] * 22
    counts[9], counts[12] = 3, 4
    chart = monitor_charts.times(counts)
    assert chart is not None
    assert chart.labels[2:6] == (
        "30 s – 42 s", "42 s – 1 min", "1 min – 1 min 25 s", "1 min 25 s – 2 min",
    )  # fmt: skip
    assert chart.series[0].values == (0, 0, 3, 0, 0, 4, 0, 0)
    assert chart.edges == ("15 s", "", "30 s", "", "1 min", "", "2 min", "", "4 min")
    assert monitor_charts.times([0] * 22) is None


@pytest.mark.parametrize("only", range(22))
def test_a_single_bin_stands_among_seven_others(only: int) -> None:
    counts = [0] * 22
    counts[only] = 5
    chart = monitor_charts.times(counts)
    assert chart is not None
    assert (len(chart.labels), len(chart.edges), sum(chart.series[0].values)) == (8, 9, 5)


def test_a_wide_histogram_keeps_its_width() -> None:
    counts = [0] * 22
    counts[2] = counts[19] = 1
    chart = monitor_charts.times(counts)
    assert chart is not None
    assert chart.series[0].values == (1, *(0,) * 16, 1)


def test_the_open_bins_have_no_outer_edge() -> None:
    chart = monitor_charts.times([1] * 22)
    assert chart is not None
    assert (chart.labels[0], chart.labels[-1]) == ("less than 1.9 s", "32 min or more")
    assert (chart.edges[0], chart.edges[-1], len(chart.edges)) == ("", "", 23)
    assert chart.edges[1::2] == (
        "1.9 s", "3.8 s", "7.5 s", "15 s", "30 s", "1 min", "2 min", "4 min", "8 min", "16 min", "32 min",
    )  # fmt: skip


def test_days_without_a_judgment_are_zeros_and_long_projects_are_told_by_week() -> None:
    days = [DayVolume(date(2026, 3, 4), 5), DayVolume(date(2026, 3, 6), 2)]
    chart = monitor_charts.volume(days)
    assert chart is not None
    assert chart.labels == (date(2026, 3, 4), date(2026, 3, 5), date(2026, 3, 6))
    assert chart.series[0].values == (5, 0, 2)
    assert not chart.weekly
    chart = monitor_charts.volume([*days, DayVolume(date(2026, 7, 1), 9)])
    assert chart is not None
    assert chart.weekly
    assert (chart.labels[0], chart.labels[-1]) == (date(2026, 3, 2), date(2026, 6, 29))
    assert (chart.series[0].values[0], sum(chart.series[0].values), chart.series[0].values[-1]) == (7, 16, 9)
    assert monitor_charts.volume([]) is None


def test_parts_that_are_all_zero_are_no_chart() -> None:
    assert monitor_charts.parts("Answer", [("A", 0, 1), ("B", 0, 2)]) is None
    chart = monitor_charts.parts("Answer", [("A", 3, 1), ("B", 0, 2)])
    assert chart is not None
    assert [(one.name, one.values, one.colour) for one in chart.series] == [("A", (3,), 1), ("B", (0,), 2)]


def test_durations_are_in_the_language_of_the_page() -> None:
    assert [monitor_charts.duration(each) for each in (7.5, 42.4, 60, 84.9)] == [
        "7.5 s",
        "42 s",
        "1 min",
        "1 min 25 s",
    ]
    with translation.override("de"):
        assert monitor_charts.duration(7.5) == "7,5 s"
