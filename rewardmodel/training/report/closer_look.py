"""The part of the report that looks closer: where the model fails, whether it knows, what it falls for.

Everything is judged by heads that did not see the prompt in question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rewardmodel.evaluation import clustered, learning_curve, out_of_distribution, probes, strata
from rewardmodel.evaluation.accuracy import decisions, hits
from rewardmodel.evaluation.calibration import equal_mass_bins
from rewardmodel.evaluation.disagreement import disagreement, variance
from rewardmodel.evaluation.discrimination import auroc
from rewardmodel.evaluation.rank_correlation import SHORTEST, Listing, by_wins, correlate
from rewardmodel.training.data import Responses, Snapshot
from rewardmodel.training.report import learning
from rewardmodel.training.report.assessment import Assessment
from rewardmodel.training.report.context import Context

DISTANCE_BINS = 5


@dataclass(frozen=True)
class Altered:
    """Texts to take the place of k responses."""

    rows: np.ndarray  # (k,) of the snapshot's responses
    prompt: np.ndarray  # (k,) their prompts, in 0…P-1
    texts: dict[str, list[str]]  # by alteration, k each


@dataclass(frozen=True)
class Seen:
    """The k texts of each of A alterations, one alteration after the other, as the model sees them."""

    reward: np.ndarray  # (A k,) of heads which did not see the prompt
    embedded: np.ndarray  # (A k, d) the embedding columns of the features


def closer(snapshot: Snapshot, assessed: Assessment, context: Context, draws: np.ndarray) -> dict[str, Any]:
    """Strata, rank correlation and disagreement: all that needs no further training or embedding.

    draws: (B, P) from clustered.resamples over the held-out prompts.
    """
    return {
        "strata": _strata(assessed, context, draws),
        "rank_correlation": _rank_correlation(snapshot, assessed, context, draws),
        "disagreement": _disagreement(assessed, draws),
    }


def _strata(assessed: Assessment, context: Context, draws: np.ndarray) -> dict[str, Any]:
    held, rows = assessed.held, assessed.rows
    gap = held.log_length[held.left] - held.log_length[held.right]
    gaps, order = strata.length_gaps(gap)
    kinds: dict[str, tuple[Sequence[str | None] | None, Sequence[str] | None]] = {
        "category": (_of(context.category, rows), None),
        "length_gap": (gaps, order),
        "longer_won": (strata.winners_by_length(gap, held.shares), strata.WINNERS),
        "agreement": (strata.agreement(held.shares, held.votes), strata.AGREEMENT),
        "origin": (_of(context.origin, rows), None),
    }
    found: dict[str, Any] = {}
    for name, (labels, listed) in kinds.items():
        if labels is None or not any(labels):
            found[name] = {"rows": [], "left_out": f"the snapshot names no {name}"}
            continue
        groups = strata.stratify(
            held.model.d, held.length.d, held.shares, held.prompt, labels, draws, order=listed
        )
        found[name] = {"rows": [one.as_dict() for one in groups], "left_out": None}
    return found


def _of(values: list[str | None] | None, rows: np.ndarray) -> list[str | None] | None:
    return None if values is None else [values[i] for i in rows]


def _rank_correlation(
    snapshot: Snapshot, assessed: Assessment, context: Context, draws: np.ndarray
) -> dict[str, Any]:
    """With people's rankings where there are any, else with the order that the pairs give."""
    held = assessed.held
    where = {int(row): i for i, row in enumerate(assessed.used)}
    prompt_of = {
        int(snapshot.responses.prompt[row]): int(held.prompt_of_response[i]) for row, i in where.items()
    }
    lists = [
        Listing(prompt_of[one.prompt], np.array([where[row] for row in one.rows.tolist()]), one.score)
        for one in context.rankings
        if all(row in where for row in one.rows.tolist())
    ]
    source = "rankings: mean ranks" if lists else "pairs: share of the votes won"
    lists = lists or by_wins(held.left, held.right, held.shares, held.prompt)
    found = asdict(correlate(held.reward, lists, draws))
    left_out = None if lists else f"no held-out prompt has {SHORTEST} judged responses"
    return {**found, "source": source, "left_out": left_out}


def _disagreement(assessed: Assessment, draws: np.ndarray) -> dict[str, Any]:
    held = assessed.held
    decided = decisions(held.shares)
    rows = np.flatnonzero(decided)
    found = disagreement(
        variance(assessed.member_differences)[rows],
        np.abs(held.model.d)[rows],
        1 - hits(held.model.d, decided)[rows],
        -(held.shares * held.model.log_p).sum(axis=1)[rows],
        held.prompt[rows],
        draws,
    )
    return {**asdict(found), "heads": assessed.members.shape[1]}


