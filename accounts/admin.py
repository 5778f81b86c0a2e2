"""The site admin for staff: people, memberships, links and the audit log.

Staff see what Django's permissions give them. Nobody below superuser can hand out staff rights or touch a
superuser, so that "may change users" is not the same as "may do everything".
"""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.models import AuditEntry, Invitation, Membership, SigninLink, User
from accounts.services import audit

admin.site.site_header = "Laurel"
admin.site.site_title = "Laurel"
admin.site.index_title = "Site administration"
admin.site.site_url = "/"


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # one class for many models
    """Rows that services write, or that are append-only: to look at, never to change."""

    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class PersonCreationForm(AdminUserCreationForm):  # type: ignore[type-arg]  # generic in the stubs only
    class Meta(AdminUserCreationForm.Meta):
        model = User


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    """Accounts. None is deleted: what people did stays theirs; deactivate instead."""

    add_form = PersonCreationForm
    list_display = ["username", "display_name", "origin", "is_active", "is_staff", "last_login"]
    list_filter = ["origin", "is_active", "is_staff"]
    search_fields = ["username", "display_name", "email"]
    readonly_fields = ["origin", "last_login", "date_joined"]
    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Person", {"fields": ["display_name", "email", "origin"]}),
        ("May do", {"fields": ["is_active", "is_staff", "is_superuser", "groups", "user_permissions"]}),
        ("Times", {"fields": ["last_login", "date_joined"]}),
    ]
    rights: ClassVar[list[str]] = ["is_staff", "is_superuser", "groups", "user_permissions"]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> list[str]:
        fields = list(self.readonly_fields)
        if not _superuser(request):
            fields += self.rights
        if obj is not None and obj.origin != User.Origin.PERSON:
            fields += ["is_active", "password"]
        return fields

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if isinstance(obj, User) and obj.is_superuser and not _superuser(request):
            return False
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm[User], change: bool) -> None:
        super().save_model(request, obj, form, change)
        record_change(request, obj, form, change)


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    """Changed on the project's people page, which keeps a last manager and writes the audit log."""

    list_display = ["user", "project", "role", "created_at"]
    list_filter = ["role"]
    search_fields = ["user__username", "user__display_name", "project__slug"]
    list_select_related = ["user", "project"]


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ["project", "role", "note", "created_by", "expires_at", "accepted_by", "revoked_at"]
    list_filter = ["role"]
    search_fields = ["project__slug", "note", "created_by__username"]
    list_select_related = ["project", "created_by", "accepted_by"]
    exclude = ["token_hash"]


@admin.register(SigninLink)
class SigninLinkAdmin(ReadOnlyAdmin):
    list_display = ["user", "created_at", "expires_at", "used_at"]
    search_fields = ["user__username"]
    list_select_related = ["user"]
    exclude = ["token_hash"]


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "action", "project", "detail"]
    list_filter = ["action"]
    search_fields = ["action", "actor__username", "project__slug"]
    list_select_related = ["actor", "project"]
    date_hierarchy = "at"


def record_change(request: HttpRequest, obj: Model, form: ModelForm[Any], change: bool) -> None:
    """A change made in the site admin, in the audit log: which fields, never their values."""
    actor = request.user if isinstance(request.user, User) else None
    detail = {"of": f"{obj._meta.label_lower} {obj.pk}", "fields": sorted(form.changed_data)}
    audit.record(actor=actor, action=f"site admin: {'changed' if change else 'added'}", detail=detail)


def _superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
