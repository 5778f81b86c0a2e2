"""Agreement as the people see it: intervals had other people come, and who agrees with whom.

Drawing items anew (`bootstrap`) says how far a coefficient depends on the items. How far it depends on the
people is another question: one careless person out of five spoils every item they touch. Here the people are
drawn, with replacement; w_a says how often a came up. A pair of ratings of a unit counts w_a w_b / (m_u − 1):

    o_ck(w) = wᵀ A_ck w,   A_ck[a, b] = Σ_u [a said c][b said k] / (m_u − 1),   a ≠ b

and the coefficient is worked out from these coincidences; with w = 1 it is Krippendorff's α. Nobody is
compared with their own copy. A is built once, so that a draw costs nothing of the size of the ratings; one
A_ck at a time goes through all draws, so that they need never be there together.

Sources: A. Owen (2007), The pigeonhole bootstrap, Annals of Applied Statistics 1(2); T. Snijders, S. Borgatti
(1999), Non-parametric standard errors and tests for network statistics (drawing the vertices of pairs).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from annotation.agreement.estimate import NO_PAIR, ONE_CATEGORY, Estimate
from annotation.agreement.krippendorff import Level
from annotation.agreement.units import FloatArray, IntArray, UnusableRatingsError, compact

FEWEST = 5  # people, below whom other people cannot be drawn from these
DENSE = 1_500  # people up to whom a matrix is worked on whole: 18 MB
LOST_DRAWS = 0.05
BLOCK_DRAWS = 250


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """One entry a rating, arrays of length V. Build with `ratings_of`, which checks.

    unit: (V,) in 0 … units − 1, each with two ratings or more. annotator: (V,) in 0 … annotators − 1.
    code: (V,) in 0 … categories − 1. dropped: units that had one rating only.
    """

    unit: IntArray
    annotator: IntArray
    code: IntArray
    units: int
    annotators: int
    categories: int
    dropped: int = 0

    def said(self, code: int) -> sparse.csr_array:
        """(annotators, units) 1 where the annotator gave the unit this code."""
        which = self.code == code
        shape = (self.annotators, self.units)
        value = np.ones(int(which.sum()))
        return sparse.csr_array((value, (self.annotator[which], self.unit[which])), shape=shape)

    @property
    def sizes(self) -> IntArray:
        """(units,) ratings of each."""
        return np.bincount(self.unit, minlength=self.units)


def ratings_of(
    unit: npt.ArrayLike, annotator: npt.ArrayLike, code: npt.ArrayLike, *, annotators: int, categories: int
) -> Ratings:
    """Ratings from any whole unit numbers; a unit that one person alone rated is left out.

    Raises UnusableRatingsError for arrays of unequal length, numbers out of range, or two ratings of one
    unit by one annotator.
    """
    ids, who, said = (np.asarray(one, dtype=np.int64) for one in (unit, annotator, code))
    if ids.ndim != 1 or not ids.shape == who.shape == said.shape:
        raise UnusableRatingsError(
            f"units {ids.shape}, annotators {who.shape}, codes {said.shape}: one length"
        )
    for name, given, end in (("annotator", who, annotators), ("code", said, categories)):
        if ((given < 0) | (given >= end)).any():
            raise UnusableRatingsError(
                f"{name} must be in 0 … {end - 1}, found {given.min()} … {given.max()}"
            )
    place = compact(ids)
    several = np.bincount(place) >= 2
    kept = several[place]
    number = np.cumsum(several) - 1
    found = Ratings(
        number[place[kept]],
        who[kept],
        said[kept],
        int(several.sum()),
        annotators,
        categories,
        len(np.unique(ids)) - int(several.sum()),
    )
    twice = np.sort(found.unit * annotators + found.annotator)
    if (twice[1:] == twice[:-1]).any():
        raise UnusableRatingsError("an annotator rated a unit twice: keep what stands")
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Meetings:
    """Who met whom on how many units, and how it went: both (people, people), symmetric, diagonal 0.

    units: rated by both. agreed: with the same code.
    """

    units: IntArray
    agreed: IntArray

    @property
    def share(self) -> FloatArray:
        """Agreed of units; NaN where two never met."""
        met = self.units > 0
        return np.asarray(np.divide(self.agreed, self.units, out=np.full(met.shape, np.nan), where=met))


def meetings(ratings: Ratings, who: Sequence[int]) -> Meetings:
    """Of the people `who`, in that order: what a heat map of agreement shows."""
    rows = np.asarray(who, dtype=np.int64)
    said = [ratings.said(code)[rows] for code in range(ratings.categories)]
    rated = sum(said[1:], said[0])
    units = (rated @ rated.T).toarray()
    agreed = sum((one @ one.T).toarray() for one in said)
    for table in (units, agreed):
        np.fill_diagonal(table, 0)
    return Meetings(units.astype(np.int64), np.asarray(agreed).astype(np.int64))


def table_of(ratings: Ratings, first: int, second: int) -> FloatArray:
    """(q, q) units by the code the first and the second gave: what Cohen's κ of the two wants."""
    codes = np.full((2, ratings.units), -1)
    for row, who in enumerate((first, second)):
        which = ratings.annotator == who
        codes[row, ratings.unit[which]] = ratings.code[which]
    both = (codes >= 0).all(axis=0)
    cells = np.bincount(codes[0, both] * ratings.categories + codes[1, both], minlength=ratings.categories**2)
    return cells.reshape(ratings.categories, -1).astype(np.float64)


