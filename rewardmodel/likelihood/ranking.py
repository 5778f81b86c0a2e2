"""The likelihood of one ranking of n responses, ties included.

A pair of Davidson's model says two things: whether it is a tie, and, if not, which side wins.  So does a
ranking, and both parts weigh the pairs with 2/n:

    loss = order + 2/n Σ_{i<j} -log P(tie or no tie as ranked | d_ij, τ)

    order of a strict ranking:  -Σ_i [ r_(i) - logsumexp(r_(i) … r_(n)) ]        (Plackett-Luce)
    order of one with ties:     2/n Σ_{pairs without a tie} -log σ(r_better - r_worse)

**How the two meet.**  The n(n - 1)/2 pairs weigh n - 1 together, as many as Plackett-Luce makes choices:
a ranking counts n - 1 votes either way and long ones do not dominate.  For n = 2 both are Davidson's pair,
and without ties (τ -> -∞) Bradley-Terry.  A strict ranking has to pay for not being tied: if only rankings
with ties spoke of τ, ties would seem certain.

The alternative is the all-pairs loss -Σ_{i<j} log σ(r_i - r_j) (InstructGPT): equal for n = 2, but its
n(n - 1)/2 pairs of one answer are counted as if they were as many answers.

Sources: R. L. Plackett, "The analysis of permutations", Applied Statistics 24 (1975); R. D. Luce,
"Individual Choice Behavior" (1959); R. R. Davidson, JASA 65 (1970); all pairs: L. Ouyang et al., "Training
language models to follow instructions with human feedback" (2022).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rewardmodel.likelihood import pair


def plackett_luce(ordered: Tensor) -> Tensor:
    """-log P of the order, in nats: ordered (n, …) rewards, the best-ranked first.  Returns (…)."""
    tail = torch.logcumsumexp(ordered.flip(0), dim=0).flip(0)
    return (tail - ordered).sum(0)


def negative_log_likelihood(ordered: Tensor, ranks: Tensor, tau: Tensor) -> Tensor:
    """The loss above, in nats.

    ordered: (n, m, M) rewards of m rankings of n responses under M models, best rank first; ranks: (n, m)
    integers, rising along the first axis, ties equal; tau: (M,).  Returns (m, M).
    """
    n = len(ordered)
    i, j = torch.triu_indices(n, n, offset=1, device=ordered.device)
    d = ordered[i] - ordered[j]  # (pairs, m, M): better minus worse
    tied = (ranks[i] == ranks[j]).unsqueeze(-1)
    of_ties = torch.where(tied, -_log_tie(d, tau), -_log_no_tie(d, tau)).sum(0) * (2 / n)
    by_pairs = torch.where(tied, 0.0, -logsigmoid(d)).sum(0) * (2 / n)
    return of_ties + torch.where(tied.any(0), by_pairs, plackett_luce(ordered))


def _log_tie(d: Tensor, tau: Tensor) -> Tensor:
    return pair.log_probabilities(d, tau)[..., pair.TIE]


def _log_no_tie(d: Tensor, tau: Tensor) -> Tensor:
    return torch.logsumexp(pair.log_probabilities(d, tau)[..., (pair.A, pair.B)], dim=-1)
