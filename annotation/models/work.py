"""The work: items, who is on them until when, and what they answered."""

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from annotation.models.content import Prompt, Response
from annotation.models.project import MOST_VOTES, Guideline, Project


class Item(models.Model):
    """One prompt with the responses to judge, in canonical order (`ItemResponse.position`).

    `slots_left` is how many more people may take it: the one stored counter of the house, kept so that
    a claim is one indexed UPDATE. `./laurel check_slots` recounts it. `overlap` is how many votes the item
    wants where that is not what its project says; then a change of the project's leaves it alone.
    """

    class Origin(models.TextChoices):
        IMPORTED = "imported", "Imported"
        RANDOM = "random", "Random audit"
        SELECTED = "selected", "Selected by the model"
        GOLD = "gold", "Gold"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="items")
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="items")
    key = models.CharField(max_length=64)  # SHA-256 of the given id, else of prompt and responses
    response_set = models.CharField(max_length=64)  # SHA-256 of the sorted response primary keys
    external_id = models.CharField(max_length=500, blank=True)
    origin = models.CharField(max_length=10, choices=Origin.choices)
    is_gold = models.GeneratedField(
        expression=Q(origin="gold"),  # type: ignore[arg-type]  # the stubs know of no Q here
        output_field=models.BooleanField(),
        db_persist=True,
    )
    priority = models.IntegerField(default=0)  # higher first; the selection sets it
    shuffle = models.FloatField()  # random order within a priority, drawn once
    slots_left = models.SmallIntegerField()
    overlap = models.PositiveSmallIntegerField(null=True, blank=True)  # votes wanted; none: the project's
    retired_at = models.DateTimeField(null=True, blank=True)  # gold: handed out no more, counts no more
    metadata = models.JSONField(default=dict)
    responses = models.ManyToManyField(Response, through="ItemResponse", related_name="items")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "key"], name="item_once_per_project"),
            models.UniqueConstraint(
                fields=["project", "response_set", "is_gold"], name="item_set_once_per_origin_class"
            ),
            models.CheckConstraint(condition=Q(slots_left__gte=0), name="item_slots_not_negative"),
            models.CheckConstraint(
                condition=Q(overlap__isnull=True) | Q(overlap__range=(1, MOST_VOTES)),
                name="item_overlap_positive",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                "project",
                F("priority").desc(),
                "shuffle",
                name="item_open_by_priority",
                condition=Q(slots_left__gt=0),
            ),
            models.Index(
                "project",
                F("priority").desc(),
                "shuffle",
                name="item_open_gold",
                condition=Q(slots_left__gt=0, is_gold=True),
            ),
            models.Index(
                fields=["project"], name="item_own_overlap", condition=Q(overlap__isnull=False)
            ),  # few of many
        ]

    def __str__(self) -> str:
        return self.external_id or f"item {self.pk}"


class ItemResponse(models.Model):
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="item_responses")
    response = models.ForeignKey(Response, on_delete=models.CASCADE, related_name="item_responses")
    position = models.PositiveSmallIntegerField()  # 0 = canonical a, 1 = canonical b, ...

    class Meta:
        ordering: ClassVar[list[str]] = ["item", "position"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["item", "position"], name="item_response_position_once"),
            models.UniqueConstraint(fields=["item", "response"], name="item_response_once"),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}[{self.position}]"


