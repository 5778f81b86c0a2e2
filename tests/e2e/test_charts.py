"""Charts in a real browser: in both themes, over a refresh, by keyboard, and without scripts."""

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.template.loader import render_to_string
from django.utils import translation
from playwright.sync_api import Locator, Page, expect

from accounts.models import Role, User
from annotation.chart_data import Chart, Line, Series, Stacked
from annotation.heat_map import Pair, heat_map
from annotation.models.project import Project
from tests import cast, factories
from tests.e2e.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MONITOR = "/p/harbour/monitor/"
DRAWN = ("volume", "times", "choices", "sides")
START = datetime(2026, 3, 2, 12, tzinfo=UTC)

# How many pixels of a canvas have the colour that a custom property has on the page.
PIXELS = """(canvas, name) => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = `var(${name})`;
    const wanted = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
    probe.remove();
    const { width, height } = canvas;
    const copy = Object.assign(document.createElement("canvas"), { width, height });
    const paper = copy.getContext("2d", { willReadFrequently: true });
    paper.drawImage(canvas, 0, 0);
    const { data } = paper.getImageData(0, 0, width, height);
    let found = 0;
    for (let at = 0; at < data.length; at += 4) {
        const close = (value, part) => Math.abs(value - data[at + part]) < 3;
        if (data[at + 3] === 255 && wanted.every(close)) found += 1;
    }
    return found;
}"""


