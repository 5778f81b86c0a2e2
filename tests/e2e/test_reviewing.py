"""Adjudication in a browser: by keyboard from the queue to the decision, and on every screen."""

import os
from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotation.models.project import Project
from annotation.models.review import Review
from annotation.models.work import Assignment, Item
from annotation.services import adjudicating, aggregating, discussing, spot_checking
from tests import factories
from tests.annotation.ordering import item_of, vote
from tests.annotation.reviewed import blind, decide, labelled
from tests.cast import Cast, make_cast
from tests.e2e.conftest import Visit
from tests.e2e.sheets import faults

pytestmark = pytest.mark.browser

REVIEW = "/p/harbour/review/"
REASON = "The second source says so."


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    made = make_cast()
    Project.objects.filter(pk=made.project.pk).update(spot_check_rate=0)
    made.project.refresh_from_db()
    factories.guideline(made.project)
    return made


def by_key(page: Page, *keys: str) -> None:
    expect(page.locator("[data-opens='#help']")).to_be_visible()  # the keys are live
    for key in keys:
        page.keyboard.press(key)


def test_an_item_is_decided_by_keyboard(cast: Cast, visit: Callable[..., Visit]) -> None:
    labelled(cast.project, "abt", "aab")
    visitor = visit(cast.reviewer, REVIEW)
    page = visitor.page
    expect(page.get_by_text("people differ", exact=True)).to_have_count(2)  # and no figures
    page.get_by_role("button", name="Decide").first.press("Enter")
    expect(page.get_by_text("1 of 2: your own answer, without the votes")).to_be_visible()
    expect(page.get_by_text("voter-0")).to_have_count(0)
    by_key(page, "2")
    expect(page.locator("#question input:checked")).to_have_value("b")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 of 2: the votes, and your decision")).to_be_visible()
    expect(page.get_by_role("rowheader", name="voter-0")).to_be_visible()
    expect(page.locator(".beside__said")).to_have_text("B is better")
    expect(page.locator("#question input:checked")).to_have_value("b")  # until they change their mind
    by_key(page, "1", "Enter")  # nothing goes without a reason
    expect(page.locator("#why")).to_be_focused()
    page.keyboard.press("Escape")
    by_key(page, "r")
    expect(page.locator("#why")).to_be_focused()
    page.keyboard.type(REASON)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Decided: A is better.")).to_be_visible()
    expect(page.get_by_role("button", name="Decide")).to_have_count(1)
    expect(page.get_by_text(REASON)).to_be_visible()
    done = Review.objects.get()
    assert (done.state, done.reviewer) == ("done", cast.reviewer)
    page.go_back()
    page.go_back()
    expect(page.get_by_text("reviewer has decided: A is better.")).to_be_visible()
    visitor.assert_clean()


def test_a_ranking_is_decided_and_discussed(cast: Cast, visit: Callable[..., Visit]) -> None:
    Project.objects.filter(pk=cast.project.pk).update(kind="ranking")
    cast.project.refresh_from_db()
    item = item_of(cast.project, 3)
    for ranks in ((1, 2, 3), (3, 2, 1)):
        vote(item, ranks)
    Item.objects.update(slots_left=0)
    aggregating.rebuild(project=cast.project)
    page = visit(cast.reviewer, REVIEW).page
    page.get_by_role("button", name="Decide").click()
    by_key(page, "2", "1", "3", "Enter")
    expect(page.get_by_text("2 of 2")).to_be_visible()
    said = page.locator(".beside__said").inner_text()
    page.get_by_label("Say something on this item").fill("What is a good answer here?")
    page.get_by_label("The guidelines leave this open").check()
    page.get_by_role("button", name="Say it").click()
    expect(page.get_by_text("left open by version 1 of the guidelines")).to_be_visible()
    by_key(page, "r")
    page.keyboard.type(REASON)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text(f"Decided: {said}.")).to_be_visible()


def test_a_spot_check_leads_to_the_votes_where_the_label_is_wrong(
    cast: Cast, visit: Callable[..., Visit]
) -> None:
    Project.objects.filter(pk=cast.project.pk).update(spot_check_rate=1)
    labelled(cast.project, "aaa", "bbb")
    visitor = visit(cast.reviewer, REVIEW)
    page = visitor.page
    for step in range(2):
        page.get_by_role("button", name="Check the next one").click()
        by_key(page, "1", "Enter")
        if step == 0:
            expect(page.get_by_text("The label says the same.")).to_be_visible()
    expect(page.get_by_text("The label says something else.")).to_be_visible()
    by_key(page, "r")
    page.keyboard.type(REASON)
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Decided: A is better.")).to_be_visible()
    expect(page.locator(".stats")).to_contain_text("50 %")
    expect(page.locator(".stats")).to_contain_text("9 % – 91 % of 2 labels seen again")
    visitor.assert_clean()


def places(cast: Cast) -> dict[str, str]:
    """Every face of a review, by what it is."""
    Project.objects.filter(pk=cast.project.pk).update(spot_check_rate=1)
    cast.project.refresh_from_db()
    first, second, third, fourth = labelled(cast.project, "abt", "aab", "aab", "aaa")
    Assignment.objects.create(
        item=first,
        project=cast.project,
        annotator=cast.annotator,
        state="flagged",
        display_order=[0, 1],
        note="The prompt names no year.",
        lease_expires_at=timezone.now(),
        finished_at=timezone.now(),
    )
    asked = adjudicating.start(item=first, reviewer=cast.manager)
    deciding = adjudicating.start(item=second, reviewer=cast.manager)
    blind(deciding, cast.manager, "b")
    discussing.say(item=second, author=cast.manager, text="Which of the two years counts?", gap=True)
    over = adjudicating.start(item=third, reviewer=cast.manager)
    blind(over, cast.manager, "b")
    decide(over, cast.manager, "a", REASON)
    theirs = adjudicating.start(item=fourth, reviewer=cast.reviewer)
    spot_checking.draw(project=cast.project)
    numbers = {"blind": asked, "decide": deciding, "over": over, "theirs": theirs}
    found = {name: f"{REVIEW}{review.pk}/" for name, review in numbers.items()}
    return found | {
        "queue": REVIEW,
        "item": f"/p/harbour/items/{second.pk}/",
        "gaps": "/p/harbour/guidelines/edit/",
        "settings": "/p/harbour/settings/",
    }


@pytest.mark.parametrize(
    ("width", "theme", "language"),
    [(1280, "light", "en"), (390, "dark", "en"), (1280, "dark", "ar"), (390, "light", "de")],
)
def test_every_face_of_a_review_is_accessible_and_fits(
    cast: Cast, visit: Callable[..., Visit], width: int, theme: str, language: str
) -> None:
    addresses = places(cast)
    visitor = visit(cast.manager, "/", width=width, color_scheme=theme, locale=language)
    wrong = {}
    for name, address in addresses.items():
        visitor.page.goto(visitor.site + address)
        visitor.page.wait_for_load_state("networkidle")
        if folder := os.environ.get("PICTURES"):
            visitor.page.screenshot(path=f"{folder}/{name}-{width}-{theme}-{language}.png", full_page=True)
        if found := faults(visitor.page):
            wrong[name] = found
    assert wrong == {}
    visitor.assert_clean()
