"""How many pairs each part of the recipe gets, in which order, and how many one prompt may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from activelearning.acquisition.pool import Positions

Reason = Literal["uncertainty", "diversity", "error", "audit"]
REASONS: tuple[Reason, ...] = get_args(Reason)


class RecipeError(ValueError):
    """The shares of the recipe do not add up."""


@dataclass(frozen=True)
class RecipeConfig:
    """Shares of a batch. `audit` is a share of the whole, drawn uniformly at random from all candidates;
    the other three share what is left and sum to 1.

    doubt: what "uncertainty" ranks beside the margin. prior_precision: λ. keep: candidates which greedy
    selection looks at. redundancy: an uncertain or error-prone pair is passed over when earlier picks have
    already taken more than this share of its information. outlier_quantile: see diversity.density_floor.
    prompt_cap: pairs which one prompt may take outside the audit share; None: four times its fair share,
    see `prompt_cap`.
    """

    uncertainty: float = 0.5
    diversity: float = 0.3
    error: float = 0.2
    audit: float = 0.1
    doubt: Literal["disagreement", "bald"] = "disagreement"
    prior_precision: float = 1.0
    keep: int = 50_000
    max_dimensions: int = 64
    redundancy: float = 0.25
    outlier_quantile: float = 0.99
    prompt_cap: int | None = None

    def __post_init__(self) -> None:
        shares = (self.uncertainty, self.diversity, self.error)
        if min(shares) < 0 or abs(sum(shares) - 1.0) > 1e-6:
            raise RecipeError(
                f"uncertainty, diversity and error are {shares}; they must be ≥ 0 and sum to 1."
            )
        if not 0.0 <= self.audit <= 1.0:
            raise RecipeError(f"audit is {self.audit}; it is a share of the batch between 0 and 1.")
        if self.prior_precision <= 0 or self.keep < 1 or self.max_dimensions < 1:
            raise RecipeError("prior_precision, keep and max_dimensions must be positive.")
        if not (0.0 <= self.redundancy <= 1.0 and 0.0 < self.outlier_quantile <= 1.0):
            raise RecipeError("redundancy and outlier_quantile are shares between 0 and 1.")
        if self.prompt_cap is not None and self.prompt_cap < 1:
            raise RecipeError(f"prompt_cap is {self.prompt_cap}; it must be at least 1.")


def largest_remainder(total: int, weights: Mapping[Reason, float]) -> dict[Reason, int]:
    """Whole numbers summing to `total`, each within 1 of its exact share (Hamilton); ties go to the first
    named.
    """
    mass = sum(weights.values())
    if total < 0 or mass <= 0 or min(weights.values()) < 0:
        raise RecipeError(f"cannot share {total} pairs among weights {dict(weights)}.")
    exact = {name: total * weight / mass for name, weight in weights.items()}
    # Rounding keeps 0.1 + 0.2 style noise from deciding which remainder is the larger.
    parts = {name: int(round(value, 9) // 1) for name, value in exact.items()}
    by_remainder = sorted(parts, key=lambda name: -round(exact[name] - parts[name], 9))
    for name in by_remainder[: total - sum(parts.values())]:
        parts[name] += 1
    return parts


def plan_quotas(
    size: int, config: RecipeConfig, *, features: bool, ensemble: bool, errors: bool
) -> tuple[dict[Reason, int], list[str]]:
    """The quotas which can be met with what is known, and a sentence for each part that cannot be."""
    rest = 1.0 - config.audit
    share: dict[Reason, float] = {
        "uncertainty": rest * config.uncertainty,
        "diversity": rest * config.diversity,
        "error": rest * config.error,
        "audit": config.audit,
    }
    notes = []
    if not features:
        notes.append("There are no features yet: the whole batch is drawn at random.")
        share = {"uncertainty": 0.0, "diversity": 0.0, "error": 0.0, "audit": 1.0}
    elif not ensemble:
        notes.append("There is no ensemble yet: the uncertainty and error quotas are drawn at random.")
        share["audit"] += share["uncertainty"] + share["error"]
        share["uncertainty"] = share["error"] = 0.0
    elif not errors and share["error"] > 0:
        notes.append("Too few judged pairs to say where the model errs: that quota goes to the other parts.")
        others = share["uncertainty"] + share["diversity"]
        if others > 0:
            for name in ("uncertainty", "diversity"):
                share[name] += share["error"] * share[name] / others
        else:
            share["audit"] += share["error"]
        share["error"] = 0.0
    return largest_remainder(size, share), notes


def interleave(quotas: Mapping[Reason, int]) -> list[Reason]:
    """The order of picking: every reason evenly spread, so a batch stopped half-way still follows the
    recipe.
    """
    slots = [
        ((turn + 0.5) / count, REASONS.index(name), name)
        for name, count in quotas.items()
        for turn in range(count)
    ]
    return [name for _, _, name in sorted(slots)]


def prompt_cap(size: int, open_per_prompt: Positions, wanted: int | None) -> int:
    """How many of `size` pairs one prompt may take: `wanted`, or max(2, ⌈4·size/prompts⌉).

    Doubled until the prompts together can fill the batch: a cap must not leave people without work.
    """
    prompts = max(1, len(open_per_prompt))
    cap = wanted if wanted is not None else max(2, -(-4 * size // prompts))
    target = min(size, int(open_per_prompt.sum()))
    while int(np.minimum(open_per_prompt, cap).sum()) < target:
        cap *= 2
    return cap
