"""Without a connection, and without a session: what was answered waits in the browser and is stored once."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from accounts.models import Membership, Role
from annotation.models.work import Assignment, Judgment
from annotation.services import assigning
from tests import cast, factories
from tests.e2e.judging import (
    ANSWERS,
    JUDGE,
    HeldBack,
    annotator_of,
    answer,
    by_question,
    choose,
    eventually,
    expect_entered,
    expect_item,
    expect_notice,
    expect_state,
    kept_in_the_browser,
    notice,
    pairs,
    submit,
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
    return pairs(project, 5)


def answer_two_offline(page: Page) -> None:
    """The item on the screen and the one ahead: then there is nothing more to show."""
    expect_item(page, 0)
    page.context.set_offline(True)
    answer(page, "A is better", "the first")
    expect_item(page, 1)
    answer(page, "B is better", "the second")
    expect_notice(page, "offline", "Answers kept in this browser: 2")
    expect_state(page, "offline")
    assert Judgment.objects.count() == 0


TWO = {"Question number 0?": ("a", "the first"), "Question number 1?": ("b", "the second")}


def test_two_answers_given_offline_are_both_stored_once(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    answer_two_offline(page)
    page.context.set_offline(False)  # the browser says so itself: no click is needed
    expect_item(page, 2)
    expect_state(page, "saved")
    expect(notice(page, "offline")).to_be_hidden()
    assert by_question() == TWO
    assert kept_in_the_browser(page) == []


def test_what_waits_survives_the_end_of_the_page(visit, site, items, annotator):
    page = visit(annotator, JUDGE).page
    answer_two_offline(page)
    context = page.context
    page.close()  # a crash, a closed lid
    context.set_offline(False)
    page = context.new_page()
    page.goto(f"{site}{JUDGE}")
    expect_item(page, 2)
    expect_state(page, "saved")
    assert by_question() == TWO


def test_two_tabs_that_come_back_at_once_send_each_answer_once(visit, site, items, annotator):
    page = visit(annotator, JUDGE).page
    other = page.context.new_page()
    other.goto(f"{site}{JUDGE}")
    expect_item(other, 0)
    answer_two_offline(page)
    page.context.set_offline(False)
    other.reload()
    expect_item(other, 2)
    expect_item(page, 2)
    assert by_question() == TWO


def test_a_lease_that_ran_out_offline_costs_nothing(visit, project, annotator):
    """Somebody else took the only slot meanwhile: the answer is kept beyond the overlap."""
    project.overlap = 1
    project.save()
    pairs(project, 1)
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    page.context.set_offline(True)
    answer(page)
    expect_state(page, "offline")
    Assignment.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assigning.expire_leases()
    factories.judgment(project.items.get(), factories.user())
    page.context.set_offline(False)
    expect_state(page, "saved")
    eventually(lambda: Judgment.objects.count() == 2, page)
    mine = Assignment.objects.get(annotator=annotator)
    assert (mine.state, mine.surplus) == ("done", True)
    assert Judgment.objects.get(annotator=annotator).comment == "kept words"


def test_an_item_taken_over_while_it_waited_ahead_is_exchanged(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    Assignment.objects.filter(annotator=annotator, shown_at=None).update(state="expired")
    taken = Assignment.objects.get(state="expired")
    for _ in range(3):  # others answer it until no slot is left
        factories.judgment(taken.item, factories.user())
    choose(page)
    submit(page)
    expect_item(page, 2)
    expect_state(page, "saved")
    assert Judgment.objects.get(annotator=annotator).item == items[0]


def test_an_answer_refused_for_good_is_kept_with_its_content(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    Membership.objects.filter(user=annotator).delete()
    answer(page)
    shown = notice(page, "refused")
    expect(shown).to_contain_text("This answer was not stored.")
    expect(shown).to_contain_text("Ask its manager")
    for words in ("Question number 0?", "B is better", "kept words"):
        expect(shown).to_contain_text(words)
    assert Judgment.objects.count() == 0
    shown.get_by_role("button", name="Remove this note").click()
    expect(shown).to_be_hidden()
    assert kept_in_the_browser(page, "laurel-refused/") == []


def test_a_refused_answer_is_in_its_form_again_when_the_person_is_let_in_again(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    Membership.objects.filter(user=annotator).delete()
    answer(page)
    expect_notice(page, "refused", "kept words")
    cast.member(annotator, items[0].project, Role.ANNOTATOR)
    page.reload()
    expect_item(page, 0)
    expect_entered(page)
    expect(notice(page, "refused")).to_be_hidden()
    submit(page)
    expect_item(page, 1)
    expect_state(page, "saved")
    assert by_question() == {"Question number 0?": ("b", "kept words")}


def test_an_answer_the_form_forgot_comes_back_to_be_mended(visit, items, annotator, project):
    """The project got a second criterion after the page was loaded: the answer is not complete any more."""
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    project.criteria = [*project.criteria, {"name": "honesty", "description": ""}]
    project.save()
    answer(page)
    expect(page.locator("#problem")).to_contain_text("honesty")
    expect_item(page, 0)
    expect(page.locator("#comment")).to_have_value("kept words")
    assert Judgment.objects.count() == 0
    page.reload()
    expect(page.locator("#comment")).to_have_value("kept words")
    page.locator("#choice-0-b").check()
    page.locator("#choice-1-a").check()
    submit(page)
    expect_item(page, 1)
    expect_state(page, "saved")
    assert Judgment.objects.get().comment == "kept words"


def test_the_server_fails_and_recovers(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    broken = []

    def break_twice(route: Route) -> None:
        if route.request.method == "POST" and len(broken) < 2:
            broken.append(route.request.post_data)
            route.fulfill(status=503, body="<h1>down</h1>")
        else:
            route.continue_()

    page.route(ANSWERS, break_twice)
    answer(page)
    expect_item(page, 1)
    expect_notice(page, "server", "The server has a problem.")
    expect_state(page, "unsaved")
    expect_state(page, "saved")
    assert len(broken) == 2
    assert broken[0] == broken[1], "the same answer under the same key"
    assert by_question() == {"Question number 0?": ("b", "kept words")}


def test_on_a_slow_line_the_next_item_waits_for_its_turn(visit, items, annotator):
    """Two answers before the first reply: the second waits on the screen, visibly, and goes out later."""
    page = visit(annotator, JUDGE).page
    line = HeldBack(page, ANSWERS)
    answer(page, words="the first")
    expect_item(page, 1)
    answer(page, words="the second")
    expect(page.locator("#judge")).to_have_attribute("aria-busy", "true")
    expect_item(page, 1)
    page.keyboard.press("1")  # nothing to answer is on the screen
    page.keyboard.press("Enter")
    assert len(line.routes) == 1, "one at a time"
    line.let_go()
    expect_item(page, 2)
    expect(page.locator("#judge")).not_to_have_attribute("aria-busy", "true")
    expect_state(page, "saved")
    expect(page.locator("[name=choice-0]:checked")).to_have_count(0)
    assert by_question() == {
        "Question number 0?": ("b", "the first"),
        "Question number 1?": ("b", "the second"),
    }
    choose(page)
    submit(page)
    expect_item(page, 3)
    expect_state(page, "saved")


def test_where_the_browser_keeps_nothing_leaving_asks_first(visit, site, items, annotator):
    refuse = "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); };"
    visitor = visit(annotator, "/")
    page = visitor.page
    page.add_init_script(refuse)
    page.goto(f"{site}{JUDGE}")
    page.context.set_offline(True)
    answer(page)
    expect_state(page, "offline")
    page.close(run_before_unload=True)
    page.wait_for_timeout(300)
    assert any("dialog" in complaint for complaint in visitor.complaints)


def test_where_the_browser_keeps_it_leaving_asks_nothing(visit, items, annotator):
    """The control of the test above."""
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    page.context.set_offline(True)
    answer(page)
    expect_state(page, "offline")
    page.close(run_before_unload=True)
    eventually(page.is_closed, visitor.page.context.new_page())
    assert not any("dialog" in complaint for complaint in visitor.complaints)
