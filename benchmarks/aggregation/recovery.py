"""Are simulated people found for what they are, and careful ones left alone?"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import binomtest, spearmanr

from annotation.aggregation import dawid_skene
from annotation.aggregation.competence import competence
from annotation.aggregation.reliability import reliability
from tests.annotation.aggregation.voting import CAREFUL, GUESSER, MINORITY, Simulated, simulated, tastes

SEEDS, PROJECTS = 20, 100


def correlations() -> list[dict[str, Any]]:
    """Rows of recovery.csv: rank correlations with the truth over seeds."""
    common = [simulated(seed) for seed in range(SEEDS)]
    guessing = [simulated(seed, knows=(0.1, 0.6), side=1.0, ties=0.1) for seed in range(SEEDS)]
    found = {
        "competence": [knowing(one) for one in common],
        "competence, by Dawid-Skene": [confusing(one) for one in common],
        "side, people who know 10 to 60 %": [pull(one) for one in guessing],
        "side, people who know 10 to 95 %": [pull(one) for one in common],
    }
    return [
        {
            "what": what,
            "annotators": 100,
            "votes_each": 50,
            "seeds": SEEDS,
            "mean": f"{np.mean(values):.3f}",
            "least": f"{min(values):.3f}",
            "most": f"{max(values):.3f}",
        }
        for what, values in found.items()
    ]


def knowing(one: Simulated) -> float:
    return float(spearmanr(one.knows, competence(one.votes).learned.knows).statistic)


def confusing(one: Simulated) -> float:
    learned = dawid_skene.dawid_skene(one.votes).learned
    return float(spearmanr(one.knows, dawid_skene.competence(learned)).statistic)


def pull(one: Simulated) -> float:
    """As it shows in somebody's votes, (1 − θ) Δ: of who always knows, nobody can tell Δ."""
    learned = competence(one.votes).learned
    return float(spearmanr((1 - one.knows) * one.side, (1 - learned.knows) * learned.side).statistic)


def flags() -> list[dict[str, Any]]:
    """Rows of flags.csv: who is called a guesser, of people of each kind, with the exact 95 % interval."""
    kinds = {"honest minority": MINORITY, "careful majority": CAREFUL, "guesser": GUESSER}
    shapes = [(likeness, noise, 100) for likeness in (0.5, 0.2, 0.0) for noise in (1.0, 2.0)]
    rows = []
    for likeness, noise, votes in [*shapes, (0.5, 1.0, 50), (0.5, 1.0, 200)]:
        found = dict.fromkeys(kinds, 0)
        of = dict.fromkeys(kinds, 0)
        for seed in range(PROJECTS):
            kind, made = tastes(seed, likeness=likeness, noise=noise, votes=votes)
            guesses = reliability(made, competence(made).learned).guesses
            for name, number in kinds.items():
                found[name] += int(guesses[kind == number].sum())
                of[name] += int((kind == number).sum())
        rows += [row(name, likeness, noise, votes, found[name], of[name]) for name in kinds]
    return rows


def row(who: str, likeness: float, noise: float, votes: int, found: int, of: int) -> dict[str, Any]:
    ends = binomtest(found, of).proportion_ci(method="exact")
    shape = {"who": who, "likeness": likeness, "noise": noise, "votes_each": votes, "projects": PROJECTS}
    share = {"share": f"{found / of:.4f}", "low": f"{ends.low:.4f}", "high": f"{ends.high:.4f}"}
    return shape | {"flagged": found, "of": of} | share
