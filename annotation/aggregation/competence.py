"""Competence: who looks and who guesses, with a side of the screen for those who guess.

An annotator j knows the true outcome with chance θ_j and says it; otherwise they press a key with the chances
ξ_j over the screen's answers (first, tie, second), whatever is true. That is MACE with a tie among the
outcomes, and with guesses that belong to the screen instead of the data: Δ_j = ξ_j[first] − ξ_j[second] is
their pull to one side, which the display order, drawn at random, tells apart from the truth.

    T_i[k] ∝ Π_votes ((1 − θ_j) ξ_j[v] + θ_j [v = k])^w                all outcomes equally likely beforehand
    r_v = T_i[v] θ_j / (θ_j + (1 − θ_j) ξ_j[v])                        the vote v was known, not guessed
    θ_j = (Σ r_v + s m) / (n_j + s),        m = Σ r_v / Σ n_j          the group's share of known votes
    ξ_j = (guesses of j + t g) / (Σ guesses + t),  g ∝ guesses of all

s and t say for how many votes the group's habits count: people with few votes are drawn towards it. Votes of
weight 0 move neither T nor the group; their annotators are measured against the others.

Sources: D. Hovy, T. Berg-Kirkpatrick, A. Vaswani, E. Hovy (2013), Learning Whom to Trust with MACE, NAACL
(the model and the even prior over outcomes); the priors with means from the data are empirical Bayes.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from annotation.aggregation.shares import FloatArray, IntArray
from annotation.aggregation.votes import Votes

SHRINK_KNOWING = 8.0
SHRINK_GUESSING = 10.0
TOLERANCE = 1e-4
MOST_STEPS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Competences:
    """What is learned of the annotators; `posterior` needs nothing else.

    knows: (annotators,) θ. guess: (annotators, 3) ξ over first, tie, second on the screen. group_knows, group
    guess: m and g, what somebody nobody has met is taken for. possible: (3,) the outcomes there are.
    """

    knows: FloatArray
    guess: FloatArray
    group_knows: float
    group_guess: FloatArray
    possible: FloatArray

    @property
    def side(self) -> FloatArray:
        """(annotators,) Δ in −1 … 1: above 0, their guesses go to the side shown first."""
        return self.guess[:, 0] - self.guess[:, 2]


@dataclass(frozen=True, slots=True, eq=False)
class Competence:
    """truth: (pairs, 3) T over a, tie, b. steps: of EM."""

    truth: FloatArray
    learned: Competences
    steps: int


def competence(
    votes: Votes,
    *,
    knowing: float = SHRINK_KNOWING,
    guessing: float = SHRINK_GUESSING,
    tolerance: float = TOLERANCE,
    most_steps: int = MOST_STEPS,
) -> Competence:
    """EM from the vote shares. A pair without votes has equal chances of what is possible.

    knowing, guessing: s and t, in votes.
    """
    possible = votes.possible.astype(np.float64)
    counts = votes.counts + 0.5 * possible
    truth = counts / counts.sum(axis=1, keepdims=True)
    n = np.bincount(votes.annotator, minlength=votes.annotators).astype(np.float64)
    learned = _even(votes, possible)
    for steps in range(1, most_steps + 1):  # noqa: B007  how many it took is told
        learned = _maximise(votes, truth, learned, n, knowing, guessing)
        before, truth = truth, posterior(votes, learned)
        if np.abs(truth - before).max(initial=0.0) <= tolerance:
            break
    return Competence(truth, learned, steps)


def posterior(votes: Votes, learned: Competences) -> FloatArray:
    """(pairs, 3) T of any votes under what was learned before, from other votes or from these."""
    gain = gains(votes, learned)
    cells = np.bincount(votes.pair * 3 + votes.outcome, weights=gain, minlength=3 * votes.pairs)
    logits = np.where(learned.possible > 0, cells.reshape(votes.pairs, 3), -np.inf)
    return np.asarray(softmax(logits, axis=1))


def gains(votes: Votes, learned: Competences) -> FloatArray:
    """(V,) what each vote adds to the log chance of the outcome it names, next to the other outcomes."""
    return np.asarray(votes.weight * np.log1p(_odds(learned).ravel()[_cells(votes)]))


def predicted(truth: FloatArray, learned: Competences, votes: Votes) -> FloatArray:
    """(V, 3) chances of what the annotator of each vote says of its pair."""
    knows = learned.knows[votes.annotator][:, None]
    guess = learned.guess[votes.annotator]
    guess = np.where(votes.swapped[:, None], guess[:, ::-1], guess)
    return np.asarray(knows * truth[votes.pair] + (1 - knows) * guess)


def _cells(votes: Votes) -> IntArray:
    """(V,) cell of (annotator, outcome on the screen)."""
    return np.asarray(votes.annotator * 3 + votes.on_screen)


def _odds(learned: Competences) -> FloatArray:
    """(annotators, 3) θ / ((1 − θ) ξ): how much likelier a vote is if it is the truth."""
    guessed = (1 - learned.knows)[:, None] * learned.guess
    return np.asarray(learned.knows[:, None] / np.maximum(guessed, 1e-12))


def _even(votes: Votes, possible: FloatArray) -> Competences:
    """Where EM begins: everybody knows half, and guesses evenly."""
    guess = possible / possible.sum()
    return Competences(
        np.full(votes.annotators, 0.5), np.tile(guess, (votes.annotators, 1)), 0.5, guess, possible
    )


def _maximise(
    votes: Votes, truth: FloatArray, before: Competences, n: FloatArray, knowing: float, guessing: float
) -> Competences:
    cell = _cells(votes)
    true = truth.ravel()[votes.pair * 3 + votes.outcome]
    odds = _odds(before).ravel()[cell]
    known = true * odds / (1 + odds)
    counted = votes.weight * known
    share = float(counted.sum() / max(votes.weight.sum(), 1e-12))
    guesses = np.bincount(cell, weights=1 - known, minlength=3 * votes.annotators).reshape(-1, 3)
    shown = np.bincount(cell % 3, weights=votes.weight * (1 - known), minlength=3) + before.possible
    group = shown / shown.sum()
    knows = (np.bincount(votes.annotator, weights=known, minlength=votes.annotators) + knowing * share) / (
        n + knowing
    )
    guess = (guesses + guessing * group) / (guesses.sum(axis=1, keepdims=True) + guessing)
    return Competences(knows, guess, share, group, before.possible)
