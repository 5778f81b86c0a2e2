"""The same person on two devices, or in two tabs: one draft, one answer, and a choice where they differ."""

import re

import pytest
from playwright.sync_api import Page, expect

from annotation.models.work import Draft, Judgment
from tests import factories
from tests.e2e.judging import (
    JUDGE,
    HeldBack,
    annotator_of,
    by_question,
    choose,
    eventually,
    expect_draft,
    expect_entered,
    expect_item,
    expect_notice,
    expect_state,
    notice,
    pairs,
    submit,
    write,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def annotator(items, project):
    return annotator_of(project)


@pytest.fixture
def project():
    return factories.project("harbour", name="Harbour", reasons=["factual error"])


@pytest.fixture
def items(project):
    return pairs(project)


def answered(page: Page, number: int, label: str = "A is better") -> None:
    expect_item(page, number)
    choose(page, label)
    submit(page)
    expect_item(page, number + 1)
    expect_state(page, "saved")


def test_a_draft_begun_on_one_is_finished_on_the_other(visit, annotator):
    desk = visit(annotator, JUDGE).page
    write(desk)
    choose(desk)
    expect_draft(desk, comment=["kept words"], **{"choice-0": ["b"]})
    phone = visit(annotator, JUDGE, width=390).page
    expect_entered(phone)
    write(phone, "kept words, and more")
    expect_draft(phone, comment=["kept words, and more"])
    expect_state(phone, "saved")
    submit(phone)
    expect_item(phone, 1)
    expect_state(phone, "saved")
    assert by_question() == {"Question number 0?": ("b", "kept words, and more")}
    assert not Draft.objects.exists()


@pytest.fixture
def in_conflict(visit, annotator) -> Page:
    """The desk has seen the empty item; the phone has saved since; then the desk types."""
    desk = visit(annotator, JUDGE).page
    expect_item(desk, 0)
    phone = visit(annotator, JUDGE).page
    write(phone, "from the phone")
    choose(phone, "A is better")
    expect_draft(phone, comment=["from the phone"], **{"choice-0": ["a"]})
    write(desk, "from the desk")
    choose(desk, "Tie")
    expect_notice(desk, "conflict", "Changed in another tab or on another device.")
    expect_state(desk, "unsaved")
    assert Draft.objects.get().body["comment"] == ["from the phone"], "never overwritten silently"
    expect_entered(desk, "Tie", "from the desk")
    return desk


def test_of_two_drafts_one_can_load_the_other(in_conflict):
    desk = in_conflict
    desk.get_by_role("button", name="Load that one").click()
    expect_entered(desk, "A is better", "from the phone")
    expect(notice(desk, "conflict")).to_be_hidden()
    expect_state(desk, "saved")
    write(desk, "from the phone, then the desk")
    expect_draft(desk, comment=["from the phone, then the desk"], **{"choice-0": ["a"]})


def test_of_two_drafts_one_can_keep_ones_own(in_conflict):
    desk = in_conflict
    desk.get_by_role("button", name="Keep this one").click()
    expect(notice(desk, "conflict")).to_be_hidden()
    expect_draft(desk, comment=["from the desk"], **{"choice-0": ["tie"]})
    expect_state(desk, "saved")


def test_a_conflict_survives_a_reload(in_conflict):
    desk = in_conflict
    desk.reload()
    expect(notice(desk, "conflict")).to_be_visible()
    expect_entered(desk, "Tie", "from the desk")
    assert Draft.objects.get().body["comment"] == ["from the phone"]


def test_submitting_settles_it(in_conflict):
    submit(in_conflict)
    expect_item(in_conflict, 1)
    expect_state(in_conflict, "saved")
    expect(notice(in_conflict, "conflict")).to_be_hidden()
    assert by_question() == {"Question number 0?": ("tie", "from the desk")}


def test_typing_into_an_item_answered_elsewhere_says_so(visit, annotator):
    desk = visit(annotator, JUDGE).page
    expect_item(desk, 0)
    phone = visit(annotator, JUDGE).page
    answered(phone, 0)
    write(desk, "too late")
    expect_notice(desk, "answered", "You answered this item in another tab")
    desk.get_by_role("link", name="Go to the next item").click()
    expect_item(desk, 1)
    assert by_question() == {"Question number 0?": ("a", "")}
    assert not Draft.objects.exists()


def test_the_same_answer_on_both_is_one_judgment(visit, annotator):
    desk, phone = visit(annotator, JUDGE).page, visit(annotator, JUDGE).page
    for page in (desk, phone):
        expect_item(page, 0)
    for page in (desk, phone):
        choose(page, "A is better")
        submit(page)
        expect_item(page, 1)
        expect_state(page, "saved")
    assert by_question() == {"Question number 0?": ("a", "")}
    expect(notice(phone, "refused")).to_be_hidden()


def test_each_tab_of_one_browser_sends_its_own_answers(visit, site, annotator):
    """They share an outbox: were one to send the other's, the reply with the next item would go astray."""
    page = visit(annotator, JUDGE).page
    other = page.context.new_page()
    ours: list[str] = []
    theirs: list[str] = []
    page.on("request", lambda sent: ours.append(sent.url) if sent.method == "POST" else None)
    other.on("request", lambda sent: theirs.append(sent.url) if sent.method == "POST" else None)
    other.goto(site + JUDGE)
    expect_item(other, 0)
    expect_state(other, "saved")
    for number, label in enumerate(("A is better", "Tie")):
        answered(page, number, label)
        expect_item(other, number + 1)  # or it takes up, as a draft, what is entered in the first meanwhile
    assert by_question() == {"Question number 0?": ("a", ""), "Question number 1?": ("tie", "")}
    assert [url for url in ours if url.endswith("/judge/")] == [site + JUDGE] * 2
    assert theirs == []


def test_different_answers_are_one_judgment_and_a_message(visit, annotator):
    desk, phone = visit(annotator, JUDGE).page, visit(annotator, JUDGE).page
    for page in (desk, phone):
        expect_item(page, 0)
    answered(desk, 0)
    write(phone, "I disagree with myself")
    choose(phone, "B is better")
    submit(phone)
    expect(phone.get_by_text("You had already answered")).to_be_visible()
    expect(phone.get_by_text("I disagree with myself")).to_be_visible()
    assert by_question() == {"Question number 0?": ("a", "")}
    assert Judgment.objects.count() == 1


@pytest.fixture
def tabs(visit, site, annotator) -> tuple[Page, Page]:
    """Two tabs of one browser, the same item in both."""
    page = visit(annotator, JUDGE).page
    other = page.context.new_page()
    other.goto(site + JUDGE)
    expect_item(other, 0)
    return page, other


def test_a_tab_goes_on_when_another_has_answered_its_item(tabs):
    page, other = tabs
    answered(page, 0)
    expect_item(other, 1)
    assert by_question() == {"Question number 0?": ("a", "")}


def test_a_tab_in_which_something_was_entered_stays(tabs):
    page, other = tabs
    write(other, "begun here")
    expect_state(other, "saved")
    answered(page, 0)
    answered(page, 1, "Tie")
    expect_item(other, 0)
    expect(other.locator("#comment")).to_have_value("begun here")


def test_a_page_answered_elsewhere_before_its_modules_came_goes_on(visit, site, annotator):
    """It was written by the server before the answer, and had nobody to tell it then."""
    page = visit(annotator, JUDGE).page
    other = page.context.new_page()
    line = HeldBack(other, re.compile(r"/judge/main(\.\w+)?\.js"), "GET")
    other.goto(site + JUDGE, wait_until="commit")
    expect_item(other, 0)
    answered(page, 0)
    eventually(lambda: bool(line.routes), other)
    expect_item(other, 0)
    line.let_go()
    expect_item(other, 1)
    expect(other.locator("#judge")).not_to_have_attribute("aria-busy", "true")
    assert by_question() == {"Question number 0?": ("a", "")}
