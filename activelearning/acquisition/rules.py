"""From a rule's name to what picks by it. A rule sees the candidates, the batch so far, and the knowledge."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Literal

import numpy as np

from activelearning.acquisition.badge import Badge
from activelearning.acquisition.coverage import ClusterQuota, KCentre, cluster_pairs
from activelearning.acquisition.design import GreedyDesign
from activelearning.acquisition.entropy import BETA, BalPm, PromptEntropy
from activelearning.acquisition.errors import ErrorEstimate, estimate_errors
from activelearning.acquisition.knowledge import Knowledge, Outlook
from activelearning.acquisition.near_duplicates import NearDuplicates
from activelearning.acquisition.picking import NothingOpenError, Picker
from activelearning.acquisition.pool import Floats, Mask, Positions, Reals
from activelearning.acquisition.quotas import Recipe, Rule
from activelearning.acquisition.stochastic import Power
from activelearning.acquisition.target import moment
from activelearning.acquisition.thinning import density_floor
from activelearning.acquisition.uncertainty import (
    PairDifferences,
    combined_uncertainty,
    gauss_hermite_bald,
    pair_differences,
)

Aim = Literal["regret", "i_optimal", "d_optimal"]

NO_INFORMATION = 1e-9
RANKED: frozenset[Rule] = frozenset({"uncertainty", "disagreement", "margin", "bald", "error"})
PAIR_CLUSTERS = 50


class Stage:
    """Everything the rules of one batch share; made when first asked for.

    first, second: (N,) rows of knowledge.z of the candidates that are looked at.
    """

    def __init__(
        self,
        known: Knowledge,
        first: Positions,
        second: Positions,
        view: Outlook,
        recipe: Recipe,
        rng: np.random.Generator,
        *,
        watched: bool,
    ) -> None:
        self.known, self.first, self.second, self.view = known, first, second, view
        self.recipe, self.rng = recipe, rng
        self.designs: dict[Aim, GreedyDesign] = {}
        self._initial: Floats | None = None
        self._stakes: Floats | None = None
        self.tie = rng.permutation(len(first))
        if watched or recipe.redundancy is not None:
            self.main()

    def design(self, aim: Aim) -> GreedyDesign:
        """The greedy design with this aim."""
        if aim not in self.designs:
            target = None
            if aim != "d_optimal":
                target = target_moment(self.known, self.first, self.second, self.rng, regret=aim == "regret")
            z, sigma = self.known.z, self.known.posterior.covariance
            self.designs[aim] = GreedyDesign(
                z,
                self.first,
                self.second,
                self.view.information,
                sigma,
                target,
                effects=self.known.effects,
                arithmetic=self.known.arithmetic,
            )
        return self.designs[aim]

    def main(self) -> GreedyDesign:
        """The design that tells what a pick adds: the recipe's own where it has one."""
        design = self.design(aim_of(self.recipe))
        if self._initial is None:
            self._initial = design.information_gains()
            gains = np.maximum(design.gains(), 0.0)
            middle = float(np.median(gains))
            self._stakes = gains / middle if middle > 0 else np.zeros(len(gains))
        return design

    def stakes(self) -> Floats:
        """What the main design maximised before the first pick, in multiples of the median; (N,)."""
        self.main()
        assert self._stakes is not None  # noqa: S101  main has just set it
        return self._stakes

    @property
    def initial(self) -> Floats:
        """Information gain of every candidate before the first pick, (N,), nats."""
        self.main()
        assert self._initial is not None  # noqa: S101  main has just set it
        return self._initial

    def observe(self, index: int) -> float:
        """A candidate was picked; the information gain it had, NaN where no design is watched."""
        gains = [design.pick(index) for design in self.designs.values()]
        if self.near is not None:
            self.near.keep(index)
        return gains[0] if gains else float("nan")

    def observe_elsewhere(self, x: Reals, information: float) -> float:
        """The same for a pair x (q,) that is not among the candidates looked at."""
        gains = [design.observe(x, information) for design in self.designs.values()]
        return gains[0] if gains else float("nan")

    def redundant(self, index: int) -> bool:
        """Whether earlier picks have taken what this candidate would tell, or hold one just like it."""
        if self.near is not None and self.near.is_duplicate(index):
            return True
        if self.recipe.redundancy is None:
            return False
        floor = max((1.0 - self.recipe.redundancy) * float(self.initial[index]), NO_INFORMATION)
        return self.main().information_gain(index) <= floor

    def empty(self, index: int) -> bool:
        """Whether a vote could tell nothing from the start."""
        return self.recipe.redundancy is not None and bool(self.initial[index] <= NO_INFORMATION)

    @cached_property
    def near(self) -> NearDuplicates | None:
        ranked = RANKED & {part.rule for part in self.recipe.parts}
        if self.recipe.near_duplicate is None or not ranked:
            return None
        labels = self.known.labels
        return NearDuplicates(
            self.known.z,
            self.first,
            self.second,
            self.recipe.near_duplicate,
            labels.first,
            labels.second,
        )

    @cached_property
    def differences(self) -> PairDifferences:
        """What the ensemble's members say of the candidates."""
        assert self.known.members is not None  # noqa: S101  the quotas were planned so
        return pair_differences(self.known.members, self.first, self.second)

    @cached_property
    def errors(self) -> ErrorEstimate | None:
        """Where the model errs, None with too few labels."""
        return estimate_errors(self.known, self.first, self.second, self.rng)

    @cached_property
    def pair_cluster(self) -> Positions:
        """k-means clusters of the differences, labels first, then candidates: (m + N,)."""
        labels = self.known.labels
        first = np.concatenate([labels.first, self.first])
        second = np.concatenate([labels.second, self.second])
        x = (self.known.z[first] - self.known.z[second]).astype(np.float64)
        return cluster_pairs(x, min(PAIR_CLUSTERS, len(x)), self.rng)


