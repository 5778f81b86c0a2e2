"""Signing out, signing in again and sharing a browser: nobody loses an answer, nobody sends another's."""

import re

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from accounts.models import User
from annotation.models.work import Judgment
from tests import cast, factories
from tests.e2e.judging import (
    JUDGE,
    HeldBack,
    annotator_of,
    answer,
    by_question,
    choose,
    eventually,
    expect_item,
    expect_notice,
    expect_state,
    kept_in_the_browser,
    notice,
    pairs,
    submit,
    write,
)

GUIDELINES = re.compile("/p/harbour/guidelines/$")

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def project():
    return factories.project("harbour", name="Harbour")


@pytest.fixture
def annotator(project):
    return annotator_of(project)


@pytest.fixture
def items(project):
    return pairs(project, 5)


def test_nobody_sends_the_answers_of_another_in_the_same_browser(visit, site, items, annotator, project):
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    page.context.set_offline(True)
    for number in (0, 1):
        expect_item(page, number)
        answer(page)
    expect(notice(page, "offline")).to_be_visible()
    context = page.context
    page.close()
    context.set_offline(False)
    page = context.new_page()
    second = annotator_of(project, "omar")
    sign_in_as(page, second, site)
    page.goto(f"{site}{JUDGE}")
    expect_item(page, 0)
    expect_state(page, "saved")
    choose(page, "Tie")
    submit(page)
    expect_item(page, 1)
    expect_state(page, "saved")
    eventually(Judgment.objects.exists, page)
    assert {judgment.annotator for judgment in Judgment.objects.all()} == {second}
    assert len(kept_in_the_browser(page, "laurel-outbox/")) == 2
    sign_in_as(page, annotator, site)
    page.goto(f"{site}{JUDGE}")
    expect_item(page, 2)
    assert Judgment.objects.filter(annotator=annotator).count() == 2


def sign_in_as(page: Page, user: User, site: str) -> None:
    client = Client()
    client.force_login(user)
    page.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])


def test_who_notices_that_somebody_else_signed_in_keeps_everything(visit, site, items, annotator, project):
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    sign_in_as(page, annotator_of(project, "omar"), site)
    answer(page)
    expect_notice(page, "stranger", "Somebody else has signed in")
    assert Judgment.objects.count() == 0
    sign_in_as(page, annotator, site)
    page.reload()
    expect_state(page, "saved")
    eventually(lambda: by_question() == {"Question number 0?": ("b", "kept words")}, page)


def test_what_arrives_as_somebody_else_is_sent_again_when_they_are_back_at_once(
    visit, site, items, annotator, project
):
    """Between the answer, refused to the other, and the question who is there, they have signed in again."""
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    line = HeldBack(page, GUIDELINES, "GET")
    sign_in_as(page, annotator_of(project, "omar"), site)
    answer(page)
    eventually(lambda: bool(line.routes), page)
    assert Judgment.objects.count() == 0
    sign_in_as(page, annotator, site)
    line.let_go()
    eventually(lambda: by_question() == {"Question number 0?": ("b", "kept words")}, page)
    expect_item(page, 1)
    expect_state(page, "saved")
    expect(notice(page, "refused")).to_be_hidden()


def test_somebody_else_from_outside_the_project_is_told_apart_too(visit, site, items, annotator):
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    sign_in_as(page, cast.person("omar"), site)
    answer(page)
    expect_notice(page, "stranger", "Somebody else has signed in")
    expect(notice(page, "refused")).to_be_hidden()
    sign_in_as(page, annotator, site)
    page.reload()
    eventually(lambda: by_question() == {"Question number 0?": ("b", "kept words")}, page)


def test_signed_out_then_signed_in_again_it_goes_on_where_it_was(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    page.context.clear_cookies(name="sessionid")
    answer(page, words="the first")
    expect_state(page, "signed-out")
    expect_item(page, 1)
    write(page, "a thought about the second")
    page.get_by_role("link", name="Sign in and continue").click()
    page.get_by_label("User name").fill("ines")
    page.get_by_label("Password", exact=True).fill(cast.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(re.escape(JUDGE)))
    expect_item(page, 1)
    expect(page.locator("#comment")).to_have_value("a thought about the second")
    expect_state(page, "saved")
    assert by_question() == {"Question number 0?": ("b", "the first")}


def test_a_token_changed_by_signing_in_elsewhere_heals_by_itself(visit, site, items, annotator):
    page = visit(annotator, JUDGE).page
    other = page.context.new_page()
    page.context.clear_cookies()
    other.goto(f"{site}/sign-in/?next={JUDGE}")
    other.get_by_label("User name").fill("ines")
    other.get_by_label("Password", exact=True).fill(cast.PASSWORD)
    other.get_by_role("button", name="Sign in").click()
    expect_item(other, 0)
    statuses: list[int] = []
    page.on("response", lambda response: statuses.append(response.status))
    answer(page)
    expect_item(page, 1)
    expect_state(page, "saved")
    eventually(lambda: 403 in statuses, page)  # the old token was refused, then a fresh one taken
    assert by_question() == {"Question number 0?": ("b", "kept words")}
