"""Judging when things go wrong: double clicks, two tabs, lost connections, hostile texts."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from accounts.models import Role
from annotation.models.work import Judgment
from tests import cast, factories
from tests.annotation.xss_corpus import CORPUS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

JUDGE = "/p/harbour/judge/"


@pytest.fixture
def project():
    return factories.project("harbour", name="Harbour", reasons=["factual error"])


@pytest.fixture
def annotator(project):
    annotator = cast.person("ines")
    cast.member(annotator, project, Role.ANNOTATOR)
    return annotator


@pytest.fixture
def items(project):
    return [
        factories.pair_item(project, on=factories.prompt(project, f"Question number {n}?"), shuffle=n / 1000)
        for n in range(3)
    ]


def answer(page: Page) -> None:
    page.get_by_text("Why?").click()
    page.get_by_label("In your words").fill("kept words")
    page.get_by_label("B is better").check()
    page.get_by_role("button", name="Submit").click()


def expect_kept(page: Page) -> None:
    expect(page.get_by_label("B is better")).to_be_checked()
    expect(page.get_by_label("In your words")).to_have_value("kept words")


def form_of(page: Page) -> dict[str, str]:
    """What the form on the page would post, as another client could."""
    names = ("csrfmiddlewaretoken", "assignment", "key")
    return {name: page.locator(f"#answer [name={name}]").get_attribute("value") or "" for name in names}


def test_a_double_click_and_a_hasty_enter_make_one_judgment(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    posts = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    page.get_by_label("A is better").check()
    page.evaluate(
        "() => { const b = document.getElementById('submit'); b.click(); b.click();"
        " document.getElementById('answer').requestSubmit(); }"
    )
    expect(page.get_by_text("Question number 1?")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Choose an answer first.")).to_be_visible()
    assert len(posts) == 1
    assert Judgment.objects.count() == 1


def test_the_same_form_sent_again_is_one_judgment_and_another_body_a_conflict(visit, items, annotator):
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    form = form_of(page) | {"choice": "a"}
    for _ in range(3):  # Back and submit again, a proxy that retries, a second click
        reply = page.request.post(visitor.site + JUDGE, form=form, headers={"Origin": visitor.site})
        assert reply.status == 200
    assert Judgment.objects.count() == 1
    reply = page.request.post(
        visitor.site + JUDGE, form=form | {"choice": "b"}, headers={"Origin": visitor.site}
    )
    assert reply.status == 409
    assert "You had already answered that item: A is better." in reply.text()
    assert Judgment.objects.count() == 1


def test_two_tabs_with_different_answers_overwrite_nothing(visit, items, annotator):
    first, second = visit(annotator, JUDGE).page, visit(annotator, JUDGE).page
    for page, key in ((first, "1"), (second, "2")):
        page.keyboard.press(key)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Question number 1?")).to_be_visible()
    expect(second.locator("[data-problem]")).to_contain_text("Nothing was changed.")
    expect(second.locator("[data-problem]")).to_contain_text("A is better")
    judgment = Judgment.objects.get()
    assert judgment.answers.get().choice == "ab"[judgment.display_order[0]]


def test_a_lost_connection_keeps_the_answer_and_sends_it_once(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    page.context.set_offline(True)
    answer(page)
    expect(page.get_by_role("alert")).to_contain_text("Not saved")
    expect_kept(page)
    assert Judgment.objects.count() == 0
    page.context.set_offline(False)  # the browser says it is online again: no click is needed
    expect(page.get_by_text("Question number 1?")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    assert Judgment.objects.get().comment == "kept words"


def test_a_reply_lost_after_the_commit_is_one_judgment(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    lost = []

    def lose_the_first_reply(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route(re.compile(JUDGE), lose_the_first_reply)
    answer(page)
    expect(page.get_by_role("alert")).to_contain_text("Not saved")
    assert Judgment.objects.count() == 1, "the server has it, the browser cannot know"
    page.get_by_role("button", name="Try again now").click()
    expect(page.get_by_text("Question number 1?")).to_be_visible()
    assert lost == [200]
    assert Judgment.objects.count() == 1


def test_a_server_error_is_shown_and_tried_again_by_itself(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    broken = []

    def break_once(route: Route) -> None:
        if route.request.method == "POST" and not broken:
            broken.append(True)
            route.fulfill(status=503, body="<h1>down</h1>")
        else:
            route.continue_()

    page.route(re.compile(JUDGE), break_once)
    answer(page)
    expect(page.get_by_role("alert")).to_contain_text("the server had a problem")
    expect_kept(page)
    expect(page.get_by_text("Question number 1?")).to_be_visible(timeout=10_000)
    assert Judgment.objects.count() == 1


def test_signed_out_in_the_middle_the_answer_waits_for_the_return(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    cookies = page.context.cookies()
    page.context.clear_cookies(name="sessionid")
    answer(page)
    expect(page.get_by_role("alert")).to_contain_text("this page has expired")
    expect_kept(page)
    page.context.add_cookies(cookies)
    page.get_by_role("link", name="Load the page again").click()
    expect_kept(page)
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Question number 1?")).to_be_visible()
    assert Judgment.objects.get().comment == "kept words"


def test_an_unsent_draft_survives_a_reload_and_a_sent_one_leaves_no_trace(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    page.get_by_text("Why?").click()
    page.get_by_label("factual error").check()
    page.get_by_label("In your words").fill("kept words")
    page.get_by_label("B is better").check()
    page.reload()
    expect_kept(page)
    expect(page.get_by_label("factual error")).to_be_checked()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Question number 1?")).to_be_visible()
    assert page.evaluate("Object.keys(localStorage)") == []


def test_nothing_hostile_runs_or_leaves_the_site(visit, project, annotator):
    half = len(CORPUS) // 2
    for number, texts in enumerate((("\n\n".join(CORPUS[:half]), "\n\n".join(CORPUS[half:])), ("x", "y"))):
        on = factories.prompt(
            project, "\n\n".join(CORPUS).replace("\x00", "") + f"\n\nQuestion number {number}?"
        )
        texts = tuple(text.replace("\x00", "") for text in texts)  # PostgreSQL stores no NUL
        factories.pair_item(project, on=on, texts=texts, shuffle=number)
    factories.guideline(project, "\n\n".join(CORPUS).replace("\x00", ""))
    project.reasons = ["<img src=x onerror=alert(1)>"]
    project.name = "<script>alert(1)</script>"
    project.save()
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    for element in page.locator(".prose a").all()[:20]:
        element.dispatch_event("mouseover")
        element.dispatch_event("focus")
    page.keyboard.press("g")
    expect(page.get_by_role("dialog", name="Guidelines")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("[data-saved]")).to_be_visible()
    page.wait_for_timeout(300)
    found = page.evaluate(
        """() => [...document.querySelectorAll(".prose *")].flatMap(e => e.getAttributeNames().filter(
            n => !["href", "rel", "target", "title", "dir", "start", "align", "tabindex"].includes(n)))"""
    )
    assert found == []
    assert (
        page.locator(".prose :is(script, img, svg, iframe, form, style, input, object, video)").count() == 0
    )
    visitor.assert_clean()


@pytest.mark.parametrize("path", [JUDGE, "/p/harbour/guidelines/", "/"])
def test_the_content_security_policy_refuses_inline_script(visit, items, annotator, path):
    """The control: were a text ever let through, the policy would still stop it."""
    visitor = visit(annotator, path)
    visitor.page.evaluate(
        """() => { const box = document.createElement("div"); document.body.append(box);
            box.innerHTML = '<img src="data:," onerror="document.title = String(1 + 1)">'; }"""
    )
    visitor.page.wait_for_timeout(200)
    assert visitor.page.title() != "2"
    assert any("Content Security Policy" in complaint for complaint in visitor.complaints)
