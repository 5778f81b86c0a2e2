"""An admin's day: notice, understand, pause, hear the other side, decide a disputed item, restore."""

import random
from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from accounts.models import Role, User
from annotation.models.project import Project
from annotation.models.quality import SoftLabel
from annotation.models.review import Review
from annotation.models.standing import Standing
from annotation.models.work import Item
from annotation.services import aggregating
from tests import factories
from tests.cast import Cast, make_cast, member, person
from tests.e2e.conftest import Visit
from tests.e2e.sheets import faults

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

MONITOR = "/p/harbour/monitor/"
SCREENS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    """Four careful people, and Rolf, who fails gold."""
    made = make_cast()
    project = made.project
    project.overlap = 5
    project.spot_check_rate = 0
    project.save()
    factories.guideline(project)
    rng = random.Random(5)
    careful = [person(name) for name in ("ann", "ben", "cleo", "dov")]
    rolf = person("rolf", display_name="Rolf")
    for one in (*careful, rolf):
        member(one, project, Role.ANNOTATOR)
    for number in range(24):
        truth = rng.choice("ab")
        gold = number % 3 == 0
        item = factories.gold_item(project, choice=truth) if gold else factories.pair_item(project)
        for one in careful:
            factories.judgment(item, one, truth, display_order=rng.sample([0, 1], 2), seconds=30.0)
        wrong = {"a": "b", "b": "a"}[truth]
        said = wrong if gold else rng.choice("ab")
        factories.judgment(item, rolf, said, display_order=rng.sample([0, 1], 2), seconds=28.0)
    for _ in range(3):
        factories.pair_item(project)
    return made


def rolfs() -> User:
    return User.objects.get(username="rolf")


def disputed(project: Project) -> Item:
    """Finished, with a vote for each answer."""
    item = factories.pair_item(project, slots_left=3)
    for name, choice in (("ben", "a"), ("cleo", "b"), ("ann", "tie")):
        factories.judgment(item, User.objects.get(username=name), choice)
    aggregating.refresh(project=project)
    return item


def wait_for_news(page: Page) -> None:
    with page.expect_response(lambda got: "seen=" in got.url and got.status == 200):
        page.evaluate("htmx.trigger(document.getElementById('monitor'), 'every')")
        page.clock.fast_forward(16_000)


def test_notice_understand_pause_hear_and_restore(cast: Cast, visit: Callable[..., Visit]) -> None:
    project = cast.project
    admin = visit(cast.manager, "/")
    page = admin.page
    page.clock.install()

    # notice: within the first screen, without scrolling
    page.goto(admin.site + MONITOR)
    notice = page.get_by_role("region", name="Verdict").get_by_text("One annotator fails gold checks: Rolf.")
    expect(notice).to_be_in_viewport()

    # understand: the figures behind it
    row = page.get_by_role("row", name="Rolf").first
    expect(row).to_contain_text("0 of 8 gold answers right")
    row.get_by_role("link", name="Rolf").click()
    expect(page.get_by_role("heading", name="Rolf")).to_be_visible()
    expect(page.get_by_text("0 of 8 gold answers right").first).to_be_visible()

    # pause, with a reason
    page.get_by_label("Reason, as they read it").fill("All eight known items were wrong. What happened?")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Rolf is paused: no new work")).to_be_visible()
    held = Standing.objects.get(annotator=rolfs())
    assert (held.state, held.changed_by, held.evidence[0]["kind"]) == ("paused", cast.manager, "gold")
    page.get_by_role("link", name="Back to the monitor").click()
    expect(page.get_by_text("One annotator is paused or excluded: Rolf.")).to_be_visible()
    expect(page.get_by_text("fails gold checks: Rolf")).to_have_count(0)

    # the other side: told why, no work, an appeal
    rolf = visit(rolfs(), "/p/harbour/judge/")
    expect(rolf.page.get_by_role("heading", name="You are paused in this project")).to_be_visible()
    rolf.page.get_by_role("link", name="See why").click()
    expect(rolf.page.get_by_text("All eight known items were wrong. What happened?").first).to_be_visible()
    expect(rolf.page.get_by_text("0 of 8 gold answers right").first).to_be_visible()
    rolf.page.get_by_label("To those who run the project").fill("I had the sides the wrong way round.")
    rolf.page.get_by_role("button", name="Send the appeal").click()
    expect(rolf.page.get_by_text("Sent. Whoever manages the project answers you here.")).to_be_visible()

    # it reaches the open monitor without a reload, and leads to where it is decided
    wait_for_news(page)
    alert = page.get_by_role("region", name="Alerts")
    expect(alert).to_contain_text("I had the sides the wrong way round.")
    aggregating.refresh(project=project)
    assert set(SoftLabel.objects.values_list("votes", flat=True)) == {4}

    # restored with one click, from the table
    page.get_by_role("button", name="Restore Rolf").click()
    expect(page.get_by_text("Rolf is active again, and every vote counts as before.")).to_be_visible()
    expect(page.get_by_role("region", name="Alerts")).to_have_count(0)
    aggregating.refresh(project=project)
    assert set(SoftLabel.objects.values_list("votes", flat=True)) == {5}
    rolf.page.goto(rolf.site + "/p/harbour/judge/")
    expect(rolf.page.get_by_role("button", name="Submit")).to_be_visible()
    admin.assert_clean()
    rolf.assert_clean()


