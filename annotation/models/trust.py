"""Whose votes count, how labels are made of them, second looks at items, and what the project is told."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from annotation.models.content import Response
from annotation.models.project import Guideline, Project
from annotation.models.work import Item, Judgment


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


class AggregationFit(models.Model):
    """What a method has learned of the annotators under one criterion. Labels are read off it.

    Between two fits it stays as it is, so that labels made one by one equal those made all at once.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="fits")
    criterion = models.CharField(max_length=60)
    method = models.CharField(max_length=30)
    parameters = models.JSONField()  # see annotation.services.fitting
    votes = models.PositiveIntegerField()
    fitted_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "criterion"], name="fit_once_per_criterion"),
        ]

    def __str__(self) -> str:
        return f"{self.method} of {self.criterion} on {self.votes} votes"


class ChangedItem(models.Model):
    """An item with a judgment that came, or stands no longer, since its label was made.

    Written by the database (migration 0007_trust), as often as it happens: nobody waits for anybody.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_constraint=False, related_name="+")
    item = models.ForeignKey(
        Item, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+"
    )

    def __str__(self) -> str:
        return f"item {self.item_id} changed"


class QualityReport(models.Model):
    """What the monitoring page says of a project, reckoned in the background. Derived."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="report")
    body = models.JSONField()
    stale = models.BooleanField(default=False)  # something but a judgment has changed since
    version = models.PositiveIntegerField(default=1)  # one more each time: what a page asks for
    seconds = models.FloatField()  # how long it took
    computed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"report on {self.project} of {self.computed_at:%Y-%m-%d %H:%M}"


class Review(models.Model):
    """A second look at an item by a reviewer: blind first, then with the votes, then a decision.

    `label` is what the votes said when the reviewer was asked, `blind` what they said before seeing them,
    `decision` what they said in the end: answers in canonical terms, one a criterion.
    """

    class Kind(models.TextChoices):
        ADJUDICATION = "adjudication", "Adjudication"
        SPOT_CHECK = "spot_check", "Spot check"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        DISMISSED = "dismissed", "Dismissed"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="reviews")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="reviews")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="reviews"
    )
    label = models.JSONField(default=list)
    blind = models.JSONField(default=list)
    blind_at = models.DateTimeField(null=True)
    decision = models.JSONField(default=list)
    reason = models.TextField(blank=True)
    judgment = models.OneToOneField(Judgment, null=True, on_delete=models.PROTECT, related_name="review")
    right = models.BooleanField(null=True)  # of a spot check: the label says what the reviewer says
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["item", "kind"], condition=Q(state="open"), name="review_one_open_per_kind"
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | Q(decided_at__isnull=False, reviewer__isnull=False),
                name="review_done_by_somebody",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["project", "kind", "state"], name="review_queue"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of item {self.item_id} ({self.state})"


class Comment(models.Model):
    """A word in the discussion of an item among those who review it, perhaps on a gap in the guidelines."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="comments")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    gap = models.BooleanField(default=False)  # the guidelines leave this question open
    guideline = models.ForeignKey(
        Guideline, null=True, on_delete=models.PROTECT, related_name="+"
    )  # the version in force
    closed_by = models.ForeignKey(
        Guideline, null=True, on_delete=models.PROTECT, related_name="closes"
    )  # the version that fills the gap
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(gap=True) | Q(closed_by__isnull=True), name="comment_only_gaps_are_closed"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["project"], name="comment_open_gap", condition=Q(gap=True, closed_by__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.author} on item {self.item_id}"


class ModelOdds(models.Model):
    """What the reward model in use makes of a pair of responses people have judged. Derived.

    Written from above (rewardmodel.services.weighing), because the queue of reviews knows no model.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, db_index=False, related_name="odds")
    response_a = models.ForeignKey(Response, on_delete=models.CASCADE, db_index=False, related_name="+")
    response_b = models.ForeignKey(Response, on_delete=models.CASCADE, db_index=False, related_name="+")
    p_a = models.FloatField()
    p_tie = models.FloatField()
    p_b = models.FloatField()
    odds = models.FloatField(default=0)  # how far from the label it was then, in bits; see review_selectors
    weighed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["item", "response_a", "response_b"], name="odds_once_per_pair"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(F("project"), F("odds").desc(), name="odds_first", condition=Q(odds__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.p_a:.2f} / {self.p_tie:.2f} / {self.p_b:.2f}"


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
