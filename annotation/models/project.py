"""A project: the question people answer, and the rules under which they answer it."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q


def default_criteria() -> list[dict[str, str]]:
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

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.PAIRWISE)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    criteria = models.JSONField(default=default_criteria)
    reasons = ArrayField(models.CharField(max_length=60), default=default_reasons, blank=True)
    overlap = models.PositiveSmallIntegerField(
        default=3, validators=[MinValueValidator(1), MaxValueValidator(100)]
    )
    gold_rate = models.FloatField(default=0.1, validators=[MinValueValidator(0), MaxValueValidator(1)])
    lease_seconds = models.PositiveIntegerField(default=1800, validators=[MinValueValidator(30)])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(condition=Q(overlap__gte=1), name="project_overlap_positive"),
            models.CheckConstraint(condition=Q(gold_rate__range=(0, 1)), name="project_gold_rate_is_a_share"),
            models.CheckConstraint(condition=Q(lease_seconds__gte=30), name="project_lease_long_enough"),
            models.CheckConstraint(
                condition=Q(kind__in=["pairwise", "ranking", "rating"]), name="project_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def criterion_names(self) -> list[str]:
        return [criterion["name"] for criterion in self.criteria]

    @property
    def main_criterion(self) -> str:
        """The criterion the judging page asks for and the reward model learns."""
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
