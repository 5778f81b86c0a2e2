"""The closer look on the page: answers by hand, plots where they belong, older runs as before."""

import copy
from typing import Any

import pytest

from rewardmodel.pages import findings, plots

BLIND = {"error": {"value": 0.3}, "curve_by_margin": []}


def interval(value: float | None, low: float | None = None, high: float | None = None, n: int = 100) -> dict:
    return {"value": value, "low": low, "high": high, "n": n}


def row(name: str, value: float, n: int) -> dict[str, Any]:
    return {"name": name, **interval(value, value - 0.1, value + 0.1, n), "prompts": 5,
            "length": interval(0.5, 0.4, 0.6, n)}  # fmt: skip


def examined() -> dict[str, Any]:
    nothing: dict[str, Any] = {"rows": [], "left_out": "the snapshot names no category"}
    return {
        "lift_over_length": interval(0.047, 0.012, 0.08),
        "ece": 0.021,
        "strata": {
            "length_gap": {
                "rows": [row("1.00–1.24 ×", 0.7, 80), row("1.24–9.00 ×", 0.1, 3)],
                "left_out": None,
            },
            "longer_won": {"rows": [row("longer", 0.9, 60), row("shorter", 0.386, 40)], "left_out": None},
            "agreement": {"rows": [row("split", 0.2, 90)], "left_out": None},
            "category": nothing,
            "origin": {"rows": [row("imported", 0.8, 100)], "left_out": None},
        },
        "rank_correlation": {
            "spearman": interval(0.7, 0.6, 0.8, 22), "kendall": interval(0.5, 0.4, 0.6, 22), "left_out": None,
            "source": "pairs: share of the votes won",
        },
        "disagreement": {
            "bins": [{"disagreement": 0.1, "error": interval(0.1, 0, 0.2), "nll": interval(0.9, 0.8, 1)}],
            "auroc": interval(0.62, 0.55, 0.7), "error": interval(0.2, 0.1, 0.3),
            "curve": [[0.5, 0.1], [1.0, 0.2]], "curve_by_margin": [[0.5, 0.05], [1.0, 0.2]],
        },
        "out_of_distribution": {
            "flagged": interval(0.013, 0.002, 0.03), "threshold": 2.4,
            "bins": [{"distance": 1.2, "error": interval(0.2, 0.1, 0.3)}],
        },
        "probes": {
            "rows": [{"name": "padding", **interval(0.3, 0.2, 0.4), "raised": interval(0.8)},
                     {"name": "flattery", **interval(0.1, -0.1, 0.3), "raised": interval(0.5)},
                     {"name": "repetition", **interval(0.9, 0.8, 1.0), "raised": interval(1.0)}],
            "noticed": {name: interval(0.6, 0.5, 0.7) for name in ("padding", "flattery", "repetition")},
            "responses": 40, "left_out": None,
        },
        "learning_curve": {
            "rows": [{"votes": n, "fitted": 0.7, "accuracy": interval(0.7, 0.6, 0.8),
                      "nll": interval(0.9, 0.8, 1)} for n in (500, 1000, 2000, 4000)],
            "more": 1000, "gain": interval(0.0061, 0.002, 0.011), "reason": None, "subsampled": "votes",
            "left_out": None,
        },
    }  # fmt: skip


def test_six_answers_by_hand() -> None:
    found = {one.question: one for one in findings.answers(examined())}
    assert [(one.tone, one.answer) for one in found.values()] == [
        ("good", "yes"), ("good", "yes"), ("bad", "the shorter won"), ("good", "yes"), ("bad", "repetition"),
        ("info", "≈ +0.6 points of accuracy"),
    ]  # fmt: skip
    assert found["Better than length?"].note == "+4.7 points, 1.2 to 8.0"
    assert (
        found["Weakest where?"].note == "accuracy 0.386 on 40 pairs"
    )  # three pairs would be named by chance
    assert found["What hacks it?"].note == "repetition +0.9, padding +0.3"


