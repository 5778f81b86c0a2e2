"""Who is told, by e-mail or webhook, and the list of alerts: as managers and watchers use them."""

import re
from collections.abc import Iterator
from ipaddress import ip_network

import pytest
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from accounts.models import AuditEntry, Role, User
from annotation import alert_selectors, alert_words
from annotation.delivery_words import PROBLEMS, problem_in_words
from annotation.models.alert import Alert, AlertDelivery, AlertTarget
from annotation.models.project import Project
from annotation.services import alerting, delivering, targeting
from tests import factories
from tests.annotation.listening import Listener, listening
from tests.annotation.watching import words
from tests.cast import Cast, browser, make_cast, member, person

pytestmark = pytest.mark.django_db
PAGE = "/p/harbour/settings/alerts/"
HOOK = "https://hooks.example/t/hunter2"


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def manager(cast: Cast) -> Client:
    return browser(cast.manager)


@pytest.fixture
def listener(settings) -> Iterator[Listener]:
    settings.LAUREL_WEBHOOK_ALLOW = [ip_network("127.0.0.0/8")]
    with listening() as made:
        yield made


def entered(**fields: object) -> dict[str, object]:
    return {"channel": "email", "address": "m@lab.example", "kinds": ["queue", "worker"], **fields}


def target(
    project: Project, address: str = "https://hooks.example/t/hunter2", **fields: object
) -> AlertTarget:
    values = {"channel": "webhook", "kinds": Alert.Kind.values, "secret": "s" * 43, **fields}
    return AlertTarget.objects.create(project=project, address=address, **values)


def test_an_email_address_is_added(cast: Cast, manager: Client) -> None:
    shown = words(manager.get(PAGE).content.decode())
    assert "Nobody is told by e-mail or webhook yet." in shown
    assert "No mail server is set" in shown
    answer = manager.post(PAGE, entered())
    assert "Alerts go to m@lab.example from now on." in words(answer.content.decode())
    made = AlertTarget.objects.get()
    assert (made.project, made.channel, made.kinds, made.secret) == (
        cast.project,
        "email",
        ["queue", "worker"],
        "",
    )
    assert made.created_by == cast.manager
    assert "The queue runs dry · A worker is missing" in words(manager.get(PAGE).content.decode())


