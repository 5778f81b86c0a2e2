"""Every route × method × role, in the own project and in another one.

`ROUTES` is the matrix, one line a route; a route that is not in it fails the test. The rules:

- What is not yours is 404, the same answer as for what does not exist.
- Whoever is not signed in is led to the sign-in page, on every route that is not public: whether a project
  exists is not told to strangers either.
- A method a route does not have is 405. It is looked at before the project is, so an outsider who GETs a
  POST-only route gets 405 too; that says nothing about the project.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import pytest_django
from django.db import transaction
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import Role, User
from accounts.services import inviting
from activelearning.models import Replay, SelectionBatch
from annotation.models.alert import AlertTarget
from annotation.models.learning import Attempt
from annotation.models.project import Project
from annotation.models.review import Review
from annotation.selectors import BUILDERS, EVERYONE, JUDGES, MANAGERS, WATCHERS
from annotation.services import alerting
from tests import factories
from tests.annotation import practising
from tests.cast import Cast, browser, make_cast
from tests.kept import kept

PUBLIC, SIGNED_IN, STAFF = "public", "signed in", "staff"
TOKEN = "token"  # for programs: who is signed in has none (each role: rewardmodel/test_score_api.py)
CREATORS = frozenset({*MANAGERS, "outsider"})  # who manages any project may make another
NO = 405


@dataclass(frozen=True)
class Route:
    """`get` and `post` are what those who may come in are answered (a POST carries no data)."""

    pattern: str
    access: str | frozenset[Role]
    get: int
    post: int
    stranger_get: int = 302  # not signed in
    stranger_post: int = 302


P = "p/<slug:slug>/"
ROUTES = [
    #     route, who may come in, answer to GET, answer to POST (, the same for strangers, where public)
    Route("healthz", PUBLIC, 200, NO, 200, NO),
    Route("readyz", PUBLIC, 200, NO, 200, NO),
    Route("sign-in/", PUBLIC, 302, 302, 200, 422),
    Route("sign-in/<str:token>/", PUBLIC, 410, NO, 410, NO),  # an invented token
    Route("sign-out/", PUBLIC, NO, 302, NO, 302),
    Route("invitation/<str:token>/", PUBLIC, 200, 302, 200, 422),  # a token that works
    Route("admin/login/", STAFF, 302, 302),
    Route("language/", PUBLIC, NO, 302, NO, 302),
    Route("account/", SIGNED_IN, 200, 302),
    Route("", SIGNED_IN, 200, NO),
    Route(P + "people/", MANAGERS, 200, 422),
    Route(P + "people/<int:user_id>/role/", MANAGERS, NO, 302),
    Route(P + "people/<int:user_id>/group/", MANAGERS, NO, 302),
    Route(P + "people/<int:user_id>/remove/", MANAGERS, NO, 302),
    Route(P + "people/invitations/<int:invitation_id>/revoke/", MANAGERS, NO, 302),
    Route(P + "judge/", JUDGES, 200, 404),  # 404: a POST that names none of one's own assignments
    Route(P + "judge/draft/", JUDGES, NO, 404),
    Route(P + "judge/<int:assignment_id>/", JUDGES, 404, NO),  # 404: not one's own
    Route(P + "judge/skip/", JUDGES, NO, 404),
    Route(P + "judge/flag/", JUDGES, NO, 404),
    Route(P + "judge/undo/", JUDGES, NO, 302),
    Route(P + "judge/waiting/", JUDGES, 204, NO),  # 204: an item is there
    Route(P + "work/", JUDGES, 200, NO),
    Route(P + "learn/", JUDGES, 200, NO),
    Route(P + "learn/<int:exercise_id>/", JUDGES, 200, 302),
    Route(P + "learn/<int:exercise_id>/<int:number>/", JUDGES, 302, NO),  # a session tells no expert's answer
    Route(P + "learn/<int:exercise_id>/session/", JUDGES, 200, 302),
    Route(P + "exercises/", MANAGERS, 200, 422),
    Route(P + "exercises/waivers/", MANAGERS, NO, 404),  # 404: it names nobody
    Route(P + "exercises/<int:exercise_id>/", MANAGERS, 200, 422),
    Route(P + "exercises/<int:exercise_id>/items/", MANAGERS, NO, 302),
    Route(P + "exercises/<int:exercise_id>/state/", MANAGERS, NO, 302),
    Route(P + "exercises/<int:exercise_id>/again/", MANAGERS, NO, 404),
    Route(P + "exercises/<int:exercise_id>/attempts/<int:attempt_id>/", MANAGERS, 200, NO),
    Route("projects/new/", CREATORS, 200, 422),
    Route("projects/preview/", CREATORS, NO, 200),
    Route(P + "settings/", MANAGERS, 200, 422),
    Route(P + "settings/start/", MANAGERS, 200, NO),
    Route(P + "settings/state/", MANAGERS, 302, 302),
    Route(P + "settings/history/", MANAGERS, 200, NO),
    Route(P + "settings/alerts/", MANAGERS, 200, 422),
    Route(P + "settings/alerts/<int:target_id>/test/", MANAGERS, NO, 302),
    Route(P + "settings/alerts/<int:target_id>/remove/", MANAGERS, NO, 302),
    Route(P + "alerts/", WATCHERS, 200, NO),
    Route(P + "alerts/<int:alert_id>/aside/", WATCHERS, NO, 302),
    Route(P + "guidelines/", EVERYONE, 200, NO),
    Route(P + "guidelines/edit/", MANAGERS, 200, 422),
    Route(P + "guidelines/versions/", EVERYONE, 200, NO),
    Route(P + "guidelines/<int:number>/", EVERYONE, 200, NO),
    Route(P + "monitor/", WATCHERS, 200, NO),
    Route(P + "monitor/<slug:table>.csv", WATCHERS, 200, NO),
    Route(P + "annotators/<int:user_id>/", WATCHERS, 200, NO),
    Route(P + "annotators/<int:user_id>/standing/", MANAGERS, NO, 302),
    Route(P + "annotators/<int:user_id>/message/", MANAGERS, NO, 302),
    Route(P + "standing/", JUDGES, 200, 422),
    Route(P + "items/<int:item_id>/", WATCHERS, 200, NO),
    Route(P + "items/<int:item_id>/claim/", WATCHERS & JUDGES, NO, 302),
    Route(P + "items/<int:item_id>/votes/", WATCHERS & JUDGES, NO, 302),
    Route(P + "items/<int:item_id>/gold/", MANAGERS, 200, 422),  # a reviewer's: of items with votes only
    Route(P + "items/<int:item_id>/retire/", MANAGERS, NO, 404),  # 404: the item is no gold
    Route(P + "items/<int:item_id>/restore/", MANAGERS, NO, 404),
    Route(P + "items/<int:item_id>/review/", WATCHERS & JUDGES, NO, 302),
    Route(P + "items/<int:item_id>/comments/", WATCHERS & JUDGES, NO, 302),
    Route(P + "review/", WATCHERS, 200, NO),
    Route(P + "review/<int:review_id>/", WATCHERS, 200, 404),  # 404: a POST that names no step
    Route(P + "gold/", WATCHERS, 200, NO),
    Route(P + "data/", BUILDERS, 200, NO),
    Route(P + "data/import/", BUILDERS, 200, 422),
    Route(P + "data/judgments.jsonl", BUILDERS, 200, NO),
    Route(P + "data/snapshots/", BUILDERS, NO, 302),
    Route(P + "data/snapshots/<int:number>/", BUILDERS, 200, NO),
    Route(P + "data/snapshots/<int:number>/<slug:format>/", BUILDERS, 302, NO),  # 302: its files are gone
    Route(P + "leaderboard/", BUILDERS, 200, NO),
    Route(P + "leaderboard.json", BUILDERS, 200, NO),
    Route(P + "leaderboard.csv", BUILDERS, 200, NO),
    Route(P + "api/score", TOKEN, NO, 401, NO, 401),
    Route(P + "models/", BUILDERS, 200, NO),
    Route(P + "models/compare", BUILDERS, 302, NO),  # 302: it names no two runs
    Route(P + "models/train", BUILDERS, NO, 302),
    Route(P + "models/roll-back", BUILDERS, NO, 302),
    Route(P + "models/<int:number>/", BUILDERS, 200, NO),
    Route(P + "models/<int:number>/metrics.json", BUILDERS, 200, NO),
    Route(P + "models/<int:number>/card/", BUILDERS, 200, NO),
    Route(P + "models/<int:number>/MODEL_CARD.md", BUILDERS, 200, NO),
    Route(P + "models/<int:number>/cancel", BUILDERS, NO, 302),
    Route(P + "models/<int:number>/promote", BUILDERS, NO, 302),
    Route(P + "models/<int:number>/handover", BUILDERS, 302, 302),
    Route(P + "models/<int:number>/handover.zip", BUILDERS, 302, NO),  # 302: none was made
    Route(P + "next/", BUILDERS, 200, NO),
    Route(P + "next/select/", BUILDERS, NO, 302),
    Route(P + "next/policy/", BUILDERS, NO, 422),
    Route(P + "next/<int:number>/", BUILDERS, 200, NO),
    Route(P + "next/coverage/", BUILDERS, 200, NO),
    Route(P + "next/coverage.csv", BUILDERS, 200, NO),
    Route(P + "next/curve/", BUILDERS, 200, NO),
    Route(P + "next/curve.csv", BUILDERS, 200, NO),
    Route(P + "next/replays/", BUILDERS, 200, NO),
    Route(P + "next/replays/start/", BUILDERS, NO, 422),
    Route(P + "next/replays/<int:replay_id>/", BUILDERS, 200, NO),
    Route(P + "next/replays/<int:replay_id>.csv", BUILDERS, 200, NO),
]
ACTORS = ["stranger", "outsider", "annotator", "reviewer", "manager", "engineer", "admin"]


def all_patterns(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[str]:
    for entry in (resolver or get_resolver()).url_patterns:
        here = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield here
        else:
            yield from all_patterns(entry, here)


def in_site_admin(pattern: str) -> bool:
    return pattern.startswith("admin/") and pattern != "admin/login/"


@dataclass(frozen=True)
class World:
    cast: Cast
    invitation: inviting.IssuedInvitation
    items: dict[str, int]  # the key of an item in each project
    attempts: dict[str, Attempt]  # the annotator's, at a calibration session of each project
    alerts: dict[str, tuple[int, int]]  # an alert and a target of each project
    reviews: dict[str, int]  # the key of a review under way in each project
    replays: dict[str, int]  # the key of a replay of each project
    cookies: dict[str, str]

    def url(self, route: Route, slug: str = "harbour") -> str:
        values = {
            "slug": slug,
            "user_id": self.cast.annotator.pk,
            "item_id": self.items.get(slug, 1),
            "assignment_id": 0,
            "exercise_id": self.attempts[slug].exercise_id if slug in self.attempts else 1,
            "review_id": self.reviews.get(slug, 1),
            "replay_id": self.replays.get(slug, 1),
            "attempt_id": self.attempts[slug].pk if slug in self.attempts else 1,
            "alert_id": self.alerts.get(slug, (1, 1))[0],
            "target_id": self.alerts.get(slug, (1, 1))[1],
            "invitation_id": self.invitation.invitation.pk,
            "token": "invented" if route.pattern.startswith("sign-in/") else self.invitation.token,
            "number": 1,
            "table": "annotators",
            "format": "trl-dpo",
        }
        return "/" + re.sub(r"<\w+:(\w+)>", lambda found: str(values[found[1]]), route.pattern)

    def ask(self, actor: str, method: str, url: str) -> HttpResponse:
        """The answer to one request; whatever it changed is taken back."""
        client = browser()
        client.cookies.load(self.cookies.get(actor, ""))
        with taken_back():
            return client.generic(method, url)


@contextmanager
def taken_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def kept_world(django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker) -> Iterator[World]:
    with kept(django_db_blocker.unblock, make_world) as made:
        yield made


@pytest.fixture
def world(kept_world: World, db: None) -> World:
    return kept_world


def make_world() -> World:
    """Each of the two projects has one of everything a route can name."""
    cast = make_cast()
    items, attempts, alerts, reviews, replays = {}, {}, {}, {}, {}
    for project in (cast.project, cast.other_project):
        factories.guideline(project)
        items[project.slug] = factories.pair_item(project).pk
        factories.judgment(factories.pair_item(project), cast.annotator)
        session = practising.exercise(project, [factories.gold_item(project)], kind="session")
        attempts[project.slug] = practising.take(session, cast.annotator, right=1)
        alerts[project.slug] = alert_and_target(project)
        asked = {"item_id": items[project.slug], "kind": "adjudication", "reviewer": cast.reviewer}
        reviews[project.slug] = Review.objects.create(project=project, **asked).pk
        factories.ensemble(factories.run(project))
        SelectionBatch.objects.create(project=project, number=1, strategy="recipe", seed=0, candidates=1)
        replays[project.slug] = Replay.objects.create(project=project, state="failed", config={}).pk
    issued = inviting.invite(project=cast.project, role=Role.REVIEWER, actor=cast.manager)
    cookies = {actor: signed_in_as(getattr(cast, actor)) for actor in ACTORS if actor != "stranger"}
    return World(cast, issued, items, attempts, alerts, reviews, replays, cookies)


def alert_and_target(project: Project) -> tuple[int, int]:
    alert = alerting.raise_alert(project, "queue")
    assert alert is not None
    asked = {"channel": "email", "address": "m@lab.example", "kinds": ["queue"]}
    return alert.pk, AlertTarget.objects.create(project=project, **asked).pk


def signed_in_as(user: User) -> str:
    return browser(user).cookies.output(attrs=[], header="", sep=";")


def test_every_route_is_in_the_matrix() -> None:
    """Add a line to ROUTES for each route named here; take out the lines whose route is gone."""
    found = {pattern for pattern in all_patterns() if not in_site_admin(pattern)}
    listed = [route.pattern for route in ROUTES]
    assert len(listed) == len(set(listed))
    assert sorted(found - set(listed)) == []
    assert sorted(set(listed) - found) == []


def expected(route: Route, method: str, actor: str) -> int:
    public = route.access in (PUBLIC, TOKEN)
    if actor == "stranger":
        return route.stranger_get if method == "GET" else route.stranger_post
    answer = route.get if method == "GET" else route.post
    if answer == NO or public or route.access == SIGNED_IN:
        return answer
    inside = actor == "admin" or (route.access != STAFF and actor in route.access)
    return answer if inside else 404


def by_pattern(route: Route) -> str:
    return f"/{route.pattern}"


@pytest.mark.parametrize("route", ROUTES, ids=by_pattern)
def test_own_project(world: World, route: Route) -> None:
    url = world.url(route)
    for method in ("GET", "POST"):
        answers = {actor: world.ask(actor, method, url) for actor in ACTORS}
        assert {actor: answer.status_code for actor, answer in answers.items()} == {
            actor: expected(route, method, actor) for actor in ACTORS
        }, method
        for actor, answer in answers.items():
            assert_headers(answer)
            if route.access not in (PUBLIC, STAFF) and answer.status_code == 302:
                assert answer.url.startswith("/sign-in/?next=") == (actor == "stranger"), (method, actor)


@pytest.mark.parametrize(
    "actors",
    [["manager"], pytest.param(["annotator", "reviewer", "engineer"], marks=pytest.mark.slow)],
    ids=["manager", "others"],
)
@pytest.mark.parametrize(
    "route", [each for each in ROUTES if P in each.pattern and each.access != TOKEN], ids=by_pattern
)
def test_anothers_project_answers_as_one_that_does_not_exist(
    world: World, route: Route, actors: list[str]
) -> None:
    theirs, nobodys = world.url(route, slug="orchard"), world.url(route, slug="invented")
    for method, allowed in (("GET", route.get), ("POST", route.post)):
        for actor in actors:
            for url in (theirs, nobodys):
                answer = world.ask(actor, method, url)
                assert answer.status_code == (NO if allowed == NO else 404), (method, actor, url)
                assert world.cast.other_project.name not in answer.content.decode()
        for url in (theirs, nobodys):
            assert world.ask("stranger", method, url).status_code == 302, (method, url)


def test_an_item_of_another_project_is_not_found_under_ones_own(world: World) -> None:
    assert world.ask("manager", "GET", f"/p/harbour/items/{world.items['harbour']}/").status_code == 200
    assert world.ask("manager", "GET", f"/p/harbour/items/{world.items['orchard']}/").status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize("route", ROUTES, ids=by_pattern)
def test_other_methods_do_not_exist(world: World, route: Route) -> None:
    url = world.url(route)
    assert [world.ask("admin", method, url).status_code for method in ("PUT", "PATCH", "DELETE")] == [NO] * 3


@pytest.mark.slow
@pytest.mark.parametrize("route", [each for each in ROUTES if each.post != NO], ids=by_pattern)
def test_posting_needs_a_csrf_token(world: World, route: Route) -> None:
    client = browser(world.cast.manager, csrf=True)
    answer = client.post(world.url(route))
    assert answer.status_code == (401 if route.access == TOKEN else 403)  # 401: no cookie is looked at
    assert_headers(answer)


def admin_urls(cast: Cast) -> list[str]:
    """Every address below /admin/, with a primary key where one belongs."""
    urls = set()
    for pattern in all_patterns():
        if in_site_admin(pattern):
            path = re.sub(r"<\w*:?\w+>", str(cast.annotator.pk), pattern)
            path = path.replace("^(?P<app_label>", "").replace(")/$", "/").replace("(?P<url>.*)$", "nowhere")
            urls.add("/" + path.split("|")[0])
    return sorted(urls)


@pytest.mark.parametrize("method", ["GET", pytest.param("POST", marks=pytest.mark.slow)])
def test_the_site_admin_lets_only_staff_in(world: World, method: str) -> None:
    urls = admin_urls(world.cast)
    assert len(urls) > 50
    for url in urls:
        for actor in ["stranger", "manager"]:
            answer = world.ask(actor, method, url)
            assert answer.status_code == 302, (url, actor)
            assert answer.url.startswith(("/admin/login/?next=", "/admin/")), (url, actor)
            assert_headers(answer)
    for actor in ["outsider", "annotator", "manager"]:
        assert world.ask(actor, "GET", "/admin/login/?next=/admin/").status_code == 404


# --- headers --------------------------------------------------------------------------------------


def assert_headers(answer: HttpResponse) -> None:
    """What every answer carries, whoever asked and whatever came of it."""
    policy = dict(part.strip().split(" ", 1) for part in answer["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert policy["img-src"] == "'self' data:"
    for name in ("script-src", "style-src"):
        assert re.fullmatch(r"'self'( 'nonce-[\w+/=-]+')?", policy[name])
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    for cookie in answer.cookies.values():
        if cookie.value:  # an empty one takes a cookie back
            assert cookie["httponly"], cookie.key
            assert cookie["samesite"] == "Lax", cookie.key
    if answer.headers.get("Content-Type", "").startswith("text/html") and not answer.streaming:
        assert_nothing_inline(answer.content.decode(), policy)


def assert_nothing_inline(page: str, policy: dict[str, str]) -> None:
    """Every script and style is a file of ours or carries the nonce of this answer."""
    for tag in re.findall(r"<(?:script|style)\b[^>]*>", page):
        nonce = re.search(r'nonce="([^"]+)"', tag)
        data = 'type="application/json"' in tag
        assert "src=" in tag or data or (nonce and f"'nonce-{nonce[1]}'" in policy["script-src"]), tag
    assert not re.search(r"<[^>]+\s(?:style|on[a-z]+)=[\"']", page)
