"""The site admin for exercises: to look at; changes go through the training pages, which keep the rules."""

from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from annotation.models.learning import Attempt, Exercise, PracticeAnswer, Waiver


@admin.register(Exercise)
class ExerciseAdmin(ReadOnlyAdmin):
    list_display = ["name", "project", "kind", "state", "pass_mark", "attempts", "created_at"]
    list_filter = ["kind", "state", "project"]
    search_fields = ["name"]
    list_select_related = ["project"]


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ["annotator", "exercise", "number", "score", "passed", "started_at", "finished_at"]
    list_filter = ["passed", "exercise__project"]
    search_fields = ["annotator__username", "exercise__name"]
    list_select_related = ["annotator", "exercise"]


@admin.register(PracticeAnswer)
class PracticeAnswerAdmin(ReadOnlyAdmin):
    list_display = ["annotator", "item", "attempt", "credit", "answered_at"]
    search_fields = ["annotator__username", "item__external_id"]
    list_select_related = ["annotator", "item", "attempt__exercise", "attempt__annotator"]


@admin.register(Waiver)
class WaiverAdmin(ReadOnlyAdmin):
    list_display = ["annotator", "project", "granted_by", "reason", "created_at"]
    list_filter = ["project"]
    search_fields = ["annotator__username", "reason"]
    list_select_related = ["annotator", "project", "granted_by"]
