"""What the loop chose, why, and how often it turns."""

from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.work import Item
from rewardmodel.models import Ensemble, TrainingRun


class LoopPolicy(models.Model):
    """After `retrain_every` new judgments: train, promote if not worse, select `batch_size` pairs."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="loop_policy")
    enabled = models.BooleanField(default=True)
    retrain_every = models.PositiveIntegerField(default=200, validators=[MinValueValidator(1)])
    batch_size = models.PositiveIntegerField(default=50, validators=[MinValueValidator(1)])

    def __str__(self) -> str:
        return f"every {self.retrain_every} judgments"


class SelectionBatch(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="selection_batches")
    number = models.PositiveIntegerField()
    ensemble = models.ForeignKey(
        Ensemble, null=True, on_delete=models.PROTECT, related_name="selection_batches"
    )  # none for a cold start
    strategy = models.CharField(max_length=40)
    config = models.JSONField(default=dict)
    seed = models.PositiveBigIntegerField()
    candidates = models.PositiveIntegerField()  # how many pairs there were to choose from
    notes = models.JSONField(default=list)  # quotas that could not be met, and why
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "number"], name="batch_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.project.slug} batch {self.number}"


class SelectedPair(models.Model):
    """One chosen pair and why. The item it became is queued ahead of everything else."""

    class Reason(models.TextChoices):
        UNCERTAINTY = "uncertainty", "The ensemble is unsure"
        DIVERSITY = "diversity", "Unlike what is labelled"
        ERROR = "error", "The model errs nearby"
        AUDIT = "audit", "Random audit"

    batch = models.ForeignKey(SelectionBatch, on_delete=models.CASCADE, related_name="pairs")
    rank = models.PositiveIntegerField()
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="selections")
    response_a = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="+")
    response_b = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=12, choices=Reason.choices)
    explanation = models.TextField()
    scores = models.JSONField(default=dict)
    propensity = models.FloatField(null=True)  # chance of being drawn, for audit pairs

    class Meta:
        ordering: ClassVar[list[str]] = ["batch", "rank"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["batch", "rank"], name="selected_rank_once"),
            models.UniqueConstraint(fields=["batch", "item"], name="selected_item_once"),
            models.CheckConstraint(
                condition=Q(reason__in=["uncertainty", "diversity", "error", "audit"]),
                name="selected_reason_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.batch} #{self.rank}"


class LoopTurn(models.Model):
    """One turn of the loop: enough new judgments, so train, promote if not worse, select.

    The row says how far it is; a periodic task takes the next step, so a lost message costs seconds.
    """

    class State(models.TextChoices):
        TRAINING = "training", "Training"
        SELECTING = "selecting", "Selecting"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="loop_turns")
    judgments = models.PositiveIntegerField()  # live judgments in the project when it began
    run = models.ForeignKey(TrainingRun, null=True, on_delete=models.PROTECT, related_name="loop_turns")
    batch = models.ForeignKey(SelectionBatch, null=True, on_delete=models.PROTECT, related_name="loop_turns")
    state = models.CharField(max_length=10, choices=State.choices, default=State.TRAINING)
    note = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state__in=["training", "selecting"]),
                name="turn_one_open_per_project",
            ),
        ]

    def __str__(self) -> str:
        return f"turn at {self.judgments} judgments ({self.state})"
