"""Work that runs out and workers that are missing are noticed once, and only where somebody is at work."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Role, User
from annotation import tasks
from annotation.models.alert import Alert
from annotation.models.project import Project
from annotation.models.work import Assignment, Item
from annotation.models.worker import WorkerHeartbeat
from annotation.services import noticing
from tests import cast, factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.project("harbour", overlap=2)


@pytest.fixture
def ada(project: Project) -> User:
    ada = factories.user("ada")
    cast.member(ada, project, Role.ANNOTATOR)
    return ada


def answers(project: Project, who: User, count: int, minutes_ago: float = 1) -> list[Item]:
    items = [factories.pair_item(project, slots_left=1) for _ in range(count)]
    for item in items:
        factories.judgment(item, who)
    when = timezone.now() - timedelta(minutes=minutes_ago)
    Assignment.objects.filter(item__in=items, annotator=who).update(finished_at=when)
    return items


def open_places(project: Project, count: int) -> None:
    for _ in range(count):
        factories.pair_item(project, slots_left=1)


def pass_time(minutes: float) -> None:
    for one in Assignment.objects.exclude(finished_at=None):
        one.finished_at -= timedelta(minutes=minutes)
        one.save(update_fields=["finished_at"])


def kinds(project: Project) -> list[str]:
    return [alert.kind for alert in noticing.check(project)]


def still_open(project: Project) -> list[str]:
    return list(Alert.objects.filter(project=project, ended_at=None).values_list("kind", flat=True))


def test_fewer_places_than_were_filled_in_half_an_hour(project: Project, ada: User) -> None:
    answers(project, ada, 5)
    open_places(project, 5)
    assert kinds(project) == [], "enough for another half hour"
    answers(project, ada, 1)
    assert kinds(project) == ["queue"]
    figures = Alert.objects.get().figures
    assert (figures["left"], figures["answered"], figures["minutes"]) == (5, 6, 30)
    assert kinds(project) == [], "once"


def test_nothing_left_while_somebody_is_at_work(project: Project, ada: User) -> None:
    answers(project, ada, 1, minutes_ago=55)
    assert kinds(project) == ["queue"]
    assert Alert.objects.get().figures["left"] == 0


@pytest.mark.slow
def test_a_finished_project_with_nobody_at_work_raises_nothing(project: Project, ada: User) -> None:
    answers(project, ada, 20, minutes_ago=61)
    assert kinds(project) == []
    factories.gold_item(project)
    assert kinds(project) == []


def test_a_project_where_nobody_has_begun_raises_nothing(project: Project, ada: User) -> None:
    open_places(project, 1)
    assert kinds(project) == []
    assert noticing.check(factories.project()) == []


def test_known_items_are_no_work_and_simulated_people_no_pace(project: Project, ada: User) -> None:
    factories.gold_item(project, slots_left=30_000)
    robot = factories.simulated_user()
    cast.member(robot, project, Role.ANNOTATOR)
    answers(project, robot, 5)
    assert kinds(project) == []
    answers(project, ada, 1)
    assert kinds(project) == ["queue"], "the gold item is open, but no work"


def test_a_break_does_not_end_it_but_new_work_does(project: Project, ada: User) -> None:
    answers(project, ada, 6)
    open_places(project, 3)
    assert kinds(project) == ["queue"]
    pass_time(120)
    assert kinds(project) == []
    assert still_open(project) == ["queue"], "at lunch: 3 places are still few for a pace of 6"
    open_places(project, 8)
    noticing.check(project)
    assert still_open(project) == ["queue"], "11 places"
    open_places(project, 1)
    noticing.check(project)
    assert still_open(project) == [], "12 are twice the pace"


def test_places_that_are_open_to_nobody_at_work(project: Project, ada: User) -> None:
    """Two people shall answer each item and only one is there: everything waits for somebody else."""
    for item in answers(project, ada, 3):
        Item.objects.filter(pk=item.pk).update(slots_left=4)
    assert kinds(project) == ["queue"]
    assert Alert.objects.get().figures["closed"] is True
    pass_time(90)
    noticing.check(project)
    assert still_open(project) == ["queue"], "they have gone home, which opens nothing"
    Alert.objects.all().delete()
    pass_time(-90)
    ben = factories.user("ben")
    cast.member(ben, project, Role.ANNOTATOR)
    answers(project, ben, 1)
    assert kinds(project) == [], "the first three are open to Ben"


def test_a_paused_or_closed_project_is_left_alone(project: Project, ada: User) -> None:
    answers(project, ada, 3)
    assert tasks.check_alerts() == 1
    Project.objects.update(state=Project.State.PAUSED)
    assert tasks.check_alerts() == 0
    assert still_open(project) == []


def test_the_check_asks_the_same_few_questions_of_any_size(
    project: Project, ada: User, django_assert_num_queries: Callable
) -> None:
    noticing.check(project)
    with django_assert_num_queries(7):
        noticing.check(project)
    for _ in range(5):
        cast.member(factories.user(), project, Role.ANNOTATOR)
    answers(project, ada, 3, minutes_ago=90)
    open_places(project, 9)
    with django_assert_num_queries(7):
        noticing.check(project)


# --- workers --------------------------------------------------------------------------------------


def seen(queue: str, seconds_ago: float) -> None:
    now = timezone.now()
    WorkerHeartbeat.objects.update_or_create(
        name=f"{queue}@here",
        defaults={
            "queue": queue,
            "pid": 1,
            "host": "here",
            "started_at": now - timedelta(hours=1),
            "seen_at": now - timedelta(seconds=seconds_ago),
        },
    )


def missing() -> dict[str, str]:
    found: dict[str, str] = Alert.objects.get(kind="worker", ended_at=None).figures["queues"]
    return found


def test_a_silent_worker_is_told_of_once_and_a_sign_of_life_ends_it(project: Project) -> None:
    seen("light", 1)
    seen("training", 100)
    assert kinds(project) == [], "it may just be starting again"
    seen("training", 130)
    assert kinds(project) == ["worker"]
    assert set(missing()) == {"training"}
    assert kinds(project) == []
    seen("training", 60)
    assert kinds(project) == []
    assert set(missing()) == {"training"}, "neither silent nor back: it stays as it is"
    seen("training", 1)
    assert kinds(project) == []
    assert still_open(project) == []
    seen("training", 60)
    assert kinds(project) == [], "nor is it raised again"


def test_another_queue_joins_the_same_alert(project: Project) -> None:
    seen("training", 130)
    noticing.check(project)
    seen("light", 200)
    assert kinds(project) == []
    assert set(missing()) == {"light", "training"}
    seen("training", 1)
    noticing.check(project)
    assert set(missing()) == {"light"}


def test_a_queue_that_never_had_a_worker_is_not_missed(project: Project) -> None:
    assert kinds(project) == []
    seen("light,training", 1)
    assert kinds(project) == []
    seen("light,training", 500)
    assert kinds(project) == ["worker"]
    assert set(missing()) == {"light", "training"}, "one worker of both queues"


def test_a_forgotten_heartbeat_does_not_end_the_outage(project: Project) -> None:
    seen("training", 500)
    noticing.check(project)
    WorkerHeartbeat.objects.all().delete()
    noticing.check(project)
    assert set(missing()) == {"training"}


def test_of_several_workers_one_is_enough(project: Project) -> None:
    seen("training", 900)
    WorkerHeartbeat.objects.create(
        name="other", queue="training", pid=2, host="b", started_at=timezone.now(), seen_at=timezone.now()
    )
    assert kinds(project) == []


def test_after_everything_was_down_nobody_is_missing_at_once(project: Project) -> None:
    """The trainer takes longer to start than the others; only when it stays away it is missing."""
    seen("training", 3600)
    seen("light", 1)
    light = WorkerHeartbeat.objects.filter(queue="light")
    light.update(started_at=timezone.now() - timedelta(seconds=20))
    assert kinds(project) == []
    light.update(started_at=timezone.now() - timedelta(seconds=150))
    assert kinds(project) == ["worker"]
