"""Making a project, its settings, its state and its guidelines in pages, without JavaScript."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEntry, Role
from annotation.models.project import Project
from annotation.project_selectors import fingerprint, settings_of
from annotation.services import projects
from tests import factories
from tests.cast import Cast, browser, make_cast, member

pytestmark = pytest.mark.django_db
SETTINGS = "/p/harbour/settings/"
GUIDELINES = "/p/harbour/guidelines/"


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def manager(cast: Cast) -> Client:
    return browser(cast.manager)


def criteria(*rows: tuple[str, str]) -> dict[str, Any]:
    fields = {"criteria-TOTAL_FORMS": len(rows), "criteria-INITIAL_FORMS": 0}
    for number, (name, description) in enumerate(rows):
        fields |= {f"criteria-{number}-name": name, f"criteria-{number}-description": description}
    return fields


def entered(**fields: Any) -> dict[str, Any]:
    """A form as a browser sends it; None takes a field out, as an empty check box does."""
    body = {
        "name": "Bay of Plenty", "slug": "", "kind": "pairwise", "ties": "on", "both_bad": "on",
        "rating_points": "5", "reasons": "unsafe\nwrong", "overlap": "3", "lease_minutes": "30",
        "gold_percent": "10", "repeat_percent": "0", "reopen_hours": "", "blind_review": "on",
        "spot_check_percent": "2", "expert_weight": "3", "auto_pause": "on", "aggregation": "vote-shares",
        "show_progress": "on", "daily_goal": "", "break_minutes": "50", "guidelines": "# Read",
        **criteria(("overall", "Which is better?")),
        **fields,
    }  # fmt: skip
    return {name: value for name, value in body.items() if value is not None}


def stored(project: Project, **fields: Any) -> dict[str, Any]:
    """The settings form of a project with what it holds, and what somebody changes in it."""
    rows = [(one["name"], one["description"]) for one in project.criteria]
    given = {
        "name": project.name, "slug": None, "guidelines": None, "gold_percent": "0",
        "overlap": project.overlap,
        "reasons": "\n".join(project.reasons), "seen": fingerprint(project), **criteria(*rows),
    }  # fmt: skip
    return entered(**{**given, **fields})


# --- a new project --------------------------------------------------------------------------------


def test_a_manager_makes_a_project_and_is_led_on(manager: Client, cast: Cast) -> None:
    body = entered(
        kind="rating", rating_points="7", lease_minutes="1.5", gold_percent="12.5", reopen_hours="24",
        show_accuracy="on", show_progress=None, daily_goal="80", spot_check_percent="3.5", expert_weight="5",
        **criteria(("helpful", "Does it help?"), ("true", "")),
    )  # fmt: skip
    answer = manager.post("/projects/new/", body)
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/p/bay-of-plenty/settings/start/")
    project = Project.objects.get(slug="bay-of-plenty")
    assert settings_of(project) == {
        "name": "Bay of Plenty", "kind": "rating", "rating_points": 7, "ties": True, "both_bad": True,
        "strength_scale": False, "reasons": ["unsafe", "wrong"], "overlap": 3, "lease_seconds": 90,
        "gold_rate": 0.125, "repeat_rate": 0.0, "blind_review": True, "qualification_required": False,
        "reopen_hours": 24, "show_progress": False, "show_accuracy": True, "show_category": False,
        "daily_goal": 80, "break_minutes": 50, "spot_check_rate": 0.035, "expert_weight": 5,
        "auto_pause": True, "aggregation": "vote-shares",
        "criteria": [
            {"name": "helpful", "description": "Does it help?"}, {"name": "true", "description": ""},
        ],
    }  # fmt: skip
    assert project.memberships.get().user == cast.manager
    assert project.guidelines.get().text == "# Read"
    page = manager.get(answer["Location"]).content.decode()
    assert page.rindex("/p/bay-of-plenty/data/import/") < page.rindex("/p/bay-of-plenty/people/")
    assert "Nobody yet but you" in page


def test_the_form_as_it_first_comes_makes_a_project(manager: Client) -> None:
    form = manager.get("/projects/new/").context["form"]
    body = {name: value for name, value in form.initial.items() if value not in (None, False)}
    rows = [
        (row["name"], row["description"]) for row in manager.get("/projects/new/").context["criteria"].initial
    ]
    answer = manager.post("/projects/new/", {**body, "name": "Port", **criteria(*rows)})
    assert answer.status_code == 302
    project = Project.objects.get(slug="port")
    assert project.gold_rate == 0.1
    assert project.guidelines.get().text.startswith("# How to judge")


@pytest.mark.slow
def test_what_is_wrong_is_said_where_it_is_and_nothing_is_made(manager: Client) -> None:
    before = Project.objects.count()
    for fields, words in [
        ({"name": ""}, "This field is required"),
        ({"name": "صندوق"}, "Give an address"),
        ({"slug": "harbour"}, "already"),
        ({"overlap": "0"}, "greater than or equal to 1"),
        ({"gold_percent": "101"}, "less than or equal to 100"),
        ({"spot_check_percent": "-1"}, "greater than or equal to 0"),
        ({"expert_weight": "0"}, "greater than or equal to 1"),
        ({"kind": "essay"}, "Select a valid choice"),
        (criteria(("a", ""), ("A", "")), "same name"),
        (criteria(("", "")), "This field is required"),
        ({"criteria-TOTAL_FORMS": "x"}, ""),
    ]:
        answer = manager.post("/projects/new/", entered(**fields))
        assert answer.status_code == 422, fields
        assert words in answer.content.decode(), fields
        assert 'value="Bay of Plenty"' in answer.content.decode() or "name" in fields
    assert Project.objects.count() == before


def test_starting_guidelines_follow_the_kind_until_somebody_writes(manager: Client) -> None:
    text = manager.get("/projects/new/").context["form"].initial["guidelines"]
    for slug, kind, given, begins in [
        ("one", "ranking", text.replace("\n", "\r\n"), "# How to rank"),
        ("two", "ranking", text + "Ours.", "# How to judge"),
    ]:
        manager.post("/projects/new/", entered(slug=slug, kind=kind, guidelines=given))
        assert Project.objects.get(slug=slug).guidelines.get().text.startswith(begins)


@pytest.mark.parametrize(
    ("action", "names", "focus"),
    [
        ("add", ["a", "b", "c", ""], 3),
        ("remove-1", ["a", "c"], 1),
        ("remove-2", ["a", "b"], 1),
        ("up-2", ["a", "c", "b"], 1),
        ("down-0", ["b", "a", "c"], 1),
        ("up-0", ["a", "b", "c"], 0),
        ("down-9", ["a", "b", "c"], 0),
        ("preset-three", ["helpfulness", "harmlessness", "honesty"], 0),
        ("preset-overall", ["overall"], 0),
        ("preset-none", ["a", "b", "c"], 0),
        ("nonsense", ["a", "b", "c"], 0),
    ],
)
def test_rows_of_criteria_are_buttons(manager: Client, action: str, names: list[str], focus: int) -> None:
    before = Project.objects.count()
    rows = criteria(("a", "1"), ("b", "2"), ("c", "3"))
    answer = manager.post("/projects/new/", entered(name="", overlap="x", rows=action, **rows))
    assert answer.status_code == 200
    shown = [row["name"].value() for row in answer.context["criteria"]]
    assert (shown, answer.context["focus"]) == (names, focus)
    page = answer.content.decode()
    assert 'value="x"' in page
    assert "This field is required" not in page
    assert Project.objects.count() == before


@pytest.mark.slow
def test_who_manages_nothing_makes_nothing_and_is_offered_nothing(cast: Cast) -> None:
    offered = {
        who: "/projects/new/" in browser(getattr(cast, who)).get("/").content.decode()
        for who in ("annotator", "reviewer", "engineer", "manager", "outsider", "admin")
    }
    assert [who for who, seen in offered.items() if seen] == ["manager", "outsider", "admin"]
    for user in (cast.annotator, cast.reviewer, cast.engineer):
        assert browser(user).post("/projects/new/", entered()).status_code == 404


# --- the preview ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "there", "not_there"),
    [
        ({}, ["choice-0-tie", "choice-0-both_bad", "Which is better?"], ["choice-0-a-3"]),
        ({"ties": None, "strength_scale": "on"}, ["choice-0-a-3"], ["choice-0-tie"]),
        ({"kind": "ranking"}, ["rank-0-2"], ["choice-0"]),
        ({"kind": "rating", "rating_points": "7"}, ["rating-0-1-7"], ["rank-0"]),
        (criteria(("helpful", "So?"), ("kind", "Or?")), ["choice-1-a", "So?", "Or?"], ["choice-2"]),
        ({"reasons": "smells"}, ["smells"], ["unsafe"]),
        ({"name": "", "overlap": "x", **criteria(("", ""))}, ["choice-0-a"], []),
        (criteria(("<script>alert(1)</script>", "x"), ("b", "")), ["&lt;script&gt;"], ["<script>alert"]),
    ],
)
def test_the_preview_is_the_sheet_of_the_form_as_it_stands(
    manager: Client, fields: dict[str, Any], there: list[str], not_there: list[str]
) -> None:
    before = Project.objects.count()
    for headers in ({}, {"HX-Request": "true"}):
        answer = manager.post("/projects/preview/", entered(**fields), headers=headers)
        page = answer.content.decode()
        assert answer.status_code == 200
        assert ("<html" in page) == (not headers)
        assert [words for words in there if words not in page] == []
        assert [words for words in not_there if words in page] == []
    assert Project.objects.count() == before


# --- settings ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_settings_are_saved_and_stand_in_the_history(manager: Client, cast: Cast) -> None:
    body = stored(cast.project, name="Haven", overlap="5", show_progress=None)
    answer = manager.post(SETTINGS, body, follow=True)
    assert "3 settings changed" in answer.content.decode()
    cast.project.refresh_from_db()
    assert (cast.project.name, cast.project.overlap, cast.project.show_progress) == ("Haven", 5, False)
    page = manager.get(SETTINGS + "history/").content.decode()
    assert '<del dir="auto">Harbour</del>' in page
    assert '<ins dir="auto">Haven</ins>' in page
    again = manager.post(SETTINGS, stored(cast.project, show_progress=None), follow=True)
    assert "Nothing was changed" in again.content.decode()
    assert AuditEntry.objects.filter(action="settings changed").count() == 1


@pytest.mark.slow
def test_what_answers_have_fixed_is_told_and_refused(manager: Client, cast: Cast) -> None:
    factories.judgment(factories.pair_item(cast.project), cast.annotator)
    page = manager.get(SETTINGS).content.decode()
    assert "Answered so far: 1 judgment." in page
    assert 'type="radio" name="kind"' not in page
    assert 'name="rows"' not in page
    for fields in ({"kind": "ranking"}, {"ties": None}, criteria(("other", ""))):
        answer = manager.post(SETTINGS, stored(cast.project, name="Haven", **fields))
        assert answer.status_code == 422
        assert "new project" in answer.content.decode()
        assert Project.objects.get(pk=cast.project.pk).name == "Harbour"
    described = criteria(("overall", "Which one?"))
    assert manager.post(SETTINGS, stored(cast.project, **described)).status_code == 302
    assert Project.objects.get(pk=cast.project.pk).criteria[0]["description"] == "Which one?"


@pytest.mark.slow
def test_the_later_of_two_managers_sees_what_the_other_changed(manager: Client, cast: Cast) -> None:
    body = stored(cast.project, name="Haven")
    projects.edit(project=cast.project, changes={"overlap": 7}, actor=cast.admin)
    answer = manager.post(SETTINGS, body)
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "now 7, yours 3" in page
    assert 'value="Haven"' in page
    assert Project.objects.get(pk=cast.project.pk).name == "Harbour"
    assert manager.post(SETTINGS, {**body, "seen": answer.context["seen"]}).status_code == 302
    assert settings_of(Project.objects.get(pk=cast.project.pk))["overlap"] == 3
    assert manager.post(SETTINGS, {**body, "seen": ""}).status_code == 409


def test_moving_rows_does_not_forget_what_was_seen(manager: Client, cast: Cast) -> None:
    seen = fingerprint(cast.project)
    projects.edit(project=cast.project, changes={"overlap": 7})
    answer = manager.post(SETTINGS, stored(cast.project, seen=seen, rows="add"))
    assert (answer.status_code, answer.context["seen"]) == (200, seen)


def test_pause_close_and_reopen_say_first_what_they_mean(manager: Client, cast: Cast) -> None:
    factories.assignment(factories.pair_item(cast.project), cast.annotator)
    url = SETTINGS + "state/"
    for to, seen, words in [
        ("paused", "running", "1 item is on"),
        ("closed", "paused", "can no longer be changed"),
        ("running", "closed", "given items again"),
    ]:
        assert words in manager.get(url, {"to": to}).content.decode()
        assert Project.objects.get(pk=cast.project.pk).state == seen
        assert manager.post(url, {"to": to, "seen": seen}).status_code == 302
        assert Project.objects.get(pk=cast.project.pk).state == to
    late = manager.post(url, {"to": "closed", "seen": "paused"}, follow=True)
    assert "Somebody else" in late.content.decode()
    assert Project.objects.get(pk=cast.project.pk).state == "running"


def test_a_paused_project_says_so_on_every_page(manager: Client, cast: Cast) -> None:
    badge = '<span class="badge badge--warn">Paused</span>'
    assert badge not in manager.get("/p/harbour/people/").content.decode()
    projects.set_state(project=cast.project, state="paused")
    assert badge in manager.get("/p/harbour/people/").content.decode()


def test_the_checklist_knows_what_is_there(manager: Client, cast: Cast) -> None:
    def done() -> dict[str, bool]:
        return {step.label: step.done for step in manager.get(SETTINGS).context["steps"]}

    cast.project.memberships.filter(role=Role.ANNOTATOR).delete()
    assert set(done().values()) == {False}
    factories.guideline(cast.project)
    factories.pair_item(cast.project)
    factories.gold_item(cast.project)
    member(factories.user(), cast.project, Role.ANNOTATOR)
    assert set(done().values()) == {True}
    Project.objects.filter(pk=cast.project.pk).update(qualification_required=True)
    assert done()["A qualification test is open"] is False


# --- guidelines -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_guidelines_are_written_seen_and_published(manager: Client, cast: Cast) -> None:
    assert "# How to judge" in manager.get(GUIDELINES + "edit/").content.decode()
    seen = manager.post(GUIDELINES + "edit/", {"text": "# One", "seen": "0", "preview": "1"})
    assert "One</h3>" in seen.content.decode()
    assert not cast.project.guidelines.exists()
    manager.post(GUIDELINES + "edit/", {"text": "# One\n\nKeep this line.", "seen": "0"})
    manager.post(GUIDELINES + "edit/", {"text": "# Two\n\nKeep this line.", "seen": "1"})
    late = manager.post(GUIDELINES + "edit/", {"text": "# Mine", "seen": "1"})
    assert (late.status_code, late.context["seen"]) == (409, 2)
    assert "# Mine" in late.content.decode()
    assert manager.post(GUIDELINES + "edit/", {"text": " ", "seen": "2"}).status_code == 422
    texts = list(cast.project.guidelines.values_list("version", "text"))
    assert texts == [(1, "# One\n\nKeep this line."), (2, "# Two\n\nKeep this line.")]
    page = manager.get(GUIDELINES + "2/").content.decode()
    assert "<del>One</del>" in page
    assert "<ins>Two</ins>" in page
    assert "<del>Keep" not in page
    assert "<ins>One</ins>" in manager.get(GUIDELINES + "1/?against=2").content.decode()
    assert manager.get(GUIDELINES + "3/").status_code == 404


def test_versions_tell_watchers_who_and_how_much(cast: Cast) -> None:
    projects.publish_guidelines(project=cast.project, text="One", actor=cast.manager)
    factories.judgment(factories.pair_item(cast.project), cast.annotator)
    for user, told in ((cast.reviewer, True), (cast.annotator, False)):
        page = browser(user).get(GUIDELINES + "versions/").content.decode()
        assert "Version 1" in page
        assert ("Judgments made under it" in page) == told
        assert ('<td class="num">1</td>' in page) == told
        assert (f'<td dir="auto">{cast.manager}</td>' in page) == told