def far_out(assessed: Assessment, known: out_of_distribution.LeftOut, draws: np.ndarray) -> dict[str, Any]:
    """Errors by distance from the training responses; a pair is as far as the farther of its two."""
    held = assessed.held
    distance, flagged = known.distance[assessed.used], known.flagged[assessed.used]
    apart = np.maximum(distance[held.left], distance[held.right])
    decided = decisions(held.shares)
    rows = np.flatnonzero(decided)
    wrong = 1 - hits(held.model.d, decided)
    bins = []
    for part in equal_mass_bins(apart[rows], DISTANCE_BINS):
        mine = rows[part]
        error = clustered.mean(wrong[mine], held.prompt[mine], draws)
        bins.append({"distance": float(apart[mine].mean()), "error": error.as_dict()})
    return {
        "flagged": clustered.mean(flagged.astype(np.float64), held.prompt_of_response, draws).as_dict(),
        "threshold": float(np.mean([one.threshold for one in known.references])),
        "bins": bins,
        "auroc_of_error": auroc(apart[rows], wrong[rows] > 0.5, held.prompt[rows], draws).as_dict(),
    }


def alter(responses: Responses, rows: np.ndarray, count: int, rng: np.random.Generator) -> Altered:
    """At most `count` of the responses `rows`, of as many prompts as can be, altered in every way."""
    of = np.unique(responses.prompt[rows], return_inverse=True)[1]
    rows = rows[probes.sample(of, count, rng)]
    prompt = np.unique(responses.prompt[rows], return_inverse=True)[1]
    texts = [responses.texts[row] for row in rows]
    kinds = {name: [change(text) for text in texts] for name, change in probes.PROBES.items()}
    return Altered(rows, prompt, kinds | {"another_prompt": probes.of_another_prompt(texts, prompt)})


def probe(
    assessed: Assessment,
    known: out_of_distribution.LeftOut,
    altered: Altered,
    seen: Seen,
    draws: np.ndarray,
) -> dict[str, Any]:
    """What the alterations do to the reward, and whether they look unusual. draws: (B, P) over the prompts of
    what was altered, all of it held out."""
    held, rows, prompt = assessed.held, altered.rows, altered.prompt
    spread = probes.spread_within_prompts(held.reward, held.prompt_of_response)
    if spread is None:
        return {"rows": [], "left_out": "the rewards within a prompt do not differ"}
    original = held.reward[np.searchsorted(assessed.used, rows)]
    found, noticed = [], {}
    for i, name in enumerate(altered.texts):
        part = slice(i * len(rows), (i + 1) * len(rows))
        effect = probes.effect(seen.reward[part], original, spread, prompt, draws)
        both = np.concatenate([known.distance[rows], known.distance_at(seen.embedded[part], rows)])
        told = auroc(both, np.arange(len(both)) >= len(rows), np.tile(prompt, 2), draws)
        noticed[name] = told.as_dict()
        found.append({"name": name, **effect.move.as_dict(), "raised": effect.raised.as_dict()})
    return {
        "rows": found,
        "noticed": noticed,
        "spread": spread,
        "responses": len(rows),
        "prompts": int(prompt.max()) + 1,
        "left_out": None,
    }


def growth(trained: Sequence[learning.Size], draws: np.ndarray, subsampled: str) -> dict[str, Any]:
    """The learning curve of trainings on ever more votes, all tested on the same pairs."""
    if not trained:
        return {"rows": [], "left_out": "there are too few votes to train on fewer"}
    held = trained[-1].assessed.held
    decided = decisions(held.shares)
    rows = np.flatnonzero(decided)
    right = np.stack([hits(one.assessed.held.model.d, decided)[rows] for one in trained])
    votes = np.array([one.votes for one in trained])
    found = learning_curve.curve(votes, right, held.prompt[rows], draws, np.random.default_rng(8))
    listed = []
    for size, accuracy, fitted in zip(trained, found.accuracy, found.fitted, strict=True):
        now = size.assessed.held
        nll = clustered.mean(-(now.shares * now.model.log_p).sum(axis=1), now.prompt, draws)
        listed.append(
            {"votes": size.votes, "fitted": fitted, "accuracy": accuracy.as_dict(), "nll": nll.as_dict()}
        )
    return {
        "rows": listed,
        "fit": {"a": found.a, "b": found.b, "c": found.c},
        "more": found.more,
        "gain": None if found.gain is None else found.gain.as_dict(),
        "reason": found.reason,
        "subsampled": subsampled,
        "left_out": None,
    }
