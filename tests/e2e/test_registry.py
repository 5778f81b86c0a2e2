"""Leaderboard, runs side by side and model card in a browser: nothing overflows, nothing complains."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from accounts.models import Role
from rewardmodel.models import TrainingRun
from rewardmodel.services import gating
from tests import factories
from tests.cast import member
from tests.rewardmodel.criteria_runs import several
from tests.rewardmodel.played import played_project
from tests.rewardmodel.test_registry_pages import three

pytestmark = pytest.mark.django_db(transaction=True)


def fits(page: object, width: int) -> bool:
    return page.evaluate("document.documentElement.scrollWidth") <= width  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [1280, 390])
def test_a_leaderboard_is_read_and_turned_to_equal_style(visit: Callable[..., object], width: int) -> None:
    project = played_project(40)
    engineer = factories.user()
    member(engineer, project, Role.ENGINEER)
    seen = visit(engineer, f"/p/{project.slug}/leaderboard/", width=width)
    seen.page.get_by_role("link", name="Equal style").click()
    expect(seen.page.get_by_role("heading", name="What the looks are worth")).to_be_visible()
    assert seen.page.locator("#wrap-ratings tbody tr").count() == 5
    assert fits(seen.page, width)
    seen.assert_clean()


CUT = """spans => spans.filter(one => one.scrollWidth > one.clientWidth + 1
    || one.scrollHeight > one.clientHeight + 1).map(one => one.textContent)"""


@pytest.mark.parametrize("width", [1280, 390])
def test_names_that_differ_at_their_end_are_whole_where_models_meet(
    visit: Callable[..., object], width: int
) -> None:
    family = {f"meta-llama/Llama-3.1-{size}B-Instruct-Turbo": size / 400 for size in (8, 70, 405)}
    project = played_project(20, strengths=family)
    engineer = factories.user()
    member(engineer, project, Role.ENGINEER)
    seen = visit(engineer, f"/p/{project.slug}/leaderboard/", width=width)
    names = seen.page.locator("#wrap-win-rates th > span")
    assert names.count() == 6
    assert names.evaluate_all(CUT) == []
    assert fits(seen.page, width)


@pytest.mark.parametrize("width", [1280, 390])
def test_two_runs_are_ticked_and_compared(visit: Callable[..., object], width: int) -> None:
    project = factories.project()
    engineer = factories.user()
    member(engineer, project, Role.ENGINEER)
    for run in three(project):
        gating.promote_if_not_worse(run)
    seen = visit(engineer, f"/p/{project.slug}/models/", width=width, java_script_enabled=False)
    assert fits(seen.page, width)
    for number in (1, 2):
        seen.page.get_by_label(f"Compare run {number}").check()
    seen.page.get_by_role("button", name="Compare those ticked").click()
    expect(seen.page.get_by_role("heading", name="The difference")).to_be_visible()
    expect(seen.page.get_by_text("worse", exact=True)).to_be_visible()
    assert fits(seen.page, width)


def test_a_manager_sees_every_tab_and_the_whole_list_of_runs(visit: Callable[..., object]) -> None:
    project = factories.project(name="Which of the two answers is better?")
    manager = factories.user()
    member(manager, project, Role.MANAGER)
    for run in three(project):
        gating.promote_if_not_worse(run)
    TrainingRun.objects.update(created_at=datetime(2026, 11, 22, 22, 48, tzinfo=UTC))  # a wide one
    seen = visit(manager, f"/p/{project.slug}/models/", width=1280)
    assert seen.page.locator(".tabs a").count() > 10
    for box in (".tabs", ".crumb > span", ".table-wrap"):
        assert seen.page.locator(box).first.evaluate("one => one.scrollWidth <= one.clientWidth"), box
    seen.assert_clean()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_of_another_criterion_is_a_link_away(visit: Callable[..., object], width: int) -> None:
    project = factories.project()
    engineer = factories.user()
    member(engineer, project, Role.ENGINEER)
    several(project)
    seen = visit(engineer, f"/p/{project.slug}/models/1/", width=width, java_script_enabled=False)
    expect(seen.page.locator(".stat__value").first).to_have_text("0.770")
    seen.page.get_by_role("link", name="style").focus()
    seen.page.keyboard.press("Enter")
    expect(seen.page.locator(".stat__value").first).to_have_text("0.550")
    expect(seen.page.locator("#wrap-criteria .is-chosen th")).to_have_text("style")
    assert fits(seen.page, width)
    seen.assert_clean()


@pytest.mark.parametrize("width", [1280, 390])
def test_a_model_card_is_read(visit: Callable[..., object], width: int) -> None:
    project = factories.project()
    engineer = factories.user()
    member(engineer, project, Role.ENGINEER)
    run = three(project)[0]
    seen = visit(engineer, f"/p/{project.slug}/models/{run.number}/card/", width=width)
    expect(seen.page.get_by_role("heading", name="Limits")).to_be_visible()
    expect(seen.page.get_by_text("below length alone")).to_be_visible()
    assert fits(seen.page, width)
    seen.assert_clean()
