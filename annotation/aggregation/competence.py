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

What a vote adds depends on who gave it and which answer of the screen it was, so a step is two products of
the votes, as a sparse table of these cells by what they say of each pair, with a vector.

Sources: D. Hovy, T. Berg-Kirkpatrick, A. Vaswani, E. Hovy (2013), Learning Whom to Trust with MACE, NAACL
(the model and the even prior over outcomes); the priors with means from the data are empirical Bayes.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
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
    table = _table(votes, votes.weight)
    heard = table.T.tocsr()
    everybody = _table(votes, np.ones(len(votes))).T.tocsr() if (votes.weight != 1).any() else heard
    learned = _even(votes, possible)
    for steps in range(1, most_steps + 1):  # noqa: B007  how many it took is told
        learned = _maximise(truth, learned, heard, everybody, knowing, guessing)
        before, truth = truth, _expect(table, learned)
        if np.abs(truth - before).max(initial=0.0) <= tolerance:
            break
    return Competence(truth, learned, steps)


def posterior(votes: Votes, learned: Competences) -> FloatArray:
    """(pairs, 3) T of any votes under what was learned before, from other votes or from these."""
    return _expect(_table(votes, votes.weight), learned)


def gains(votes: Votes, learned: Competences) -> FloatArray:
    """(V,) what each vote adds to the log chance of the outcome it names, next to the other outcomes."""
    return np.asarray(votes.weight * _gain(learned)[_cells(votes)])


def predicted(truth: FloatArray, learned: Competences, votes: Votes) -> FloatArray:
    """(V, 3) chances of what the annotator of each vote says of its pair."""
    knows = learned.knows[votes.annotator][:, None]
    guess = learned.guess[votes.annotator]
    guess = np.where(votes.swapped[:, None], guess[:, ::-1], guess)
    return np.asarray(knows * truth[votes.pair] + (1 - knows) * guess)


def _cells(votes: Votes) -> IntArray:
    """(V,) cell of (annotator, outcome on the screen)."""
    return np.asarray(votes.annotator * 3 + votes.on_screen)


def _table(votes: Votes, weight: FloatArray) -> sparse.csr_array:
    """(3 · pairs, annotators · 3): what the votes say of each pair, by the cell they are in.

    All pairs of one outcome, then all of the next: sums over outcomes are several times faster so.
    """
    shape = (3 * votes.pairs, votes.annotators * 3)
    return sparse.csr_array((weight, (votes.outcome * votes.pairs + votes.pair, _cells(votes))), shape=shape)


def _odds(learned: Competences) -> FloatArray:
    """(annotators, 3) θ / ((1 − θ) ξ): how much likelier a vote is if it is the truth."""
    guessed = (1 - learned.knows)[:, None] * learned.guess
    return np.asarray(learned.knows[:, None] / np.maximum(guessed, 1e-12))


def _gain(learned: Competences) -> FloatArray:
    """(annotators · 3,) what one vote of each cell adds to the log chance of the outcome it names."""
    return np.asarray(np.log1p(_odds(learned)).ravel())


def _even(votes: Votes, possible: FloatArray) -> Competences:
    """Where EM begins: everybody knows half, and guesses evenly."""
    guess = possible / possible.sum()
    return Competences(
        np.full(votes.annotators, 0.5), np.tile(guess, (votes.annotators, 1)), 0.5, guess, possible
    )


def _expect(table: sparse.csr_array, learned: Competences) -> FloatArray:
    logits = (table @ _gain(learned)).reshape(3, -1)
    logits[learned.possible == 0] = -np.inf
    return np.asarray(softmax(logits, axis=0).T)


def _maximise(
    truth: FloatArray,
    before: Competences,
    heard: sparse.csr_array,
    everybody: sparse.csr_array,
    knowing: float,
    guessing: float,
) -> Competences:
    """heard, everybody: (annotators · 3, 3 · pairs) votes by their weight, and each as one."""
    odds = _odds(before)
    known, given = _known(everybody, truth, odds)
    counted, weighted = (known, given) if heard is everybody else _known(heard, truth, odds)
    share = float(counted.sum() / max(weighted.sum(), 1e-12))
    shown = (weighted - counted).sum(axis=0) + before.possible
    group = shown / shown.sum()
    guesses = given - known
    knows = (known.sum(axis=1) + knowing * share) / (given.sum(axis=1) + knowing)
    guess = (guesses + guessing * group) / (guesses.sum(axis=1, keepdims=True) + guessing)
    return Competences(knows, guess, share, group, before.possible)


def _known(cells: sparse.csr_array, truth: FloatArray, odds: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(annotators, 3) votes that were known, Σ r, and all votes."""
    agreed = (cells @ truth.T.ravel()).reshape(-1, 3)
    return agreed * odds / (1 + odds), cells.sum(axis=1).reshape(-1, 3)
