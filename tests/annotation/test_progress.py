"""How far one is: one's own work, the day's goal and pace, accuracy that tells no single item."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from annotation import progress_selectors
from annotation.models.work import Assignment, Item, Judgment
from annotation.services import assigning, judging
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return factories.project("harbour", daily_goal=3, show_accuracy=True)


@pytest.fixture
def annotator():
    return factories.user("ines")


def of(project, annotator, **options):
    return progress_selectors.progress(project, annotator, **options)


def given_long_ago(judgment: Judgment, days: int = 1) -> None:
    """As if it had been answered so many days before."""
    at = timezone.now() - timedelta(days=days)
    Assignment.objects.filter(pk=judgment.assignment_id).update(finished_at=at)


def test_known_items_and_silent_repeats_count_like_any_others(project, annotator):
    judgment = factories.judgment(factories.pair_item(project), annotator)
    factories.judgment(factories.gold_item(project), annotator)
    repeat = Assignment.objects.create(
        item=judgment.item,
        project=project,
        annotator=annotator,
        display_order=[1, 0],
        repeat=True,
        surplus=True,
        lease_expires_at=timezone.now() + timedelta(hours=1),
    )
    judging.submit(
        assignment_id=repeat.pk,
        annotator=annotator,
        answers=judging.pairwise(project, "a"),
        idempotency_key="r",
    )
    found = of(project, annotator)
    assert (found.mine, found.mine_today) == (3, 3)
    assert found.goal_reached
    assert of(project, factories.user()).mine == 0


def test_skips_flags_and_answers_taken_back_do_not_count(project, annotator):
    skipped = factories.assignment(factories.pair_item(project), annotator)
    assigning.skip(assignment_id=skipped.pk, annotator=annotator)
    flagged = factories.judgment(factories.pair_item(project), annotator)
    assigning.flag(assignment_id=flagged.assignment_id, annotator=annotator)
    assert of(project, annotator).mine == 0


def test_yesterdays_answers_count_for_the_project_and_not_for_the_day(project, annotator):
    given_long_ago(factories.judgment(factories.pair_item(project), annotator))
    factories.judgment(factories.pair_item(project), annotator)
    found = of(project, annotator)
    assert (found.mine, found.mine_today, found.toward_goal, found.goal_reached) == (2, 1, 1, False)


def test_pace_is_the_median_time_in_view_and_says_nothing_about_two_items(project, annotator):
    for seconds in (10.0, 20.0):
        factories.judgment(
            factories.pair_item(project), annotator, seconds=seconds, source=Judgment.Source.SIMULATED
        )
    assert of(project, annotator).median_seconds is None
    factories.judgment(
        factories.pair_item(project), annotator, seconds=90.0, source=Judgment.Source.SIMULATED
    )
    found = of(project, annotator)
    assert (found.median_seconds, found.per_hour) == (20.0, 90)  # 3 answers in 120 s


def answered_gold(project, annotator, count, choice="a", days=1):
    for _ in range(count):
        factories.judgment(
            factories.gold_item(project, choice="a"),
            annotator,
            choice,
            judged_at=timezone.now() - timedelta(days=days),
        )
    cache.clear()


@pytest.mark.slow
def test_accuracy_waits_for_ten_known_items_and_for_midnight(project, annotator):
    answered_gold(project, annotator, 9)
    assert of(project, annotator).accuracy is None
    answered_gold(project, annotator, 1, choice="b")
    found = of(project, annotator).accuracy
    assert found is not None
    assert (found.right, found.answered, found.percent) == (9, 10, 90)
    answered_gold(project, annotator, 5, choice="b", days=0)
    assert of(project, annotator).accuracy == found
    project.show_accuracy = False
    assert of(project, annotator).accuracy is None


def test_changing_an_answer_tells_nothing_before_tomorrow(project, annotator):
    answered_gold(project, annotator, 9)
    wrong = factories.judgment(
        factories.gold_item(project), annotator, "b", judged_at=timezone.now() - timedelta(days=1)
    )
    before = progress_selectors.accuracy(project, annotator)
    judging.submit(
        assignment_id=wrong.assignment_id, annotator=annotator, answers=judging.pairwise(project, "a"),
        idempotency_key="changed", replaces=wrong.pk,
    )  # fmt: skip
    cache.clear()
    assert progress_selectors.accuracy(project, annotator) == before
    assigning.flag(assignment_id=wrong.assignment_id, annotator=annotator)
    cache.clear()
    assert progress_selectors.accuracy(project, annotator) == before


def test_the_projects_totals_are_counted_once_in_half_a_minute(project, annotator, django_assert_num_queries):
    factories.pair_item(project)
    factories.gold_item(project)
    with django_assert_num_queries(3):  # own work, totals, known items answered
        assert of(project, annotator).total == 1
    factories.pair_item(project)
    with django_assert_num_queries(1):
        assert of(project, annotator).total == 1
    with django_assert_num_queries(2):
        assert of(project, annotator, fresh=True).total == 2
    assert of(project, annotator).total == 2


@pytest.mark.slow
def test_a_project_is_all_done_only_when_nothing_is_missing(project, annotator):
    for _ in range(200):
        factories.pair_item(project, slots_left=0)
    left = factories.pair_item(project)
    assert of(project, annotator, fresh=True).percent == 99
    Item.objects.filter(pk=left.pk).update(slots_left=0)
    assert of(project, annotator, fresh=True).percent == 100


def test_own_work_of_many_projects_is_one_query(annotator, django_assert_num_queries):
    projects = [factories.project() for _ in range(5)]
    closed = factories.project(state="closed")
    short = factories.project(reopen_hours=2)
    for project in [*projects, closed, short]:
        factories.judgment(factories.pair_item(project), annotator)
    late = factories.judgment(factories.pair_item(short), annotator)
    Assignment.objects.filter(pk=late.assignment_id).update(finished_at=timezone.now() - timedelta(hours=3))
    with django_assert_num_queries(1):
        found = progress_selectors.own_work(annotator, [each.pk for each in [*projects, closed, short]])
    assert [found[each.pk].done for each in projects] == [1] * 5
    assert (found[closed.pk].done, found[closed.pk].to_reopen) == (1, 0)
    assert (found[short.pk].done, found[short.pk].to_reopen) == (2, 1)
