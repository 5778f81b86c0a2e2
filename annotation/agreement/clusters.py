"""Units that belong together: the pairs of responses of one item, its rated responses.

Their votes come from the same judgments, so they are no independent evidence. The bootstrap then draws whole
items; drawing units would make the intervals too narrow, the more so the more responses an item has.

Source: A. C. Davison, D. V. Hinkley (1997), Bootstrap Methods and their Application, section 3.8.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from annotation.agreement.units import IntArray, UnitCounts, UnusableRatingsError


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """incidence: (C, P), how many units of each pattern of the counts each of the C clusters holds."""

    incidence: sparse.csr_array

    @property
    def number(self) -> int:
        return int(self.incidence.shape[0])


def clusters_of(counts: UnitCounts, table: npt.ArrayLike, cluster: npt.ArrayLike) -> Clusters:
    """The clusters of units from whose count matrix `counts` was made.

    table: (units, q) as given to `from_matrix`; cluster: (units,) whole numbers. Raises UnusableRatingsError
    when a rated unit of the table is not among the counts.
    """
    rows, ids = np.asarray(table, dtype=np.int64), np.asarray(cluster, dtype=np.int64)
    rated = rows.sum(axis=1) > 0
    rows, ids = rows[rated], ids[rated]
    patterns = counts.patterns.toarray().astype(np.int64)
    radix = int(max(rows.max(initial=0), patterns.max(initial=0))) + 1
    known, wanted = _keys(patterns, rows, radix)
    order = np.argsort(known)
    place = np.minimum(np.searchsorted(known, wanted, sorter=order), max(len(known) - 1, 0))
    if len(wanted) and (not len(known) or (known[order[place]] != wanted).any()):
        raise UnusableRatingsError(
            "the table holds a unit that the counts do not: pass the table of the counts"
        )
    pattern = order[place] if len(wanted) else np.zeros(0, np.int64)
    which = np.unique(ids, return_inverse=True)[1]
    shape = (int(which.max(initial=-1)) + 1, len(known))
    incidence = sparse.csr_array((np.ones(len(which)), (which, pattern)), shape=shape)
    incidence.sum_duplicates()
    return Clusters(incidence)


def _keys(patterns: IntArray, rows: IntArray, radix: int) -> tuple[IntArray, IntArray]:
    """One number per row, equal for equal rows."""
    width = patterns.shape[1]
    if radix**width < 2**63:
        weights = np.array([radix**place for place in reversed(range(width))], dtype=np.int64)
        return patterns @ weights, rows @ weights
    ids = np.unique(np.concatenate([patterns, rows]), axis=0, return_inverse=True)[1].ravel()
    return ids[: len(patterns)], ids[len(patterns) :]
