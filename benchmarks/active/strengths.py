"""How strong each response is, by all the real votes: the hidden truth of the live loop."""

from __future__ import annotations

import numpy as np

from benchmarks.active.data import Votes

PRIOR = 1.0  # precision of a strength, in logits: a hundred votes a response make it a formality
STEPS = 50


def fit(votes: Votes) -> dict[tuple[str, str], float]:
    """Bradley-Terry, prompt by prompt: logit P(a beats b) = s_a − s_b, a tie half a win of either. The most
    probable strengths under Normal(0, 1/PRIOR), by Newton's method.
    """
    found: dict[tuple[str, str], float] = {}
    by_prompt: dict[str, list[tuple[str, str]]] = {}
    for response in votes.responses:
        by_prompt.setdefault(response[0], []).append(response)
    pairs: dict[str, list[tuple[tuple[str, str], tuple[str, str], np.ndarray]]] = {}
    for (a, b), count in votes.counts.items():
        pairs.setdefault(a[0], []).append((a, b, count))
    for prompt, responses in by_prompt.items():
        row = {response: i for i, response in enumerate(responses)}
        won = np.zeros((len(responses), len(responses)))
        for a, b, (first, tie, second) in pairs.get(prompt, ()):
            won[row[a], row[b]] += first + tie / 2
            won[row[b], row[a]] += second + tie / 2
        found |= dict(zip(responses, _strengths(won).tolist(), strict=True))
    return found


def _strengths(won: np.ndarray) -> np.ndarray:
    met = won + won.T
    s = np.zeros(len(won))
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(s[None, :] - s[:, None]))
        gradient = (won - met * p).sum(axis=1) - PRIOR * s
        weight = met * p * (1 - p)
        hessian = np.diag(weight.sum(axis=1) + PRIOR) - weight
        step = np.linalg.solve(hessian, gradient)
        s = s + step
        if np.abs(step).max() < 1e-9:
            break
    return s
