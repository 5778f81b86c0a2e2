"""The likelihood of one comparison of two responses, ties included.

With d = r_A - r_B and a tie parameter τ the outcomes (A, B, tie) have the logits (d/2, -d/2, τ):

    P(A) = e^{d/2} / Z,   P(B) = e^{-d/2} / Z,   P(tie) = e^τ / Z,   Z = e^{d/2} + e^{-d/2} + e^τ.

Given "no tie" this is Bradley-Terry, P(A | no tie) = σ(d).  With vote shares as targets the loss is the
cross-entropy times the number of votes, so every vote counts, not only the majority.

Source: R. R. Davidson, "On extending the Bradley-Terry model to accommodate ties in paired comparison
experiments", JASA 65 (1970); the parametrisation τ = log ν.
"""

from __future__ import annotations

import torch
from torch import Tensor

A, B, TIE = 0, 1, 2  # the order of outcomes along the last axis, everywhere


def logits(d: Tensor, tau: Tensor) -> Tensor:
    """Unnormalised log-probabilities of (A, B, tie).

    d: reward differences r_A - r_B, any shape (…); tau: broadcastable to d.  Returns (…, 3).
    """
    half = d / 2 + torch.zeros_like(tau)
    return torch.stack((half, -half, tau + torch.zeros_like(d)), dim=-1)


def log_probabilities(d: Tensor, tau: Tensor) -> Tensor:
    """log P of (A, B, tie), shape (…, 3); finite for every finite d and tau."""
    return torch.log_softmax(logits(d, tau), dim=-1)


def probabilities(d: Tensor, tau: Tensor) -> Tensor:
    """P of (A, B, tie), shape (…, 3), summing to one."""
    return torch.softmax(logits(d, tau), dim=-1)


def negative_log_likelihood(d: Tensor, tau: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy of one vote, in nats: -Σ_o share_o log P(o) = log Z - (s_A - s_B) d/2 - s_tie τ.

    d, tau: broadcastable to (…); shares: (…, 3) over (A, B, tie), rows summing to one.  Returns (…).
    """
    larger = torch.maximum(d.detach().abs() / 2, tau.detach())  # by hand: a third of the memory of stacking
    log_z = larger + torch.log(
        torch.exp(d / 2 - larger) + torch.exp(-d / 2 - larger) + torch.exp(tau - larger)
    )
    return log_z - (shares[..., A] - shares[..., B]) * d / 2 - shares[..., TIE] * tau


def loss(d: Tensor, tau: Tensor, shares: Tensor, votes: Tensor) -> Tensor:
    """votes x cross-entropy, in nats, one value per pair.

    d, tau, votes: broadcastable to (…); shares: (…, 3).  Sum it for the log-likelihood of all votes.
    """
    return votes * negative_log_likelihood(d, tau, shares)
