"""Training runs and ensembles to look at; services change them."""

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from rewardmodel.models import Ensemble, TrainingRun


class ReadOnlyAdmin(admin.ModelAdmin[Model]):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "state", "trigger", "attempts", "holder", "created_at", "finished_at"]
    list_filter = ["state", "trigger"]
    list_select_related = ["project"]
    date_hierarchy = "created_at"


@admin.register(Ensemble)
class EnsembleAdmin(ReadOnlyAdmin):
    list_display = ["__str__", "active", "promoted_by", "promoted_at"]
    list_filter = ["active"]
    list_select_related = ["run__project", "promoted_by"]
