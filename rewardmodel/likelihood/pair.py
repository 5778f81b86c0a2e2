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


class SharesError(ValueError):
    """Vote shares that are not a distribution over (A, B, tie)."""


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


def check_shares(shares: Tensor, *, tolerance: float = 1e-6) -> None:
    """Refuse shares which are negative, not finite, or do not sum to one; names the first bad row."""
    if shares.ndim < 1 or shares.shape[-1] != 3:
        raise SharesError(f"Shares have shape {tuple(shares.shape)}; the last axis must be (A, B, tie).")
    rows = shares.reshape(-1, 3)
    bad = ~torch.isfinite(rows).all(1) | (rows < 0).any(1) | ((rows.sum(1) - 1).abs() > tolerance)
    if bool(bad.any()):
        row = int(torch.nonzero(bad)[0])
        raise SharesError(
            f"Row {row} has shares {rows[row].tolist()}; they must be finite, not negative and sum to one. "
            "Rebuild the soft labels."
        )


def shrink(counts: Tensor) -> Tensor:
    """Vote counts to shares away from 0 and 1: (k + ½) / (n + 3/2) per outcome, so that they sum to one.

    With two outcomes this is the (k + ½)/(n + 1) of Krichevsky and Trofimov (1981); for use where a hard 0 or
    1 would make a maximum-likelihood estimate unbounded.  counts: (…, 3), returns (…, 3).
    """
    return (counts + 0.5) / (counts.sum(-1, keepdim=True) + 1.5)
