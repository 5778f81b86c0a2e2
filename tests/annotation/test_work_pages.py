"""My work, the projects page and the end of the queue, without a browser."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from annotation import work_selectors
from annotation.models.learning import Waiver
from annotation.models.work import Assignment, Draft
from annotation.services import assigning, judging
from annotation.work_selectors import Filters
from tests import cast, factories
from tests.annotation.working import let_lease_run_out

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return factories.project("harbour", reasons=["unsafe"])


@pytest.fixture
def annotator(project):
    annotator = cast.person("ines")
    cast.member(annotator, project, Role.ANNOTATOR)
    return annotator


def url(name: str, slug: str = "harbour", **parts: object) -> str:
    return reverse(f"annotation:{name}", kwargs={"slug": slug, **parts})


def asked(project, text: str):
    return factories.pair_item(project, on=factories.prompt(project, text))


def rows(annotator, **filters) -> list:
    page = cast.browser(annotator).get(url("work"), filters)
    assert page.status_code == 200
    return page.context["rows"]


def shown(item, annotator, **fields) -> Assignment:
    held = factories.assignment(item, annotator, **fields)
    Assignment.objects.filter(pk=held.pk).update(shown_at=timezone.now())
    return held


def one_of_each(project, annotator) -> None:
    """submitted, skipped, flagged, expired, draft, pending: in this order of time."""
    factories.judgment(
        asked(project, "the submitted"), annotator, "a", reasons=["unsafe"], comment="my words"
    )
    assigning.skip(
        assignment_id=shown(asked(project, "the skipped"), annotator).pk,
        annotator=annotator,
        reason="Too long",
    )
    assigning.flag(
        assignment_id=shown(asked(project, "the flagged"), annotator).pk, annotator=annotator, note="typo"
    )
    let_lease_run_out(shown(asked(project, "the expired"), annotator))
    assigning.expire_leases()
    draft = shown(asked(project, "the draft"), annotator)
    Draft.objects.create(assignment=draft, body={"choice-0": ["b"]})
    shown(asked(project, "the pending"), annotator)


@pytest.mark.slow
def test_every_state_has_its_row_newest_first(project, annotator):
    one_of_each(project, annotator)
    found = rows(annotator)
    states = ["pending", "draft", "expired", "flagged", "skipped", "submitted"]
    assert [row.state for row in found] == states
    assert [row.prompt for row in found] == [f"the {state}" for state in states]
    assert [row.answer for row in found] == ["", "B is better", "", "", "", "A is better"]
    assert [row.words for row in found] == ["", "", "", "typo", "Too long", "my words"]
    assert found[-1].reasons == ("unsafe",)
    assert [row.action for row in found] == [
        "Continue",
        "Continue",
        "Take up again",
        "",
        "Take up again",
        "Change",
    ]
    for state in states:
        assert [row.state for row in rows(annotator, state=state)] == [state]


def test_what_waits_unseen_or_left_unseen_is_not_told(project, annotator):
    factories.pair_item(project)
    factories.pair_item(project)
    work = assigning.hand_out(project=project, annotator=annotator)
    assert work.ahead is not None
    assert [row.assignment_id for row in rows(annotator)] == [work.current.pk]
    assigning.claim(project=project, annotator=factories.user())  # takes over what waited
    assert [row.assignment_id for row in rows(annotator)] == [work.current.pk]


def test_only_ones_own_and_only_of_this_project(project, annotator):
    factories.judgment(asked(project, "theirs"), factories.user())
    elsewhere = factories.project("orchard")
    factories.judgment(asked(elsewhere, "elsewhere"), annotator)
    assert rows(annotator) == []
    assert cast.browser(annotator).get(url("work", "orchard")).status_code == 404


@pytest.mark.parametrize(
    ("kind", "given", "order", "words"),
    [
        ("pairwise", {"choice": "a"}, (1, 0), "B is better"),
        ("ranking", {"ranks": (1, 2, 2)}, (2, 0, 1), "B > A = C"),
        ("rating", {"ratings": (5, 1, 3)}, (2, 0, 1), "A 3, B 5, C 1"),
    ],
)
def test_answers_are_told_as_ones_own_screen_told_them(kind, given, order, words):
    project = factories.project("harbour", kind=kind)
    annotator = cast.person("ines")
    cast.member(annotator, project, Role.ANNOTATOR)
    prompt = factories.prompt(project)
    item = factories.pair_item(project, on=prompt, pair=factories.responses(prompt, len(order)))
    answer = judging.Given(project.main_criterion, **given)
    factories.judgment(item, annotator, answers=[answer], display_order=order)
    assert [row.answer for row in rows(annotator)] == [words]
    right = {"pairwise": "b", "ranking": "B", "rating": "5"}[kind]
    wrong = {"pairwise": "a", "ranking": "A", "rating": "4"}[kind]
    assert len(rows(annotator, answer=right)) == 1
    assert rows(annotator, answer=wrong) == []


def test_an_answer_filter_knows_only_the_answer_that_stands(project, annotator):
    first = factories.judgment(factories.pair_item(project), annotator, "a")
    judging.submit(
        assignment_id=first.assignment_id, annotator=annotator, answers=judging.pairwise(project, "tie"),
        idempotency_key="changed", replaces=first.pk,
    )  # fmt: skip
    assert rows(annotator, answer="a") == []
    assert [row.answer for row in rows(annotator, answer="tie")] == ["Tie"]


@pytest.mark.parametrize("text", ['she said "no"', "100 % sure_", "C:\\temp", "Grüße", "مرحبا"])
def test_words_of_the_prompt_are_found_as_they_stand(project, annotator, text):
    factories.judgment(asked(project, f"Well, {text}!"), annotator)
    factories.judgment(asked(project, "something else: 100 xx surely"), annotator)
    assert [row.prompt for row in rows(annotator, text=text)] == [f"Well, {text}!"]
    assert rows(annotator, text="content") == []  # the name of a field is no word of the prompt


def test_days_bound_what_is_shown(project, annotator):
    old = factories.judgment(asked(project, "old"), annotator)
    factories.judgment(asked(project, "new"), annotator)
    Assignment.objects.filter(pk=old.assignment_id).update(finished_at=timezone.now() - timedelta(days=3))
    yesterday = (timezone.localdate() - timedelta(days=1)).isoformat()
    assert [row.prompt for row in rows(annotator, since=yesterday)] == ["new"]
    assert [row.prompt for row in rows(annotator, until=yesterday)] == ["old"]


@pytest.mark.parametrize(
    "nonsense", [{"state": "x"}, {"answer": "'"}, {"since": "2026-99-99"}, {"after": "x~y"}, {"after": "~"}]
)
def test_a_filter_nobody_could_have_set_is_left_out(project, annotator, nonsense):
    factories.judgment(factories.pair_item(project), annotator)
    assert len(rows(annotator, **nonsense)) == 1


@pytest.mark.slow
def test_pages_follow_each_other_without_gap_or_repeat(project, annotator, monkeypatch):
    monkeypatch.setattr(work_selectors, "PAGE", 3)
    made = [factories.judgment(factories.pair_item(project), annotator).assignment_id for _ in range(8)]
    Assignment.objects.update(finished_at=timezone.now())  # all at once: the number decides
    seen, address = [], url("work")
    while address:
        page = cast.browser(annotator).get(address)
        seen += [row.assignment_id for row in page.context["rows"]]
        address = url("work") + page.context["older"] if page.context["older"] else ""
    assert seen == made[::-1]


@pytest.mark.slow
def test_the_list_asks_the_database_the_same_however_long_it_is(
    project, annotator, django_assert_num_queries
):
    for _ in range(2):
        factories.judgment(factories.pair_item(project), annotator)
    with django_assert_num_queries(3):
        assert len(work_selectors.own_work(project, annotator, Filters()).rows) == 2
    for _ in range(20):
        factories.judgment(factories.pair_item(project), annotator)
    with django_assert_num_queries(3):
        assert len(work_selectors.own_work(project, annotator, Filters()).rows) == 22


def test_a_known_item_or_a_repeat_is_a_row_like_any_other(project, annotator):
    """Word for word, but for numbers and times; also when all other slots are gone."""
    prompt = factories.prompt(project, "the same words")
    item = factories.pair_item(project, on=prompt)
    factories.judgment(item, annotator)
    factories.judgment(factories.gold_item(project, on=prompt), annotator)
    Assignment.objects.create(
        item=item, project=project, annotator=annotator, display_order=[0, 1], repeat=True, surplus=True,
        shown_at=timezone.now(), lease_expires_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    repeat = Assignment.objects.get(repeat=True)
    judging.submit(
        assignment_id=repeat.pk,
        annotator=annotator,
        answers=judging.pairwise(project, "a"),
        idempotency_key="r",
    )
    for state in ("submitted", "skipped"):
        if state == "skipped":
            Assignment.objects.update(state="skipped")
            project.items.filter(is_gold=False).update(slots_left=0)
        html = cast.browser(annotator).get(url("work")).content.decode()
        parts = re.findall(r'<li class="own__row".*?</li>', html, re.DOTALL)
        neutral = {re.sub(r"\d+", "0", re.sub(r"<time.*?</time>", "", part)) for part in parts}
        assert len(parts) == 3
        assert len(neutral) == 1


@pytest.mark.parametrize(
    ("fields", "action", "why"),
    [
        ({}, "Change", ""),
        ({"state": "paused"}, "Change", ""),
        ({"state": "closed"}, "", "The project is closed."),
        ({"reopen_hours": 1}, "", "The time to change it is over."),
    ],
)
def test_the_way_back_is_there_as_long_as_the_project_allows(project, annotator, fields, action, why):
    given = factories.judgment(factories.pair_item(project), annotator)
    Assignment.objects.filter(pk=given.assignment_id).update(finished_at=timezone.now() - timedelta(hours=2))
    type(project).objects.filter(pk=project.pk).update(**fields)
    (row,) = rows(annotator)
    assert (row.action, row.why_not) == (action, why)


def test_a_skipped_item_is_taken_up_again_and_answered(project, annotator):
    held = shown(factories.pair_item(project, slots_left=1), annotator)
    assigning.skip(assignment_id=held.pk, annotator=annotator)
    client = cast.browser(annotator)
    page = client.get(url("judge_again", assignment_id=held.pk))
    assert page.status_code == 200
    client.post(url("judge"), {"assignment": held.pk, "key": "k", "choice-0": "a"})
    (row,) = rows(annotator)
    assert (row.state, row.answer != "") == ("submitted", True)


# --- the projects page ----------------------------------------------------------------------------


def lines(page, name: str) -> list[str]:
    (row,) = [row for row in page.context["rows"] if row.project.slug == name]
    return [line.words for line in row.lines]


def test_the_projects_page_says_what_waits_in_each(annotator, project):
    for slug, fields in {
        "drafty": {}, "paused": {"state": "paused"}, "testing": {"qualification_required": True},
        "done": {}, "waived": {"qualification_required": True},
    }.items():  # fmt: skip
        made = factories.project(slug, **fields)
        cast.member(annotator, made, Role.ANNOTATOR)
        item = factories.pair_item(made)
        if slug == "drafty":
            Draft.objects.create(assignment=shown(item, annotator), body={})
        elif slug == "done":
            factories.judgment(item, annotator)
        elif slug == "waived":
            Waiver.objects.create(project=made, annotator=annotator, granted_by=annotator)
    page = cast.browser(annotator).get("/")
    assert lines(page, "harbour") == []  # nothing imported
    assert lines(page, "drafty") == ["Items wait for you", "1 draft is kept"]
    assert lines(page, "paused") == ["Paused: no items are given out"]
    assert lines(page, "testing") == ["A qualification test is to be passed first"]
    assert lines(page, "done") == ["Nothing waits for you", "1 answer may still be changed"]
    assert lines(page, "waived") == ["Items wait for you"]


@pytest.mark.slow
def test_the_projects_page_asks_the_same_for_one_and_for_thirty(
    annotator, project, django_assert_max_num_queries
):
    def add(count: int) -> None:
        for _ in range(count):
            made = factories.project(qualification_required=True)
            cast.member(annotator, made, Role.ANNOTATOR)
            factories.judgment(factories.pair_item(made), annotator)

    client = cast.browser(annotator)
    add(1)
    with django_assert_max_num_queries(11) as few:
        client.get("/")
    add(30)
    with django_assert_max_num_queries(len(few)) as many:
        assert len(client.get("/").context["rows"]) == 32
    assert len(many) == len(few)
