"""Settings of a project: what may change while people work, and what answers have fixed."""

import random
from typing import Any

import pytest

from accounts.models import AuditEntry, Membership, Role
from annotation import project_selectors
from annotation.answering.answer import Answer, InvalidAnswer, checked
from annotation.models.project import Project
from annotation.models.work import Assignment, Item, Judgment
from annotation.project_selectors import settings_of
from annotation.services import assigning, items, judging, project_rules, projects, slots
from annotation.services.projects import InvalidProject
from tests import factories
from tests.annotation.import_rows import bring, row

pytestmark = pytest.mark.django_db

TWO = [{"name": "helpful", "description": "Does it help?"}, {"name": "true", "description": ""}]
FIXED = {
    "pairwise": {
        "kind": "ranking", "ties": False, "both_bad": False, "strength_scale": True,
    },
    "ranking": {"kind": "rating", "ties": False},
    "rating": {"kind": "pairwise", "rating_points": 7},
}  # fmt: skip
CRITERIA_FIXED = [
    [TWO[0]],
    [*TWO, {"name": "kind", "description": ""}],
    [{"name": "helpfulness", "description": ""}, TWO[1]],
    [TWO[1], TWO[0]],
]
FREE: dict[str, list[Any]] = {
    "name": ["Haven", "Port"],
    "criteria": [[{"name": "helpful", "description": "Of use?"}, TWO[1]], TWO],
    "reasons": [[], ["unsafe"], ["unsafe", "wrong"]],
    "overlap": [1, 2, 3, 7],
    "lease_seconds": [60, 3600],
    "gold_rate": [0.0, 0.25],
    "repeat_rate": [0.0, 0.5],
    "blind_review": [True, False],
    "qualification_required": [True, False],
    "reopen_hours": [None, 24],
    "show_progress": [True, False],
    "show_accuracy": [True, False],
    "show_category": [True, False],
    "daily_goal": [None, 50],
    "break_minutes": [0, 50],
    "expert_weight": [1, 5],
    "spot_check_rate": [0.0, 0.1],
    "auto_pause": [True, False],
    "aggregation": ["vote-shares", "competence", "dawid-skene"],
}


def made(kind: str, **fields: Any) -> Project:
    return factories.project(kind=kind, criteria=TWO, overlap=3, **fields)


def answers(project: Project) -> list[Answer]:
    given = {
        "pairwise": {"choice": "tie"},
        "ranking": {"ranks": (1, 1)},
        "rating": {"ratings": (5, 2)},
    }[project.kind]
    return [Answer(name, **given) for name in project.criterion_names]


def judged(project: Project, judges: int = 2) -> Judgment:
    item = factories.pair_item(project)
    for _ in range(judges):
        judgment = factories.judgment(item, factories.user(), answers=answers(project), reasons=["unsafe"])
    return judgment


def assert_all_stands(project: Project) -> None:
    """Slots are right, nobody holds more than fits from now on, and each judgment answers the question."""
    project.refresh_from_db()
    assert slots.wrong_slots(project) == []
    for judgment in Judgment.objects.filter(item__project=project):
        given = [judging.given(answer) for answer in judgment.answers.all()]
        assert checked(given, project.question, len(judgment.display_order or [])) is not None


# --- creating -------------------------------------------------------------------------------------


def test_a_project_is_made_with_all_its_settings_a_manager_and_guidelines() -> None:
    ada = factories.user("ada")
    settings = {"name": "Bay", "kind": "rating", "rating_points": 7, "criteria": TWO, "daily_goal": 40}
    project = projects.create(slug="bay", settings=settings, guidelines="# Read\r\nall", manager=ada)
    project.refresh_from_db()
    assert {name: getattr(project, name) for name in settings} == settings
    assert project.state == "running"
    assert Membership.objects.get(project=project).role == Role.MANAGER
    assert project.guidelines.get().text == "# Read\nall"
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "actor__username")) == [
        ("project created", "ada"),
        ("guidelines published", "ada"),
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"criteria": []}, "at least one criterion"),
        ({"criteria": [{"name": "  ", "description": "x"}]}, "at least one criterion"),
        ({"criteria": [{"name": "True"}, {"name": "true "}]}, "same name"),
        ({"criteria": [{"name": "x" * 61}]}, "61 characters"),
        ({"criteria": [{"name": str(n)} for n in range(9)]}, "at most 8"),
        ({"reasons": [str(n) for n in range(21)]}, "21 reasons"),
        ({"rating_points": 6}, "5 or 7"),
        ({"gold_rate": 1.5}, "gold"),
        ({"repeat_rate": 0.6}, "50 percent"),
        ({"lease_seconds": 5}, "half a minute"),
        ({"overlap": 0}, "overlap"),
        ({"name": "x" * 201}, "name"),
        ({"kind": "essay"}, "kind"),
        ({"state": "closed"}, "no setting"),
    ],
)
def test_settings_that_no_project_may_have(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidProject, match=words):
        projects.create(slug="bay", settings={"name": "Bay", **settings})
    assert not Project.objects.exists()
    project = factories.project()
    before = settings_of(project)
    with pytest.raises(InvalidProject, match=words):
        projects.edit(project=project, changes=settings)
    assert settings_of(Project.objects.get()) == before


