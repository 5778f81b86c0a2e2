"""A manager adds a webhook, tries it, is told of an alert, and puts it aside: in a real browser."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import Role, User
from annotation.models.alert import Alert, AlertTarget
from annotation.models.project import Project
from annotation.services import alerting, delivering
from tests import cast, factories
from tests.annotation.listening import Listener, listening
from tests.e2e.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PAGE = "/p/harbour/settings/alerts/"


@pytest.fixture
def project() -> Project:
    return factories.project("harbour", name="Harbour")


@pytest.fixture
def manager(project: Project) -> User:
    manager = cast.person("mara", display_name="Mara Lind")
    cast.member(manager, project, Role.MANAGER)
    return manager


@pytest.fixture
def listener(settings) -> Iterator[Listener]:
    settings.LAUREL_WEBHOOK_ALLOW = [ip_network("127.0.0.0/8")]
    with listening() as made:
        yield made


def test_a_webhook_from_the_form_to_the_news(
    visit: Callable[..., Visit], project: Project, manager: User, listener: Listener
) -> None:
    visitor = visit(manager, "/p/harbour/settings/")
    page = visitor.page
    page.get_by_role("link", name="Alerts").click()
    page.get_by_label("Webhook").check()
    page.get_by_label("Address", exact=True).fill(listener.url)
    page.get_by_label("Agreement falls").uncheck()
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#secret")).to_have_text(AlertTarget.objects.get().secret)

    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text(f"The test arrived at {listener.url}.")).to_be_visible()
    headers, body = listener.received[0]
    secret = AlertTarget.objects.get().secret
    assert headers["laurel-signature"] == f"sha256={delivering.signature(secret, body)}"
    listener.answer = (500, {})
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_text("It answered with status 500 instead of 200.")).to_be_visible()

    listener.answer = (200, {})
    alerting.raise_alert(project, "agreement", figures={"before": 0.5, "now": 0.3})
    alerting.raise_alert(project, "queue", figures={"left": 0})
    delivering.deliver_due()
    assert [one["kind"] for one in listener.bodies()[2:]] == ["queue"], "agreement is not wanted there"
    page.reload()
    expect(page.get_by_text("delivered")).to_be_visible()
    expect(page.get_by_role("link", name="Monitor 2 open alerts")).to_be_visible()

    page.get_by_role("link", name="All alerts").click()
    page.get_by_role("button", name="Put aside The queue runs dry").click()
    expect(page.get_by_text("put aside", exact=True)).to_be_visible()
    assert Alert.objects.get(kind="queue").seen_by == manager
    expect(page.get_by_role("link", name="Monitor 1 open alert")).to_be_visible()

    page.get_by_role("link", name="Who is told").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Nobody is told by e-mail or webhook yet.")).to_be_visible()
    visitor.assert_clean()


def faults(page: Page) -> list[str]:
    found = [
        f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in Axe().run(page).response["violations"]
    ]
    if page.evaluate("document.scrollingElement.scrollWidth > document.scrollingElement.clientWidth"):
        found.append("wider than the window")
    return found


@pytest.mark.parametrize(
    ("width", "scheme", "language"), [(1280, "light", "en"), (390, "dark", "en"), (390, "light", "ar")]
)
def test_full_pages_are_accessible_and_fit(
    visit: Callable[..., Visit],
    project: Project,
    manager: User,
    width: int,
    scheme: str,
    language: str,
) -> None:
    tell_of_everything(project)
    visitor = visit(manager, "/", width=width, color_scheme=scheme, locale=language)
    for path in (PAGE, "/p/harbour/alerts/"):
        visitor.page.goto(visitor.site + path)
        assert (path, faults(visitor.page)) == (path, [])
    visitor.assert_clean()


def tell_of_everything(project: Project) -> None:
    """One alert of each kind in every state, on its way to a long address."""
    long_address = "https://hooks.example/services/T0001/" + "b" * 90
    for channel, address, kinds in (
        ("webhook", long_address, Alert.Kind.values),
        ("email", "labels@lab.example", ["queue", "worker"]),
    ):
        AlertTarget.objects.create(
            project=project, channel=channel, address=address, kinds=kinds, secret="s" * 43
        )
    ada = factories.user("ada", display_name="Ada Byron")
    figures = {
        "agreement": {"before": 0.52, "now": 0.31, "low": -0.3, "high": -0.11, "criterion": "overall"},
        "gold": {"right": 3, "answered": 9},
        "paused": {"automatic": True, "reason": "3 of 9 gold answers right."},
        "appeal": {"text": "Two of the experts' answers are wrong."},
        "queue": {"left": 12, "answered": 40, "minutes": 30},
        "worker": {"queues": {"training": "2026-11-21T10:00:00+00:00"}},
    }
    for kind, known in figures.items():
        about = ada if kind in ("gold", "paused", "appeal") else None
        alerting.raise_alert(project, kind, about, known)
    alerting.end(project, "gold", ada)
    delivering.AlertDelivery.objects.filter(target__channel="email").update(tries=1, problem="no_mail_server")
