"""Alerts are raised once, told to who wants to know, end, are put aside; their words carry the figures."""

import pytest
from django.db import transaction
from django.utils import timezone, translation

from accounts.models import AuditEntry, Role, User
from annotation import alert_selectors, alert_words
from annotation.models.alert import Alert, AlertDelivery, AlertTarget
from annotation.models.project import Project
from annotation.services import alerting, waking
from tests import factories
from tests.annotation.crowds import at_once

pytestmark = pytest.mark.django_db
Kind = Alert.Kind


@pytest.fixture
def project() -> Project:
    return factories.project("harbour", name="Harbour")


@pytest.fixture
def ada() -> User:
    return factories.user("ada", display_name="Ada B.")


def target(project: Project, *kinds: str, address: str = "https://hooks.example/1") -> AlertTarget:
    return AlertTarget.objects.create(
        project=project, channel="webhook", address=address, kinds=list(kinds), secret="s" * 43
    )


def test_an_alert_is_raised_once_while_it_is_open(project: Project, ada: User) -> None:
    first = alerting.raise_alert(project, Kind.GOLD, annotator=ada, figures={"right": 3, "answered": 9})
    assert first is not None
    later = {"right": 3, "answered": 10}
    assert alerting.raise_alert(project, Kind.GOLD, annotator=ada, figures=later) is None
    assert Alert.objects.get().figures == later, "brought up to date"
    assert alerting.raise_alert(project, Kind.GOLD, annotator=ada) is None
    assert Alert.objects.get().figures == later, "nothing known leaves them"


def test_of_another_person_kind_or_project_there_may_be_another(project: Project, ada: User) -> None:
    other = factories.user()
    for args in (
        (project, Kind.GOLD, ada),
        (project, Kind.GOLD, other),
        (project, Kind.GOLD, None),
        (project, Kind.PAUSED, ada),
        (factories.project(), Kind.GOLD, ada),
    ):
        assert alerting.raise_alert(*args) is not None
    assert Alert.objects.count() == 5


def test_once_it_is_over_it_can_be_raised_again(project: Project, ada: User) -> None:
    alerting.raise_alert(project, Kind.GOLD, ada)
    assert not alerting.end(project, Kind.GOLD), "the one about nobody in particular"
    assert alerting.end(project, Kind.GOLD, ada)
    assert not alerting.end(project, Kind.GOLD, ada)
    assert alerting.raise_alert(project, Kind.GOLD, ada) is not None
    assert Alert.objects.filter(ended_at=None).count() == 1