class Assignment(models.Model):
    """An item leased to one annotator until a time, with the display order drawn for them.

    An open one without `shown_at` waits in the browser behind the item on the screen: it holds its slot, but
    who would otherwise go without work may take it over.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        SKIPPED = "skipped", "Skipped"
        FLAGGED = "flagged", "Flagged"
        EXPIRED = "expired", "Expired"

    # Notes of those who must not judge the item any more, nor change what they answered.
    SAW_VOTES: ClassVar = "saw the votes instead of judging"
    WROTE_GOLD: ClassVar = "wrote the gold answer"
    KNOWS_THE_ANSWER: ClassVar = (SAW_VOTES, WROTE_GOLD)

    # No index of their own for item and annotator: the first columns of others, and each costs every answer.
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="assignments", db_index=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="assignments")  # the item's
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="assignments", db_index=False
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    surplus = models.BooleanField(default=False)  # holds no slot: a repeat, or answered after the slot went
    repeat = models.BooleanField(default=False)  # asked a second time, silently, in another order
    display_order = ArrayField(models.PositiveSmallIntegerField())  # canonical positions, left to right
    note = models.TextField(blank=True)  # why it was skipped or flagged
    lease_expires_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    shown_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["item", "annotator", "repeat"], name="assignment_once_per_annotator"
            ),
            models.CheckConstraint(
                condition=Q(repeat=False) | Q(surplus=True), name="assignment_repeat_holds_no_slot"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["annotator", "project", "state", "finished_at"], name="assignment_annotator_work"
            ),
            models.Index(
                fields=["lease_expires_at"], name="assignment_open_lease", condition=Q(state="open")
            ),
            models.Index(fields=["project"], name="assignment_flagged", condition=Q(state="flagged")),
            models.Index(
                fields=["project"],
                name="assignment_waiting",
                condition=Q(state="open", shown_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item} for {self.annotator} ({self.state})"


class Draft(models.Model):
    """What somebody has entered and not yet submitted, in display terms, as the form holds it."""

    assignment = models.OneToOneField(Assignment, on_delete=models.CASCADE, related_name="draft")
    body = models.JSONField()
    version = models.PositiveIntegerField(default=1)  # a device that saw an older one does not overwrite it
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"draft of {self.assignment_id}"


class Judgment(models.Model):
    """What one person answered about one item. Append-only: an edit is a new row that supersedes this one.

    A database trigger refuses every DELETE and every UPDATE but the one that ends `live`. Live is what stands
    as this person's vote on the item; the answer to a silent repeat never is.
    """

    class Source(models.TextChoices):
        BROWSER = "browser", "Browser"
        IMPORTED = "imported", "Imported"
        SIMULATED = "simulated", "Simulated"
        EXPERT = "expert", "Expert"  # a reviewer's decision, with the votes before them

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="judgments")
    annotator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="judgments", db_index=False
    )
    assignment = models.ForeignKey(
        Assignment, null=True, on_delete=models.PROTECT, related_name="judgments"
    )  # none for imported votes: nobody knows what was shown where
    idempotency_key = models.CharField(max_length=100)
    body_hash = models.CharField(max_length=64)  # the same key with another body is a conflict
    source = models.CharField(max_length=10, choices=Source.choices)
    live = models.BooleanField(default=True)
    repeat = models.BooleanField(default=False)
    supersedes = models.OneToOneField(
        "self", null=True, on_delete=models.PROTECT, related_name="superseded_by"
    )
    guideline = models.ForeignKey(Guideline, null=True, on_delete=models.PROTECT, related_name="+")
    display_order = ArrayField(models.PositiveSmallIntegerField(), null=True)
    reasons = ArrayField(models.CharField(max_length=60), default=list)
    comment = models.TextField(blank=True)
    spans = models.JSONField(default=list)  # places pointed at; see annotation.answering.spans
    seconds = models.FloatField(null=True)
    judged_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["idempotency_key"], name="judgment_sent_once"),
            models.UniqueConstraint(
                fields=["item", "annotator"], condition=Q(live=True), name="judgment_one_live_per_annotator"
            ),
            models.CheckConstraint(
                condition=Q(seconds__isnull=True) | Q(seconds__gte=0), name="judgment_seconds_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(repeat=False) | Q(live=False), name="judgment_repeat_never_live"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["annotator", "-judged_at"], name="judgment_annotator_at"),
        ]

    def __str__(self) -> str:
        return f"{self.annotator} on {self.item}"


class Answer(models.Model):
    """A judgment's answer for one criterion, in canonical terms. Append-only like its judgment."""

    class Choice(models.TextChoices):
        A = "a", "A is better"
        B = "b", "B is better"
        TIE = "tie", "Tie"
        BOTH_BAD = "both_bad", "Both are bad"

    judgment = models.ForeignKey(
        Judgment, on_delete=models.CASCADE, related_name="answers", db_index=False
    )  # the first column of the constraint below
    criterion = models.CharField(max_length=60)
    choice = models.CharField(max_length=8, choices=Choice.choices, blank=True)
    strength = models.PositiveSmallIntegerField(null=True)
    ranks = ArrayField(models.PositiveSmallIntegerField(), null=True)
    ratings = ArrayField(models.PositiveSmallIntegerField(), null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["judgment", "criterion"], name="answer_once_per_criterion"),
            models.CheckConstraint(
                condition=Q(choice__in=["", "a", "b", "tie", "both_bad"]), name="answer_choice_known"
            ),
            models.CheckConstraint(
                condition=~Q(choice="") | Q(ranks__isnull=False) | Q(ratings__isnull=False),
                name="answer_says_something",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.criterion}: {self.choice or self.ranks or self.ratings}"