def aim_of(recipe: Recipe) -> Aim:
    """What the recipe's main design maximises; D-optimality where it has no design of its own."""
    rules = {part.rule for part in recipe.parts}
    return "regret" if "regret" in rules else "i_optimal" if "i_optimal" in rules else "d_optimal"


def target_moment(
    known: Knowledge, first: Positions, second: Positions, rng: np.random.Generator, *, regret: bool
) -> Floats:
    """M of the target pairs; where none are given, of the labelled pairs and the candidates together."""
    a, b = known.target_first, known.target_second
    if a is None or b is None:
        a = np.concatenate([known.labels.first, first])
        b = np.concatenate([known.labels.second, second])
    return moment(known.z, a, b, posterior=known.posterior if regret else None, rng=rng)


class ByDesign:
    """Greedy on the gain of a design; outliers, where they are left out, come last."""

    def __init__(self, design: GreedyDesign, dense: Mask | None = None) -> None:
        self._design, self._dense = design, dense

    def next(self, open: Mask) -> int:
        index = None if self._dense is None else self._design.best(open & self._dense)
        if index is None:
            index = self._design.best(open)
        if index is None:
            raise NothingOpenError("None of the candidates is open; stop before asking for a pick.")
        return index

    def observe(self, index: int) -> None:
        """The stage tells the design."""


class ByRank:
    """From the highest score down; what is redundant with the batch so far comes after the rest, and what
    can tell nothing at all, such as two equal responses, comes last.
    """

    def __init__(self, score: Floats, stage: Stage) -> None:
        self._order = np.lexsort((stage.tie, -score)).tolist()
        self._at, self._stage = 0, stage
        self._passed: tuple[list[int], list[int]] = ([], [])  # redundant, empty

    def next(self, open: Mask) -> int:
        while self._at < len(self._order):
            index = int(self._order[self._at])
            self._at += 1
            if not open[index]:
                continue
            if not self._stage.redundant(index):
                return index
            self._passed[self._stage.empty(index)].append(index)
        for index in (*self._passed[0], *self._passed[1]):
            if open[index]:
                return index
        raise NothingOpenError("None of the candidates is open; stop before asking for a pick.")

    def observe(self, index: int) -> None:
        """It is closed; nothing else changes."""


class ByChance:
    """Uniformly among what is open."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def next(self, open: Mask) -> int:
        return int(self._rng.choice(np.flatnonzero(open)))

    def observe(self, index: int) -> None:
        """Chance has no memory."""


def _expected_errors(stage: Stage) -> Floats:
    assert stage.errors is not None  # noqa: S101  the quotas were planned so
    return stage.errors.expected


def _bal_pm(stage: Stage) -> Picker:
    known, view = stage.known, stage.view
    entropy = PromptEntropy(known.prompt_means(), known.prompt[stage.first], known.prompt[known.labels.first])
    return BalPm(
        gauss_hermite_bald(view.mean, view.variance),
        entropy,
        BETA if stage.recipe.beta is None else stage.recipe.beta,
    )


def _cluster(stage: Stage) -> Picker:
    m = len(stage.known.labels)
    cluster = stage.pair_cluster
    counts = np.bincount(cluster[:m], minlength=int(cluster.max()) + 1)
    return ClusterQuota(cluster[m:], counts, stage.rng)


def _power(stage: Stage) -> Picker:
    beta = 1.0 if stage.recipe.beta is None else stage.recipe.beta
    return Power(np.maximum(stage.design("regret").gains(), 0.0), beta, stage.rng)


BUILDERS: dict[Rule, Callable[[Stage], Picker]] = {
    "regret": lambda stage: ByDesign(stage.design("regret")),
    "i_optimal": lambda stage: ByDesign(stage.design("i_optimal")),
    "d_optimal": lambda stage: ByDesign(
        stage.design("d_optimal"),
        density_floor(stage.known.z, stage.first, stage.second, stage.recipe.outlier_quantile),
    ),
    "uncertainty": lambda stage: ByRank(
        combined_uncertainty(stage.differences.disagreement, stage.differences.mean), stage
    ),
    "disagreement": lambda stage: ByRank(stage.differences.disagreement, stage),
    "margin": lambda stage: ByRank(-np.abs(stage.view.mean), stage),
    "bald": lambda stage: ByRank(gauss_hermite_bald(stage.view.mean, stage.view.variance), stage),
    "bal_pm": _bal_pm,
    "error": lambda stage: ByRank(_expected_errors(stage), stage),
    "k_centre": lambda stage: KCentre(
        stage.known.z, stage.first, stage.second, stage.known.labels.first, stage.known.labels.second
    ),
    "cluster": _cluster,
    "badge": lambda stage: Badge(stage.known.z, stage.first, stage.second, stage.view.mean, stage.rng),
    "power": lambda stage: _power(stage),
    "random": lambda stage: ByChance(stage.rng),
}
