"""Ordered logit: an ordered answer is the place of a location plus logistic noise among cut-points.

    P(answer lies between the cut-points a < b | location x) = σ(b - x) - σ(a - x)
                                                             = σ(x - a) σ(b - x) (1 - e^{a - b}).

The product has no difference of two nearly equal numbers, so its logarithm is finite for every finite x.

Source: P. McCullagh, "Regression models for ordinal data", JRSS B 42 (1980).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

EDGE = 1e30  # stands for ∞: with the true one a gradient of nought times it would not be a number


def negative_log_likelihood(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """-log P(low < x + noise < high) in nats; low may be -EDGE, high EDGE, and low < high.

    x, low, high: broadcastable to (…).  Returns (…).
    """
    return -(logsigmoid(x - low) + logsigmoid(high - x) + torch.log(-torch.expm1(low - high)))


def ascending(raw: Tensor) -> Tensor:
    """Numbers that rise along the first axis from free ones: the first as it is, then sums of softplus.

    raw: (c, …).  Returns (c, …).
    """
    return torch.cumsum(torch.cat((raw[:1], softplus(raw[1:]))), dim=0)


def inverse_softplus(x: Tensor) -> Tensor:
    """log(e^x - 1) of positive numbers: what softplus turns into x."""
    return x + torch.log(-torch.expm1(-x))


def bounded(cuts: Tensor) -> Tensor:
    """Cut-points (c, …) with the two edges around: answer k of 0…c lies between rows k and k + 1."""
    edge = torch.full_like(cuts[:1], EDGE)
    return torch.cat((-edge, cuts, edge))
