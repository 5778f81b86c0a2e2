"""The site admin: every page opens, append-only stays append-only, and staff are not superusers."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import reverse

from accounts.models import AuditEntry, Membership, User
from accounts.services import audit
from annotation.models.project import Project
from annotation.models.work import Answer, Judgment
from tests import factories
from tests.cast import Cast, browser, member, person

NEVER_CHANGED = [Judgment, Answer, AuditEntry]


@pytest.fixture
def rows(cast: Cast) -> Cast:
    """At least one row of everything staff may look at."""
    factories.guideline(cast.project)
    item = factories.pair_item(cast.project)
    factories.gold_item(cast.project)
    factories.judgment(item, cast.annotator)
    factories.soft_label(item)
    factories.ensemble(factories.run(cast.project))
    audit.record(actor=cast.manager, action="tested", project=cast.project)
    return cast


def pages():
    return [pytest.param(model, id=model._meta.label_lower) for model in admin.site._registry]


@pytest.mark.parametrize("model", pages())
def test_list_search_and_detail_open(rows: Cast, model) -> None:
    client = browser(rows.admin)
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    listing = reverse(f"{name}_changelist")
    assert client.get(listing).status_code == 200
    if admin.site._registry[model].search_fields:
        assert client.get(listing, {"q": "harbour 'x"}).status_code == 200
    row = model._default_manager.first()
    if row is not None:
        assert client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


@pytest.mark.parametrize("model", NEVER_CHANGED, ids=lambda model: model.__name__)
def test_what_is_append_only_cannot_be_added_changed_or_deleted(rows: Cast, model) -> None:
    client = browser(rows.admin)
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    row = model.objects.first()
    before = model.objects.filter(pk=row.pk).values().get()
    assert client.get(reverse(f"{name}_add")).status_code == 403
    assert client.post(reverse(f"{name}_change", args=[row.pk]), {}).status_code == 403
    assert client.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    several = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    client.post(reverse(f"{name}_changelist"), several)
    assert model.objects.filter(pk=row.pk).values().get() == before


def test_projects_and_people_cannot_be_deleted_here(rows: Cast) -> None:
    client = browser(rows.admin)
    for name, pk in (("annotation_project", rows.project.pk), ("accounts_user", rows.annotator.pk)):
        assert client.post(reverse(f"admin:{name}_delete", args=[pk]), {"post": "yes"}).status_code == 403
    assert Project.objects.filter(pk=rows.project.pk).exists()
    assert User.objects.filter(pk=rows.annotator.pk).exists()


def test_staff_see_what_their_permissions_give_and_nothing_else(cast: Cast) -> None:
    helper = person("helper", is_staff=True)
    client = browser(helper)
    users, projects = (
        reverse("admin:accounts_user_changelist"),
        reverse("admin:annotation_project_changelist"),
    )
    assert client.get(users).status_code == client.get(projects).status_code == 403
    helper.user_permissions.add(Permission.objects.get(codename="view_user"))
    assert client.get(users).status_code == 200
    assert client.get(projects).status_code == 403


def test_staff_who_change_users_cannot_make_or_become_superusers(cast: Cast) -> None:
    helper = person("helper", is_staff=True)
    helper.user_permissions.add(*Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client = browser(helper)
    own = reverse("admin:accounts_user_change", args=[helper.pk])
    fields = {"username": "helper", "display_name": "Helping", "is_active": "on", "is_superuser": "on"}
    assert (
        client.post(own, {**fields, "is_staff": "on", "date_joined_0": "", "date_joined_1": ""}).status_code
        == 302
    )
    helper.refresh_from_db()
    assert (helper.display_name, helper.is_superuser) == ("Helping", False)
    theirs = reverse("admin:accounts_user_change", args=[cast.admin.pk])
    assert client.post(theirs, {**fields, "username": "taken-over"}).status_code == 403
    password = reverse("admin:auth_user_password_change", args=[cast.admin.pk])
    assert client.post(password, {"password1": "x", "password2": "x"}).status_code == 403


def test_changes_in_the_site_admin_are_in_the_audit_log(cast: Cast) -> None:
    url = reverse("admin:accounts_user_change", args=[cast.annotator.pk])
    fields = {"username": "heron", "display_name": "Haven", "is_active": "on", "date_joined_0": "2026-01-01"}
    assert browser(cast.admin).post(url, fields).status_code == 302
    cast.annotator.refresh_from_db()
    assert cast.annotator.display_name == "Haven"
    entry = AuditEntry.objects.get(action="site admin: changed")
    assert entry.actor == cast.admin
    assert {"username", "display_name"} <= set(entry.detail["fields"])
    assert "Haven" not in str(entry.detail)


def test_settings_of_a_project_are_not_changed_here(cast: Cast) -> None:
    """Their own page keeps answers valid and slots right; a row edited here would not."""
    url = reverse("admin:annotation_project_change", args=[cast.project.pk])
    client = browser(cast.admin)
    assert client.get(url).status_code == 200
    assert client.post(url, {"name": "Haven", "state": "paused", "overlap": "9"}).status_code == 403
    cast.project.refresh_from_db()
    assert (cast.project.name, cast.project.state, cast.project.overlap) == ("Harbour", "running", 3)


def test_an_account_that_came_with_an_import_cannot_be_activated(cast: Cast) -> None:
    ghost = factories.simulated_user()
    url = reverse("admin:accounts_user_change", args=[ghost.pk])
    assert browser(cast.admin).post(url, {"username": ghost.username, "is_active": "on"}).status_code == 302
    ghost.refresh_from_db()
    assert not ghost.is_active


def test_somebody_new_can_be_added(cast: Cast) -> None:
    new = {
        "username": "newcomer",
        "usable_password": "true",
        "password1": "otters sleep hand in hand",
        "password2": "otters sleep hand in hand",
    }
    assert browser(cast.admin).post(reverse("admin:accounts_user_add"), new).status_code == 302
    assert User.objects.get(username="newcomer").has_usable_password()


def test_the_site_admin_is_entered_through_the_one_sign_in_form(cast: Cast) -> None:
    assert browser().get("/admin/login/?next=/admin/").url == "/sign-in/?next=%2Fadmin%2F"
    assert browser(cast.annotator).get("/admin/", follow=True).status_code == 404
    assert browser(cast.admin).get("/admin/login/").url == "/admin/"


def test_memberships_are_not_changed_behind_the_services(cast: Cast) -> None:
    row = member(person("extra"), cast.project, "annotator")
    url = reverse("admin:accounts_membership_delete", args=[row.pk])
    assert browser(cast.admin).post(url, {"post": "yes"}).status_code == 403
    assert Membership.objects.filter(pk=row.pk).exists()
