"""Alerts arrive by mail and webhook: signed, tried again, sent by one worker, not lost by a killed one."""

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest
from django.core import mail
from django.utils import timezone, translation

from annotation import tasks
from annotation.models.alert import Alert, AlertDelivery, AlertTarget
from annotation.models.project import Project
from annotation.models.worker import WorkerHeartbeat
from annotation.services import alerting, delivering, standing_in, waking
from tests import factories
from tests.annotation.crowds import at_once
from tests.annotation.listening import Listener, listening

pytestmark = pytest.mark.django_db
SECRET = "s3cret-of-the-webhook-" + "x" * 21


@pytest.fixture
def listener(settings) -> Iterator[Listener]:
    settings.LAUREL_WEBHOOK_ALLOW = [ip_network("127.0.0.0/8")]
    settings.LAUREL_PUBLIC_URL = "https://laurel.example"
    with listening() as made:
        yield made


@pytest.fixture
def project() -> Project:
    return factories.project("harbour", name="Harbour\nlights")


def webhook(project: Project, listener: Listener, **fields: object) -> AlertTarget:
    values = {"channel": "webhook", "address": listener.url, "kinds": Alert.Kind.values, "secret": SECRET}
    return AlertTarget.objects.create(project=project, **{**values, **fields})


def by_mail(project: Project) -> AlertTarget:
    kinds = Alert.Kind.values
    return AlertTarget.objects.create(project=project, channel="email", address="m@lab.example", kinds=kinds)


def make_due() -> None:
    AlertDelivery.objects.update(next_try_at=timezone.now())


