"""Judging when things go wrong: double clicks, two tabs, lost connections, hostile texts."""

import re

import pytest
from playwright.sync_api import Route, expect

from annotation.models.work import Judgment
from annotation.services import assigning, judging
from tests import factories
from tests.annotation.xss_corpus import CORPUS
from tests.e2e.judging import (
    ANSWERS,
    JUDGE,
    annotator_of,
    answer,
    by_question,
    choose,
    chosen_on_screen,
    eventually,
    expect_item,
    expect_notice,
    expect_state,
    form_of,
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
    return pairs(project)


def test_a_double_click_and_a_hasty_enter_make_one_judgment(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    posts = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    page.evaluate("() => { document.getElementById('choice-0-a').click(); }")
    page.evaluate(
        "() => { const b = document.getElementById('submit'); b.click(); b.click();"
        " document.getElementById('answer').requestSubmit(); }"
    )
    expect_item(page, 1)
    expect_state(page, "saved")
    page.wait_for_timeout(500)
    page.keyboard.press("Enter")
    expect(page.locator(".toasts").get_by_text("Choose an answer first.")).to_be_visible()
    assert [url for url in posts if url.endswith("/judge/")] == [posts[0]]
    assert by_question() == {"Question number 0?": ("a", "")}


def test_enter_hit_twenty_times_is_one_judgment(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    choose(page, "Tie")
    page.evaluate(
        """() => { for (let n = 0; n < 20; n++) document.body.dispatchEvent(
            new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true})); }"""
    )
    for _ in range(20):
        page.keyboard.press("Enter")
    expect_item(page, 1)
    expect_state(page, "saved")
    assert by_question() == {"Question number 0?": ("tie", "")}


def test_keys_pressed_in_one_breath_each_find_their_own_item(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    page.evaluate(
        """() => { for (const key of ["1", "Enter", "2", "Enter"]) document.body.dispatchEvent(
            new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true})); }"""
    )
    expect_item(page, 2)
    expect_state(page, "saved")
    assert by_question() == {"Question number 0?": ("a", ""), "Question number 1?": ("b", "")}
    expect(page.locator("[name=choice-0]:checked")).to_have_count(0)


def test_the_same_form_sent_again_is_one_judgment_and_another_body_a_conflict(visit, items, annotator):
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    expect_item(page, 0)
    form = form_of(page) | {"choice-0": "a"}
    for _ in range(3):  # Back and submit again, a proxy that retries, a second click
        reply = page.request.post(visitor.site + JUDGE, form=form, headers={"Origin": visitor.site})
        assert reply.status == 200
    assert Judgment.objects.count() == 1
    changed = form | {"choice-0": "b"}
    reply = page.request.post(visitor.site + JUDGE, form=changed, headers={"Origin": visitor.site})
    assert reply.status == 409
    assert "You had already answered that item: A is better." in reply.text()
    assert by_question() == {"Question number 0?": ("a", "")}


def test_control_another_key_for_the_same_answer_changed_would_be_a_conflict(items, annotator, project):
    """What the one key of an outbox entry saves: sent again under a fresh key, edited, it is refused."""
    mine = assigning.claim(project=project, annotator=annotator)
    sent = {"assignment_id": mine.pk, "annotator": annotator, "answers": judging.pairwise(project, "a")}
    first = judging.submit(**sent, comment="once", idempotency_key="one")
    assert judging.submit(**sent, comment="once", idempotency_key="one").judgment == first.judgment
    with pytest.raises(judging.Conflict):
        judging.submit(**sent, comment="once more", idempotency_key="two")


def test_back_and_submit_again_is_one_judgment(visit, items, annotator):
    page = visit(annotator, "/").page
    page.goto(page.url + JUDGE.removeprefix("/"))
    answer(page)
    expect_item(page, 1)
    expect_state(page, "saved")
    page.get_by_role("link", name="Laurel: your projects").click()
    page.go_back()
    expect_item(page, 1)
    expect_state(page, "saved")
    choose(page, "A is better")
    submit(page)
    expect_item(page, 2)
    page.go_back()
    page.go_forward()
    expect_item(page, 2)
    expect_state(page, "saved")
    assert by_question() == {"Question number 0?": ("b", "kept words"), "Question number 1?": ("a", "")}


def test_a_page_from_before_the_answer_submitted_again_is_the_same_judgment(visit, items, annotator):
    """As a browser may bring it back from its memory: the old form, filled in the same way or another."""
    page = visit(annotator, JUDGE).page
    expect_item(page, 0)
    before = page.locator("#item").inner_html()
    answer(page)
    expect_item(page, 1)
    expect_state(page, "saved")
    for label, stands in (("B is better", "hidden"), ("A is better", "shown")):
        page.evaluate(
            """html => { const item = document.getElementById("item"); item.innerHTML = html;
                item.dispatchEvent(new CustomEvent("laurel:item", {bubbles: true})); }""",
            before,
        )
        answer(page, label)
        expect_item(page, 1)
        expect_state(page, "saved")
        assert notice(page, "refused").is_visible() == (stands == "shown")
    expect_notice(page, "refused", "You had already answered that item: B is better.")
    assert by_question() == {"Question number 0?": ("b", "kept words")}


def test_two_tabs_with_different_answers_overwrite_nothing(visit, items, annotator):
    first, second = visit(annotator, JUDGE).page, visit(annotator, JUDGE).page
    for page in (first, second):
        expect_item(page, 0)
    for page, key in ((first, "1"), (second, "2")):
        page.keyboard.press(key)
        page.keyboard.press("Enter")
        expect_item(page, 1)
        expect_state(page, "saved")
    refused = notice(second, "refused")
    expect(refused).to_contain_text("Nothing was changed.")
    expect(refused).to_contain_text("A is better")
    expect(refused.get_by_role("listitem")).to_have_text(["B is better"])
    assert by_question() == {"Question number 0?": ("a", "")}
    refused.get_by_role("link", name="Open this item").click()
    expect_item(second, 0)
    expect(second.get_by_role("radio", name="B is better", exact=True)).to_be_checked()
    submit(second)
    expect_item(second, 1)
    expect_state(second, "saved")
    assert chosen_on_screen(Judgment.objects.get(live=True)) == "b", (
        "having seen what stood, they replaced it"
    )
    assert Judgment.objects.count() == 2


def test_a_reply_lost_after_the_commit_is_one_judgment(visit, items, annotator):
    page = visit(annotator, JUDGE).page
    lost, keys = [], []

    def lose_the_first_reply(route: Route) -> None:
        keys.append(re.search("key=([^&]+)", route.request.post_data or "")[1])
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)
            assert Judgment.objects.count() == 1, "the server has it, the browser cannot know"
            route.abort()

    page.route(ANSWERS, lose_the_first_reply)
    answer(page)
    expect_item(page, 1)
    eventually(lambda: len(keys) == 2, page)
    expect_state(page, "saved")
    expect(notice(page, "refused")).to_be_hidden()
    assert lost == [200]
    assert len(set(keys)) == 1
    assert by_question() == {"Question number 0?": ("b", "kept words")}


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
        """() => {
          const written = ["href", "rel", "target", "title", "dir", "start", "align", "tabindex", "class"];
          const added = ["role", "aria-label", "hidden", "type", "data-added", "data-drawn", "data-coloured",
            "data-copies"];  // by the scripts that draw formulas and code
          return [...document.querySelectorAll(".prose *")]
            .flatMap((e) => e.getAttributeNames().map((n) => [e, n]))
            .filter(([e, n]) => (e.closest(".math__drawn") ? n.startsWith("on")
              : ![...written, ...added].includes(n)))
            .map(([e, n]) => n);
        }"""
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
