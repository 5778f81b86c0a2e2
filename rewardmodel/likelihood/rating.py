"""The likelihood of one rating of one response, on a scale that each annotator uses in their own way.

Annotator u gives the reward r at least k + 1 points of K with probability σ(r - c_uk), where

    c_uk = m_u + e^{g_u} c_k,   c_1 < … < c_{K-1} common, m_u the shift and g_u the spread of u.

A strict annotator has a high m_u: the same r earns fewer points.  One who keeps to the middle of the scale
has a large g_u.  So two people can agree on r and never give the same points.  Normal priors shrink m_u and
g_u to nought; their precision is that of some votes (one answer tells at most 1/3 of a unit about m_u), so
that somebody with few answers is taken for the average annotator.

Sources: P. McCullagh, JRSS B 42 (1980); V. E. Johnson, "On Bayesian analysis of multirater ordinal data",
JASA 91 (1996).
"""

from __future__ import annotations

import torch
from torch import Tensor

from rewardmodel.likelihood import ordinal

SHIFT_PRECISION = 1.0  # of the normal prior on m_u: a standard deviation of one logit, some three votes
SPREAD_PRECISION = 4.0  # … on g_u: of e^½


def cut_points(raw: Tensor) -> Tensor:
    """The common c_1 < … < c_{K-1}, (K - 1, …), from as many free numbers."""
    return ordinal.ascending(raw)


def raw_cut_points(cuts: Tensor) -> Tensor:
    """The free numbers of given cut-points: the inverse of `cut_points`."""
    return torch.cat((cuts[:1], ordinal.inverse_softplus(cuts[1:] - cuts[:-1])))


def negative_log_likelihood(r: Tensor, points: Tensor, cuts: Tensor, shift: Tensor, spread: Tensor) -> Tensor:
    """-log P(points | r) of one rating, in nats.

    r: (m, M) rewards under M models; points: (m,) integers 1 … K; cuts: (K - 1, M) from `cut_points`;
    shift, spread: (m, M) of the annotator who gave the rating.  Returns (m, M).
    """
    edges = ordinal.bounded(cuts)
    scale = spread.exp()
    low, high = (shift + scale * edges.index_select(0, points + k) for k in (-1, 0))
    return ordinal.negative_log_likelihood(r, low, high)


def penalty(shift: Tensor, spread: Tensor) -> Tensor:
    """-log of the priors of U annotators, up to a constant: (U, M) each -> (M,)."""
    return (SHIFT_PRECISION * shift.square().sum(0) + SPREAD_PRECISION * spread.square().sum(0)) / 2


def start(counts: Tensor) -> Tensor:
    """Cut-points that give each point its share of the answers when all rewards are nought.

    counts: (K, M) answers, half an answer each added.  Returns (K - 1, M) free numbers.
    """
    shares = (counts.double() + 0.5) / (counts.double() + 0.5).sum(0)  # half an answer among millions
    return raw_cut_points(torch.logit(torch.cumsum(shares, dim=0)[:-1])).to(counts.dtype)