def tables_of(ratings: Ratings, who: Sequence[int]) -> FloatArray:
    """(n, n, q, q) the same of every two of the people `who`: [i, j] is `table_of` of who[i] and who[j]."""
    rows = np.asarray(who, dtype=np.int64)
    said = [ratings.said(code)[rows] for code in range(ratings.categories)]
    tables = np.zeros((len(rows), len(rows), ratings.categories, ratings.categories))
    for c, one in enumerate(said):
        for k, other in enumerate(said):
            tables[:, :, c, k] = (one @ other.T).toarray()
    return tables


def estimates_over_people(
    ratings: Ratings,
    *,
    levels: Sequence[Level],
    numeric: npt.ArrayLike | None = None,
    rng: np.random.Generator,
    draws: int = 1000,
    confidence: float = 0.95,
) -> dict[Level, Estimate]:
    """α at each level with the percentile interval over draws of the annotators.

    numeric: (q,) values of the codes, for the interval and ratio levels. With fewer than `FEWEST` people who
    share a unit with another there is a value and no interval.
    """
    values = None if numeric is None else np.asarray(numeric, dtype=np.float64)
    sharing = np.bincount(ratings.annotator, minlength=ratings.annotators) > 0
    people = int(sharing.sum())
    weights = np.ones((1, ratings.annotators))
    if people >= FEWEST and draws:
        weights = np.concatenate([weights, rng.multinomial(people, sharing / people, size=draws)])
    observed, drawn = np.split(_coincidences(ratings, weights), [1])
    return {
        level: _estimate(level, observed, drawn, values, ratings, people, draws, confidence)
        for level in levels
    }


def _coincidences(ratings: Ratings, weights: FloatArray) -> FloatArray:
    """(D, q, q) coincidences of D draws; weights (D, annotators)."""
    share = sparse.diags_array(1 / (ratings.sizes - 1))
    codes = range(ratings.categories)
    said = [ratings.said(code) for code in codes]
    units_first = [one.T.tocsr() for one in said]
    out = np.zeros((len(weights), ratings.categories, ratings.categories))
    for c in codes:
        weighted = said[c] @ share
        for k in range(c, ratings.categories):
            table = weighted @ units_first[k]
            if c == k:
                table.setdiag(0)
            out[:, c, k] = out[:, k, c] = _quadratic(table, weights)
    return out


def _quadratic(table: sparse.csr_array, weights: FloatArray) -> FloatArray:
    """(D,) wᵀ A w of each row w of the weights."""
    whole = table.toarray() if table.shape[0] <= DENSE else table
    out = np.empty(len(weights))
    for start in range(0, len(weights), BLOCK_DRAWS):
        rows = weights[start : start + BLOCK_DRAWS]
        out[start : start + len(rows)] = ((rows @ whole) * rows).sum(axis=1)
    return out


def _estimate(
    level: Level,
    observed: FloatArray,
    drawn: FloatArray,
    values: FloatArray | None,
    ratings: Ratings,
    people: int,
    draws: int,
    confidence: float,
) -> Estimate:
    support = (ratings.units, len(ratings.unit), ratings.dropped)
    value = float(_alpha(level, observed, values)[0])
    if np.isnan(value):
        return Estimate(None, None, None, ONE_CATEGORY if ratings.units else NO_PAIR, *support)
    if draws == 0:
        return Estimate(value, None, None, None, *support)
    if people < FEWEST:
        reason = f"fewer than {FEWEST} people share items: no interval over people"
        return Estimate(value, None, None, reason, *support)
    found = _alpha(level, drawn, values)
    found = found[~np.isnan(found)]
    if draws - len(found) > LOST_DRAWS * draws:
        reason = (
            f"no interval: the coefficient is undefined in {draws - len(found)} of {draws} draws of people"
        )
        return Estimate(value, None, None, reason, *support, len(found))
    low, high = np.quantile(found, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value, float(low), float(high), None, *support, draws)


def _alpha(level: Level, coincidences: FloatArray, values: FloatArray | None) -> FloatArray:
    """(D,) α from coincidences (D, q, q); NaN where fewer than two codes occur."""
    margins = coincidences.sum(axis=2)
    n = margins.sum(axis=1)
    q = margins.shape[1]
    if level == "nominal":
        metric = np.broadcast_to(1 - np.eye(q), coincidences.shape)
    elif level == "ordinal":
        ranks = np.cumsum(margins, axis=1) - margins / 2
        metric = (ranks[:, :, None] - ranks[:, None, :]) ** 2
    else:
        if values is None:
            raise UnusableRatingsError(f"the {level} level needs the numeric values of the codes")
        apart = np.subtract.outer(values, values)
        if level == "ratio":
            sums = np.add.outer(values, values)
            apart = np.divide(apart, sums, out=np.zeros_like(sums), where=sums > 0)
        metric = np.broadcast_to(apart**2, coincidences.shape)
    inside = (coincidences * metric).sum(axis=(1, 2))
    between = np.einsum("dc,dk,dck->d", margins, margins, metric)
    defined = np.count_nonzero(margins > 0, axis=1) >= 2
    ratio = np.divide(inside, between, out=np.full(len(n), np.nan), where=defined)
    return np.asarray(1 - (n - 1) * ratio)
