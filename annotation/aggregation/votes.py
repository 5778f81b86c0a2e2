"""Votes as arrays: what every aggregation method here reads."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from annotation.aggregation.shares import FloatArray, IntArray, UnusableVotesError

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """One entry a vote, arrays of length V. Build with `votes_of`, which checks.

    pair: (V,) in 0 … pairs − 1, what was judged. annotator: (V,) in 0 … annotators − 1.
    outcome: (V,) in 0 … outcomes − 1; of pairs of responses 0 a, 1 tie, 2 b.
    weight: (V,) ≥ 0. A vote of weight 0 says nothing about its pair; its annotator is measured all the same,
    against the others.
    swapped: (V,) b stood first on the screen. Where nobody knows, the order of the data counts as shown.
    """

    pair: IntArray
    annotator: IntArray
    outcome: IntArray
    weight: FloatArray
    swapped: BoolArray
    pairs: int
    annotators: int
    outcomes: int = 3

    def __len__(self) -> int:
        return len(self.pair)

    @property
    def counts(self) -> FloatArray:
        """(pairs, outcomes) weighted votes."""
        return self._tally(self.pair, self.outcome, self.weight, self.pairs)

    @property
    def given(self) -> FloatArray:
        """(annotators, outcomes) votes, whatever their weight."""
        return self._tally(self.annotator, self.outcome, np.ones(len(self)), self.annotators)

    @property
    def possible(self) -> BoolArray:
        """(outcomes,) which outcomes anybody gave: a project without ties has none. Without votes: all."""
        given = np.bincount(self.outcome, minlength=self.outcomes) > 0
        return np.asarray(given if given.any() else ~given)

    @property
    def on_screen(self) -> IntArray:
        """(V,) the outcome of a pair as the screen told it: 0 what stood first is better, 1 tie, 2."""
        return np.asarray(np.where(self.swapped, 2 - self.outcome, self.outcome))

    def reweighted(self, weight: npt.ArrayLike) -> "Votes":
        return replace(self, weight=_weights(weight, len(self)))

    def reweighted_evenly(self) -> "Votes":
        return replace(self, weight=np.ones(len(self)))

    def taken(self, which: BoolArray | IntArray) -> "Votes":
        """Some of the votes; pairs and annotators keep their numbers."""
        return replace(
            self,
            pair=self.pair[which],
            annotator=self.annotator[which],
            outcome=self.outcome[which],
            weight=self.weight[which],
            swapped=self.swapped[which],
        )

    def _tally(self, row: IntArray, column: IntArray, weight: FloatArray, rows: int) -> FloatArray:
        cells = np.bincount(row * self.outcomes + column, weights=weight, minlength=rows * self.outcomes)
        return cells.astype(np.float64).reshape(rows, self.outcomes)


def votes_of(
    pair: npt.ArrayLike,
    annotator: npt.ArrayLike,
    outcome: npt.ArrayLike,
    *,
    pairs: int,
    annotators: int,
    outcomes: int = 3,
    weight: npt.ArrayLike | None = None,
    swapped: npt.ArrayLike | None = None,
) -> Votes:
    """Checked votes; weight defaults to 1, swapped to False. Raises `UnusableVotesError`."""
    index, who, said = (np.asarray(each, dtype=np.int64) for each in (pair, annotator, outcome))
    if index.ndim != 1 or not index.shape == who.shape == said.shape:
        raise UnusableVotesError(
            f"pair {index.shape}, annotator {who.shape}, outcome {said.shape}: not flat and of one length"
        )
    ends = (("pair", index, pairs), ("annotator", who, annotators), ("outcome", said, outcomes))
    for name, given, end in ends:
        if ((given < 0) | (given >= end)).any():
            raise UnusableVotesError(f"{name} must be in 0 … {end - 1}, found {given.min()} … {given.max()}")
    turned = np.zeros(len(index), bool) if swapped is None else np.asarray(swapped, dtype=bool)
    if turned.shape != index.shape:
        raise UnusableVotesError(f"{len(turned)} displays for {len(index)} votes")
    weights = np.ones(len(index)) if weight is None else _weights(weight, len(index))
    return Votes(index, who, said, weights, turned, pairs, annotators, outcomes)


def _weights(weight: npt.ArrayLike, votes: int) -> FloatArray:
    weights = np.asarray(weight, dtype=np.float64)
    if weights.shape != (votes,) or not (np.isfinite(weights) & (weights >= 0)).all():
        raise UnusableVotesError("weights must be finite and not negative, one for each vote")
    return weights
