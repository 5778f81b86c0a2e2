"""Who is flagged, on what evidence, and what follows."""

import math
import random
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from accounts.models import User
from annotation import gold_selectors, standing_selectors
from annotation.aggregation.flags import Flag
from annotation.annotator_selectors import Totals
from annotation.answering.answer import Answer as Given
from annotation.models.project import Project
from annotation.models.standing import Message, Standing
from annotation.models.work import Judgment
from annotation.plain import NotPlain, from_plain, to_plain
from annotation.services import aggregating, assessing, standing
from annotation.services.assessing import Quality
from tests import factories

pytestmark = pytest.mark.django_db


def crowd(project: Project, *, items: int = 40, careful: int = 5, seed: int = 1) -> list[User]:
    """So many people who mostly say what is true, and one whose answers have nothing to do with it."""
    rng = random.Random(seed)
    people = [factories.user() for _ in range(careful + 1)]
    for number in range(items):
        item = factories.pair_item(project)
        truth = rng.choice("ab")
        for person in people:
            if person == people[-1]:
                choice = truth if number % 2 else other(truth)
            else:
                choice = truth if rng.random() < 0.95 else other(truth)
            factories.judgment(
                item, person, choice, display_order=rng.sample([0, 1], 2), judged_at=at(number)
            )
    return people


def other(choice: str) -> str:
    return "b" if choice == "a" else "a"


def at(minute: int) -> datetime:
    return timezone.now() - timedelta(days=1) + timedelta(minutes=minute)


def found(project: Project) -> dict[int, Quality]:
    return {one.row.id: one for one in assessing.qualities(project)}


def kinds(one: Quality) -> set[str]:
    return {flag.kind for flag in one.flags}


@pytest.mark.slow
def test_who_does_not_look_is_found_among_those_who_do() -> None:
    project = factories.project(overlap=6)
    *careful, guesser = crowd(project)
    by = found(project)
    assert kinds(by[guesser.pk]) == {"guesses"}
    (flag,) = by[guesser.pk].flags
    assert (flag.n, flag.value) == (40, by[guesser.pk].measured.theta)  # type: ignore[union-attr]
    assert flag.value < 0.2 < 0.5 < flag.chance
    assert all(not by[one.pk].flags for one in careful)
    assert all(by[one.pk].measured.theta > 0.6 for one in careful)  # type: ignore[union-attr]


@pytest.mark.slow
def test_nobody_validates_themselves() -> None:
    """On items that nobody else has judged there is nothing to measure anybody by."""
    project = factories.project()
    person = factories.user()
    for _ in range(30):
        factories.judgment(factories.pair_item(project), person, "a")
    assert found(project)[person.pk].measured is None


@pytest.mark.slow
def test_long_runs_and_entropy_are_of_the_screen() -> None:
    """Always left is one answer on the screen, whatever it is in the data; and the data's order is no run."""
    project = factories.project(overlap=2)
    left, steady = factories.user(), factories.user()
    for number in range(30):
        item = factories.pair_item(project)
        order = (number % 2, 1 - number % 2)
        factories.judgment(item, left, "ab"[order[0]], display_order=order, judged_at=at(number))
        factories.judgment(item, steady, "a", display_order=order, judged_at=at(number))
    by = found(project)
    assert by[left.pk].run is not None
    assert by[left.pk].run.length == 30
    assert by[steady.pk].run is not None
    assert by[steady.pk].run.length == 1
    assert by[left.pk].entropy == pytest.approx(1.0)
    assert by[steady.pk].entropy == 0.0


@pytest.mark.slow
def test_a_run_is_in_the_order_in_which_answers_were_given() -> None:
    project = factories.project(overlap=1)
    person = factories.user()
    minutes = list(range(40))
    random.Random(3).shuffle(minutes)
    for minute in minutes:
        choice = "b" if minute < 15 else "ab"[minute % 2]
        factories.judgment(factories.pair_item(project), person, choice, judged_at=at(minute))
    run = found(project)[person.pk].run
    assert run is not None
    assert (run.length, run.answers) == (16, 40)


@pytest.mark.slow
def test_circles_among_three_responses_of_a_prompt() -> None:
    project = factories.project()
    round_, straight = factories.user(), factories.user()
    for _ in range(12):
        on = factories.prompt(project)
        x, y, z = factories.responses(on, 3)
        for pair, circle, line in (((x, y), "a", "a"), ((y, z), "a", "a"), ((x, z), "b", "a")):
            item = factories.pair_item(project, on=on, pair=pair)
            factories.judgment(item, round_, circle)
            factories.judgment(item, straight, line)
    by = found(project)
    assert (by[round_.pk].triads, by[round_.pk].circular) == (12, 12)
    assert (by[straight.pk].triads, by[straight.pk].circular) == (12, 0)
    assert "round" in kinds(by[round_.pk])
    assert "round" not in kinds(by[straight.pk])


@pytest.mark.slow
def test_rankings_have_runs_and_no_circles() -> None:
    project = factories.project(kind="ranking")
    person = factories.user()
    for number in range(25):
        item = factories.pair_item(project)
        order = (number % 2, 1 - number % 2)
        ranks = (1, 2) if order[0] == 0 else (2, 1)
        factories.judgment(
            item, person, answers=[Given("overall", ranks=ranks)], display_order=order, judged_at=at(number)
        )
    one = found(project)[person.pk]
    assert one.run is not None
    assert (one.run.length, one.triads) == (25, 0)


@pytest.mark.slow
def test_an_experts_decision_says_nothing_about_the_expert() -> None:
    project = factories.project()
    expert = factories.user()
    for _ in range(25):
        factories.judgment(factories.pair_item(project), expert, "a", source=Judgment.Source.EXPERT)
    assert assessing.qualities(project) == []


