"""What the loop chose, why, and how often it turns; what it is measured on, and for whom it learns."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from activelearning.acquisition.quotas import RULES
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.work import Item
from rewardmodel.models import Ensemble, TrainingRun

SHARE = [MinValueValidator(0.0), MaxValueValidator(1.0)]


class LoopPolicy(models.Model):
    """After `retrain_every` new judgments, or `every_hours`: train, promote if not worse, select
    `batch_size` pairs by the recipe.

    random_share: of every batch, drawn at random: what active selection is measured against.
    overlap_share: of the new pairs, those that get a vote more for quality. repeat_share: of a batch, at
    most so many further votes on pairs that were judged. audit_pairs, audit_votes: size of the frozen audit
    set, and how many people judge each of its pairs.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="loop_policy")
    enabled = models.BooleanField(default=True)
    retrain_every = models.PositiveIntegerField(default=200, validators=[MinValueValidator(1)])
    batch_size = models.PositiveIntegerField(default=50, validators=[MinValueValidator(1)])
    every_hours = models.PositiveIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    recipe = models.CharField(max_length=40, default="regret", db_default="regret")
    random_share = models.FloatField(default=0.1, db_default=0.1, validators=SHARE)
    overlap_share = models.FloatField(default=0.05, db_default=0.05, validators=SHARE)
    repeat_share = models.FloatField(default=0.1, db_default=0.1, validators=SHARE)
    audit_pairs = models.PositiveIntegerField(default=200, db_default=200)
    audit_votes = models.PositiveSmallIntegerField(default=3, db_default=3)
    fall_back = models.BooleanField(default=True, db_default=True)  # to random when active is no better
    label_cost = models.DecimalField(max_digits=10, decimal_places=4, null=True, blank=True)  # of one vote
    currency = models.CharField(max_length=3, default="USD", db_default="USD")
    worthwhile = models.FloatField(default=0.5, db_default=0.5)  # points of accuracy for 1,000 labels

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                condition=Q(
                    random_share__range=(0, 1), overlap_share__range=(0, 1), repeat_share__range=(0, 1)
                ),
                name="policy_shares_are_shares",
            ),
        ]

    def __str__(self) -> str:
        return f"every {self.retrain_every} judgments"


class SelectionBatch(models.Model):
    BY_CHANCE = "cold start: random"  # the strategy where there was nothing to choose by

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="selection_batches")
    number = models.PositiveIntegerField()
    ensemble = models.ForeignKey(
        Ensemble, null=True, on_delete=models.PROTECT, related_name="selection_batches"
    )  # none for a cold start
    strategy = models.CharField(max_length=40)
    config = models.JSONField(default=dict)
    seed = models.PositiveBigIntegerField()
    candidates = models.PositiveIntegerField()  # how many pairs there were to choose from
    notes = models.JSONField(default=list)  # quotas that could not be met, and why; in English
    said = models.JSONField(default=list, db_default=[])  # the same for every language: acquisition.wording
    survey = models.JSONField(null=True)  # map, clusters and shift of the pool: acquisition.survey
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "number"], name="batch_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.project.slug} batch {self.number}"

    @property
    def by_texts(self) -> bool:
        """Whether the recipe chose before there was a model."""
        return self.ensemble_id is None and self.strategy != self.BY_CHANCE


class SelectedPair(models.Model):
    """One chosen pair and why. The item it became is queued ahead of everything else."""

    class Reason(models.TextChoices):
        """The rules of activelearning.acquisition.quotas, and what is queued beside them."""

        REGRET = "regret", "Decides most winners"
        I_OPTIMAL = "i_optimal", "Makes the model surest"
        D_OPTIMAL = "d_optimal", "Unlike what is labelled"
        UNCERTAINTY = "uncertainty", "The ensemble is unsure"
        DISAGREEMENT = "disagreement", "The models disagree"
        MARGIN = "margin", "A close call"
        BALD = "bald", "An answer tells most"
        BAL_PM = "bal_pm", "Tells much, on a new kind of prompt"
        ERROR = "error", "The model errs nearby"
        K_CENTRE = "k_centre", "Furthest from what is labelled"
        CLUSTER = "cluster", "A kind with few labels"
        BADGE = "badge", "Unsure and varied"
        POWER = "power", "Drawn by its gain"
        RANDOM = "random", "Drawn at random"
        AUDIT = "audit", "Measures the model"
        REPEAT = "repeat", "One more opinion"
        DIVERSITY = "diversity", "Unlike the rest"  # of batches chosen before there were recipes

    batch = models.ForeignKey(SelectionBatch, on_delete=models.CASCADE, related_name="pairs")
    rank = models.PositiveIntegerField()
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="selections")
    response_a = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="+")
    response_b = models.ForeignKey(Response, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=12, choices=Reason.choices)
    explanation = models.TextField()  # in English
    said = models.JSONField(default=list, db_default=[])  # the same for every language: acquisition.wording
    scores = models.JSONField(default=dict)
    propensity = models.FloatField(null=True)  # chance of being drawn, where it was
    cluster = models.IntegerField(null=True)  # of its prompt, within the batch
    neighbours = models.JSONField(default=list, db_default=[])
    withdrawn_at = models.DateTimeField(null=True)  # nobody had begun it when a newer batch came

    class Meta:
        ordering: ClassVar[list[str]] = ["batch", "rank"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["batch", "rank"], name="selected_rank_once"),
            models.UniqueConstraint(fields=["batch", "item"], name="selected_item_once"),
            models.CheckConstraint(
                condition=Q(reason__in=[*RULES, "audit", "repeat", "diversity"]),
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
    recipe = models.CharField(max_length=40, default="", db_default="", blank=True)  # that chose the batch
    estimate = models.JSONField(null=True)  # active against random at this turn: acquisition.worth
    advice = models.JSONField(null=True)  # go on or stop: acquisition.stopping
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


class AuditPair(models.Model):
    """One pair of the frozen audit set: drawn once, uniformly, from prompts that are never trained on.

    item: what it became when it was queued. rank: the order in which they are queued.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="audit_pairs")
    rank = models.PositiveIntegerField()
    response_a = models.ForeignKey(Response, on_delete=models.CASCADE, related_name="+")
    response_b = models.ForeignKey(Response, on_delete=models.CASCADE, related_name="+")
    propensity = models.FloatField()  # chance with which it was to be drawn
    item = models.ForeignKey(Item, null=True, on_delete=models.PROTECT, related_name="audits")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["project", "rank"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "rank"], name="audit_rank_once"),
            models.UniqueConstraint(fields=["project", "response_a", "response_b"], name="audit_pair_once"),
            models.CheckConstraint(
                condition=Q(response_a__lt=F("response_b")), name="audit_pair_lower_id_first"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project.slug} audit #{self.rank}"


class DeploymentPrompt(models.Model):
    """A prompt that the policy will meet. No answers: it says where the model is to be good."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="deployment_prompts")
    key = models.CharField(max_length=64)  # SHA-256 of the messages
    messages = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "key"], name="deployment_prompt_once"),
        ]

    def __str__(self) -> str:
        return str(self.messages[-1]["content"])[:80]


class Replay(models.Model):
    """What recipes would have cost on the labels the project already has: acquisition.replay.

    Like a run it is held by a lease, and the row is the truth.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="replays")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    config = models.JSONField()  # recipes, seeds, labels, batch
    progress = models.JSONField(default=dict)
    result = models.JSONField(null=True)
    reason = models.TextField(blank=True)  # why it failed
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state__in=["queued", "running"]),
                name="replay_one_open_per_project",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project.slug} replay {self.pk}"
