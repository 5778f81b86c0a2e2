"""Votes of simulated annotators of whom is known what they know, where they are pulled, or what they like."""

from dataclasses import dataclass

import numpy as np

from annotation.aggregation.shares import FloatArray, IntArray
from annotation.aggregation.votes import Votes, votes_of

CAREFUL, MINORITY, GUESSER = range(3)


@dataclass(frozen=True)
class Simulated:
    """truth: (pairs,) outcomes. knows, side: (annotators,) θ and Δ of `annotation.aggregation.competence`."""

    votes: Votes
    truth: IntArray
    knows: FloatArray
    side: FloatArray


def simulated(
    seed: int,
    *,
    annotators: int = 100,
    votes: int = 50,
    per_pair: int = 5,
    knows: tuple[float, float] = (0.1, 0.95),
    side: float = 0.9,
    ties: float = 0.2,
) -> Simulated:
    """Everybody gives `votes` votes; each pair gets `per_pair` of different people, sides drawn at random.

    Who does not know presses left, tie or right with ties at their true share, the rest by their Δ.
    """
    rng = np.random.default_rng(seed)
    theta = rng.uniform(*knows, annotators)
    delta = rng.uniform(-side, side, annotators)
    pairs = annotators * votes // per_pair
    who = np.concatenate([rng.permutation(annotators) for _ in range(votes)])[: pairs * per_pair]
    pair = np.repeat(np.arange(pairs), per_pair)
    truth = rng.choice(3, pairs, p=[(1 - ties) / 2, ties, (1 - ties) / 2])
    swapped = rng.random(len(pair)) < 0.5
    left, right = (1 - ties) * (1 + delta) / 2, (1 - ties) * (1 - delta) / 2
    drawn = rng.random(len(pair))
    guess = np.where(drawn < left[who], 0, np.where(drawn < 1 - right[who], 1, 2))
    guess = np.where(swapped, 2 - guess, guess)
    outcome = np.where(rng.random(len(pair)) < theta[who], truth[pair], guess)
    made = votes_of(pair, who, outcome, pairs=pairs, annotators=annotators, swapped=swapped)
    return Simulated(made, truth, theta, delta)


def tastes(
    seed: int,
    *,
    likeness: float,
    people: int = 60,
    votes: int = 100,
    per_pair: int = 5,
    minority: float = 0.15,
    guessers: float = 0.1,
    noise: float = 1.0,
) -> tuple[np.ndarray, Votes]:
    """What each annotator is, and votes by taste: who sees a pair's difference d answers by sign(d + noise).

    The minority's d correlates with the majority's by `likeness`; guessers press keys at random.
    """
    rng = np.random.default_rng(seed)
    pairs = people * votes // per_pair
    who = np.concatenate([rng.permutation(people) for _ in range(votes)])[: pairs * per_pair]
    pair = np.repeat(np.arange(pairs), per_pair)
    most, own = rng.normal(0, 2, pairs), rng.normal(0, 2, pairs)
    other = likeness * most + np.sqrt(1 - likeness**2) * own
    kind = np.zeros(people, dtype=int)
    first = int(minority * people)
    kind[:first], kind[first : first + int(guessers * people)] = MINORITY, GUESSER
    felt = np.where(kind[who] == MINORITY, other[pair], most[pair]) + rng.logistic(0, noise, len(pair))
    outcome = np.where(felt > 0.6, 0, np.where(felt < -0.6, 2, 1))
    outcome = np.where(kind[who] == GUESSER, rng.choice(3, len(pair), p=[0.4, 0.2, 0.4]), outcome)
    swapped = rng.random(len(pair)) < 0.5
    return kind, votes_of(pair, who, outcome, pairs=pairs, annotators=people, swapped=swapped)


def turned(votes: Votes) -> Votes:
    """The same votes with a and b named the other way round."""
    return votes_of(
        votes.pair, votes.annotator, 2 - votes.outcome, pairs=votes.pairs, annotators=votes.annotators,
        weight=votes.weight, swapped=~votes.swapped,
    )  # fmt: skip


def renamed(votes: Votes, seed: int) -> tuple[Votes, IntArray, IntArray]:
    """The same votes with other numbers of pairs and annotators, in another order; and the numbers."""
    rng = np.random.default_rng(seed)
    pairs, people = rng.permutation(votes.pairs), rng.permutation(votes.annotators)
    order = rng.permutation(len(votes))
    made = votes_of(
        pairs[votes.pair][order], people[votes.annotator][order], votes.outcome[order], pairs=votes.pairs,
        annotators=votes.annotators, weight=votes.weight[order], swapped=votes.swapped[order],
    )  # fmt: skip
    return made, pairs, people
