"""A project: the question people answer, and the rules under which they answer it."""

from typing import Any, ClassVar, Final

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.functional import cached_property

from annotation.answering.answer import Question

MOST_VOTES: Final = 100  # that an item can want


def default_criteria() -> list[dict[str, Any]]:
    return [{"name": "overall", "description": "Which response is better, all things considered?"}]


def default_reasons() -> list[str]:
    return [
        "factual error",
        "unsafe",
        "ignores the question",
        "hard to read",
        "better explanation",
        "more complete",
    ]


class Project(models.Model):
    class Kind(models.TextChoices):
        PAIRWISE = "pairwise", "Pairwise comparison"
        RANKING = "ranking", "Ranking"
        RATING = "rating", "Rating"

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        CLOSED = "closed", "Closed"

    class Aggregation(models.TextChoices):
        SHARES = "vote-shares", "Vote shares"
        COMPETENCE = "competence", "Competence"
        DAWID_SKENE = "dawid-skene", "Dawid-Skene"

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PAIRWISE)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    criteria = models.JSONField(default=default_criteria)
    reasons = ArrayField(models.CharField(max_length=60), default=default_reasons, blank=True)
    overlap = models.PositiveSmallIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(MOST_VOTES)]
    )
    gold_rate = models.FloatField(default=0.1, validators=[MinValueValidator(0), MaxValueValidator(1)])
    lease_seconds = models.PositiveIntegerField(default=1800, validators=[MinValueValidator(30)])
    # --- the question: fixed once somebody has answered (services.projects.edit) ---
    ties = models.BooleanField(default=True)  # pairs may tie; ranks may be equal
    both_bad = models.BooleanField(default=True)  # pairwise: "both are bad" is offered
    strength_scale = models.BooleanField(default=False)  # pairwise: slightly, clearly, much better
    rating_points = models.PositiveSmallIntegerField(default=5)  # rating: 1 is worst, this is best
    # --- the rules of the work ---
    blind_review = models.BooleanField(default=True)  # who may still judge an item does not see its votes
    repeat_rate = models.FloatField(default=0.0)  # share of silent repeats with the order swapped
    reopen_hours = models.PositiveIntegerField(null=True, blank=True)  # none: until the project is closed
    qualification_required = models.BooleanField(default=False)
    # --- how far the labels are trusted ---
    aggregation = models.CharField(
        max_length=12,
        choices=Aggregation.choices,
        default=Aggregation.SHARES,
        db_default=Aggregation.SHARES,
    )
    expert_weight = models.PositiveSmallIntegerField(default=3, db_default=3)  # votes that a decision counts
    auto_pause = models.BooleanField(default=True, db_default=True)  # failed gold, or two independent signs
    spot_check_rate = models.FloatField(default=0.02, db_default=0.02)  # share of finished items seen again
    # --- what annotators see ---
    show_progress = models.BooleanField(default=True)  # how far the whole project is
    show_accuracy = models.BooleanField(default=False)  # their own share of right gold answers
    show_category = models.BooleanField(default=False)  # the prompt's category
    daily_goal = models.PositiveIntegerField(null=True, blank=True)  # judgments a person and day
    break_minutes = models.PositiveSmallIntegerField(default=50)  # remind after so long; 0: never
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(overlap__gte=1), name="project_overlap_positive"),
            models.CheckConstraint(condition=Q(gold_rate__range=(0, 1)), name="project_gold_rate_is_a_share"),
            models.CheckConstraint(condition=Q(lease_seconds__gte=30), name="project_lease_long_enough"),
            models.CheckConstraint(
                condition=Q(kind__in=["pairwise", "ranking", "rating"]), name="project_kind_known"
            ),
            models.CheckConstraint(condition=Q(rating_points__in=[5, 7]), name="project_rating_points_known"),
            models.CheckConstraint(condition=Q(repeat_rate__range=(0, 0.5)), name="project_repeat_rate_sane"),
            models.CheckConstraint(
                condition=Q(aggregation__in=["vote-shares", "competence", "dawid-skene"]),
                name="project_aggregation_known",
            ),
            models.CheckConstraint(
                condition=Q(expert_weight__range=(1, 100)), name="project_expert_weight_positive"
            ),
            models.CheckConstraint(
                condition=Q(spot_check_rate__range=(0, 1)), name="project_spot_check_rate_is_a_share"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def criterion_names(self) -> list[str]:
        return [criterion["name"] for criterion in self.criteria]

    @property
    def criteria_weights(self) -> dict[str, float]:
        """How much each criterion counts in the overall reward. Where no weight is given, one called
        "overall" is the overall, else all count the same."""
        given = any("weight" in criterion for criterion in self.criteria)
        alone = not given and "overall" in self.criterion_names
        return {
            one["name"]: float(one["name"] == "overall") if alone else float(one.get("weight", 1))
            for one in self.criteria
        }

    @property
    def question(self) -> Question:
        """What is asked about each item, as a plain value."""
        return Question(
            kind=self.kind,  # type: ignore[arg-type]  # the column holds one of the three
            criteria=tuple(self.criterion_names),
            ties=self.ties,
            both_bad=self.both_bad,
            strength=self.strength_scale,
            points=self.rating_points,
        )

    @cached_property
    def guideline_version(self) -> int | None:
        """The latest version of the guidelines; asked for once, without their text, which may be long."""
        return self.guidelines.order_by("-version").values_list("version", flat=True).first()

    @property
    def main_criterion(self) -> str:
        """The criterion the monitoring page starts with."""
        return self.criterion_names[0]


class Guideline(models.Model):
    """One version of a project's guidelines. Judgments point at the version that was shown."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="guidelines")
    version = models.PositiveIntegerField()
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["version"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["project", "version"], name="guideline_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.project} guidelines v{self.version}"