def test_a_webhooks_secret_is_shown_once_and_logged_never(cast: Cast, manager: Client) -> None:
    answer = manager.post(PAGE, entered(channel="webhook", address=HOOK))
    secret = AlertTarget.objects.get().secret
    assert len(secret) == 43
    assert secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert secret not in manager.get(PAGE).content.decode()
    entry = AuditEntry.objects.get(action="alert target added")
    assert entry.detail == {"channel": "webhook", "address": "hooks.example", "kinds": ["queue", "worker"]}
    history = words(manager.get("/p/harbour/settings/history/").content.decode())
    assert "Alerts go to another address" in history
    assert "hooks.example" in history
    assert "hunter2" not in history


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"address": "nobody"}, "Enter an e-mail address"),
        ({"address": "a@b.example\nBcc: x@y.example"}, "Enter an e-mail address"),
        ({"address": ""}, "Where should alerts go?"),
        ({"channel": "webhook", "address": "file:///etc/passwd"}, "Enter a web address"),
        ({"channel": "webhook", "address": "m@lab.example"}, "Enter a web address"),
        ({"channel": "webhook", "address": "https://u:p@hooks.example/"}, "Enter a web address"),
        ({"kinds": []}, "Choose at least one kind of alert."),
        ({"kinds": ["nonsense"]}, "Select a valid choice"),
        ({"channel": "pigeon"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_an_address_is_said(manager: Client, fields: dict[str, object], said: str) -> None:
    answer = manager.post(PAGE, entered(**fields))
    assert answer.status_code == 422
    assert said in words(answer.content.decode())
    assert not AlertTarget.objects.exists()


def test_an_address_is_told_once_and_not_too_many_are(
    manager: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager.post(PAGE, entered())
    answer = manager.post(PAGE, entered())
    assert (answer.status_code, AlertTarget.objects.count()) == (422, 1)
    assert "This address is told already" in words(answer.content.decode())
    monkeypatch.setattr(targeting, "MOST_TARGETS", 1)
    answer = manager.post(PAGE, entered(address="n@lab.example"))
    assert (answer.status_code, AlertTarget.objects.count()) == (422, 1)
    assert "More than 1 addresses" in words(answer.content.decode())


def test_a_test_says_what_came_of_it(cast: Cast, manager: Client, listener: Listener, settings) -> None:
    url = f"{PAGE}{target(cast.project, listener.url).pk}/test/"
    shown = words(manager.post(url, follow=True).content.decode())
    assert f"The test arrived at {listener.url}." in shown
    listener.answer = (404, {})
    shown = words(manager.post(url, follow=True).content.decode())
    assert "did not arrive" in shown
    assert "It answered with status 404 instead of 200." in shown
    settings.LAUREL_WEBHOOK_ALLOW = []
    shown = words(manager.post(url, follow=True).content.decode())
    assert "127.0.0.1 is not a public address." in shown
    assert listener.connections == 2
    mailbox = target(cast.project, "m@lab.example", channel="email")
    shown = words(manager.post(f"{PAGE}{mailbox.pk}/test/", follow=True).content.decode())
    assert "No mail server is set." in shown


def test_a_removed_address_is_told_nothing_more(cast: Cast, manager: Client, listener: Listener) -> None:
    made = target(cast.project, listener.url)
    alerting.raise_alert(cast.project, "queue")
    shown = words(manager.post(f"{PAGE}{made.pk}/remove/", follow=True).content.decode())
    assert "nothing is sent there any more" in shown
    assert AuditEntry.objects.get(action="alert target removed").actor == cast.manager
    assert delivering.deliver_due() == 0
    assert listener.connections == 0


def test_anothers_target_and_alert_are_not_found(cast: Cast, manager: Client) -> None:
    theirs = target(cast.other_project)
    alert = alerting.raise_alert(cast.other_project, "queue")
    assert alert is not None
    for what in ("test", "remove"):
        assert manager.post(f"{PAGE}{theirs.pk}/{what}/").status_code == 404
    assert manager.post(f"/p/harbour/alerts/{alert.pk}/aside/").status_code == 404
    assert AlertTarget.objects.filter(pk=theirs.pk).exists()
    assert Alert.objects.get().seen_by is None


def test_the_latest_deliveries_say_how_it_went(cast: Cast, manager: Client) -> None:
    target(cast.project)
    alerting.raise_alert(cast.project, "queue")
    delivery = AlertDelivery.objects.get()
    assert "on its way" in words(manager.get(PAGE).content.decode())
    AlertDelivery.objects.update(tries=2, problem="status 500")
    shown = words(manager.get(PAGE).content.decode())
    assert "It answered with status 500 instead of 200." in shown
    assert "Tries so far: 2, the next one at" in shown
    AlertDelivery.objects.update(state="failed", tries=6)
    assert "given up" in words(manager.get(PAGE).content.decode())
    AlertDelivery.objects.update(state="sent", problem="", sent_at=delivery.next_try_at)
    assert "delivered" in words(manager.get(PAGE).content.decode())


@pytest.mark.parametrize("code", PROBLEMS)
def test_every_problem_has_words(code: str) -> None:
    said = problem_in_words(f"{code} 50% of <b>")
    assert said
    assert "%s" not in said
    assert problem_in_words("") == ""
    assert "unheard of" in problem_in_words("unheard of")


# --- the list and the badge -----------------------------------------------------------------------


def test_watchers_see_alerts_and_put_them_aside(cast: Cast) -> None:
    reviewer = browser(cast.reviewer)
    assert "No alerts so far" in words(reviewer.get("/p/harbour/alerts/").content.decode())
    alert = alerting.raise_alert(cast.project, "queue", figures={"left": 0})
    assert alert is not None
    page = reviewer.get("/p/harbour/alerts/").content.decode()
    assert "No work is left, and people are still at it." in words(page)
    assert "/p/harbour/data/" not in page, "reviewers may not open it"
    assert "/settings/alerts/" not in page
    answer = reviewer.post(f"/p/harbour/alerts/{alert.pk}/aside/", {"back": "alerts"})
    assert answer["Location"] == "/p/harbour/alerts/"
    shown = words(reviewer.get("/p/harbour/alerts/").content.decode())
    assert "put aside by reviewer" in shown
    assert "Put aside" not in shown
    for back in ("", "//evil.example", "settings"):
        answer = reviewer.post(f"/p/harbour/alerts/{alert.pk}/aside/", {"back": back})
        assert answer["Location"] == "/p/harbour/monitor/"


def test_the_bar_shows_three_and_leads_to_the_rest(cast: Cast, rf: RequestFactory) -> None:
    def bar() -> str:
        alerts = alert_words.with_words(alert_selectors.open_alerts(cast.project), Role.MANAGER)
        context = {"project": cast.project, "alerts": alerts}
        return render_to_string("annotation/alerts.html", context, request=rf.get("/"))

    assert words(bar()) == ""
    for kind in ("queue", "worker", "agreement"):
        alerting.raise_alert(cast.project, kind)
    assert bar().count("/aside/") == 3
    assert "open alerts" not in bar()
    assert 'value="monitor"' in bar()
    alerting.raise_alert(cast.project, "gold", cast.annotator)
    assert bar().count("/aside/") == 3
    assert "All 4 open alerts" in words(bar())
    assert "annotator fails gold" in words(bar()), "the newest are shown"


def test_names_and_what_people_write_are_escaped(cast: Cast, manager: Client) -> None:
    villain = person("villain", display_name="<script>alert(1)</script>")
    member(villain, cast.project, Role.ANNOTATOR)
    alerting.raise_alert(cast.project, "appeal", villain, {"text": "<img src=x onerror=alert(1)> 100 %s"})
    page = manager.get("/p/harbour/alerts/").content.decode()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "100 %s" in page


def badge(user: User) -> str:
    page = browser(user).get("/p/harbour/guidelines/").content.decode()
    tabs = re.search(r'<nav class="tabs".*?</nav>', page, re.DOTALL)
    assert tabs
    return words(tabs[0])


def test_the_monitors_tab_counts_what_is_open(cast: Cast) -> None:
    assert "open alert" not in badge(cast.manager)
    alert = alerting.raise_alert(cast.project, "queue")
    assert alert is not None
    assert "Monitor 1 open alert " in badge(cast.manager)
    alerting.raise_alert(cast.project, "worker")
    assert "Monitor 2 open alerts" in badge(cast.engineer)
    assert "open alert" not in badge(cast.annotator)
    alerting.end(cast.project, "queue")
    alerting.raise_alert(factories.project(), "queue")
    assert "Monitor 1 open alert " in badge(cast.manager)


def test_the_pages_ask_the_same_few_questions_of_any_length(
    cast: Cast, manager: Client, django_assert_max_num_queries
) -> None:
    for number in range(30):
        target(cast.project, f"https://hooks.example/{number}")
    for kind in Alert.Kind.values:
        alerting.raise_alert(cast.project, kind, cast.annotator)
    with django_assert_max_num_queries(10):
        manager.get(PAGE)
    with django_assert_max_num_queries(10):
        manager.get("/p/harbour/alerts/")
