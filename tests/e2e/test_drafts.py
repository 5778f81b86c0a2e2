"""What is entered and not yet submitted: in the browser at once, on the server soon, gone with the answer."""

import json

import pytest
from playwright.sync_api import expect

from annotation.models.work import Draft, Judgment
from annotation.services import judging
from tests import factories
from tests.e2e.judging import (
    ANSWERS,
    DRAFTS,
    JUDGE,
    HeldBack,
    annotator_of,
    by_question,
    choose,
    eventually,
    expect_draft,
    expect_entered,
    expect_item,
    expect_state,
    kept_in_the_browser,
    notice,
    pairs,
    submit,
    write,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project():
    return factories.project("harbour", name="Harbour", reasons=["factual error"])


@pytest.fixture
def annotator(project):
    return annotator_of(project)


@pytest.fixture
def items(project):
    return pairs(project)


def test_what_is_entered_is_saved_on_the_server_and_visibly_so(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    expect_state(page, "saved")
    assert not Draft.objects.exists(), "looking at an item is no draft"
    line = HeldBack(page, DRAFTS)
    write(page)
    choose(page)
    page.get_by_label("factual error").check()
    expect_state(page, "saving")
    eventually(lambda: bool(line.routes), page)
    line.let_go()
    expect_state(page, "saved")
    expect_draft(page, comment=["kept words"], reasons=["factual error"], **{"choice-0": ["b"]})
    assert not Judgment.objects.exists()


def test_it_survives_a_reload_and_a_submitted_one_leaves_no_trace(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    write(page)
    page.get_by_label("factual error").check()
    choose(page)
    page.reload()  # sooner than the server hears of it
    expect_entered(page)
    expect(page.get_by_label("factual error")).to_be_checked()
    submit(page)
    expect_item(page, 1)
    expect_state(page, "saved")
    assert not Draft.objects.exists()
    assert kept_in_the_browser(page) == []
    assert by_question() == {"Question number 0?": ("b", "kept words")}


def test_from_the_server_alone_it_comes_back_too(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    write(page)
    choose(page)
    expect_draft(page, comment=["kept words"], **{"choice-0": ["b"]})
    expect_state(page, "saved")
    page.evaluate("localStorage.clear()")
    page.reload()
    expect_entered(page)
    expect_state(page, "saved")


def test_marked_places_are_part_of_it(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    span = {"response": 0, "start": 0, "end": 6, "quote": "Answer", "reason": "factual error"}
    page.locator("[name=spans]").evaluate(
        "(field, text) => { field.value = text; field.dispatchEvent(new Event('input', {bubbles: true})); }",
        json.dumps([span]),
    )
    eventually(Draft.objects.exists, page)
    page.reload()
    expect(page.locator("[name=spans]")).not_to_have_value("[]")
    assert json.loads(page.locator("[name=spans]").input_value()) == [span]
    choose(page)
    submit(page)
    expect_item(page, 1)
    expect_state(page, "saved")
    assert Judgment.objects.get().spans[0]["quote"] == "Answer"


def test_taken_back_to_nothing_it_is_nothing_after_a_reload(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    write(page)
    expect_draft(page, comment=["kept words"])
    page.locator("#comment").fill("")
    eventually(lambda: Draft.objects.get().body.get("comment") is None, page)
    expect_state(page, "saved")
    page.reload()
    expect(page.locator("#comment")).to_have_value("")


def test_offline_it_is_kept_in_the_browser_and_saved_when_the_connection_is_back(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    page.context.set_offline(True)
    write(page, "typed in a tunnel")
    expect_state(page, "offline")
    assert not Draft.objects.exists()
    page.context.set_offline(False)
    expect_state(page, "saved")
    expect_draft(page, comment=["typed in a tunnel"])


def test_a_draft_still_on_its_way_does_not_outlive_the_answer(visit, items, annotator):
    """The draft's request arrives after the answer's: it must neither come back nor disturb the next item."""
    page = visit(annotator, JUDGE).page
    line = HeldBack(page, DRAFTS)
    write(page)
    eventually(lambda: bool(line.routes), page)
    choose(page)
    submit(page)
    expect_item(page, 1)
    expect_state(page, "saved")
    assert Judgment.objects.count() == 1
    with page.expect_response(DRAFTS) as response:
        line.let_go()
    assert response.value.status == 410
    expect(notice(page, "answered")).to_be_hidden()
    assert not Draft.objects.exists()
    expect_item(page, 1)
    expect(page.locator("#comment")).to_have_value("")


def test_what_was_typed_into_an_item_that_is_exchanged_is_in_its_draft(visit, items, annotator):
    """The server's current item is another one than the page painted: nothing typed meanwhile is lost."""
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    line = HeldBack(page, ANSWERS)
    choose(page)
    submit(page)
    expect_item(page, 1)
    write(page, "about the second")
    ahead = items[1].assignments.get(annotator=annotator)
    ahead.state = "skipped"  # in another tab
    ahead.save()
    line.let_go()
    expect_item(page, 2)
    expect(page.locator("#comment")).to_have_value("")
    eventually(lambda: Draft.objects.filter(assignment=ahead).exists(), page)
    assert Draft.objects.get(assignment=ahead).body["comment"] == ["about the second"]


def test_changing_a_given_answer_has_a_draft_of_its_own(visit, items, annotator, project):
    page = visit(annotator, JUDGE).page
    choose(page, "A is better")
    submit(page)
    expect_item(page, 1)
    expect_state(page, "saved")
    page.keyboard.press("u")
    expect_item(page, 0)
    expect(page.get_by_role("radio", name="A is better", exact=True)).to_be_checked()
    write(page, "on second thoughts")
    choose(page, "Tie")
    expect_draft(page, comment=["on second thoughts"], **{"choice-0": ["tie"]})
    first = Judgment.objects.get()
    assert first.live, "the old answer stands until the new one is submitted"
    submit(page)
    expect_item(page, 1)
    expect_state(page, "saved")
    second = Judgment.objects.get(live=True)
    assert (second.supersedes, second.comment) == (first, "on second thoughts")
    assert [answer.choice for answer in judging.as_shown(second)] == ["tie"]
