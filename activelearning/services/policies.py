"""How a project's loop is set."""

from decimal import Decimal
from typing import Any, TypedDict, Unpack

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import User
from accounts.services import audit
from activelearning.acquisition.quotas import RecipeError, recipe_named
from activelearning.models import LoopPolicy
from annotation.models.project import Project


class InvalidPolicy(ValueError):
    """The loop cannot be set as asked; the message says what to change."""


class Settings(TypedDict, total=False):
    """What can be set; what is not named stays as it is. See `LoopPolicy`."""

    enabled: bool
    retrain_every: int
    batch_size: int
    every_hours: int | None
    recipe: str
    random_share: float
    overlap_share: float
    repeat_share: float
    audit_pairs: int
    audit_votes: int
    fall_back: bool
    label_cost: Decimal | None
    currency: str
    worthwhile: float


def policy_of(project: Project) -> LoopPolicy:
    """The project's policy, or the default one, not saved."""
    return LoopPolicy.objects.filter(project=project).first() or LoopPolicy(project=project)


@transaction.atomic
def set_policy(*, project: Project, actor: User | None = None, **settings: Unpack[Settings]) -> LoopPolicy:
    """Raises `InvalidPolicy`."""
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # two who save take turns
    policy = policy_of(project)
    for name, value in settings.items():
        setattr(policy, name, value)
    _check(policy)
    policy.save()
    detail: dict[str, Any] = {
        name: str(value) if isinstance(value, Decimal) else value for name, value in settings.items()
    }
    audit.record(actor=actor, project=project, action="loop policy", detail=detail)
    return policy


def _check(policy: LoopPolicy) -> None:
    if policy.retrain_every < 1 or policy.batch_size < 1:
        raise InvalidPolicy("Retrain after at least one judgment and select at least one pair.")
    if policy.random_share + policy.repeat_share > 1:
        raise InvalidPolicy("Pairs at random and second opinions are together more than the whole batch.")
    if policy.worthwhile <= 0 or (policy.label_cost is not None and policy.label_cost < 0):
        raise InvalidPolicy("What is worth while must be above 0, and a label cannot cost less than nothing.")
    try:
        recipe_named(policy.recipe)
        policy.clean_fields(exclude=["project"])
    except RecipeError as error:
        raise InvalidPolicy(str(error)) from None
    except ValidationError as error:
        raise InvalidPolicy(" ".join(f"{name}: {' '.join(words)}" for name, words in
                                     error.message_dict.items())) from None  # fmt: skip
