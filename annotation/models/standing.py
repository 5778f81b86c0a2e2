"""Whose votes count in a project, and what was said to whom about it."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models.project import Project


class Standing(models.Model):
    """What a project has decided about one annotator. Whoever has none is active, like everybody at first.

    Paused or excluded: no new work, and their votes weigh nothing until they are restored; no vote is ever
    deleted. The history is in the audit log.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        PAUSED = "paused", "Paused"
        EXCLUDED = "excluded", "Excluded"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="standings")
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="standings"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    reason = models.TextField(
        blank=True
    )  # as the annotator reads it; the policy's own words come of evidence
    evidence = models.JSONField(default=list)  # the flags it rested on, with their figures
    automatic = models.BooleanField(default=False)  # by the policy, not by a person
    gold_rate = models.FloatField(null=True, blank=True)  # they are given at least this share of gold
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    changed_at = models.DateTimeField()
    restored_at = models.DateTimeField(null=True)  # by a person: only gold answered since pauses them again
    appealed_at = models.DateTimeField(null=True)  # waits for an answer

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "annotator"], name="standing_once"),
            models.CheckConstraint(
                condition=Q(state__in=["active", "paused", "excluded"]), name="standing_state_known"
            ),
            models.CheckConstraint(
                condition=Q(gold_rate__isnull=True) | Q(gold_rate__range=(0, 1)),
                name="standing_gold_rate_is_a_share",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} in {self.project}: {self.state}"


class Message(models.Model):
    """What is said between an annotator and those who manage the project. Kept for good."""

    class Kind(models.TextChoices):
        NOTE = "note", "Message"
        PAUSED = "paused", "Paused"
        EXCLUDED = "excluded", "Excluded"
        APPEAL = "appeal", "Appeal"
        RESTORED = "restored", "Restored"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="messages")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="messages")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )  # none: the policy
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.NOTE)
    text = models.TextField(blank=True)
    evidence = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)  # by the annotator

    class Meta:
        ordering: ClassVar[list[str]] = ["pk"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["project", "annotator", "id"], name="message_thread"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.annotator}"
