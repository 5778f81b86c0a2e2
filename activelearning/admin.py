"""Read-only: the loop writes these rows."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from activelearning.models import LoopPolicy, LoopTurn, SelectedPair, SelectionBatch


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(SelectionBatch)
class SelectionBatchAdmin(ReadOnly):
    list_display = ["project", "number", "strategy", "candidates", "created_at"]
    list_filter = ["project"]


@admin.register(SelectedPair)
class SelectedPairAdmin(ReadOnly):
    list_display = ["batch", "rank", "reason", "explanation"]
    list_filter = ["reason"]


@admin.register(LoopTurn)
class LoopTurnAdmin(ReadOnly):
    list_display = ["project", "judgments", "state", "run", "batch", "created_at"]
    list_filter = ["state"]


@admin.register(LoopPolicy)
class LoopPolicyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ["project", "enabled", "retrain_every", "batch_size"]
