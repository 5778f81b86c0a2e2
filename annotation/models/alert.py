"""What the project is told, and who is told of it."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from annotation.models.project import Project


class Alert(models.Model):
    """Something in a project wants somebody's attention; over once `ended_at` says so.

    One open alert a kind, and a kind and annotator where it is about one of them.
    """

    class Kind(models.TextChoices):
        AGREEMENT = "agreement", "Agreement falls"
        GOLD = "gold", "An annotator fails gold"
        PAUSED = "paused", "An annotator was paused"
        APPEAL = "appeal", "An annotator appeals"
        QUEUE = "queue", "The queue runs dry"
        WORKER = "worker", "A worker is missing"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    figures = models.JSONField(default=dict)  # what its words are made of, in the reader's language
    raised_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)
    seen_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )  # who put it aside

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["project", "kind", "annotator"],
                condition=Q(ended_at=None),
                nulls_distinct=False,
                name="alert_open_once",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(F("project"), F("raised_at").desc(), name="alert_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} in {self.project}"

    @property
    def is_open(self) -> bool:
        """Still to be looked at: not over, and put aside by nobody."""
        return self.ended_at is None and self.seen_by_id is None


class AlertTarget(models.Model):
    """Where alerts go besides the page: an e-mail address or a webhook."""

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="alert_targets")
    channel = models.CharField(max_length=8, choices=Channel.choices)
    address = models.CharField(max_length=1000)
    kinds = ArrayField(models.CharField(max_length=12))  # of alert
    secret = models.CharField(max_length=64, blank=True)  # signs what a webhook is sent
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "channel", "address"], name="alert_target_once"),
            models.CheckConstraint(
                condition=Q(channel__in=["email", "webhook"]), name="alert_target_channel_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.address}"


class AlertDelivery(models.Model):
    """One alert on its way to one target; tried again until it arrives or is given up."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed"

    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    target = models.ForeignKey(AlertTarget, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    tries = models.PositiveSmallIntegerField(default=0)
    problem = models.TextField(blank=True)
    next_try_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["alert", "target"], name="alert_delivery_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["next_try_at"], name="alert_delivery_due", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.alert} to {self.target}: {self.state}"
