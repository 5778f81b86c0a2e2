"""Reliability, leave-one-out: do somebody's answers have anything to do with the pairs they are about?

T⁻ʲ is what the votes of everybody else say of a pair: nobody validates themselves. For each annotator j

    P(v) = θ T⁻ʲ[v] + (1 − θ) g_j[v]       g_j: how often j gives each answer on the screen

θ = 0: the answers follow a habit, whatever the pair; θ = 1: they follow what the others say. θ is the
likelihood's maximum on a grid, with a profile-likelihood interval.

Agreeing less than others is no fault: who sees things differently still agrees with some of them more than a
habit would. So "guesses" asks for four things, and each protects somebody:

    votes ≥ LEAST                          who has hardly begun
    the upper end of θ < BAR · median θ    who agrees somewhat; and everybody, where pairs are close
    z > OPPOSED                            who contradicts the others: that is an opinion
    z among those apart < TOGETHER         a minority: those who see things in the same other way

    z = (S − E S)/√Var S, S = Σ_i T_i[v_i], under any reordering of j's answers over their pairs:
    E S = n Σ_k x̄_k t̄_k,   Var S = 1/(n − 1) Σ_kl X_kl Y_kl     X, Y: centred cross products of answers and T

Apart are all with θ below APART · median θ; the last z takes T from their votes alone.

Sources: the mixture: D. Hovy et al. (2013), MACE; the variance: W. Hoeffding (1951), A combinatorial central
limit theorem; the interval: S. Wilks (1938).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from annotation.aggregation import competence as knowing
from annotation.aggregation.competence import Competences
from annotation.aggregation.shares import FloatArray, IntArray
from annotation.aggregation.votes import BoolArray, Votes

LEAST = 20
BAR = 0.35
APART = 0.6
OPPOSED = -1.5
TOGETHER = 1.0
HABIT = 10.0  # votes for which the group's habits count
GRID = np.linspace(0, 1, 101)
REACH = 2.705543454095404 / 2  # half the 90 % quantile of χ²₁: each end one-sided 95 %


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Arrays (annotators,).

    votes: on pairs that others judged too. theta, low, high: θ and its interval, NaN without such votes.
    z: of agreement with the others. together: z among those who stand apart by their θ, 0 for who does not.
    """

    votes: IntArray
    theta: FloatArray
    low: FloatArray
    high: FloatArray
    z: FloatArray
    together: FloatArray

    @property
    def typical(self) -> float:
        """The median θ of those with votes enough; NaN without any."""
        return _typical(self.votes, self.theta)

    @property
    def guesses(self) -> BoolArray:
        """(annotators,) whose answers follow a habit, and not the pairs."""
        doubted = _doubted(self.votes, self.theta, self.high)
        return np.asarray(doubted & (self.z > OPPOSED) & (self.together < TOGETHER))


def reliability(votes: Votes, learned: Competences) -> Reliability:
    """Everybody against everybody else, under what `competence` learned of these votes.

    Votes of weight 0 say nothing of the others and are measured all the same.
    """
    n = votes.annotators
    judged, truth = _by_others(votes, learned)
    counted = np.bincount(judged.annotator, minlength=n)
    theta, low, high = _theta(judged, truth, counted)
    apart = (counted > 0) & (theta < APART * _typical(counted, theta))
    theirs = votes.taken(apart[votes.annotator]).reweighted_evenly()
    together = np.zeros(n)
    if len(theirs):
        among, camp = _by_others(theirs, knowing.competence(theirs).learned)
        together = permutation_z(among, camp)
    return Reliability(counted, theta, low, high, permutation_z(judged, truth), together)


def permutation_z(votes: Votes, truth: FloatArray) -> FloatArray:
    """(annotators,) z of Σ T[v] over each one's votes; 0 where any order of the answers gives the same.

    truth: (V, 3) T of the pair of each vote.
    """
    people, count = votes.annotators, np.bincount(votes.annotator, minlength=votes.annotators)
    shown = np.where(votes.swapped[:, None], truth[:, ::-1], truth)
    given = np.eye(3)[votes.on_screen]

    def sums(values: FloatArray) -> FloatArray:
        return np.bincount(votes.annotator, weights=values, minlength=people).astype(np.float64)

    n = np.maximum(count, 1)
    means = [np.stack([sums(of[:, k]) / n for k in range(3)], axis=1) for of in (given, shown)]
    products = []
    for of, mean in zip((given, shown), means, strict=True):
        cells = [sums(of[:, k] * of[:, m]) - n * mean[:, k] * mean[:, m] for k in range(3) for m in range(3)]
        products.append(np.stack(cells, axis=1))
    variance = (products[0] * products[1]).sum(axis=1) / np.maximum(count - 1, 1)
    apart = sums(truth[np.arange(len(votes)), votes.outcome]) - n * (means[0] * means[1]).sum(axis=1)
    spread = np.sqrt(np.maximum(variance, 0))
    return np.asarray(np.divide(apart, spread, out=np.zeros(people), where=spread > 1e-9))


def _by_others(votes: Votes, learned: Competences) -> tuple[Votes, FloatArray]:
    """The votes on pairs that somebody else judged with weight, and (V, 3) what these others say."""
    gain = knowing.gains(votes, learned)
    cells = np.bincount(votes.pair * 3 + votes.outcome, weights=gain, minlength=3 * votes.pairs)
    own = np.eye(3)[votes.outcome] * gain[:, None]
    logits = cells.reshape(-1, 3)[votes.pair] - own
    heard = votes.weight > 0
    others = np.bincount(votes.pair, weights=heard, minlength=votes.pairs)[votes.pair] - heard
    used = others > 0
    truth = softmax(np.where(learned.possible > 0, logits[used], -np.inf), axis=1)
    return votes.taken(used), np.asarray(truth)


def _theta(votes: Votes, truth: FloatArray, counted: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """θ on the grid, and the ends of where the likelihood stays within reach of the best."""
    people, screen = votes.annotators, votes.on_screen
    habit = np.bincount(votes.annotator * 3 + screen, minlength=3 * people).reshape(people, 3)
    group = habit.sum(axis=0) / max(len(votes), 1)
    habit = (habit + HABIT * group) / (counted[:, None] + HABIT)
    follows, guessed = truth[np.arange(len(votes)), votes.outcome], habit[votes.annotator, screen]
    curves = np.empty((len(GRID), people))
    for place, theta in enumerate(GRID):
        chance = np.log(np.maximum(theta * follows + (1 - theta) * guessed, 1e-12))
        curves[place] = np.bincount(votes.annotator, weights=chance, minlength=people)
    inside = curves >= curves.max(axis=0) - REACH
    known = np.where(counted > 0, 1.0, np.nan)
    ends = inside.argmax(axis=0), len(GRID) - 1 - inside[::-1].argmax(axis=0)
    return GRID[curves.argmax(axis=0)] * known, GRID[ends[0]] * known, GRID[ends[1]] * known


def _typical(votes: IntArray, theta: FloatArray) -> float:
    enough = votes >= LEAST
    return float(np.median(theta[enough])) if enough.any() else float("nan")


def _doubted(votes: IntArray, theta: FloatArray, high: FloatArray) -> BoolArray:
    return np.asarray((votes >= LEAST) & (high < BAR * _typical(votes, theta)))