def test_a_webhook_gets_signed_json(project: Project, listener: Listener) -> None:
    webhook(project, listener)
    alert = alerting.raise_alert(project, "queue", figures={"left": 0})
    assert alert is not None
    with translation.override("de"):
        assert tasks.deliver_alerts() == 1
    headers, body = listener.received[0]
    assert (
        headers["laurel-signature"] == "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    )
    delivery = AlertDelivery.objects.get()
    assert headers["laurel-event"] == "alert"
    assert headers["laurel-delivery"] == str(delivery.pk)
    said = json.loads(body)
    assert datetime.fromisoformat(said.pop("sent_at")) <= timezone.now()
    assert said == {
        "event": "alert",
        "id": str(delivery.pk),
        "project": "harbour",
        "kind": "queue",
        "raised_at": alert.raised_at.isoformat(),
        "title": "The queue runs dry",
        "text": "No work is left, and people are still at it.",
        "advice": "Import more items, or select the next batch.",
        "url": "https://laurel.example/p/harbour/data/",
    }
    assert (delivery.state, delivery.tries, delivery.problem) == ("sent", 1, "")
    assert tasks.deliver_alerts() == 0
    assert listener.connections == 1


def test_a_mail_says_the_same_on_one_subject_line(project: Project, settings) -> None:
    settings.LAUREL_SENDS_MAIL = True
    settings.DEFAULT_FROM_EMAIL = "Laurel <laurel@lab.example>"
    by_mail(project)
    alerting.raise_alert(project, "queue", figures={"left": 0})
    assert delivering.deliver_due() == 1
    sent = mail.outbox[0]
    assert sent.subject == "[Laurel] Harbour lights: The queue runs dry"
    assert sent.to == ["m@lab.example"]
    assert "No work is left" in sent.body
    assert "http://localhost:8000/p/harbour/data/" in sent.body
    number = AlertDelivery.objects.get().pk
    assert sent.extra_headers["Message-ID"] == f"<alert-{number}@lab.example>", "the same in every try"


def test_without_a_mail_server_it_says_so(project: Project) -> None:
    by_mail(project)
    alerting.raise_alert(project, "queue")
    assert delivering.deliver_due() == 0
    assert AlertDelivery.objects.get().problem == "no_mail_server"
    assert mail.outbox == []


def test_a_mail_server_that_refuses_is_a_problem_not_a_crash(
    project: Project, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LAUREL_SENDS_MAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    by_mail(project)
    alerting.raise_alert(project, "queue")
    assert delivering.deliver_due() == 0
    assert AlertDelivery.objects.get().problem.startswith("mail ConnectionRefusedError")


def test_it_is_tried_six_times_ever_more_seldom(project: Project, listener: Listener) -> None:
    webhook(project, listener)
    listener.answer = (503, {})
    alerting.raise_alert(project, "queue")
    waits = []
    for turn in range(1, 7):
        make_due()
        before = timezone.now()
        assert delivering.deliver_due() == 0
        delivery = AlertDelivery.objects.get()
        waits.append(round((delivery.next_try_at - before).total_seconds() / 60))
        assert (delivery.tries, delivery.problem) == (turn, "status 503")
        assert delivering.deliver_due() == 0, "not before it is due"
        assert listener.connections == turn
    assert waits[:5] == [1, 5, 30, 120, 720]
    assert delivery.state == "failed"
    make_due()
    delivering.deliver_due()
    assert listener.connections == 6


def test_what_fails_at_first_arrives_later(project: Project, listener: Listener) -> None:
    webhook(project, listener)
    listener.answer = (500, {})
    alerting.raise_alert(project, "queue")
    delivering.deliver_due()
    listener.answer = (200, {})
    make_due()
    assert delivering.deliver_due() == 1
    delivery = AlertDelivery.objects.get()
    assert (delivery.state, delivery.tries, delivery.problem) == ("sent", 2, "")
    assert len({headers["laurel-delivery"] for headers, _ in listener.received}) == 1, "one id, to know it by"


def test_one_bad_target_keeps_nobody_from_the_news(project: Project, listener: Listener) -> None:
    webhook(project, listener, address="http://169.254.169.254/latest/")
    webhook(project, listener)
    alerting.raise_alert(project, "queue")
    assert delivering.deliver_due() == 1
    problems = set(AlertDelivery.objects.values_list("state", "problem"))
    assert problems == {("sent", ""), ("waiting", "private 169.254.169.254")}


def test_a_worker_killed_while_sending_loses_nothing(
    project: Project, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook(project, listener)
    alerting.raise_alert(project, "queue")

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(delivering.egress, "post", killed)
        for turn in range(1, 3):
            make_due()
            with pytest.raises(KeyboardInterrupt):
                delivering.deliver_due()
            delivery = AlertDelivery.objects.get()
            assert (delivery.state, delivery.tries) == ("waiting", turn)
            assert delivery.next_try_at > timezone.now(), "nobody else takes it meanwhile"
    make_due()
    assert delivering.deliver_due() == 1
    AlertDelivery.objects.update(state="waiting", tries=6)
    make_due()
    assert delivering.deliver_due() == 0
    assert AlertDelivery.objects.get().state == "failed", "killed in the last try"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_many_workers_send_each_delivery_once(project: Project, listener: Listener) -> None:
    for number in range(10):
        webhook(project, listener, address=f"{listener.url}/{number}")
    alerting.raise_alert(project, "queue")
    arrived = at_once(lambda _: delivering.deliver_due(), range(8))
    assert sum(arrived) == 10
    assert listener.connections == 10
    assert len(set(listener.paths)) == 10


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_control_without_the_claim_they_are_sent_again_and_again(
    project: Project, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(10):
        webhook(project, listener, address=f"{listener.url}/{number}")
    alerting.raise_alert(project, "queue")
    monkeypatch.setattr(delivering, "_claim", lambda: AlertDelivery.objects.filter(state="waiting").first())
    at_once(lambda _: delivering.deliver_due(), range(8))
    assert listener.connections > 10


def test_the_wake_up_of_a_long_queue_goes_on(
    project: Project, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[bool] = []
    monkeypatch.setattr(waking, "wake_deliverer", lambda: woken.append(True))
    monkeypatch.setattr(delivering, "AT_A_TIME", 2)
    for number in range(3):
        webhook(project, listener, address=f"{listener.url}/{number}")
    alerting.raise_alert(project, "queue")
    assert (delivering.deliver_due(), woken) == (2, [True])
    assert (delivering.deliver_due(), woken) == (1, [True])


def test_a_test_message_says_what_came_of_it(project: Project, listener: Listener, settings) -> None:
    target = webhook(project, listener)
    assert delivering.send_test(target) == ""
    headers, body = listener.received[0]
    assert headers["laurel-event"] == "test"
    assert "Harbour" in json.loads(body)["text"]
    listener.answer = (302, {"Location": "http://127.0.0.1/"})
    assert delivering.send_test(target) == "redirect 302"
    assert delivering.send_test(by_mail(project)) == "no_mail_server"
    settings.LAUREL_SENDS_MAIL = True
    assert delivering.send_test(by_mail_target()) == ""
    assert "This is a test" in mail.outbox[0].body
    assert not AlertDelivery.objects.exists()


def by_mail_target() -> AlertTarget:
    return AlertTarget.objects.get(channel="email")


def test_neither_secret_nor_address_is_logged(
    project: Project, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    webhook(project, listener, address=f"{listener.url}?token=hunter2")
    listener.answer = (500, {})
    alerting.raise_alert(project, "queue")
    with caplog.at_level(logging.DEBUG):
        delivering.deliver_due()
    said = " ".join(f"{record.getMessage()} {record.exc_text}" for record in caplog.records)
    assert "status 500" in said
    assert SECRET not in said
    assert "hunter2" not in said


def test_a_broker_that_is_away_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object, **__: object) -> None:
        raise OSError("no broker")

    monkeypatch.setattr(waking.current_app, "send_task", away)
    assert waking.wake_deliverer() is False


def test_whoever_is_alive_stands_in_for_a_missing_light_worker(project: Project, listener: Listener) -> None:
    webhook(project, listener)
    now = timezone.now()
    alive = {"pid": 1, "host": "h", "started_at": now - timedelta(hours=1)}
    WorkerHeartbeat.objects.create(name="t", queue="training", seen_at=now, **alive)
    light = WorkerHeartbeat.objects.create(name="l", queue="light", seen_at=now, **alive)
    assert not standing_in.stand_in()
    light.seen_at = now - timedelta(minutes=3)
    light.save()
    assert standing_in.stand_in()
    assert [body["kind"] for body in listener.bodies()] == ["worker"]
    assert "light worker" in listener.bodies()[0]["text"]