def test_the_most_disputed_item_is_decided_from_the_monitor(cast: Cast, visit: Callable[..., Visit]) -> None:
    item = disputed(cast.project)
    admin = visit(cast.manager, MONITOR)
    page = admin.page
    page.get_by_role("link", name="Decide them").click()
    page.get_by_role("row", name=item.prompt.messages[-1]["content"]).get_by_role("button").click()
    expect(page.get_by_text("1 of 2: your own answer, without the votes")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 of 2: the votes, and your decision")).to_be_visible()
    page.locator("#why").fill("A says what was asked.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Decided: A is better.")).to_be_visible()
    assert Review.objects.get().judgment is not None
    aggregating.refresh(project=cast.project)
    label = SoftLabel.objects.get(item=item)
    assert (label.p_a, label.votes) == (pytest.approx(4 / 6), 4)
    admin.assert_clean()


def test_a_message_reaches_the_annotator(cast: Cast, visit: Callable[..., Visit]) -> None:
    admin = visit(cast.manager, reverse("annotation:annotator", args=["harbour", rolfs().pk]))
    admin.page.get_by_label("Message").fill("Please read the guidelines once more.")
    admin.page.get_by_role("button", name="Send").click()
    expect(admin.page.get_by_text("Sent to Rolf.")).to_be_visible()
    rolf = visit(rolfs(), "/")
    rolf.page.get_by_role("link", name="1 message for you").click()
    expect(rolf.page.get_by_text("Please read the guidelines once more.")).to_be_visible()
    rolf.page.goto(rolf.site + "/")
    expect(rolf.page.get_by_role("link", name="1 message for you")).to_have_count(0)
    rolf.assert_clean()


def test_the_table_is_narrowed_down(cast: Cast, visit: Callable[..., Visit]) -> None:
    admin = visit(cast.manager, MONITOR)
    page = admin.page
    rows = page.locator("#wrap-annotators tbody tr")
    expect(rows).to_have_count(5)
    page.get_by_label("Which annotators").select_option("Flagged")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(rows).to_have_count(1)
    page.get_by_role("link", name="Everybody", exact=True).click()
    page.get_by_label("Part of a name").fill("CLE")
    page.keyboard.press("Enter")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("cleo")
    admin.assert_clean()


@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_the_pages_fit_and_are_accessible(
    cast: Cast, visit: Callable[..., Visit], width: int, scheme: str
) -> None:
    admin = visit(cast.manager, "/", width=width, color_scheme=scheme)
    for path in (MONITOR, reverse("annotation:annotator", args=["harbour", rolfs().pk])):
        admin.page.goto(admin.site + path)
        assert (path, faults(admin.page)) == (path, [])
    admin.page.get_by_role("button", name="Pause").click()
    admin.page.wait_for_load_state()
    assert faults(admin.page) == []
    rolf = visit(rolfs(), "/p/harbour/standing/", width=width, color_scheme=scheme)
    assert faults(rolf.page) == []
    admin.assert_clean()
    rolf.assert_clean()
