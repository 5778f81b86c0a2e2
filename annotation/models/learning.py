"""Learning the job: rounds of known items answered before, or beside, the real work.

Practice answers are no judgments: they never count in agreement, soft labels or snapshots, and whoever has
practised on an item is not given it as work.
"""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from annotation.models.project import Project
from annotation.models.work import Item


class Exercise(models.Model):
    """A round of items in a fixed order."""

    class Kind(models.TextChoices):
        CALIBRATION = "calibration", "Calibration round"  # the expert's answer and reason after each item
        QUALIFICATION = "qualification", "Qualification test"  # a pass mark opens the project
        SESSION = "session", "Calibration session"  # several people on the same items, compared afterwards

    class State(models.TextChoices):
        DRAFT = "draft", "Being prepared"
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="exercises")
    kind = models.CharField(max_length=13, choices=Kind.choices)
    state = models.CharField(max_length=6, choices=State.choices, default=State.DRAFT)
    name = models.CharField(max_length=200)
    introduction = models.TextField(blank=True)  # Markdown
    pass_mark = models.FloatField(default=0.8)  # share of the credit; qualification only
    attempts = models.PositiveSmallIntegerField(default=3)  # most a person may start; 0: no limit
    cooldown_hours = models.PositiveSmallIntegerField(default=24)  # between a failed attempt and the next
    items = models.ManyToManyField(Item, through="ExerciseItem", related_name="exercises")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(kind__in=["calibration", "qualification", "session"]), name="exercise_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "open", "closed"]), name="exercise_state_known"
            ),
            models.CheckConstraint(condition=Q(pass_mark__range=(0, 1)), name="exercise_pass_mark_a_share"),
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(kind="qualification", state="open"),
                name="exercise_one_open_qualification",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ExerciseItem(models.Model):
    exercise = models.ForeignKey(Exercise, on_delete=models.CASCADE, related_name="exercise_items")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="exercise_items")
    position = models.PositiveSmallIntegerField()

    class Meta:
        ordering: ClassVar[list[str]] = ["exercise", "position"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["exercise", "item"], name="exercise_item_once"),
            models.UniqueConstraint(fields=["exercise", "position"], name="exercise_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.exercise_id}[{self.position}]"


class Attempt(models.Model):
    """One person's way through an exercise."""

    exercise = models.ForeignKey(Exercise, on_delete=models.PROTECT, related_name="attempts_made")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    score = models.FloatField(null=True)  # mean credit over the items that have an expert's answer
    passed = models.BooleanField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["exercise", "annotator", "number"], name="attempt_number_once"),
            models.UniqueConstraint(
                fields=["exercise", "annotator"],
                condition=Q(finished_at__isnull=True),
                name="attempt_one_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} at {self.exercise}, attempt {self.number}"


class PracticeAnswer(models.Model):
    """One answer within an attempt, in canonical terms."""

    attempt = models.ForeignKey(Attempt, on_delete=models.CASCADE, related_name="answers")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="practice_answers")
    display_order = ArrayField(models.PositiveSmallIntegerField())
    answers = models.JSONField(null=True)  # one object per criterion; none: shown, not yet answered
    reasons = ArrayField(models.CharField(max_length=60), default=list)
    comment = models.TextField(blank=True)
    seconds = models.FloatField(null=True)
    credit = models.FloatField(null=True)  # 0 to 1 against the expert; none where there is no expert's answer
    created_at = models.DateTimeField(auto_now_add=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["attempt", "item"], name="practice_answer_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["annotator", "item"], name="practice_annotator_item"),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} on {self.item_id}"


class Waiver(models.Model):
    """A manager's word that somebody may work without passing the qualification."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="waivers")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="waivers")
    granted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "annotator"], name="waiver_once"),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} in {self.project}"