@pytest.fixture
def project() -> Project:
    """Three people over five days: 4 of 10 judgments took 30 to 42 s, the others longer."""
    project = factories.project("harbour", name="Harbour")
    items = [factories.pair_item(project, slots_left=9) for _ in range(10)]
    for number in range(3):
        voter = factories.user(f"voter-{number}")
        for place, item in enumerate(items):
            factories.judgment(
                item, voter, "aaabbt"[place % 6].replace("t", "tie"), source="simulated",
                seconds=35.0 if place < 4 else 50.0 + 40 * place,
                judged_at=START + timedelta(days=place // 2), display_order=(0, 1) if place % 2 else (1, 0),
            )  # fmt: skip
    return project


@pytest.fixture
def manager(project: Project) -> User:
    manager = cast.person("mara", display_name="Mara Lind")
    cast.member(manager, project, Role.MANAGER)
    return manager


def canvas(page: Page, name: str) -> Locator:
    return page.locator(f"#{name}-drawn canvas")


def said(page: Page, name: str) -> Locator:
    return page.locator(f"#{name}-drawn [aria-live]")


def pixels(page: Page, name: str, colour: str) -> int:
    found: int = canvas(page, name).evaluate(PIXELS, colour)
    return found


def swap_in(page: Page, html: str) -> None:
    """As htmx brings a fragment of the page."""
    page.evaluate(
        "html => htmx.swap(document.getElementById('monitor'), html, {swapStyle: 'innerHTML'})", html
    )


def chart_page(name: str, chart: Chart) -> str:
    return render_to_string("partials/chart.html", {"name": name, "title": name, "chart": chart})


def faults(page: Page) -> list[str]:
    found = [
        f"{one['id']}: {one['nodes'][0]['html'][:150]}" for one in Axe().run(page).response["violations"]
    ]
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return [*found, "scrolls sideways"] if wide else found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_are_drawn_in_the_colours_of_the_theme_and_follow_it(
    visit: Callable[..., Visit], manager: User, scheme: str
) -> None:
    visitor = visit(manager, MONITOR, color_scheme=scheme)
    page = visitor.page
    for name in DRAWN:
        canvas(page, name).wait_for()
    colours = {name: "--data-3" if name == "sides" else "--data-1" for name in DRAWN}
    before = {name: pixels(page, name, colour) for name, colour in colours.items()}
    assert {name: count > 1000 for name, count in before.items()} == dict.fromkeys(DRAWN, True)
    other = {"light": "dark", "dark": "light"}[scheme]
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", other)
    after = {name: pixels(page, name, colour) for name, colour in colours.items()}
    assert after == pytest.approx(before, rel=0.05)
    visitor.assert_clean()


def test_a_refresh_keeps_the_charts_and_redraws_only_what_changed(
    visit: Callable[..., Visit], project: Project, manager: User
) -> None:
    visitor = visit(manager, "/")
    page = visitor.page
    page.clock.install()
    page.goto(visitor.site + MONITOR)
    canvas(page, "times").wait_for()
    page.evaluate("""() => {
        window.updates = [];
        for (const chart of Object.values(Chart.instances)) {
            const place = chart.canvas.parentNode.id;
            chart.canvas.dataset.first = "yes";
            const update = chart.update.bind(chart);
            chart.update = (mode) => { window.updates.push(`${place} ${mode}`); update(mode); };
        }
    }""")
    page.locator("#volume-table").locator("..").locator("summary").click()
    canvas(page, "volume").focus()
    canvas(page, "volume").press("End")
    expect(said(page, "volume")).to_have_text("March 6, 2026. Judgments: 6")
    page.evaluate("window.updates.length = 0")

    late = factories.user("late")
    factories.judgment(
        factories.pair_item(project), late, "a", source="simulated", judged_at=START + timedelta(days=4)
    )
    with page.expect_response(lambda got: "seen=" in got.url):
        page.clock.fast_forward(16_000)
    expect(page.locator("#volume-table td").last).to_have_text("7")
    for name in DRAWN:
        assert canvas(page, name).get_attribute("data-first") == "yes"
    updated = page.evaluate("window.updates")
    assert {one.split()[0] for one in updated} == {"volume-drawn", "choices-drawn", "sides-drawn"}
    assert {one.split()[1] for one in updated} == {"none"}
    assert (
        page.evaluate(
            "Chart.getChart(document.querySelector('#volume-drawn canvas')).data.datasets[0].data.at(-1)"
        )
        == 7
    )
    expect(page.locator("#volume-table")).to_be_visible()  # as it was left
    expect(said(page, "volume")).to_have_text("March 6, 2026. Judgments: 7")
    assert canvas(page, "volume").evaluate("canvas => canvas === document.activeElement")

    swap_in(page, "<p>Nothing left</p>")
    page.wait_for_function("Object.keys(Chart.instances).length === 0")
    visitor.assert_clean()


def test_arrow_keys_read_a_chart(visit: Callable[..., Visit], manager: User) -> None:
    visitor = visit(manager, MONITOR, height=1600)
    page = visitor.page
    canvas(page, "times").focus()
    canvas(page, "times").press("ArrowRight")
    expect(said(page, "times")).to_have_text("30 s – 42 s. Judgments: 12")
    canvas(page, "times").press("ArrowRight")
    expect(said(page, "times")).to_have_text("42 s – 1 min. Judgments: 0")
    canvas(page, "times").press("Home")
    canvas(page, "times").press("ArrowLeft")
    expect(said(page, "times")).to_have_text("30 s – 42 s. Judgments: 12")
    assert pixels(page, "times", "--data-2") > 500  # the bar that is read
    canvas(page, "times").press("Escape")
    expect(said(page, "times")).to_have_text("")
    assert pixels(page, "times", "--data-2") == 0

    canvas(page, "choices").focus()
    canvas(page, "choices").press("End")
    expect(said(page, "choices")).to_have_text("B is better: 9 · 30 %")
    canvas(page, "choices").press("ArrowLeft")
    canvas(page, "choices").press("ArrowLeft")
    expect(said(page, "choices")).to_have_text("Tie: 3 · 10 %")
    visitor.assert_clean()


def test_in_arabic_the_left_arrow_goes_on(visit: Callable[..., Visit], manager: User) -> None:
    visitor = visit(manager, MONITOR, locale="ar")
    page = visitor.page
    canvas(page, "volume").focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowRight"):
        canvas(page, "volume").press(key)
    expect(said(page, "volume")).to_contain_text("3 مارس 2026")

    with translation.override("ar"):
        line = Line("x", ("x",), (Series("α", (-0.054,), 1, (-0.2,), (1.0,)), Series("β", (0.5,), 2)))
        assert line.table().rows[0] == ("x", "\u200e−0,05 (\u200e−0,20–1)", "0,50")
        parts = Stacked("x", ("",), (Series("A", (12345,)),))
        assert parts.table().rows[0] == ("A", "12.345", "100 %")
        swap_in(page, chart_page("line", line) + chart_page("parts", parts))
    for name in ("line", "parts"):
        canvas(page, name).focus()
        canvas(page, name).press("End")
        found = {"line": "x. α: \u200e−0,05 (95 %: \u200e−0,20–1). β: 0,50", "parts": "A: 12.345 · 100 %"}
        expect(said(page, name)).to_have_text(found[name])
    visitor.assert_clean()


def test_the_figures_are_there_as_a_table_also_without_scripts(
    visit: Callable[..., Visit], manager: User
) -> None:
    page = visit(manager, MONITOR).page
    table = page.locator("#times-table")
    expect(table).to_be_hidden()
    page.locator("figure", has=table).get_by_text("Show as table").click()
    expect(table.locator("tr", has_text="30 s – 42 s").locator("td")).to_have_text("12")
    page = visit(manager, MONITOR, java_script_enabled=False).page
    expect(page.locator("#times-table td").first).to_have_text("12")
    expect(page.locator("#times-table")).to_be_visible()
    expect(page.locator("#times-drawn")).to_be_hidden()


def every_kind() -> str:
    """A line with intervals and gaps, bars of parts, and a heat map of thirty people."""
    weeks = tuple(date(2026, 3, 2) + timedelta(days=7 * week) for week in range(12))
    alpha = tuple(None if week == 5 else round(0.3 + 0.02 * week, 3) for week in range(12))
    low, high = (tuple(one and one + by for one in alpha) for by in (-0.1, 0.1))
    series = (Series("Helpful", alpha, 1, low, high), Series("Short", tuple(0.1 for _ in weeks), 5))
    line = Line("Week", weeks, series, weekly=True)
    parts = Stacked("Group", ("Crowd", "Experts"), (Series("A", (30, 5), 1), Series("B", (10, 15), 2)))
    rng = random.Random(4)
    names = [f"Somebody with name {number}" for number in range(30)]
    pairs = {(one, other): Pair(rng.uniform(-0.2, 1), 9) for other in range(30) for one in range(other)}
    shown = [("alpha", line), ("groups", parts)]
    figures = [chart_page(name, one) for name, one in shown]
    heats = [
        render_to_string(
            "partials/heat.html", {"name": of, "title": of, "heat": heat_map(names, pairs, of=of)}
        )
        for of in ("kappa", "percent")
    ]
    return "<h2>Charts</h2>" + "".join(figures + heats)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_every_kind_is_accessible_and_fits(
    visit: Callable[..., Visit], manager: User, width: int, scheme: str
) -> None:
    visitor = visit(manager, MONITOR, width=width, color_scheme=scheme)
    page = visitor.page
    for summary in page.get_by_text("Show as table").all():
        summary.click()
    assert faults(page) == []

    swap_in(page, every_kind())
    canvas(page, "alpha").focus()
    canvas(page, "alpha").press("ArrowRight")
    expect(said(page, "alpha")).to_have_text(
        "Week of March 2, 2026. Helpful: .30 (95 %: .20–.40). Short: .10"
    )
    assert pixels(page, "alpha", "--data-1") > 200
    canvas(page, "groups").focus()
    for key in ("ArrowRight", "ArrowDown"):
        canvas(page, "groups").press(key)
    expect(said(page, "groups")).to_have_text("Experts. A: 5 · 25 %")
    assert faults(page) == []

    box = page.locator("#kappa-table")
    box.evaluate("box => { box.scrollLeft = 400; }")
    name = box.locator("tbody th").first
    assert name.bounding_box()["x"] == pytest.approx(box.bounding_box()["x"], abs=6)
    visitor.assert_clean()
