"""A simulated project with two arms of labels, one drawn at random, one by a better or worse strategy."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from activelearning.acquisition.worth import Arm, Audit, Worth, WorthConfig, worth

Q = 8
QUICK = WorthConfig(repeats=10, draws=300)


class Project:
    """Rewards linear in 8 features; most pairs are nearly alike, a few tell much.

    strategy: "equal" draws at random as well; "good" takes the tenth of the pool with the longest
    differences; "harmful" asks about one pair again and again.
    """

    def __init__(self, seed: int, *, audit: int = 400, prompts: int = 100) -> None:
        self.rng = np.random.default_rng(seed)
        self.theta = self.rng.standard_normal(Q) * np.linspace(1.5, 0.3, Q)
        x = self.draw(audit)
        names = np.repeat([f"p{i:03d}" for i in range(prompts)], audit // prompts)
        self.audit = Audit(x, self.label(x, 3), np.full(audit, 3.0), names)

    def draw(self, n: int) -> np.ndarray:
        return self.rng.standard_normal((n, Q)) * np.exp(self.rng.normal(-1, 0.8, n))[:, None]

    def label(self, x: np.ndarray, votes: int = 1) -> np.ndarray:
        y = self.rng.binomial(votes, expit(x @ self.theta)) / votes
        return np.column_stack([y, 0 * y, 1 - y])

    def arm(self, n: int, strategy: str = "equal") -> Arm:
        x = self.draw(n * 10)
        if strategy == "good":
            x = x[np.argsort(-np.square(x).sum(axis=1))]
        elif strategy == "harmful":
            x = np.tile(x[0], (n, 1))
        return Arm(x[:n], self.label(x[:n]), np.ones(n))

    def measure(self, active: Arm, random: Arm, config: WorthConfig = QUICK) -> Worth:
        return worth(active, random, self.audit, prior_precision=1.0, rng=self.rng, config=config)

    def rounds(
        self, strategy: str, rounds: int, per_round: int = 40, config: WorthConfig = QUICK
    ) -> list[Worth]:
        active, random = (self.arm(per_round * rounds, name) for name in (strategy, "equal"))
        return [
            self.measure(first(active, per_round * n), first(random, per_round * n), config)
            for n in range(1, rounds + 1)
        ]


def first(arm: Arm, n: int) -> Arm:
    return Arm(arm.x[:n], arm.shares[:n], arm.votes[:n])