# --- what follows ----------------------------------------------------------------------------------


def fail_gold(project: Project, person: User, *, wrong: int = 8) -> None:
    for _ in range(wrong):
        factories.judgment(factories.gold_item(project, choice="a"), person, "b")


def pass_gold(project: Project, person: User, *, right: int) -> None:
    for number in range(right):
        order = (number % 2, 1 - number % 2)
        factories.judgment(factories.gold_item(project, choice="a"), person, "a", display_order=order)


def test_failed_gold_pauses_and_is_told_with_its_evidence() -> None:
    project = factories.project()
    ada = factories.user("ada")
    fail_gold(project, ada)
    assert assessing.apply(project=project, found=assessing.qualities(project)) == [ada.pk]
    held = Standing.objects.get()
    assert (held.state, held.automatic, held.changed_by) == ("paused", True, None)
    assert [one["kind"] for one in held.evidence] == ["gold"]
    assert held.evidence[0]["n"] == 8
    told = Message.objects.get()
    assert (told.kind, told.author, told.evidence) == ("paused", None, held.evidence)
    assert assessing.apply(project=project, found=assessing.qualities(project)) == []


@pytest.mark.slow
def test_one_weak_sign_brings_more_gold_and_no_pause() -> None:
    project = factories.project(overlap=6)
    *_, guesser = crowd(project)
    assert assessing.apply(project=project, found=assessing.qualities(project)) == []
    assert standing_selectors.terms_of(Standing.objects.get(annotator=guesser)).gold_rate == 0.2
    assert Standing.objects.count() == 1
    assert not Message.objects.exists()


@pytest.mark.slow
def test_two_independent_signs_pause() -> None:
    project = factories.project(overlap=6)
    *_, guesser = crowd(project)
    for number in range(30):
        item = factories.pair_item(project)
        factories.judgment(item, guesser, "a", display_order=(0, 1), judged_at=at(100 + number))
    by = found(project)
    assert {"guesses", "left"} <= kinds(by[guesser.pk])
    assert assessing.apply(project=project, found=list(by.values())) == [guesser.pk]


def test_a_project_may_keep_the_decision_to_itself() -> None:
    project = factories.project(auto_pause=False)
    ada = factories.user()
    fail_gold(project, ada)
    assert assessing.apply(project=project, found=assessing.qualities(project)) == []
    held = Standing.objects.get()
    assert (held.state, held.gold_rate) == ("active", 0.2)


@pytest.mark.slow
def test_the_gold_rate_goes_back_when_the_signs_are_gone() -> None:
    project = factories.project()
    ada = factories.user()
    fail_gold(project, ada, wrong=5)
    pass_gold(project, ada, right=5)
    assert kinds(found(project)[ada.pk]) == {"weak"}
    assessing.apply(project=project, found=assessing.qualities(project))
    assert Standing.objects.get().gold_rate == 0.2
    pass_gold(project, ada, right=30)
    assessing.apply(project=project, found=assessing.qualities(project))
    assert Standing.objects.get().gold_rate is None


@pytest.mark.slow
def test_somebody_restored_is_paused_again_on_new_gold_only() -> None:
    project = factories.project()
    ada, boss = factories.user(), factories.user()
    fail_gold(project, ada)
    assessing.apply(project=project, found=assessing.qualities(project))
    standing.restore(project=project, annotator=ada, actor=boss)
    assert gold_selectors.checks_since_restored(project) == {}
    assert assessing.apply(project=project, found=assessing.qualities(project)) == []
    assert Standing.objects.get().state == "active"
    fail_gold(project, ada)
    assert gold_selectors.checks_since_restored(project)[ada.pk].answered == 8
    assert assessing.apply(project=project, found=assessing.qualities(project)) == [ada.pk]


def test_imported_annotators_are_flagged_and_left_as_they_are() -> None:
    project = factories.project()
    ada = factories.user(origin=User.Origin.IMPORTED, is_active=False)
    fail_gold(project, ada)
    assert kinds(found(project)[ada.pk]) == {"gold"}
    assert assessing.apply(project=project, found=assessing.qualities(project)) == []
    assert not Standing.objects.exists()


@pytest.mark.slow
def test_who_is_excluded_is_still_measured_against_the_others() -> None:
    project = factories.project(overlap=6)
    *careful, guesser = crowd(project)
    before = found(project)
    Standing.objects.create(project=project, annotator=guesser, state="excluded", changed_at=timezone.now())
    aggregating.refresh(project=project)
    after = found(project)
    assert kinds(after[guesser.pk]) == {"guesses"}
    assert all(not after[one.pk].flags for one in careful)
    assert after[guesser.pk].measured is not None
    assert after[guesser.pk].measured.votes == before[guesser.pk].measured.votes  # type: ignore[union-attr]


# --- kept in the database --------------------------------------------------------------------------


@pytest.mark.slow
def test_a_quality_comes_back_from_json_as_it_was() -> None:
    project = factories.project(overlap=6)
    crowd(project, items=10)
    for one in assessing.qualities(project):
        assert from_plain(Quality, to_plain(one)) == one


@pytest.mark.parametrize("value", [math.nan, math.inf, np.float32(1), {1, 2}, {"a": object()}])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(NotPlain):
        to_plain(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(int, "1"), (Flag, {"kind": "gold"} | {"colour": 1}), (Flag, 3), (float, "x"), (Totals, [])],
)
def test_what_does_not_fit_is_refused(kind: type, value: Any) -> None:
    with pytest.raises(NotPlain):
        from_plain(kind, value)