def test_an_address_is_taken_once() -> None:
    projects.create(slug="bay")
    with pytest.raises(InvalidProject, match="already"):
        projects.create(slug="bay")
    with pytest.raises(InvalidProject, match="lower-case"):
        projects.create(slug="Bay 2")


def test_names_are_one_printable_line() -> None:
    odd = [{"name": " a\x00b\n c‮ ", "description": "x\ud800"}]
    project = projects.create(slug="bay", settings={"criteria": odd, "reasons": ["", " b  c ", "b c"]})
    assert project.criteria == [{"name": "a b c", "description": "x?"}]
    assert project.reasons == ["b c"]


# --- what answers have fixed ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", FIXED)
def test_the_question_stands_once_somebody_has_answered_it(kind: str) -> None:
    project = made(kind)
    judged(project)
    refused: list[dict[str, Any]] = [{name: value} for name, value in FIXED[kind].items()]
    refused += [{"criteria": criteria} for criteria in CRITERIA_FIXED]
    for changes in refused:
        with pytest.raises(InvalidProject, match=r"2 judgments.*new project"):
            projects.edit(project=project, changes={**changes, "name": "Other"})
        assert_all_stands(project)
        assert project.name != "Other"
    assert not AuditEntry.objects.filter(action="settings changed").exists()


def test_many_judgments_are_not_counted_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (project_selectors, project_rules):
        monkeypatch.setattr(module, "MANY", 2)
    project = made("pairwise")
    judged(project)
    assert project_rules.counted(project_selectors.answered(project)) == "2 judgments"
    for _ in range(2):
        factories.judgment(factories.pair_item(project), factories.user(), "a")
    assert project_selectors.answered(project).judgments == 3
    assert project_rules.counted(project_selectors.answered(project)) == "more than 2 judgments"


def test_a_judgment_that_was_taken_back_counts_too() -> None:
    project = made("pairwise")
    judgment = judged(project, 1)
    assigning.flag(assignment_id=judgment.assignment_id, annotator=judgment.annotator)
    assert not Judgment.objects.filter(live=True).exists()
    with pytest.raises(InvalidProject, match="1 judgment "):
        projects.edit(project=project, changes={"ties": False})


def test_gold_fixes_the_question_as_judgments_do() -> None:
    project = made("pairwise")
    factories.gold_item(project)
    with pytest.raises(InvalidProject, match="1 gold answer "):
        projects.edit(project=project, changes={"strength_scale": True})


@pytest.mark.slow
def test_what_a_kind_does_not_ask_is_free() -> None:
    for kind, changes in [
        ("rating", {"ties": False, "both_bad": False, "strength_scale": True}),
        ("ranking", {"both_bad": False, "rating_points": 7}),
        ("pairwise", {"rating_points": 7}),
    ]:
        project = made(kind)
        judged(project)
        assert projects.edit(project=project, changes=changes)
        assert_all_stands(project)


def test_more_may_be_offered_at_any_time() -> None:
    project = made("pairwise", ties=False, both_bad=False)
    item = factories.pair_item(project)
    factories.judgment(item, factories.user(), "a")
    assert projects.edit(project=project, changes={"ties": True, "both_bad": True}) == {
        "ties": [False, True],
        "both_bad": [False, True],
    }
    assert_all_stands(project)


