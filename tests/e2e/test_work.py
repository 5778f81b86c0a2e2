"""How work flows, in a browser: the way back to an answer, the end of the queue, the reminder of a break."""

import pytest
from playwright.sync_api import expect

from accounts.models import Role
from annotation.models.work import Assignment, Judgment
from annotation.services import assigning
from tests import cast, factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project(transactional_db):
    return factories.project("harbour", break_minutes=50, daily_goal=2, overlap=1)


@pytest.fixture
def annotator(project):
    annotator = cast.person("ines")
    cast.member(annotator, project, Role.ANNOTATOR)
    return annotator


@pytest.mark.parametrize("width", [1280, 390])
def test_an_answer_is_found_and_changed(project, annotator, visit, width):
    factories.judgment(
        factories.pair_item(project, on=factories.prompt(project, "How deep?")), annotator, "a"
    )
    factories.judgment(
        factories.pair_item(project, on=factories.prompt(project, "How wide?")), annotator, "a"
    )
    visitor = visit(annotator, "/p/harbour/work/", width=width)
    page = visitor.page
    expect(page.locator(".own__row")).to_have_count(2)
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Words in the prompt").fill("deep")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".own__row")).to_have_count(1)
    page.get_by_role("link", name="Change").click()
    expect(page.locator("#item")).to_contain_text("How deep?")
    expect(page.locator("#judge[data-ready]")).to_be_visible()
    page.get_by_role("radio", name="B is better").check(force=True)
    page.locator("#submit").click()
    expect(page.get_by_role("heading", name="All done")).to_be_visible()
    page.goto(visitor.site + "/p/harbour/work/?text=deep")
    expect(page.locator(".own__answer")).to_have_text("B is better")
    assert Judgment.objects.filter(live=True).count() == 2
    visitor.assert_clean()


def test_the_end_of_the_queue_goes_on_by_itself(project, annotator, visit):
    other = factories.user()
    factories.pair_item(project, on=factories.prompt(project, "Left by another"))
    theirs = assigning.claim(project=project, annotator=other)
    visitor = visit(None, "/sign-in/")
    context = visitor.page.context
    context.clock.install()
    page = sign_in(visitor, annotator, "/p/harbour/judge/")
    expect(page.get_by_role("heading", name="Waiting for others")).to_be_visible()
    with page.expect_response("**/waiting/**") as asked:
        context.clock.run_for(21_000)
    assert asked.value.status == 204
    expect(page.get_by_role("heading", name="Waiting for others")).to_be_visible()
    assigning.skip(assignment_id=theirs.pk, annotator=other)
    context.clock.run_for(21_000)
    expect(page.locator("#item")).to_contain_text("Left by another")
    visitor.assert_clean()


def test_what_the_end_of_the_queue_says_changes_by_itself(project, annotator, visit):
    visitor = visit(None, "/sign-in/")
    context = visitor.page.context
    context.clock.install()
    page = sign_in(visitor, annotator, "/p/harbour/judge/")
    expect(page.get_by_role("heading", name="Nothing to judge yet")).to_be_visible()
    type(project).objects.filter(pk=project.pk).update(state="closed")
    context.clock.run_for(21_000)
    expect(page.get_by_role("heading", name="This project is closed")).to_be_visible()
    expect(page.locator("#announce")).to_have_text("This project is closed")
    visitor.assert_clean()


