"""Second looks at items: decisions, spot checks, what is said about them, and where a model is at odds."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from annotation.models.content import Response
from annotation.models.project import Guideline, Project
from annotation.models.work import Item, Judgment


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
    source = models.CharField(max_length=60, default="", db_default="")  # which model: "run 7"
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
