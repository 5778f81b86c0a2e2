"""Learning the job in a browser: a round, a test failed and then passed, work; by key, without scripts."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotation.answering.answer import Answer
from annotation.models.learning import Attempt, PracticeAnswer
from annotation.models.project import Project
from annotation.models.work import Judgment
from tests import factories
from tests.annotation import practising
from tests.cast import Cast, make_cast
from tests.e2e.conftest import Visit

pytestmark = pytest.mark.browser

RIGHT, WRONG = "The tide turns twice a day.", "It never turns."


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    made = make_cast()
    Project.objects.filter(pk=made.project.pk).update(qualification_required=True)
    factories.guideline(made.project)
    for _ in range(3):
        factories.pair_item(made.project)
    return made


def gold(cast: Cast, count: int) -> list:
    reason = "It says what *happens*."
    return [factories.gold_item(cast.project, texts=(RIGHT, WRONG), reason=reason) for _ in range(count)]


def choose(page: Page, *, right: bool) -> None:
    """By key, wherever the right response stands."""
    expect(page.locator("[data-opens='#help']")).to_be_visible()  # the keys are live
    first = page.locator("#responses article").first.inner_text()
    page.keyboard.press("1" if (RIGHT in first) == right else "2")
    expect(page.locator("#question input:checked")).to_have_count(1)
    page.keyboard.press("Enter")


def axe(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found for node in one["nodes"][:3]]


def test_who_fails_waits_passes_and_works(cast: Cast, visit: Callable[..., Visit]) -> None:
    test = practising.exercise(cast.project, gold(cast, 2), name="Entry test", pass_mark=0.8)
    visitor = visit(cast.annotator, "/p/harbour/judge/")
    page = visitor.page
    expect(page.get_by_role("heading", name="First the qualification test")).to_be_visible()
    page.get_by_role("link", name="To the test").click()
    expect(page.get_by_text("Judging opens when you have passed “Entry test”.")).to_be_visible()
    page.get_by_role("link", name="Begin Entry test").click()
    page.get_by_role("button", name="Begin").click()
    for number in (1, 2):
        expect(page.get_by_text(f"Item {number} of 2")).to_be_visible()
        choose(page, right=False)
    expect(page.get_by_text("Not passed 0 %")).to_be_visible()
    expect(page.get_by_text("Open to you again:")).to_be_visible()
    assert RIGHT not in page.content()
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)

    Attempt.objects.update(finished_at=timezone.now() - timedelta(hours=test.cooldown_hours, minutes=1))
    page.reload()
    page.get_by_role("button", name="Try again").click()
    for number in (1, 2):
        expect(page.get_by_text(f"Item {number} of 2")).to_be_visible()
        choose(page, right=True)
    expect(page.get_by_text("Passed 100 %")).to_be_visible()
    page.get_by_role("link", name="Start judging").click()
    expect(page.locator("[data-opens='#help']")).to_be_visible()
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("1 today")
    assert Judgment.objects.filter(annotator=cast.annotator).count() == 1
    visitor.assert_clean()


def test_a_round_tells_the_expert_and_back_changes_nothing(cast: Cast, visit: Callable[..., Visit]) -> None:
    made = practising.exercise(cast.project, gold(cast, 2), kind="calibration", name="First round")
    visitor = visit(cast.annotator, f"/p/harbour/learn/{made.pk}/")
    page = visitor.page
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("#responses .prose p")).to_have_count(2)
    shown = page.locator("#responses .prose p").all_inner_texts()
    assert sorted(shown) == [WRONG, RIGHT]
    page.reload()
    assert page.locator("#responses .prose p").all_inner_texts() == shown
    other_tab = page.context.new_page()
    other_tab.goto(page.url)
    choose(page, right=False)
    expect(page.get_by_text("Different")).to_be_visible()
    expect(page.get_by_text("It says what *happens*.")).to_be_visible()
    assert axe(page) == []

    choose(other_tab, right=True)
    expect(other_tab.get_by_text("your first answer stands")).to_be_visible()
    assert [row.credit for row in PracticeAnswer.objects.order_by("pk")] == [0.0, None]
    page.go_back()  # the item that is next, with nothing of the answer before it
    expect(page.get_by_text("Item 2 of 2")).to_be_visible()
    expect(page.locator("#question input:checked")).to_have_count(0)
    page.go_forward()
    page.keyboard.press("Enter")  # Next has the focus
    expect(page.get_by_text("Item 2 of 2")).to_be_visible()
    choose(page, right=True)
    expect(page.get_by_text("The same")).to_be_visible()
    page.get_by_role("link", name="Your result").click()
    expect(page.get_by_text("Done 50 %")).to_be_visible()
    page.get_by_role("link", name="Item 1").click()
    expect(page.get_by_text("Different")).to_be_visible()
    visitor.assert_clean()


@pytest.mark.parametrize("kind", ["ranking", "rating"])
def test_rankings_and_ratings_are_practised_without_javascript(
    cast: Cast, visit: Callable[..., Visit], kind: str
) -> None:
    cast.project.kind = kind
    cast.project.save()
    expert = Answer("overall", ranks=(1, 2, 3)) if kind == "ranking" else Answer("overall", ratings=(5, 3, 1))
    item = practising.item_with(cast.project, 3, {"overall": expert})
    made = practising.exercise(cast.project, [item], kind="calibration")
    visitor = visit(cast.annotator, f"/p/harbour/learn/{made.pk}/", java_script_enabled=False)
    page = visitor.page
    page.get_by_role("button", name="Begin").click()
    row = PracticeAnswer.objects.get()
    for shown, position in enumerate(row.display_order):
        if kind == "ranking":
            page.locator(f"[name=rank-0-{shown}]").select_option(str(expert.ranks[position]))
        else:
            page.locator(f"#rating-0-{shown}-{expert.ratings[position]}").check(force=True)
    page.locator("#submit").click()
    expect(page.get_by_text("The same")).to_be_visible()
    row.refresh_from_db()
    assert row.credit == 1.0


def test_a_manager_prepares_and_opens_a_test_on_the_page(cast: Cast, visit: Callable[..., Visit]) -> None:
    gold(cast, 3)
    visitor = visit(cast.manager, "/p/harbour/exercises/")
    page = visitor.page
    expect(page.get_by_text("but no test is open")).to_be_visible()
    page.get_by_label("Kind").select_option("qualification")
    page.get_by_label("Name").fill("Entry test")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_text("Choose at least one item first.")).to_be_visible()
    page.get_by_label("Draw at random").fill("2")
    page.get_by_role("button", name="Draw", exact=True).click()
    expect(page.locator("ol.places li")).to_have_count(2)
    page.get_by_label("Introduction").fill("Read **slowly**.")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".preview strong")).to_have_text("slowly")
    page.get_by_label("Pass mark in per cent").fill("60")
    page.get_by_role("button", name="Save").click()
    assert axe(page) == []
    page.get_by_role("button", name="Open", exact=True).click()
    expect(page.get_by_text("annotators find it under Learn")).to_be_visible()
    made = cast.project.exercises.get()
    assert (made.state, made.pass_mark, made.introduction) == ("open", 0.6, "Read **slowly**.")
    practising.take(made, cast.annotator, right=0)
    page.reload()
    page.get_by_role("button", name="Give another attempt").click()
    expect(page.get_by_text("annotator can begin another attempt now.")).to_be_visible()
    visitor.assert_clean()