def sign_in(visitor, person, onward: str):
    page = visitor.page
    page.goto(f"{visitor.site}/sign-in/?next={onward}")
    page.get_by_label("User name").fill(person.username)
    page.get_by_label("Password").fill(cast.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    return page


def work_for(page, context, minutes: int) -> None:
    """A sign of life every minute, which is what working looks like."""
    for _ in range(minutes):
        context.clock.run_for(60_000)
        page.keyboard.press("Shift")


@pytest.fixture
def working(project, annotator, visit):
    factories.pair_item(project)
    visitor = visit(None, "/sign-in/")
    visitor.page.context.clock.install()
    page = sign_in(visitor, annotator, "/p/harbour/judge/")
    settled(page)
    return visitor, page, visitor.page.context


def settled(page) -> None:
    """The scripts listen from now on; time that the tests move does not wait for them."""
    page.wait_for_url("**/judge/")
    page.wait_for_function("Object.keys(localStorage).some(key => key.startsWith('laurel:break-span'))")


def test_a_break_is_suggested_after_as_long_as_the_project_says(working):
    visitor, page, context = working
    expect(page.locator("#item")).to_contain_text("Response A")
    work_for(page, context, 48)
    expect(page.locator("#break")).to_be_hidden()
    work_for(page, context, 3)
    expect(page.locator("#break")).to_be_visible()
    page.get_by_role("radio", name="A is better").check(force=True)  # it is in nobody's way
    page.get_by_role("button", name="Remind me later").click()
    expect(page.locator("#break")).to_be_hidden()
    work_for(page, context, 11)
    expect(page.locator("#break")).to_be_visible()
    visitor.assert_clean()


def test_a_pause_begins_the_count_again(working):
    _visitor, page, context = working
    expect(page.locator("#item")).to_contain_text("Response A")
    work_for(page, context, 40)
    context.clock.run_for(6 * 60_000)
    work_for(page, context, 20)
    expect(page.locator("#break")).to_be_hidden()


def test_who_wants_no_reminder_gets_none_until_they_switch_it_on(working):
    visitor, page, context = working
    expect(page.locator("#item")).to_contain_text("Response A")
    work_for(page, context, 52)
    page.get_by_role("button", name="Do not remind me").click()
    page.reload()
    page.wait_for_load_state("networkidle")
    work_for(page, context, 60)
    expect(page.locator("#break")).to_be_hidden()
    page.goto(visitor.site + "/p/harbour/work/")
    switch = page.get_by_label("Remind me of a break")
    expect(switch).not_to_be_checked()
    switch.check()
    page.goto(visitor.site + "/p/harbour/judge/")
    page.wait_for_load_state("networkidle")
    work_for(page, context, 52)
    expect(page.locator("#break")).to_be_visible()


def test_the_day_is_counted_where_one_works(project, annotator, visit):
    for _ in range(3):
        factories.pair_item(project)
    factories.judgment(factories.pair_item(project), annotator)
    page = visit(annotator, "/p/harbour/judge/").page
    expect(page.locator("#status")).to_contain_text("1/2 today")
    page.get_by_role("radio", name="Tie").check(force=True)
    page.locator("#submit").click()
    expect(page.locator("#status")).to_contain_text("2/2 today")
    assert Assignment.objects.filter(annotator=annotator, state="done").count() == 2


def test_guidelines_that_change_while_one_works_are_told_once(project, annotator, visit):
    factories.guideline(project)
    for number in range(5):
        factories.pair_item(
            project, on=factories.prompt(project, f"Question number {number}?"), shuffle=number / 9
        )
    visitor = visit(annotator, "/p/harbour/judge/")
    page = visitor.page

    def answer(number: int) -> None:
        expect(page.locator("#prompt")).to_contain_text(f"Question number {number}?")
        page.keyboard.press("1")
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_contain_text(f"{number + 1} by you")

    expect(page.locator("#judge[data-ready]")).to_be_visible()
    answer(0)
    told = page.get_by_text("The guidelines have changed.")
    expect(told).to_have_count(0)
    factories.guideline(project, "# Guidelines\n\nPrefer what is *short*.")
    answer(1)
    expect(told.first).to_be_visible()
    expect(page.locator("#open-guidelines")).to_contain_text("2")
    page.evaluate("() => document.querySelector('.toasts').replaceChildren()")
    answer(2)
    answer(3)
    expect(page.locator(".toasts")).not_to_contain_text("The guidelines have changed.")
    saw = Judgment.objects.order_by("pk").values_list("guideline__version", flat=True)
    assert list(saw) == [1, 1, 1, 2], (
        "the item that was on the screen, and none later, was shown with the first"
    )
    visitor.assert_clean()
