"""Recipes: which rules share a batch, how many pairs each gets, in which order, and how many one prompt may
take.

A recipe is parts (a rule and its share) beside a fixed share drawn uniformly at random with logged
propensity: the random arm, against which the rest is measured and by which it is kept honest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from activelearning.acquisition.pool import Positions
from activelearning.acquisition.wording import Said, said

Rule = Literal[
    "regret",
    "i_optimal",
    "d_optimal",
    "uncertainty",
    "disagreement",
    "margin",
    "bald",
    "bal_pm",
    "error",
    "k_centre",
    "cluster",
    "badge",
    "power",
    "random",
]
RULES: tuple[Rule, ...] = get_args(Rule)
NEED_MEMBERS: frozenset[Rule] = frozenset({"uncertainty", "disagreement"})
BLIND = said("There are no features yet: the whole batch is drawn at random.")


class RecipeError(ValueError):
    """The recipe is not one."""


@dataclass(frozen=True)
class Part:
    """A rule and its share of what the random share leaves."""

    rule: Rule
    share: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """How a batch is put together. The parts' shares sum to 1; `random_share` is one of the whole batch.

    cold_start: the rule of the first batch, when there are no labels yet. redundancy: a pair which a ranking
    rule puts forward is passed over when earlier picks have already taken more than this share of its
    information; None: plain top-k. near_duplicate: pairs more alike than this cosine are not both taken;
    None: no such check. prompt_cap, cluster_cap: pairs which one prompt, or one cluster of prompts, may take
    outside the random share; None: four times the fair share, see `group_cap` and `cluster_caps`. keep:
    candidates which greedy selection looks at. beta: weight of the prompt entropy beside BALD, or the
    sharpness of power sampling; None: the rule's own. prompt_effect: with which variance, in logits²
    for a pair of typical length, what is better differs between prompts, see `prompt_effects`; None: none.
    outlier_quantile: what D-optimality leaves out, see thinning.density_floor.
    """

    name: str
    parts: tuple[Part, ...]
    random_share: float = 0.1
    cold_start: Rule = "i_optimal"
    redundancy: float | None = 0.25
    near_duplicate: float | None = 0.98
    prompt_cap: int | None = None
    cluster_cap: int | None = None
    keep: int = 50_000
    max_dimensions: int = 128
    prior_precision: float | None = None
    beta: float | None = None
    prompt_effect: float | None = None
    outlier_quantile: float = 0.99

    def __post_init__(self) -> None:
        shares = [part.share for part in self.parts]
        if not shares or min(shares) < 0 or abs(sum(shares) - 1.0) > 1e-6:
            raise RecipeError(f"The shares of recipe {self.name!r} are {shares}; they must sum to 1.")
        for rule in (*(part.rule for part in self.parts), self.cold_start):
            if rule not in RULES:
                raise RecipeError(f"{rule!r} is no rule; choose among {', '.join(RULES)}.")
        if len({part.rule for part in self.parts}) != len(shares):
            raise RecipeError(f"Recipe {self.name!r} names a rule twice; give it one share.")
        if not 0.0 <= self.random_share <= 1.0:
            raise RecipeError(f"random_share is {self.random_share}; it is a share of the batch, 0 to 1.")
        positive = (self.keep, self.max_dimensions, self.prompt_cap, self.cluster_cap, self.prior_precision)
        if any(value is not None and value <= 0 for value in (*positive, self.prompt_effect)):
            raise RecipeError(
                "keep, max_dimensions, the caps, prior_precision and prompt_effect must be positive."
            )
        if self.redundancy is not None and not 0.0 <= self.redundancy <= 1.0:
            raise RecipeError(f"redundancy is {self.redundancy}; it is a share between 0 and 1.")
        if not 0.0 < self.outlier_quantile <= 1.0 or (self.beta is not None and self.beta < 0):
            raise RecipeError("outlier_quantile is a share between 0 and 1, and beta is not negative.")


def _recipe(name: str, *parts: tuple[Rule, float], **settings: object) -> Recipe:
    return Recipe(name, tuple(Part(rule, share) for rule, share in parts), **settings)  # type: ignore[arg-type]


DEFAULT = "regret"
PROMPT_EFFECT = 1.0  # see docs/decisions_choosing.md
RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.name: recipe
        for recipe in (
            _recipe("regret", ("regret", 1.0), prompt_effect=PROMPT_EFFECT),
            _recipe("i-optimal", ("i_optimal", 1.0), prompt_effect=PROMPT_EFFECT),
            _recipe("d-optimal", ("d_optimal", 1.0)),
            _recipe("bal-pm", ("bal_pm", 1.0)),
            _recipe("mixed", ("regret", 0.6), ("cluster", 0.4), prompt_effect=PROMPT_EFFECT),
            _recipe("textbook", ("uncertainty", 0.5), ("d_optimal", 0.3), ("error", 0.2)),
            _recipe("random", ("random", 1.0), random_share=1.0, cold_start="random"),
        )
    }
)


def recipe_named(name: str) -> Recipe:
    """Raises RecipeError with the names there are."""
    try:
        return RECIPES[name]
    except KeyError:
        raise RecipeError(f"There is no recipe {name!r}; choose among {', '.join(RECIPES)}.") from None


def largest_remainder(total: int, weights: Mapping[Rule, float]) -> dict[Rule, int]:
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
    size: int, recipe: Recipe, *, features: bool, labels: bool, members: bool, errors: bool
) -> tuple[dict[Rule, int], list[Said]]:
    """The quotas which can be met with what is known, and a sentence for each part that cannot be."""
    if not features:
        return {"random": size} if size else {}, [BLIND] if recipe.random_share < 1 else []
    notes: list[Said] = []
    share: dict[Rule, float] = {part.rule: part.share for part in recipe.parts}
    if not labels and not members:
        if recipe.cold_start != "random" or set(share) != {"random"}:
            notes.append(said("There are no labels yet: the batch starts cold."))
        share = {recipe.cold_start: 1.0}
    if lacking := [rule for rule in share if rule in NEED_MEMBERS and not members]:
        notes.append(said("There is no ensemble yet: what rests on its disagreement is drawn at random."))
        _move(share, lacking, "random")
    if "error" in share and not errors:
        notes.append(
            said("Too few judged pairs to say where the model errs: that quota goes to the other parts.")
        )
        lost = share.pop("error")
        total = sum(share.values())
        share = {rule: value + lost * value / total for rule, value in share.items()} or {"random": 1.0}
    weights = {rule: (1.0 - recipe.random_share) * value for rule, value in share.items()}
    weights["random"] = weights.get("random", 0.0) + recipe.random_share
    quotas = largest_remainder(size, weights)
    return {rule: count for rule, count in quotas.items() if count}, notes


def _move(share: dict[Rule, float], rules: list[Rule], to: Rule) -> None:
    lost = sum(share.pop(rule) for rule in rules)
    share[to] = share.get(to, 0.0) + lost


def interleave(quotas: Mapping[Rule, int]) -> list[Rule]:
    """The order of picking: every rule evenly spread, so that half a batch still follows the recipe."""
    slots = [
        ((turn + 0.5) / count, RULES.index(name), name)
        for name, count in quotas.items()
        for turn in range(count)
    ]
    return [name for _, _, name in sorted(slots)]


def group_cap(size: int, open_per_group: Positions, wanted: int | None) -> int:
    """How many of `size` pairs one prompt (or cluster) may take: `wanted`, or max(2, ⌈4·size/groups⌉).

    Doubled until the groups together can fill the batch: a cap must not leave people without work.
    """
    groups = max(1, len(open_per_group))
    cap = wanted if wanted is not None else max(2, -(-4 * size // groups))
    target = min(size, int(open_per_group.sum()))
    while int(np.minimum(open_per_group, cap).sum()) < target:
        cap *= 2
    return cap


def cluster_caps(size: int, open_per_cluster: Positions, wanted: int | None) -> Positions:
    """How many of `size` pairs each cluster may take, (k,): `wanted`, or four times its fair share, which is
    its part of the open pairs, but 1/k at least: a large cluster is not held down, nor a small one shut out.

    Doubled until the clusters together can fill the batch.
    """
    parts = open_per_cluster / max(1, open_per_cluster.sum())
    here = max(1, int((open_per_cluster > 0).sum()))
    fair = np.maximum(2, np.ceil(4 * size * np.maximum(parts, 1 / here)))
    caps = (fair if wanted is None else np.full(len(parts), wanted)).astype(np.int64)
    target = min(size, int(open_per_cluster.sum()))
    while int(np.minimum(open_per_cluster, caps).sum()) < target:
        caps = caps * 2
    return caps
