"""What is known when a batch is chosen, on arrays: features, labels, the posterior they give, the target."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from activelearning.acquisition.arithmetic import NUMPY, Arithmetic
from activelearning.acquisition.pool import Floats, Mask, Positions, Reals
from activelearning.acquisition.posterior import Posterior, choose_prior_precision, fit_posterior
from activelearning.acquisition.projection import Singles
from activelearning.acquisition.prompt_effects import PromptEffects, prompt_effects

MOST_TUNED = 5_000  # labelled pairs on which λ is chosen


@dataclass(frozen=True, eq=False)
class Labels:
    """m labelled pairs as rows of the response table: shares (m, 3) of (a, tie, b), effective votes (m,).

    held_out: (m,) true where the pair's prompt measures the model: not learned from.
    """

    first: Positions
    second: Positions
    shares: Floats
    votes: Floats
    held_out: Mask

    @classmethod
    def none(cls) -> Labels:
        empty = np.zeros(0, dtype=np.int64)
        return cls(empty, empty, np.zeros((0, 3)), np.zeros(0), np.zeros(0, dtype=np.bool_))

    def __len__(self) -> int:
        return len(self.first)

    @property
    def share(self) -> Floats:
        """(m,): the part of the votes that went to a, a tie being half a vote for each."""
        return np.asarray(self.shares[:, 0] + self.shares[:, 1] / 2)


@dataclass(frozen=True, eq=False)
class Knowledge:
    """z: (n, q) projected features; prompt: (n,) prompt number of each response; posterior: over θ.

    cluster: (n,) cluster of the response's prompt, None without clusters. members: (n, K) rewards of an
    ensemble after temperature, None without one; tau: its tie logit. target_first, target_second: the pairs
    for which the model is to be good; None: those of the pool. prompt_features: (P, f), None: the means of z.
    effects: what the prompts have told already, see `told_by_prompts`; None where all prompts are alike.
    arithmetic: who carries out the sums over all candidates.
    """

    z: Singles
    prompt: Positions
    labels: Labels
    posterior: Posterior
    cluster: Positions | None = None
    members: Reals | None = None
    tau: float = 0.0
    target_first: Positions | None = None
    target_second: Positions | None = None
    prompt_features: Floats | None = field(default=None)
    effects: PromptEffects | None = None
    arithmetic: Arithmetic = NUMPY

    def told_by_prompts(self, variance: float) -> Knowledge:
        """The same labels where each prompt has a part of its own; variance: of that, in every direction."""
        rows = ~self.labels.held_out
        effects = prompt_effects(
            self.z,
            self.prompt,
            self.labels.first[rows],
            self.labels.second[rows],
            self.labels.votes[rows],
            self.posterior,
            variance,
        )
        return replace(self, posterior=effects.posterior, effects=effects)

    def prompt_means(self) -> Floats:
        """Centred prompt features (P, f), scaled to mean square length 1, the length of a difference."""
        if self.prompt_features is None:
            return prompt_means(self.z, self.prompt)
        return _scaled(np.array(self.prompt_features, dtype=np.float64))


def prompt_means(z: Singles, prompt: Positions) -> Floats:
    """The mean of z over the responses to each prompt, (P, q), centred, scaled to mean square length 1."""
    prompts = int(prompt.max()) + 1 if len(prompt) else 0
    total = np.zeros((prompts, z.shape[1]))
    np.add.at(total, prompt, z)
    return _scaled(total / np.maximum(np.bincount(prompt, minlength=prompts), 1)[:, None])


def _scaled(mean: Floats) -> Floats:
    if len(mean):
        mean = mean - mean.mean(axis=0)
    length = float((mean**2).sum(axis=1).mean()) if len(mean) else 0.0
    return mean / np.sqrt(length) if length > 1e-12 else mean


def learn(
    z: Singles,
    prompt: Positions,
    labels: Labels,
    rng: np.random.Generator,
    *,
    prior_precision: float | None = None,
    start: Floats | None = None,
) -> Posterior:
    """The posterior after the labels that are not held out; λ, if not given, by cross-validation."""
    rows = np.flatnonzero(~labels.held_out)
    x = (z[labels.first[rows]] - z[labels.second[rows]]).astype(np.float64)
    share, votes = labels.share[rows], labels.votes[rows]
    if prior_precision is None:
        few = np.arange(len(rows))
        if len(few) > MOST_TUNED:
            few = np.sort(rng.choice(few, MOST_TUNED, replace=False))
        prior_precision = choose_prior_precision(
            x[few], share[few], votes[few], prompt[labels.first[rows[few]]], rng
        )
    return fit_posterior(x, share, votes, prior_precision=prior_precision, start=start)


@dataclass(frozen=True, eq=False)
class Outlook:
    """Candidate pairs under the posterior: μ (N,), s² (N,) and the information v (N,) of one vote."""

    mean: Floats
    variance: Floats
    information: Floats


def outlook(known: Knowledge, first: Positions, second: Positions) -> Outlook:
    """μ, s² and v = p(1 − p) of the moderated chance, for the given pairs."""
    reward = np.asarray(known.z @ known.posterior.mean.astype(np.float32), dtype=np.float64)
    mean = reward[first] - reward[second]
    variance = known.arithmetic.quadratic_form(known.z, first, second, known.posterior.covariance)
    scaled = mean / np.sqrt(1 + np.pi * variance / 8)
    information = 1.0 / (2.0 + 2.0 * np.cosh(np.minimum(np.abs(scaled), 500.0)))  # σ(x)σ(−x)
    return Outlook(mean, variance, information)
