"""The released labels of UKPConvArg1 and its votes: who comes closer to them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from annotation.aggregation.comparing import compared
from annotation.aggregation.dawid_skene import dawid_skene
from annotation.aggregation.votes import Votes, votes_of
from benchmarks.aggregation.sides import CROWD_KIT, LAUREL, Fitted, staged

OUTCOME = {"a1": 0, "equal": 1, "a2": 2}
METHODS = (
    (LAUREL, "vote shares"),
    (LAUREL, "Dawid-Skene"),
    (LAUREL, "competence"),
    (CROWD_KIT, "majority vote"),
    (CROWD_KIT, "Dawid-Skene"),
    (CROWD_KIT, "MACE"),
    (CROWD_KIT, "MACE, lined up"),
)
BEST = (CROWD_KIT, "MACE, lined up")  # of crowd-kit's
DRAWS = 2000


def debates(data: Path) -> tuple[Votes, np.ndarray, list[str]]:
    """Votes, the released label of each pair (−1 where none was released), and the annotators' names."""
    with gzip.open(data / "ukpconvarg1" / "pairs.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    people: dict[str, int] = {}
    votes = [
        (pair, people.setdefault(vote["worker"], len(people)), OUTCOME[vote["value"]])
        for pair, row in enumerate(rows)
        for vote in row["votes"]
    ]
    pair, who, outcome = zip(*votes, strict=True)
    released = np.array([OUTCOME.get(row["gold"], -1) for row in rows])
    return votes_of(pair, who, outcome, pairs=len(rows), annotators=len(people)), released, list(people)


def agreement(data: Path, crowd_kit: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows of labels.csv and of same.csv."""
    votes, released, people = debates(data)
    with staged(votes, crowd_kit, people=people, labels=list(OUTCOME)) as stage:
        fitted = {which: stage.fit(*which) for which in METHODS}
    known = released >= 0
    right = {which: (one.chances.argmax(axis=1) == released)[known] for which, one in fitted.items()}
    drawn = np.random.default_rng(0).poisson(1.0, size=(DRAWS, int(known.sum())))
    rows = []
    for (side, method), one in right.items():
        more = one.astype(float) - right[BEST]
        low, high = np.quantile(drawn @ more / drawn.sum(axis=1), [0.025, 0.975])
        figures = {"right": one.mean(), "more_than_their_best": more.mean(), "low": low, "high": high}
        row = {name: f"{value:.4f}" for name, value in figures.items()}
        rows.append({"side": side, "method": method, "pairs": len(one)} | row)
    return rows, [same("debates", votes, fitted[CROWD_KIT, "Dawid-Skene"])]


def same(name: str, votes: Votes, theirs: Fitted) -> dict[str, Any]:
    """Dawid and Skene's own method after as many steps as crowd-kit took: the same chances?"""
    mine = dawid_skene(votes, shrinkage=0, tolerance=0, most_steps=theirs.steps).truth
    apart = np.abs(mine - theirs.chances).max(axis=1)
    return {
        "votes_of": name,
        "pairs": len(apart),
        "steps": theirs.steps,
        "largest_difference": f"{apart.max():.1e}",
        "pairs_apart_by_1e-6": int((apart > 1e-6).sum()),
        "other_label": int((mine.argmax(axis=1) != theirs.chances.argmax(axis=1)).sum()),
    }


def foresight(data: Path) -> list[dict[str, Any]]:
    """Rows of foresight.csv: held-out votes, five folds, intervals from draws of whole pairs."""
    votes, *_ = debates(data)
    found = compared(votes, rng=np.random.default_rng(0), draws=DRAWS)
    return [
        {
            "method": name,
            "votes": score.votes,
            "nats_a_vote": f"{score.log_likelihood:.4f}",
            "more_than_shares": f"{score.gain:.4f}",
            "low": "" if score.low is None else f"{score.low:.4f}",
            "high": "" if score.high is None else f"{score.high:.4f}",
            "best": name == found.best,
        }
        for name, score in found.scores.items()
    ]
