"""A world of rankings, and of ratings by people with scales of their own: plain functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.rewardmodel.answered import answer, write_answered
from tests.rewardmodel.synthetic import BAD, FILLER, GOOD

PROMPTS, RESPONSES, PEOPLE = 60, 6, 8


def write_world(folder: Path, seed: int, **splits: str) -> tuple[Path, dict[str, float]]:
    """Half of the prompts are ranked, five responses at a time, half are rated, two at a time, by people from
    lenient to strict of whom every other one uses the ends of the scale. Returns the snapshot and the rewards
    behind it: a response is good by the share of its good words. splits: of prompts, else "train"."""
    rng = np.random.default_rng(seed)
    shift, spread = np.linspace(-2, 2, PEOPLE), np.tile([0.6, 1.5], PEOPLE // 2)
    truth: dict[str, float] = {}
    texts: dict[str, str] = {}
    answers = []
    for p in range(PROMPTS):
        names = [f"p{p}r{i}" for i in range(RESPONSES)]
        for name in names:
            share = rng.beta(1.2, 1.2)
            words = [rng.choice(GOOD if rng.random() < share else BAD) for _ in range(10)]
            words += list(rng.choice(FILLER, int(rng.integers(5, 25))))
            texts[name] = " ".join(rng.permutation(words))
            truth[name] = 5 * (sum(word in GOOD for word in words) / 10 - 0.5)
        for who in rng.choice(PEOPLE, 2, replace=False):
            if p % 2:
                shown = [str(name) for name in rng.choice(names, 5, replace=False)]
                finish = rng.exponential(size=5) / np.exp([truth[name] for name in shown])
                ranks = (finish.argsort().argsort() + 1).tolist()
                answers.append(answer(f"p{p}", f"u{who}", shown, ranks=ranks))
                continue
            for shown in rng.permutation(names).reshape(-1, 2).tolist():
                felt = np.array([truth[name] for name in shown]) + rng.logistic(size=2)
                cuts = shift[who] + spread[who] * np.array([-1.5, -0.5, 0.5, 1.5])
                points = (1 + (felt[:, None] > cuts).sum(1)).tolist()
                answers.append(answer(f"p{p}", f"u{who}", shown, ratings=points))
    return write_answered(folder, answers, texts=texts, **splits), truth
