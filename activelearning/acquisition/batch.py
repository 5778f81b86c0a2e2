"""The batch as it grows: what is still open, what each prompt has taken, what the picks have taught."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from activelearning.acquisition.knowledge import Knowledge, Outlook, outlook
from activelearning.acquisition.pool import Floats, Positions
from activelearning.acquisition.prompt_effects import first_votes
from activelearning.acquisition.quotas import Recipe, Rule, cluster_caps, group_cap, interleave, plan_quotas
from activelearning.acquisition.rules import BUILDERS, Stage, aim_of, target_moment
from activelearning.acquisition.thinning import thin
from activelearning.acquisition.wording import Said


@dataclass(frozen=True)
class Pick:
    """A candidate's position, the rule that picked it, and the information gain it had (nats; NaN where no
    design was watched). chance: of its draw among what was open, for rules that draw.
    """

    candidate: int
    rule: Rule
    gain: float
    chance: float | None


@dataclass(frozen=True, eq=False)
class Grown:
    """picks in order; kept: candidates looked at; stage: what the rules shared."""

    picks: tuple[Pick, ...]
    quotas: dict[Rule, int]
    kept: Positions
    prompt_cap: int
    notes: tuple[Said, ...]
    stage: Stage


def grow(
    known: Knowledge,
    first: Positions,
    second: Positions,
    *,
    n: int,
    recipe: Recipe,
    rng: np.random.Generator,
    watched: bool = False,
) -> Grown:
    """min(n, N) of the candidates (first, second), rows of known.z, by the recipe.

    watched: keep a design beside rules which need none, so that every pick's information gain is known.
    The random share is drawn from all N candidates, before anything else.
    """
    size = min(n, len(first))
    if recipe.prompt_effect is not None:
        known = known.told_by_prompts(recipe.prompt_effect)
    view = outlook(known, first, second)
    wants = {part.rule for part in recipe.parts}
    score = promise(known, first, second, view, recipe, rng) if len(first) > recipe.keep else None
    cluster = None if known.cluster is None else known.cluster[first]
    kept = thin(score, len(first), max(recipe.keep, 4 * size), rng, cluster=cluster)
    whole = len(kept) == len(first)
    stage = Stage(
        known,
        first if whole else first[kept],
        second if whole else second[kept],
        view if whole else outlook(known, first[kept], second[kept]),
        recipe,
        rng,
        watched=watched,
    )
    labels = len(known.labels) > 0
    quotas, notes = plan_quotas(
        size,
        recipe,
        features=True,
        labels=labels,
        members=known.members is not None,
        errors="error" in wants and labels and stage.errors is not None,
    )
    growing = _Growing(known, first, second, kept, stage, quotas, size, recipe, rng)
    picks = tuple(growing.take(rule) for rule in interleave(quotas))
    return Grown(picks, quotas, kept, growing.cap, tuple(notes), stage)


def promise(
    known: Knowledge,
    first: Positions,
    second: Positions,
    view: Outlook,
    recipe: Recipe,
    rng: np.random.Generator,
) -> Floats:
    """What each candidate would gain as the first pick, (N,): by it large pools are thinned.

    The fall of tr(ΣM) where the recipe has a target, else the information gain in nats. Streamed: nothing
    but the result grows with N.
    """
    aim = aim_of(recipe)
    sigma = known.posterior.covariance
    z, variance, vote = known.z, view.variance, view.information
    if known.effects is not None:
        vote = first_votes(known.effects, z, first, second, vote)
        z = known.effects.z
        variance = known.arithmetic.quadratic_form(z, first, second, sigma)
    if aim == "d_optimal":
        return np.log1p(vote * variance)
    spread = sigma @ target_moment(known, first, second, rng, regret=aim == "regret") @ sigma
    reach = known.arithmetic.quadratic_form(z, first, second, spread)
    return np.asarray(vote * reach / (1.0 + vote * variance))


class _Growing:
    """Random draws are made and taught first: every other pick then knows of them."""

    def __init__(
        self,
        known: Knowledge,
        first: Positions,
        second: Positions,
        kept: Positions,
        stage: Stage,
        quotas: dict[Rule, int],
        size: int,
        recipe: Recipe,
        rng: np.random.Generator,
    ) -> None:
        self._known, self._pair, self._kept, self._stage = known, (first, second), kept, stage
        self._rules = {rule: BUILDERS[rule](stage) for rule in quotas if rule != "random"}
        drawn = rng.choice(len(first), quotas.get("random", 0), replace=False)
        self._picked = np.isin(kept, drawn)
        self._open = ~self._picked
        self._groups = self._caps(size - len(drawn), recipe)
        self.cap = int(self._groups[0][2][0])
        self._random = iter([Pick(int(row), "random", self._teach(int(row)), None) for row in drawn])

    def take(self, rule: Rule) -> Pick:
        """The next pick of this rule."""
        if rule == "random":
            return next(self._random)
        if not self._open.any():  # prompt and cluster cap together may close what neither would alone
            self._open = ~self._picked
        picker = self._rules[rule]
        index = picker.next(self._open)
        self._picked[index], self._open[index] = True, False
        gain = self._observe(index)
        for group, taken, caps in self._groups:
            taken[group[index]] += 1
            if taken[group[index]] >= caps[group[index]]:
                self._open[group == group[index]] = False
        return Pick(int(self._kept[index]), rule, gain, getattr(picker, "last_chance", None))

    def _caps(self, size: int, recipe: Recipe) -> list[tuple[Positions, Positions, Positions]]:
        """(group of each kept candidate, pairs taken per group, caps) for prompts and, if any, clusters."""
        prompt, cluster = self._known.prompt[self._stage.first], self._known.cluster
        held = np.bincount(prompt[self._open], minlength=int(prompt.max(initial=0)) + 1)
        caps = np.full(len(held), group_cap(size, held[held > 0], recipe.prompt_cap))
        found = [(prompt, np.zeros(len(held), dtype=np.int64), caps)]
        if cluster is not None:
            cluster = cluster[self._stage.first]
            held = np.bincount(cluster[self._open], minlength=int(cluster.max(initial=0)) + 1)
            caps = cluster_caps(size, held, recipe.cluster_cap)
            found.append((cluster, np.zeros(len(held), dtype=np.int64), caps))
        return found

    def _observe(self, index: int) -> float:
        for picker in self._rules.values():
            picker.observe(index)
        return self._stage.observe(index)

    def _teach(self, candidate: int) -> float:
        """A random pick counts for the others whether or not it is among the candidates looked at."""
        place = int(np.searchsorted(self._kept, candidate))
        if place < len(self._kept) and self._kept[place] == candidate:
            return self._observe(place)
        first, second = (side[[candidate]] for side in self._pair)
        view = outlook(self._known, first, second)
        effects, z, vote = self._known.effects, self._known.z, view.information
        if effects is not None:
            vote, z = first_votes(effects, z, first, second, vote), effects.z
        return self._stage.observe_elsewhere(z[first[0]] - z[second[0]], float(vote[0]))
