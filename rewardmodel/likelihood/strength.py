"""The likelihood of one comparison with its strength: much, clearly or slightly better, or a tie.

An answer is a level s from -S (B is much better) over 0 (a tie) to S (A is much better).  With d = r_A - r_B
and thresholds 0 <= t_1 < … < t_S, the same on both sides, it is an ordered logit:

    P(s >= k | d) = σ(d - t_k),   P(s <= -k | d) = σ(-d - t_k),   k = 1 … S,

so swapping A and B mirrors the answers.  Where ties cannot be given, t_1 = 0, and whether A is better at all
is Bradley-Terry, P(s > 0) = σ(d).  "Both are bad" says that neither is better: a tie.  The thresholds are
learned, not set as margins; sums of softplus keep them in order.

Source: A. Agresti, "Analysis of ordinal paired comparison data", Applied Statistics 41 (1992).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from rewardmodel.likelihood import ordinal


def thresholds(raw: Tensor, *, ties: bool) -> Tensor:
    """t_1 … t_S, (S, …), from free numbers: (S, …) with ties, (S - 1, …) without."""
    steps = softplus(raw)
    if not ties:
        steps = torch.cat((raw.new_zeros((1, *raw.shape[1:])), steps))
    return torch.cumsum(steps, dim=0)


def negative_log_likelihood(d: Tensor, least: Tensor, most: Tensor, t: Tensor) -> Tensor:
    """-log P(least <= level <= most | d) of one answer, in nats.

    least, most: (m,) integers -S … S, equal where the answer says how much better; a side given without its
    strength is anywhere from 1 to S, or from -S to -1.  d: (m, M) differences under M models; t: (S, M) from
    `thresholds`.  Returns (m, M); a tie where t_1 = 0 is impossible and costs ∞.
    """
    edges = ordinal.bounded(torch.cat((-t.flip(0), t)))  # (2 S + 2, M): of the answers -S … S
    low, high = edges.index_select(0, least + len(t)), edges.index_select(0, most + len(t) + 1)
    return ordinal.negative_log_likelihood(d, low, high)


def probabilities(d: Tensor, t: Tensor) -> Tensor:
    """P of every level -S … S: d (m,), t (S,) -> (m, 2 S + 1), rows summing to one."""
    edges = ordinal.bounded(torch.cat((-t.flip(0), t)))
    below = torch.sigmoid(edges[None, :] - d[:, None])
    return below[:, 1:] - below[:, :-1]
