"""Signing in by password and by link, signing out, and the account page."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.utils import timezone

from accounts.models import AuditEntry, Membership, Role, SigninLink, User
from accounts.services import signin
from tests import factories
from tests.cast import PASSWORD, Cast, browser, person

SIGN_IN = "/sign-in/"


def try_password(client, name="annotator", password=PASSWORD, **fields):
    where = {key: fields.pop(key) for key in list(fields) if key.isupper()}
    return client.post(SIGN_IN, {"username": name, "password": password, **fields}, **where)


def signed_in(client) -> str | None:
    key = client.session.get("_auth_user_id")
    return User.objects.get(pk=key).username if key else None


def test_password_signs_in_and_goes_home(cast: Cast) -> None:
    client = browser()
    response = try_password(client)
    assert (response.status_code, response.url) == (302, "/")
    assert signed_in(client) == "annotator"


def test_wrong_password_and_unknown_name_say_the_same(cast: Cast) -> None:
    wrong = try_password(browser(), password="not it at all")
    unknown = try_password(browser(), name="nobody")
    assert wrong.status_code == unknown.status_code == 422
    said = [list(response.context["form"].non_field_errors()) for response in (wrong, unknown)]
    assert said == [["This user name and password do not belong together."]] * 2


@pytest.mark.parametrize(
    "origin", [User.Origin.IMPORTED, User.Origin.SIMULATED], ids=lambda origin: str(origin)
)
def test_who_is_not_a_person_never_signs_in(db: None, origin: str) -> None:
    ghost = person("ghost", origin=origin, is_active=False)
    client = browser()
    assert try_password(client, name="ghost").status_code == 422
    with pytest.raises(signin.CannotSignIn, match="can never sign in"):
        signin.issue_link(user=ghost)
    assert signed_in(client) is None


@pytest.mark.parametrize(
    ("target", "goes_to"),
    [
        ("/account/", "/account/"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("http:///evil.example", "/"),
    ],
)
def test_next_is_a_page_of_this_server_or_ignored(cast: Cast, target: str, goes_to: str) -> None:
    assert try_password(browser(), next=target).url == goes_to
    assert browser(cast.annotator).get(SIGN_IN, {"next": target}).url == goes_to


def test_guessing_one_name_is_throttled_from_any_address_even_with_the_right_password(cast: Cast) -> None:
    for number in range(signin.TRIES_PER_USER):
        response = try_password(browser(), password="guess", REMOTE_ADDR=f"10.0.0.{number}")
        assert response.status_code == 422
    client = browser()
    blocked = try_password(client, REMOTE_ADDR="10.9.9.9", HTTP_X_FORWARDED_FOR="1.2.3.4")
    assert blocked.status_code == 429
    assert signed_in(client) is None
    assert try_password(browser(), name="engineer", REMOTE_ADDR="10.9.9.9").status_code == 302


@pytest.mark.slow
def test_throttle_ends_with_its_window_and_starts_anew_after_success(cast: Cast) -> None:
    for _ in range(signin.TRIES_PER_USER - 1):
        try_password(browser(), password="guess")
    assert try_password(browser()).status_code == 302
    for _ in range(signin.TRIES_PER_USER):
        assert try_password(browser(), password="guess").status_code == 422
    assert try_password(browser()).status_code == 429
    AuditEntry.objects.update(at=timezone.now() - signin.THROTTLE_WINDOW - timedelta(seconds=1))
    assert try_password(browser()).status_code == 302


def test_guessing_many_names_from_one_address_is_throttled_whatever_it_claims_to_be(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signin, "TRIES_PER_ADDRESS", 3)
    for number in range(3):
        forged = {"HTTP_X_FORWARDED_FOR": f"9.9.9.{number}"}
        assert try_password(browser(), name=f"name{number}", **forged).status_code == 422
    assert try_password(browser(), HTTP_X_FORWARDED_FOR="8.8.8.8").status_code == 429
    assert try_password(browser(), REMOTE_ADDR="10.0.0.7").status_code == 302


@override_settings(SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"))
def test_behind_a_proxy_only_what_the_proxy_added_counts(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signin, "TRIES_PER_ADDRESS", 2)
    for number in range(2):
        try_password(browser(), name=f"name{number}", HTTP_X_FORWARDED_FOR=f"9.9.9.{number}, 5.5.5.5")
    assert try_password(browser(), HTTP_X_FORWARDED_FOR="7.7.7.7, 5.5.5.5").status_code == 429
    assert try_password(browser(), HTTP_X_FORWARDED_FOR="5.5.5.5, 6.6.6.6").status_code == 302


def test_the_log_of_tries_holds_neither_names_nor_passwords(cast: Cast) -> None:
    try_password(browser(), name="my password by mistake", password="another secret")
    detail = json.dumps(AuditEntry.objects.get(action=signin.FAILED).detail)
    assert "mistake" not in detail
    assert "secret" not in detail


def test_sign_in_without_a_csrf_token_is_refused(cast: Cast) -> None:
    assert try_password(browser(csrf=True)).status_code == 403


def test_sign_out_by_post_only(cast: Cast) -> None:
    client = browser(cast.annotator)
    assert client.get("/sign-out/").status_code == 405
    assert signed_in(client) == "annotator"
    assert client.post("/sign-out/").status_code == 302
    assert signed_in(client) is None


# --- links ----------------------------------------------------------------------------------------


def test_link_signs_in_once(cast: Cast) -> None:
    link = signin.issue_link(user=cast.annotator)
    first, second = browser(), browser()
    assert first.get(f"/sign-in/{link.token}/").status_code == 302
    assert signed_in(first) == "annotator"
    again = second.get(f"/sign-in/{link.token}/")
    assert again.status_code == 410
    assert "./laurel signin NAME" in again.content.decode()
    assert signed_in(second) is None


def test_link_preview_does_not_use_the_link_up(cast: Cast) -> None:
    link = signin.issue_link(user=cast.annotator)
    assert browser().head(f"/sign-in/{link.token}/").status_code == 405
    assert signin.use_link(link.token) == cast.annotator


def test_link_ends_after_a_day(cast: Cast) -> None:
    link = signin.issue_link(user=cast.annotator)
    left = SigninLink.objects.get().expires_at - timezone.now()
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)
    SigninLink.objects.update(expires_at=timezone.now())
    assert signin.use_link(link.token) is None


def test_link_of_somebody_deactivated_is_dead(cast: Cast) -> None:
    link = signin.issue_link(user=cast.annotator)
    User.objects.filter(pk=cast.annotator.pk).update(is_active=False)
    assert signin.use_link(link.token) is None


def test_the_database_never_sees_the_token(cast: Cast) -> None:
    link = signin.issue_link(user=cast.annotator)
    stored = SigninLink.objects.get()
    assert link.token not in stored.token_hash
    assert len(stored.token_hash) == 64
    assert not AuditEntry.objects.filter(detail__icontains=link.token).exists()


# --- account --------------------------------------------------------------------------------------


def test_name_can_be_changed(cast: Cast) -> None:
    client = browser(cast.annotator)
    assert client.post("/account/", {"display_name": "Ada", "save_profile": "1"}).status_code == 302
    assert "Ada" in client.get("/account/").content.decode()


def test_password_change_asks_for_the_old_one_and_keeps_this_session(cast: Cast) -> None:
    client, elsewhere = browser(cast.annotator), browser(cast.annotator)
    new = {"password1": "otters sleep hand in hand", "password2": "otters sleep hand in hand"}
    assert client.post("/account/", {**new, "current": "wrong", "save_password": "1"}).status_code == 422
    assert client.post("/account/", {**new, "current": PASSWORD, "save_password": "1"}).status_code == 302
    assert client.get("/account/").status_code == 200
    assert elsewhere.get("/account/").status_code == 302
    assert try_password(browser(), password=new["password1"]).status_code == 302


def test_who_came_by_link_sets_a_first_password_and_older_links_end(db: None) -> None:
    user = signin.create_person(username="newcomer")
    link = signin.issue_link(user=user)
    client = browser(user)
    weak = {"password1": "password1234", "password2": "password1234", "save_password": "1"}
    assert client.post("/account/", weak).status_code == 422
    good = {"password1": "otters sleep hand in hand", "password2": "otters sleep hand in hand"}
    assert client.post("/account/", {**good, "save_password": "1"}).status_code == 302
    assert signin.use_link(link.token) is None


# --- commands -------------------------------------------------------------------------------------


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_first_users_have_no_password_and_come_in_by_the_printed_links(db: None) -> None:
    project = factories.project(slug="sample")
    run("ensure_users", "--sample-project", "sample")
    rows = json.loads(run("signin_links", "--json", "--base-url", "https://laurel.example/"))["links"]
    assert [row["user"] for row in rows] == ["admin", "engineer", "annotator"]
    for row in rows:
        user = User.objects.get(username=row["user"])
        assert not user.has_usable_password()
        client = browser()
        assert client.get(row["url"].removeprefix("https://laurel.example")).status_code == 302
        assert signed_in(client) == row["user"]
    roles = dict(Membership.objects.filter(project=project).values_list("user__username", "role"))
    assert roles == {"admin": Role.MANAGER, "engineer": Role.ENGINEER, "annotator": Role.ANNOTATOR}
    assert list(User.objects.filter(is_staff=True, is_superuser=True).values_list("username", flat=True)) == [
        "admin"
    ]


def test_ensuring_again_brings_nobody_back_and_promotes_nobody(db: None) -> None:
    project = factories.project(slug="sample")
    factories.user("admin")  # somebody's own account, made before
    signin.ensure_first_users(project)
    Membership.objects.filter(user__username="engineer").delete()
    signin.ensure_first_users(project)
    assert not Membership.objects.filter(user__username="engineer").exists()
    assert not User.objects.get(username="admin").is_superuser
    assert User.objects.count() == 3


def test_without_a_sample_only_admin_is_made_and_links_create_nobody(db: None) -> None:
    assert json.loads(run("signin_links", "--json")) == {"links": []}
    run("ensure_users")
    assert User.objects.get().username == "admin"
    assert run("signin_links").count("/sign-in/") == 1


def test_signin_command_prints_a_working_link(cast: Cast) -> None:
    url = run("signin", "reviewer").strip()
    assert url.startswith("http://localhost:8000/sign-in/")
    client = browser()
    client.get(url.removeprefix("http://localhost:8000"))
    assert signed_in(client) == "reviewer"
    with pytest.raises(CommandError, match="no user “nobody”"):
        run("signin", "nobody")


def test_create_user_makes_a_member_or_nothing(cast: Cast) -> None:
    row = json.loads(run("create_user", "grace", "--project", "harbour", "--role", "reviewer", "--json"))
    assert (row["user"], row["role"]) == ("grace", "reviewer")
    assert Membership.objects.get(user__username="grace").role == Role.REVIEWER
    with pytest.raises(CommandError, match="no project"):
        run("create_user", "linus", "--project", "nowhere", "--role", "reviewer")
    with pytest.raises(CommandError, match="already exists"):
        run("create_user", "grace", "--project", "orchard", "--role", "manager")
    assert not User.objects.filter(username="linus").exists()
    assert Membership.objects.get(user__username="grace").project == cast.project
