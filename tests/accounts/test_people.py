"""Members, roles and invitations of a project."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEntry, Invitation, Membership, Role, User
from accounts.services import inviting, membership
from tests import factories
from tests.cast import Cast, browser, make_cast, member, person

PEOPLE = "/p/harbour/people/"
NEWCOMER = {
    "username": "newcomer",
    "display_name": "New Comer",
    "password1": "otters sleep hand in hand",
    "password2": "otters sleep hand in hand",
}


def invite(cast: Cast, role: str = Role.REVIEWER) -> inviting.IssuedInvitation:
    return inviting.invite(project=cast.project, role=role, actor=cast.manager, note="for Ada")


def role_of(user: User, project) -> str | None:
    return Membership.objects.filter(user=user, project=project).values_list("role", flat=True).first()


def logged(action: str) -> AuditEntry:
    return AuditEntry.objects.get(action=action)


# --- invitations ----------------------------------------------------------------------------------


def test_manager_makes_a_link_that_is_shown_once(cast: Cast) -> None:
    client = browser(cast.manager)
    page = client.post(PEOPLE, {"role": "reviewer", "note": "for Ada"}).content.decode()
    token = page.split("/invitation/")[1].split("/")[0]
    assert inviting.usable(token).role == Role.REVIEWER
    later = client.get(PEOPLE).content.decode()
    assert "for Ada" in later
    assert token not in later
    assert logged("invitation made").actor == cast.manager


def test_newcomer_sees_project_and_role_then_joins_with_a_name_and_password(cast: Cast) -> None:
    url = f"/invitation/{invite(cast).token}/"
    client = browser()
    page = client.get(url).content.decode()
    assert "Harbour" in page
    assert "Reviewer" in page
    assert client.post(url, NEWCOMER).url == "/"
    user = User.objects.get(username="newcomer")
    assert (str(user), role_of(user, cast.project)) == ("New Comer", Role.REVIEWER)
    assert client.get("/account/").status_code == 200
    assert logged("invitation accepted").actor == user
    assert browser().post("/sign-in/", {"username": "newcomer", "password": NEWCOMER["password1"]}).url == "/"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"username": "Manager"}, "username"),  # taken, whatever the case
        ({"username": "no spaces"}, "username"),
        ({"password1": "short", "password2": "short"}, "password1"),
        ({"password1": "newcomer1234", "password2": "newcomer1234"}, "password1"),
        ({"password2": "something else entirely"}, "password2"),
    ],
)
def test_a_form_that_does_not_fit_uses_nothing_up(cast: Cast, change, where) -> None:
    issued = invite(cast)
    response = browser().post(f"/invitation/{issued.token}/", {**NEWCOMER, **change})
    assert response.status_code == 422
    assert where in response.context["form"].errors
    assert inviting.usable(issued.token) is not None
    assert not User.objects.filter(username=NEWCOMER["username"]).exists()


def test_who_is_signed_in_joins_without_a_form(cast: Cast) -> None:
    assert browser(cast.outsider).post(f"/invitation/{invite(cast).token}/").status_code == 302
    assert role_of(cast.outsider, cast.project) == Role.REVIEWER
    assert role_of(cast.outsider, cast.other_project) == Role.MANAGER


def gone(cast: Cast, token: str) -> bool:
    seen = browser().get(f"/invitation/{token}/").status_code == 410
    refused = browser().post(f"/invitation/{token}/", NEWCOMER).status_code == 410
    return seen and refused and not User.objects.filter(username="newcomer").exists()


def test_used_expired_revoked_and_invented_links_are_gone(cast: Cast) -> None:
    used, expired, revoked = invite(cast), invite(cast), invite(cast)
    inviting.accept(token=used.token, user=cast.outsider)
    Invitation.objects.filter(pk=expired.invitation.pk).update(expires_at=timezone.now())
    client = browser(cast.manager)
    assert client.post(f"{PEOPLE}invitations/{revoked.invitation.pk}/revoke/").status_code == 302
    for token in (used.token, expired.token, revoked.token, "invented"):
        assert gone(cast, token)
    assert logged("invitation revoked").detail["note"] == "for Ada"


def test_invitation_lives_a_week_and_only_its_hash_is_stored(cast: Cast) -> None:
    issued = invite(cast)
    left = issued.invitation.expires_at - timezone.now()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)
    assert issued.token not in str(Invitation.objects.values().get())


@pytest.mark.parametrize(
    ("held", "offered", "after"),
    [
        (Role.ANNOTATOR, Role.REVIEWER, Role.REVIEWER),
        (Role.REVIEWER, Role.MANAGER, Role.MANAGER),
        (Role.ENGINEER, Role.MANAGER, Role.MANAGER),
        (Role.MANAGER, Role.ANNOTATOR, Role.MANAGER),
        (Role.REVIEWER, Role.ANNOTATOR, Role.REVIEWER),
        (Role.ANNOTATOR, Role.ENGINEER, Role.ANNOTATOR),  # would take judging away
        (Role.REVIEWER, Role.REVIEWER, Role.REVIEWER),
    ],
)
def test_an_invitation_raises_a_role_or_leaves_it_and_itself_alone(cast: Cast, held, offered, after) -> None:
    user = person("there-already")
    member(user, cast.project, held)
    issued = invite(cast, offered)
    browser(user).post(f"/invitation/{issued.token}/")
    assert role_of(user, cast.project) == after
    assert (inviting.usable(issued.token) is None) == (held != after)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_open_one_invitation_at_once_one_gets_in() -> None:
    cast = make_cast()
    token = invite(cast).token
    people = [factories.user() for _ in range(8)]

    def join(user: User) -> bool:
        try:
            inviting.accept(token=token, user=user)
        except inviting.InvitationGone:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(join, people)) == 1
    assert Membership.objects.filter(user__in=people).count() == 1


# --- members --------------------------------------------------------------------------------------


def test_role_change_and_removal_are_logged(cast: Cast) -> None:
    client = browser(cast.manager)
    assert client.post(f"{PEOPLE}{cast.annotator.pk}/role/", {"role": "reviewer"}).url == PEOPLE
    assert role_of(cast.annotator, cast.project) == Role.REVIEWER
    assert logged("role changed").detail == {"user": "annotator", "role": "reviewer", "before": "annotator"}
    assert client.post(f"{PEOPLE}{cast.annotator.pk}/remove/").url == PEOPLE
    assert role_of(cast.annotator, cast.project) is None
    assert logged("member removed").actor == cast.manager


def group_of(user: User, project) -> str:
    return Membership.objects.get(user=user, project=project).group


def test_a_group_is_given_and_taken_back_and_both_are_logged(cast: Cast) -> None:
    client = browser(cast.manager)
    page = client.post(
        f"{PEOPLE}{cast.annotator.pk}/group/", {"group": "  night  shift "}, follow=True
    ).content.decode()
    assert group_of(cast.annotator, cast.project) == "night shift"
    assert "annotator is now in the group “night shift”." in page
    assert '<option value="night shift"></option>' in page  # offered for everybody else
    assert logged("group changed").detail == {"user": "annotator", "group": "night shift", "before": ""}
    assert logged("group changed").actor == cast.manager
    client.post(f"{PEOPLE}{cast.annotator.pk}/group/", {"group": "night shift"})
    assert AuditEntry.objects.filter(action="group changed").count() == 1  # nothing has changed
    assert (
        "annotator is in no group."
        in client.post(f"{PEOPLE}{cast.annotator.pk}/group/", {"group": ""}, follow=True).content.decode()
    )
    assert group_of(cast.annotator, cast.project) == ""
    assert AuditEntry.objects.filter(action="group changed").count() == 2


@pytest.mark.parametrize(
    ("name", "why"), [("x" * 61, "at most 60 characters"), ("a\0b", "Null characters are not allowed")]
)
def test_a_group_with_an_impossible_name_changes_nothing(cast: Cast, name: str, why: str) -> None:
    client = browser(cast.manager)
    page = client.post(f"{PEOPLE}{cast.annotator.pk}/group/", {"group": name}, follow=True)
    assert why in page.content.decode()
    assert group_of(cast.annotator, cast.project) == ""


def test_a_group_is_text_and_nothing_else(cast: Cast) -> None:
    name = '"><script>alert(1)</script>'
    client = browser(cast.manager)
    page = client.post(f"{PEOPLE}{cast.annotator.pk}/group/", {"group": name}, follow=True).content.decode()
    assert "<script>alert" not in page
    assert group_of(cast.annotator, cast.project) == name


def test_an_unknown_role_changes_nothing(cast: Cast) -> None:
    browser(cast.manager).post(f"{PEOPLE}{cast.annotator.pk}/role/", {"role": "emperor"})
    assert role_of(cast.annotator, cast.project) == Role.ANNOTATOR


def test_the_last_manager_stays(cast: Cast) -> None:
    client = browser(cast.manager)
    said = client.post(f"{PEOPLE}{cast.manager.pk}/remove/", follow=True).content.decode()
    assert "last manager" in said
    client.post(f"{PEOPLE}{cast.manager.pk}/role/", {"role": "annotator"})
    assert role_of(cast.manager, cast.project) == Role.MANAGER


def test_a_deactivated_manager_does_not_count(cast: Cast) -> None:
    gone_away = person("gone-away", is_active=False)
    member(gone_away, cast.project, Role.MANAGER)
    with pytest.raises(membership.LastManager):
        membership.remove(project=cast.project, user=cast.manager, actor=cast.admin)


def test_who_leaves_takes_their_open_invitations_along_and_goes_home(cast: Cast) -> None:
    member(person("second"), cast.project, Role.MANAGER)
    issued = invite(cast)
    assert browser(cast.manager).post(f"{PEOPLE}{cast.manager.pk}/remove/").url == "/"
    assert inviting.usable(issued.token) is None


@pytest.mark.django_db(transaction=True)
def test_two_managers_who_remove_each_other_at_once_leave_one() -> None:
    cast = make_cast()
    second = person("second")
    member(second, cast.project, Role.MANAGER)

    def remove(user: User) -> bool:
        try:
            membership.remove(project=cast.project, user=user, actor=None)
        except membership.LastManager:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(remove, [cast.manager, second])) == [False, True]
    assert Membership.objects.filter(project=cast.project, role=Role.MANAGER).count() == 1


def test_members_of_another_project_are_out_of_reach(cast: Cast) -> None:
    client = browser(cast.manager)
    assert client.post(f"{PEOPLE}{cast.outsider.pk}/remove/").status_code == 404
    assert client.post(f"{PEOPLE}{cast.outsider.pk}/group/", {"group": "x"}).status_code == 404
    other = inviting.invite(project=cast.other_project, role=Role.ANNOTATOR, actor=cast.outsider)
    assert client.post(f"{PEOPLE}invitations/{other.invitation.pk}/revoke/").status_code == 404
    assert inviting.usable(other.token) is not None


def test_people_page_asks_the_database_the_same_few_times_whoever_is_there(
    cast: Cast, django_assert_num_queries
) -> None:
    client = browser(cast.manager)
    for _ in range(3):
        member(factories.user(), cast.project, Role.ANNOTATOR)
        invite(cast)
    with django_assert_num_queries(6):  # session, user, project, members, invitations, open alerts
        assert client.get(PEOPLE).status_code == 200