@pytest.mark.parametrize(
    ("change", "question", "tone", "answer"),
    [
        ({"lift_over_length": interval(0.01, -0.02, 0.03)}, "Better than length?", "warn",
         "not beyond chance"),
        ({"lift_over_length": interval(-0.1, -0.2, -0.03)}, "Better than length?", "bad", "no, worse"),
        ({"ece": 0.05}, "Calibrated?", "warn", "roughly"),
        ({"ece": 0.16}, "Calibrated?", "bad", "no"),
        ({"ece": 0.16, "ece_by_chance": {"value": 0.12, "high": 0.15}}, "Calibrated?", "bad", "no"),
        ({"ece": 0.16, "ece_by_chance": {"value": 0.15, "high": 0.18}}, "Calibrated?", "warn",
         "too few pairs to tell"),
        ({"ece": 0.1 + 0.2, "ece_by_chance": {"value": 0.3, "high": 0.3}}, "Calibrated?", "warn",
         "too few pairs to tell"),  # a pair to a bin
        ({"ece": 0.02, "ece_by_chance": {"value": 0.15, "high": 0.18}}, "Calibrated?", "good", "yes"),
        ({"disagreement": {"auroc": interval(0.46, 0.44, 0.49)}}, "Knows when it is wrong?", "warn",
         "only by its margin"),
        ({"disagreement": {"auroc": interval(0.88, 0.4, 1.0), **BLIND}},
         "Knows when it is wrong?", "warn", "not beyond chance"),
        ({"disagreement": {"auroc": interval(0.45, 0.4, 0.6), **BLIND}},
         "Knows when it is wrong?", "warn", "no"),
        ({"probes": {"rows": []}}, "What hacks it?", None, None),
        ({"learning_curve": {"gain": None, "reason": "only 2 held-out prompts"}},
         "What do 1,000 more votes bring?", "info", "cannot be said"),
        ({"learning_curve": {"gain": interval(0.0001, 0.00005, 0.0002)}}, "What do 1,000 more votes bring?",
         "info", "next to nothing"),
    ],
)  # fmt: skip
def test_other_figures_give_other_answers(change: dict, question: str, tone: str, answer: str) -> None:
    metrics = copy.deepcopy(examined())
    for key, value in change.items():
        metrics[key] = {**metrics.get(key, {}), **value} if isinstance(value, dict) else value
    found = {one.question: (one.tone, one.answer) for one in findings.answers(metrics)}
    assert found.get(question) == ((tone, answer) if tone else None)


def test_every_plot_has_its_table_and_what_is_empty_its_reason() -> None:
    panels = [panel for chapter in findings.chapters(examined()) for panel in chapter.panels]
    assert len(panels) == 11
    for panel in panels:
        assert bool(panel.marks or panel.curves) == bool(panel.rows) != bool(panel.empty), panel.title
        assert all(len(cells) == len(panel.heads) for cells in panel.rows)
    assert [panel.empty for panel in panels if panel.empty] == ["the snapshot names no category"]


def test_a_run_of_an_earlier_version_has_neither() -> None:
    assert findings.chapters({"ece": 0.1}) == ()
    assert findings.answers({"ece": 0.1, "lift_over_length": None}) == ()


def test_marks_stand_in_order_and_the_line_where_nothing_would_be() -> None:
    found = plots.marks(
        [("a", "", interval(0.5, 0.2, 0.9), interval(0.1)), ("b", "", interval(None), None),
         ("c", "", interval(-0.4), None)], line=0.0,
    )  # fmt: skip
    assert found is not None
    a, c = found.rows
    assert c.low == c.value == c.high < found.line < a.beside < a.low < a.value < a.high
    assert c.beside is None
    assert plots.marks([("b", "", interval(None), None)]) is None


def test_curves_rise_up_the_page_and_votes_double_evenly() -> None:
    found = plots.curves(
        [("fitted", [(1000, 0.6), (2000, 0.7), (4000, 0.8)])],
        [(n, interval(0.7, 0.6, 0.8), "") for n in (1000, 2000, 4000)],
        name="accuracy", across="votes", logarithmic=True,
    )  # fmt: skip
    assert found is not None
    points = [tuple(map(float, point.split(","))) for point in found.lines[0].points.split()]
    assert points[1][0] - points[0][0] == pytest.approx(points[2][0] - points[1][0], abs=0.2)
    assert points[0][1] > points[1][1] > points[2][1]
    assert [tick.label for tick in found.x_ticks] == ["1k", "2k", "4k"]
    assert all(bar.high < bar.value < bar.low for bar in found.bars)
    assert plots.curves([("none", [])], name="", across="") is None
