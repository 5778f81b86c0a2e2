"""Gold answers; what the votes add up to, and with what; the report on how far to trust it."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func, Q

from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.work import Item


class GoldAnswer(models.Model):
    """The expert's answer to a gold item under one criterion, in canonical terms, and why."""

    class Source(models.TextChoices):
        IMPORTED = "imported", "Imported"
        WRITTEN = "written", "Written for an item"
        ADJUDICATED = "adjudicated", "From an adjudication"

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="gold_answers")
    criterion = models.CharField(max_length=60)
    choice = models.CharField(max_length=8, blank=True)
    ranks = ArrayField(models.PositiveSmallIntegerField(), null=True)
    ratings = ArrayField(models.PositiveSmallIntegerField(), null=True)
    reason = models.TextField(blank=True)
    source = models.CharField(max_length=12, choices=Source.choices, default=Source.WRITTEN)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["item", "criterion"], name="gold_once_per_criterion"),
            models.CheckConstraint(
                condition=Q(choice__in=["", "a", "b", "tie", "both_bad"]), name="gold_choice_known"
            ),
            models.CheckConstraint(
                condition=~Q(choice="") | Q(ranks__isnull=False) | Q(ratings__isnull=False),
                name="gold_says_something",
            ),
        ]

    def __str__(self) -> str:
        return f"gold for {self.item_id}: {self.choice or self.ranks or self.ratings}"


class SoftLabel(models.Model):
    """Vote shares of one response pair under one criterion. Derived: it can always be rebuilt."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="soft_labels")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="soft_labels")
    response_a = models.ForeignKey(Response, on_delete=models.CASCADE, related_name="+")
    response_b = models.ForeignKey(Response, on_delete=models.CASCADE, related_name="+")
    criterion = models.CharField(max_length=60)
    p_a = models.FloatField()
    p_tie = models.FloatField()
    p_b = models.FloatField()
    votes = models.PositiveIntegerField()
    effective_votes = models.FloatField()
    method = models.CharField(max_length=30)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["item", "response_a", "response_b", "criterion"], name="soft_label_once"
            ),
            models.CheckConstraint(
                condition=Q(p_a__gte=0, p_tie__gte=0, p_b__gte=0), name="soft_label_shares_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(p_a__lte=1.000001 - F("p_tie") - F("p_b"))
                & Q(p_a__gte=0.999999 - F("p_tie") - F("p_b")),
                name="soft_label_shares_sum_to_one",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["project", "criterion"], name="soft_label_project"),
            models.Index(  # the queue of reviews; see annotation.review_selectors
                F("project"),
                F("criterion"),
                Func("p_a", "p_tie", "p_b", "effective_votes", function="laurel_label_bits").desc(),
                name="soft_label_open_most",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.p_a:.2f} / {self.p_tie:.2f} / {self.p_b:.2f}"


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
