"""The site admin for annotation. What is append-only or derived can be looked at and never changed here."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from accounts.admin import ReadOnlyAdmin
from annotation import learning_admin as _exercises  # noqa: F401  registers the pages of exercises
from annotation.models.content import Prompt, Response
from annotation.models.dataset import DatasetSnapshot
from annotation.models.project import Guideline, Project
from annotation.models.quality import GoldAnswer, SoftLabel
from annotation.models.work import Answer, Assignment, Item, ItemResponse, Judgment
from annotation.models.worker import WorkerHeartbeat


@admin.register(Project)
class ProjectAdmin(ReadOnlyAdmin):
    """Changed on the project's settings page, which keeps answers valid, slots right and the audit log."""

    list_display = ["name", "slug", "kind", "state", "overlap", "created_at"]
    list_filter = ["state", "kind"]
    search_fields = ["name", "slug"]


@admin.register(Guideline)
class GuidelineAdmin(ReadOnlyAdmin):
    list_display = ["project", "version", "created_at"]
    list_filter = ["project"]
    list_select_related = ["project"]


@admin.register(Prompt)
class PromptAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "project", "created_at"]
    list_filter = ["project"]
    search_fields = ["key", "messages"]
    list_select_related = ["project"]


@admin.register(Response)
class ResponseAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "external_id", "model", "created_at"]
    list_filter = ["prompt__project"]
    search_fields = ["external_id", "model", "text"]


class ItemResponseInline(admin.TabularInline):  # type: ignore[type-arg]
    model = ItemResponse
    extra = 0
    fields = ["position", "response"]
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Item)
class ItemAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "project", "origin", "priority", "overlap", "slots_left", "created_at"]
    list_filter = ["origin", "project"]
    search_fields = ["external_id", "key"]
    list_select_related = ["project"]
    inlines = [ItemResponseInline]


@admin.register(Assignment)
class AssignmentAdmin(ReadOnlyAdmin):
    list_display = ["item", "annotator", "state", "surplus", "lease_expires_at", "finished_at"]
    list_filter = ["state", "surplus", "item__project"]
    search_fields = ["annotator__username", "item__external_id"]
    list_select_related = ["item", "annotator"]


class AnswerInline(admin.TabularInline):  # type: ignore[type-arg]
    model = Answer
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Judgment)
class JudgmentAdmin(ReadOnlyAdmin):
    """Append-only: a database trigger refuses what this page does not offer."""

    list_display = ["item", "annotator", "source", "live", "seconds", "judged_at"]
    list_filter = ["source", "live", "item__project"]
    search_fields = ["annotator__username", "item__external_id", "comment"]
    list_select_related = ["item", "annotator"]
    date_hierarchy = "judged_at"
    inlines = [AnswerInline]


@admin.register(Answer)
class AnswerAdmin(ReadOnlyAdmin):
    list_display = ["judgment", "criterion", "choice", "strength"]
    list_filter = ["criterion", "choice"]
    search_fields = ["judgment__annotator__username", "judgment__item__external_id"]
    list_select_related = ["judgment__annotator", "judgment__item"]


@admin.register(GoldAnswer)
class GoldAnswerAdmin(ReadOnlyAdmin):
    list_display = ["item", "choice", "reason"]
    list_filter = ["choice", "item__project"]
    search_fields = ["item__external_id", "reason"]
    list_select_related = ["item"]


@admin.register(SoftLabel)
class SoftLabelAdmin(ReadOnlyAdmin):
    list_display = ["item", "criterion", "p_a", "p_tie", "p_b", "votes", "effective_votes", "method"]
    list_filter = ["project", "criterion", "method"]
    search_fields = ["item__external_id"]
    list_select_related = ["item"]


@admin.register(DatasetSnapshot)
class DatasetSnapshotAdmin(ReadOnlyAdmin):
    list_display = ["project", "number", "manifest_sha256", "created_by", "created_at"]
    list_filter = ["project"]
    search_fields = ["manifest_sha256", "folder"]
    list_select_related = ["project", "created_by"]


@admin.register(WorkerHeartbeat)
class WorkerHeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["name", "queue", "host", "pid", "started_at", "seen_at"]
    list_filter = ["queue"]