def test_only_targets_of_the_project_that_want_the_kind_are_told(
    project: Project, django_capture_on_commit_callbacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = target(project, Kind.QUEUE, Kind.WORKER)
    target(project, Kind.GOLD, address="https://hooks.example/2")
    target(factories.project(), Kind.QUEUE)
    woken: list[bool] = []
    monkeypatch.setattr(waking, "wake_deliverer", lambda: woken.append(True))
    with django_capture_on_commit_callbacks(execute=True):
        alert = alerting.raise_alert(project, Kind.QUEUE)
        assert woken == [], "not before the commit"
    assert woken == [True]
    delivery = AlertDelivery.objects.get()
    assert (delivery.alert, delivery.target, delivery.state) == (alert, wanted, "waiting")
    with django_capture_on_commit_callbacks(execute=True) as called:
        alerting.raise_alert(project, Kind.QUEUE, figures={"left": 1})
        alerting.raise_alert(project, Kind.AGREEMENT)
    assert called == [], "nobody is told twice, nor woken for nothing"


def test_what_is_rolled_back_was_never_raised(project: Project) -> None:
    target(project, Kind.QUEUE)
    with transaction.atomic():
        assert alerting.raise_alert(project, Kind.QUEUE) is not None
        transaction.set_rollback(True)
    assert not Alert.objects.exists()
    assert not AlertDelivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_raised_by_many_at_once_it_is_one_alert_and_told_once(project: Project) -> None:
    target(project, Kind.QUEUE)
    found = at_once(lambda n: alerting.raise_alert(project, Kind.QUEUE, figures={"left": n}), range(16))
    assert len([one for one in found if one is not None]) == 1
    assert (Alert.objects.count(), AlertDelivery.objects.count()) == (1, 1)


def test_put_aside_it_leaves_the_bar_and_is_not_raised_again(project: Project, ada: User) -> None:
    alert = alerting.raise_alert(project, Kind.QUEUE)
    assert alert is not None
    assert alert_selectors.open_alerts(project) == [alert]
    assert alerting.put_aside(alert=alert, user=ada)
    assert not alerting.put_aside(alert=alert, user=factories.user())
    assert Alert.objects.get().seen_by == ada
    assert alert_selectors.open_alerts(project) == []
    assert alerting.raise_alert(project, Kind.QUEUE) is None
    entry = AuditEntry.objects.get(action="alert put aside")
    assert (entry.actor, entry.project, entry.detail["kind"]) == (ada, project, "queue")


def test_the_latest_begin_with_what_is_open(project: Project, ada: User) -> None:
    alerting.raise_alert(project, Kind.QUEUE)
    for kind in (Kind.WORKER, Kind.GOLD):
        alerting.raise_alert(project, kind)
        alerting.end(project, kind)
    assert [one.kind for one in alert_selectors.latest_alerts(project)] == ["queue", "gold", "worker"]


def text_of(project: Project, kind: str, figures: dict[str, object], annotator: User | None = None) -> str:
    return alert_words.words(Alert(project=project, kind=kind, annotator=annotator, figures=figures)).text


def test_words_carry_the_figures(project: Project, ada: User) -> None:
    fall = {"before": 0.52, "now": 0.31, "low": -0.3, "high": -0.11, "criterion": "overall"}
    assert text_of(project, "agreement", fall) == (
        "Agreement has fallen from α = .52 to .31. "
        "The difference is between −.30 and −.11 with 95 % confidence. Criterion: overall."
    )
    assert text_of(project, "gold", {"right": 3, "answered": 9}, ada) == (
        "Ada B. fails gold checks: 3 of 9 answers right."
    )
    rules = text_of(project, "paused", {"automatic": True, "reason": "3 of 9 right."}, ada)
    assert rules.startswith("Ada B. was paused by the project's rules")
    assert rules.endswith("3 of 9 right.")
    assert text_of(project, "appeal", {"text": "50 % is not so bad"}, ada) == (
        "Ada B. appeals against the pause: “50 % is not so bad”"
    )
    dry = {"left": 1, "answered": 40, "minutes": 30}
    assert text_of(project, "queue", dry) == ("1 answer is still wanted; 40 were given within 30 minutes.")
    assert "has answered those items already" in text_of(project, "queue", {"left": 8, "closed": True})
    gone = text_of(project, "worker", {"queues": {"training": "2026-11-21T10:00:00+00:00"}})
    assert gone.startswith("The training worker gives no sign of life")
    assert "Nov. 21, 2026, 10 a.m." in gone


@pytest.mark.parametrize("kind", Kind.values)
def test_words_get_along_without_figures_and_lead_somewhere(
    project: Project, ada: User, kind: str, settings
) -> None:
    settings.LAUREL_PUBLIC_URL = "https://laurel.example/lab"
    made = alert_words.words(Alert(project=project, kind=kind, annotator=ada))
    assert made.title
    assert made.text
    assert made.advice
    assert made.url.startswith("https://laurel.example/lab/p/harbour/")


def test_a_reader_is_not_led_where_they_may_not_go(project: Project) -> None:
    alert = Alert(project=project, kind="queue", raised_at=timezone.now())
    assert alert_words.words(alert, Role.REVIEWER).path == ""
    assert alert_words.words(alert, Role.MANAGER).path == "/p/harbour/data/"


def test_numbers_in_words_follow_the_language(project: Project) -> None:
    with translation.override("de"):
        assert "0,31" in text_of(project, "agreement", {"before": 0.52, "now": 0.31})
