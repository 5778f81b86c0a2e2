"""Judging in a real browser, by keyboard, by touch and without JavaScript."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import Role
from annotation.models.project import Project
from annotation.models.work import Assignment, Judgment
from tests import cast, factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

JUDGE = "/p/harbour/judge/"


@pytest.fixture
def project():
    project = factories.project("harbour", name="Harbour", reasons=["factual error", "unsafe"], overlap=2)
    factories.guideline(project)
    return project


@pytest.fixture
def annotator(project):
    annotator = cast.person("ines", display_name="Ines Vale")
    cast.member(annotator, project, Role.ANNOTATOR)
    return annotator


def items(project: Project, count: int) -> None:
    for number in range(count):
        on = factories.prompt(project, f"Question number {number}?")
        pair = [
            factories.response(on, f"First answer to {number}.", model="secret-model-one"),
            factories.response(on, f"Second answer to {number}.", model="secret-model-two"),
        ]
        factories.pair_item(project, pair=pair, shuffle=number / 1000)


def saved(page: Page, text: str) -> None:
    expect(page.locator("[data-saved]")).to_have_text(text)


def assert_within(box, width: int) -> None:
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width


def answer_of(judgment: Judgment) -> tuple[str, str]:
    """The canonical choice, and the side of the screen it was on."""
    choice = judgment.answers.get().choice
    if choice in ("a", "b"):
        return choice, "AB"[judgment.display_order.index("ab".index(choice))]
    return choice, ""


def test_ten_items_by_keyboard_alone(visit, project, annotator):
    items(project, 10)
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    keys = ["1", "2", "3", "4", "a", "b", "t", "x", "ArrowLeft", "ArrowRight"]
    labels = ["A is better", "B is better", "Tie", "Both are bad"] * 2 + ["A is better", "B is better"]
    for number, (key, label) in enumerate(zip(keys, labels, strict=True), start=1):
        page.keyboard.press(key)
        page.keyboard.press("Enter" if number % 2 else key)  # Enter, or the same key once more
        expect(page.get_by_text(re.compile(rf"^{number} by you$"))).to_be_visible()
        saved(page, f"Saved: {label}")
    expect(page.get_by_role("heading", name="You have done all you can here")).to_be_focused()
    sides = {"A is better": "A", "B is better": "B", "Tie": "", "Both are bad": ""}
    stored = list(Judgment.objects.order_by("judged_at"))
    assert [answer_of(judgment)[1] for judgment in stored] == [sides[label] for label in labels]
    assert all(judgment.seconds is not None and 0 <= judgment.seconds < 60 for judgment in stored)
    visitor.assert_clean()


def test_the_next_item_comes_with_the_answer_and_is_announced(visit, project, annotator):
    items(project, 2)
    visitor = visit(annotator, JUDGE)
    page = visitor.page
    expect(page.get_by_text("Question number 0?")).to_be_visible()
    sent = []
    page.on("request", lambda request: sent.append((request.method, request.url)))
    page.evaluate("window.scrollTo(0, 500)")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Question number 1?")).to_be_visible()
    expect(page.locator("#announce")).to_have_text("Next item.")
    saved(page, "Saved: A is better")
    assert sent == [("POST", visitor.site + JUDGE)]
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert page.evaluate("window.scrollY") == 0
    assert page.locator("[name=choice-0]:checked").count() == 0


def test_keys_pressed_the_moment_an_item_appears_are_as_good_as_later_ones(visit, project, annotator):
    items(project, 3)
    page = visit(annotator, JUDGE).page
    page.evaluate(
        """() => {
            window.untouched = true;  // gone if the page is loaded anew
            const down = (key) => new KeyboardEvent("keydown", { key, bubbles: true });
            const press = (key) => document.body.dispatchEvent(down(key));
            const answer = () => setTimeout(() => { press("1"); press("Enter"); });
            document.addEventListener("laurel:item", answer, { once: true });
        }"""
    )
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 by you")).to_be_visible()
    saved(page, "Saved: A is better")
    assert page.evaluate("window.untouched")


def test_reload_and_a_second_device_show_the_same_sides(visit, project, annotator):
    items(project, 5)
    first = visit(annotator, JUDGE).page
    shown = first.locator(".responses").inner_text()
    first.reload()
    assert first.locator(".responses").inner_text() == shown
    assert visit(annotator, JUDGE, width=390).page.locator(".responses").inner_text().split() == shown.split()
    assert Assignment.objects.filter(shown_at__isnull=False).count() == 1


def test_a_reason_is_given_without_leaving_the_keyboard(visit, project, annotator):
    items(project, 2)
    page = visit(annotator, JUDGE).page
    page.keyboard.press("2")
    page.keyboard.press("r")
    expect(page.get_by_label("factual error")).to_be_focused()
    page.keyboard.press("Space")
    page.get_by_label("In your words").focus()
    page.keyboard.type("a bad start: 1 x, then? safe")
    expect(page.get_by_label("B is better")).to_be_checked()
    assert Judgment.objects.count() == 0, "no key acted while typing"
    page.keyboard.press("Control+Enter")
    saved(page, "Saved: B is better")
    judgment = Judgment.objects.get()
    assert judgment.reasons == ["factual error"]
    assert judgment.comment == "a bad start: 1 x, then? safe"


def test_keys_rest_with_modifiers_in_dialogs_and_when_held_down(visit, project, annotator):
    items(project, 2)
    page = visit(annotator, JUDGE).page
    for chord in ("Control+a", "Alt+1", "Meta+2"):
        page.keyboard.press(chord)
    page.keyboard.press("Enter")  # nothing chosen: says so, sends nothing
    expect(page.get_by_text("Choose an answer first.")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    expect(page.get_by_role("dialog", name="Guidelines")).to_contain_text("Prefer what is true.")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    assert page.locator("[name=choice-0]:checked").count() == 0
    page.keyboard.down("1")
    page.keyboard.down("1")  # the repeat of a held key is no second press
    page.keyboard.up("1")
    expect(page.get_by_label("A is better")).to_be_checked()
    assert Judgment.objects.count() == 0


def test_undo_brings_the_answer_back_to_be_changed(visit, project, annotator):
    items(project, 3)
    page = visit(annotator, JUDGE).page
    page.get_by_text("Why?").click()
    page.get_by_label("In your words").fill("because")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.keyboard.press("1")
    expect(page.get_by_text("Question number 1?")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_text("Question number 0?")).to_be_visible()
    expect(page.get_by_label("A is better")).to_be_checked()
    expect(page.get_by_label("In your words")).to_have_value("because")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    saved(page, "Saved: B is better")
    old, new = Judgment.objects.order_by("pk")
    assert (old.live, new.live, new.supersedes) == (False, True, old)
    assert answer_of(old)[1] == "A"
    assert answer_of(new)[1] == "B"


def test_skip_and_flag_by_keyboard(visit, project, annotator):
    items(project, 3)
    page = visit(annotator, JUDGE).page
    page.keyboard.press("s")
    expect(page.get_by_role("button", name="Skip this item")).to_be_focused()
    page.keyboard.press("Enter")
    saved(page, "Skipped")
    page.keyboard.press("f")
    page.keyboard.type("both texts are cut off")
    page.keyboard.press("Control+Enter")
    saved(page, "Flagged")
    expect(page.get_by_text("Question number 2?")).to_be_visible()
    left = Assignment.objects.exclude(state=Assignment.State.OPEN).order_by("pk")
    assert [(each.state, each.note) for each in left] == [
        ("skipped", ""),
        ("flagged", "both texts are cut off"),
    ]
    assert Judgment.objects.count() == 0


def test_without_javascript_everything_is_a_plain_form(visit, project, annotator):
    items(project, 4)
    visitor = visit(annotator, JUDGE, java_script_enabled=False)
    page = visitor.page
    page.get_by_text("Why?").click()
    page.get_by_label("unsafe").check()
    page.get_by_label("In your words").fill("plain words")
    page.get_by_label("B is better").check()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("Saved: B is better")).to_be_visible()
    expect(page.get_by_text("Question number 1?")).to_be_visible()
    assert page.url == visitor.site + JUDGE
    judgment = Judgment.objects.get()
    assert (judgment.reasons, judgment.comment, judgment.seconds) == (["unsafe"], "plain words", None)
    assert answer_of(judgment)[1] == "B"
    page.locator("#skip summary").click()
    page.get_by_label("Another reason").fill("not my field")
    page.get_by_role("button", name="Skip this item").click()
    expect(page.get_by_text("Question number 2?")).to_be_visible()
    assert Assignment.objects.get(state="skipped").note == "not my field"
    page.locator("#flag summary").click()
    page.get_by_role("button", name="Flag and go on").click()
    expect(page.get_by_text("Question number 3?")).to_be_visible()
    page.get_by_role("button", name="Undo last").click()
    expect(page.get_by_text("Question number 0?")).to_be_visible()
    expect(page.get_by_label("B is better")).to_be_checked()
    page.get_by_role("link", name="Guidelines").first.click()
    expect(page.get_by_role("heading", name="Guidelines").first).to_be_visible()
    visitor.assert_clean()


def test_on_a_phone_by_touch(visit, project, annotator):
    items(project, 2)
    visitor = visit(annotator, JUDGE, width=390, height=844, has_touch=True, is_mobile=True)
    page = visitor.page
    boxes = [page.locator(f".response--{letter}").bounding_box() for letter in "ab"]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"], "stacked"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for name in ("A is better", "B is better", "Tie", "Both are bad"):
        box = page.locator("label.answer", has=page.get_by_label(name)).bounding_box()
        assert box["height"] >= 44
        assert box["y"] + box["height"] <= 844
        assert_within(box, 390)
    page.locator("label.answer", has=page.get_by_label("Both are bad")).tap()
    page.get_by_role("button", name="Submit").tap()
    saved(page, "Saved: Both are bad")
    page.locator("#flag summary").tap()
    box = page.locator("#flag .menu__panel").bounding_box()
    assert_within(box, 390)
    visitor.assert_clean()


def test_columns_are_equal_and_texts_whole_on_a_wide_screen(visit, project, annotator):
    long = "A very long answer. " * 800 + "THE END"
    factories.pair_item(project, texts=("Short.", long))
    page = visit(annotator, JUDGE, width=1600).page
    boxes = [page.locator(f".response--{letter}").bounding_box() for letter in "ab"]
    assert boxes[0]["width"] == pytest.approx(boxes[1]["width"], abs=1)
    assert boxes[0]["y"] == boxes[1]["y"]
    expect(page.locator(".response").get_by_text("THE END").first).to_be_visible()
    looks = "e => { const s = getComputedStyle(e); return [s.color, s.background, s.border, s.font] }"
    styles = [page.locator(f".response--{letter}").evaluate(looks) for letter in "ab"]
    assert styles[0] == styles[1], "nothing about a response may look better than about the other"


def test_model_names_never_reach_the_browser(visit, project, annotator):
    items(project, 3)
    visitor = visit(annotator, "/")
    received: list[str] = []
    visitor.page.on("response", lambda got: received.append(f"{got.url}\n{got.headers}\n{got.text()}"))
    visitor.page.goto(visitor.site + JUDGE)
    visitor.page.keyboard.press("1")
    visitor.page.keyboard.press("1")
    saved(visitor.page, "Saved: A is better")
    visitor.page.wait_for_load_state("networkidle")
    assert any("First answer to 1." in text for text in received)
    assert not [text for text in received if "secret-model" in text]


def test_a_conversation_reads_as_turns(visit, project, annotator):
    turns = [("system", "Be brief."), ("user", "Hello"), ("assistant", "Hi!"), ("user", "שלום, מה *שלומך*?")]
    on = factories.prompt(project, messages=[{"role": role, "content": text} for role, text in turns])
    factories.pair_item(project, on=on)
    page = visit(annotator, JUDGE).page
    headings = page.locator(".turn__role").all_inner_texts()
    assert headings == ["System instruction", "User", "Assistant", "User, to be answered"]
    hebrew = page.locator(".turn p").last
    assert hebrew.evaluate("e => getComputedStyle(e).direction") == "rtl"


@pytest.mark.parametrize(
    ("state", "count", "held", "title"),
    [
        ("running", 0, False, "Nothing to judge yet"),
        ("paused", 2, False, "This project is paused"),
        ("closed", 2, False, "This project is closed"),
        ("running", 1, True, "Waiting for others"),
    ],
)
def test_an_empty_queue_says_why_and_what_comes_next(visit, project, annotator, state, count, held, title):
    items(project, count)
    if held:
        for _ in range(project.overlap):
            factories.assignment(project.items.get(), factories.user())
        Assignment.objects.update(shown_at=timezone.now())  # on their screens
    Project.objects.update(state=state)
    page = visit(annotator, JUDGE).page
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    assert page.locator(".empty > p").count() == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_accessibility_violations(visit, project, annotator, scheme, width):
    wide = "```\n" + "wide " * 100 + "\n```\n\n| " + "cell | " * 40 + "\n|" + "---|" * 40 + "\n"
    factories.pair_item(project, texts=(wide, "# Heading\n\n[link](https://ok.example) `code`"))
    visitor = visit(annotator, JUDGE, width=width, color_scheme=scheme)
    page = visitor.page

    def check(what: str) -> None:
        violations = Axe().run(page).response["violations"]
        assert not violations, (what, [(found["id"], found["nodes"][0]["html"]) for found in violations])

    check("fresh")
    page.keyboard.press("1")
    page.keyboard.press("r")
    check("reason")
    page.keyboard.press("f")
    check("flag")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    check("help")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    expect(page.get_by_role("heading", level=1)).to_contain_text("You have done all you can")
    check("empty")
    for path in ("/", "/p/harbour/guidelines/"):
        page.goto(visitor.site + path)
        check(path)


def test_the_theme_button_is_remembered(visit, project, annotator):
    visitor = visit(annotator, "/", color_scheme="light")
    page = visitor.page
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for name in ("Theme: system", "Theme: light"):
        page.get_by_role("button", name=name).click()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != light
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    visitor.assert_clean()