def test_a_reason_that_is_taken_out_stays_on_the_judgments_that_gave_it() -> None:
    project = made("pairwise")
    judgment = judged(project)
    projects.edit(project=project, changes={"reasons": ["other"]})
    judgment.refresh_from_db()
    assert judgment.reasons == ["unsafe"]
    again = judging.submit(
        assignment_id=judgment.assignment_id,
        annotator=judgment.annotator,
        answers=judging.pairwise(project, "a"),
        reasons=["unsafe"],
        replaces=judgment.pk,
        idempotency_key="again",
    )
    assert again.judgment.reasons == ["unsafe"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", FIXED)
def test_any_row_of_accepted_changes_leaves_every_judgment_and_slot_right(kind: str) -> None:
    rng = random.Random(kind)
    project = made(kind)
    people = [factories.user() for _ in range(8)]
    work = [factories.pair_item(project) for _ in range(4)]
    for step in range(40):
        annotator = rng.choice(people)
        held = assigning.claim(project=project, annotator=annotator, rng=rng)
        if held and rng.random() < 0.6:
            judging.submit(
                assignment_id=held.pk, annotator=annotator, answers=answers(project),
                idempotency_key=f"{kind}-{step}",
            )  # fmt: skip
        name = rng.choice(sorted(FREE))
        changes = {name: rng.choice(FREE[name])}
        if rng.random() < 0.3:
            fixed = rng.choice(sorted(FIXED[kind]))
            changes[fixed] = FIXED[kind][fixed]
        answered = Judgment.objects.filter(item__project=project).exists()
        if answered and set(changes) & set(FIXED[kind]):
            with pytest.raises(InvalidProject):
                projects.edit(project=project, changes=changes)
        elif not set(changes) & set(FIXED[kind]):
            projects.edit(project=project, changes=changes)
        assert_all_stands(project)
        for item in work:
            item.refresh_from_db()
            assert 0 <= item.slots_left <= project.overlap


# --- while nothing is answered ----------------------------------------------------------------------


def test_the_question_may_change_before_the_first_answer_and_open_work_is_handed_out_anew() -> None:
    project = made("pairwise")
    annotator = factories.user()
    factories.pair_item(project)
    held = assigning.claim(project=project, annotator=annotator)
    assert held is not None
    projects.edit(project=project, changes={"kind": "ranking", "criteria": [TWO[1]]})
    assert_all_stands(project)
    assert not Assignment.objects.exists()
    with pytest.raises(Assignment.DoesNotExist):
        judging.submit(
            assignment_id=held.pk, annotator=annotator, answers=[Answer("true", choice="a")],
            idempotency_key="late",
        )  # fmt: skip
    assert AuditEntry.objects.get(action="settings changed").detail["taken_back"] == 1
    again = assigning.claim(project=project, annotator=annotator)
    assert again is not None
    with pytest.raises(InvalidAnswer):
        judging.submit(
            assignment_id=again.pk, annotator=annotator, answers=[Answer("true", choice="a")],
            idempotency_key="of the other kind",
        )  # fmt: skip


def test_open_work_stays_when_the_question_does() -> None:
    project = made("pairwise", ties=False)
    factories.pair_item(project)
    held = assigning.claim(project=project, annotator=factories.user())
    projects.edit(project=project, changes={"ties": True, "overlap": 9, "reasons": []})
    assert Assignment.objects.get() == held
    assert_all_stands(project)


def test_a_refused_change_takes_nothing_back() -> None:
    project = made("pairwise")
    judged(project)
    factories.pair_item(project)
    held = assigning.claim(project=project, annotator=factories.user())
    assert held is not None
    with pytest.raises(InvalidProject):
        projects.edit(project=project, changes={"kind": "rating"})
    assert Assignment.objects.get(pk=held.pk).state == "open"


def test_a_kind_that_the_items_do_not_fit_is_refused() -> None:
    project = made("ranking")
    prompt = factories.prompt(project)
    factories.pair_item(project, on=prompt, pair=factories.responses(prompt, 4))
    with pytest.raises(InvalidProject, match="4 to 4 responses"):
        projects.edit(project=project, changes={"kind": "pairwise"})
    projects.edit(project=project, changes={"kind": "rating"})
    assert project.kind == "rating"


# --- overlap ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_overlap_up_and_down_recounts_every_item_and_deletes_nothing() -> None:
    project = made("pairwise")
    work = [factories.pair_item(project) for _ in range(3)]
    gold = factories.gold_item(project, slots_left=slots.GOLD_SLOTS)
    for item, votes in zip(work, (3, 1, 0), strict=True):
        for _ in range(votes):
            factories.judgment(item, factories.user())

    def free() -> list[int]:
        return [Item.objects.get(pk=item.pk).slots_left for item in work]

    assert free() == [0, 2, 3]
    for overlap, left in [(5, [2, 4, 5]), (2, [0, 1, 2]), (1, [0, 0, 1]), (3, [0, 2, 3])]:
        projects.edit(project=project, changes={"overlap": overlap})
        assert free() == left
        assert_all_stands(project)
    assert Judgment.objects.filter(live=True).count() == 4
    gold.refresh_from_db()
    assert gold.slots_left == slots.GOLD_SLOTS


def test_an_import_that_was_begun_under_the_old_overlap_counts_by_the_new_one() -> None:
    project = made("pairwise")
    stale = Project.objects.get(pk=project.pk)
    projects.edit(project=project, changes={"overlap": 7})
    assert stale.overlap == 3
    assert bring(stale, row(1)).applied
    assert_all_stands(project)
    stale.overlap = 3
    prompt = factories.prompt(project)
    first, second = factories.responses(prompt)
    items.queue_pairs(project=stale, pairs=[(first.pk, second.pk)], priority=1, origins=["selected"])
    assert_all_stands(project)
