"""Gold answers, and what the votes add up to."""

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
