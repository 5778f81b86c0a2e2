"""How far a model's word on a pair is from the people's, in bits.

    JSD(p, m) = H((p + m)/2) − H(p)/2 − H(m)/2        0 the same, 1 nothing in common

counted only where their most probable answers differ: a model that is surer than the people, or less sure, is
of one mind with them.

Source: J. Lin (1991), Divergence measures based on the Shannon entropy.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def divergence(people: FloatArray, model: FloatArray) -> FloatArray:
    """Bits (N,) of probabilities (N, 3) of a, tie, b. Level sides, or a tie ahead, are neither side."""
    apart = _side(people) != _side(model)
    bits = _entropy((people + model) / 2) - (_entropy(people) + _entropy(model)) / 2
    return np.where(apart, np.maximum(bits, 0.0), 0.0)


def _side(p: FloatArray) -> npt.NDArray[np.int64]:
    a = p[:, 0] > np.maximum(p[:, 1], p[:, 2])
    b = p[:, 2] > np.maximum(p[:, 1], p[:, 0])
    return a.astype(np.int64) - b.astype(np.int64)


def _entropy(p: FloatArray) -> FloatArray:
    logs = np.log2(p, out=np.zeros_like(p), where=p > 0)
    return np.asarray(-(p * logs).sum(axis=1), dtype=np.float64)
