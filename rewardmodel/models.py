"""Training runs and the ensemble that scores."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models.dataset import DatasetSnapshot
from annotation.models.project import Project

QUEUE = "training"  # the message queue that training workers listen to


class TrainingRun(models.Model):
    """One training of a reward-model ensemble on one snapshot. The row is the truth, not the queue.

    A worker holds a run by a lease it keeps renewing; a reconciler hands a run whose lease ran out to the
    next worker, at most `MAX_ATTEMPTS` times.
    """

    MAX_ATTEMPTS = 3

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        SUCCEEDED = "succeeded", "Succeeded"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    class Trigger(models.TextChoices):
        PERSON = "person", "Started by a person"
        LOOP = "loop", "Started by the loop"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="training_runs")
    number = models.PositiveIntegerField()
    snapshot = models.ForeignKey(DatasetSnapshot, on_delete=models.PROTECT, related_name="training_runs")
    snapshot_sha256 = models.CharField(max_length=64)
    config = models.JSONField()
    seed = models.PositiveBigIntegerField()
    code_version = models.CharField(max_length=80)
    folder = models.CharField(max_length=500)  # relative to LAUREL_DATA_DIR
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    trigger = models.CharField(max_length=10, choices=Trigger.choices, default=Trigger.PERSON)
    attempts = models.PositiveSmallIntegerField(default=0)
    holder = models.CharField(max_length=200, blank=True)  # who trains it: host, process
    lease_expires_at = models.DateTimeField(null=True)  # of a queued run: when to send it again
    cancel_requested = models.BooleanField(default=False)
    progress = models.JSONField(default=dict)
    metrics = models.JSONField(null=True)
    reason = models.TextField(blank=True)  # why it failed or was cancelled, in words
    verdict = models.TextField(blank=True, default="", db_default="")  # the promotion gate's words
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "number"], name="run_number_once"),
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state__in=["queued", "running"]),
                name="run_one_active_per_project",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project.slug} run {self.number}"

    @property
    def seconds(self) -> float | None:
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


class Ensemble(models.Model):
    """A promoted run: what scores. At most one is active per project; the others can be rolled back to."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="ensembles")
    run = models.OneToOneField(TrainingRun, on_delete=models.PROTECT, related_name="ensemble")
    active = models.BooleanField(default=False)
    rolled_back = models.BooleanField(default=False, db_default=False)  # somebody went back from it
    promoted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    promoted_at = models.DateTimeField(auto_now_add=True)
    reason = models.TextField(blank=True)  # the gate's words, or "by hand"

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["project"], condition=Q(active=True), name="ensemble_one_active_per_project"
            ),
        ]

    def __str__(self) -> str:
        return f"ensemble of {self.run}"


class HandOver(models.Model):
    """A run's model as a folder for other trainers, made in the background; made again, it takes the place
    of the one before. Like a run it is held by a lease, and the row is the truth."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"

    run = models.OneToOneField(TrainingRun, on_delete=models.CASCADE, related_name="hand_over")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    folder = models.CharField(max_length=500)  # relative to LAUREL_DATA_DIR; a new one each time
    holder = models.CharField(max_length=40, blank=True)
    lease_expires_at = models.DateTimeField(null=True)  # of a queued one: when to send it again
    attempts = models.PositiveSmallIntegerField(default=0)
    progress = models.JSONField(default=dict)
    reason = models.TextField(blank=True)  # why it failed
    bytes = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)  # of manifest.json, which holds those of the rest
    about = models.JSONField(null=True)  # handover.json
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"hand-over of {self.run}"
