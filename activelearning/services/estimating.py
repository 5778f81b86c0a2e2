"""What the labels of a turn say: does choosing pay, how good is the model, what does it call open pairs?

The answer is kept with the turn as JSON. It is worked out from rows and a generator seeded by the turn, so
that a step which is repeated after a crash says the same.
"""

import dataclasses
import hashlib
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.db.models import Func, TextField
from django.db.models.functions import Cast

from activelearning.acquisition.pool import Floats, Ids
from activelearning.acquisition.posterior import choose_prior_precision
from activelearning.acquisition.projection import fit_projection
from activelearning.acquisition.worth import (
    FEWEST_DECIDED,
    FEWEST_LABELS,
    FEWEST_PROMPTS,
    Arm,
    Audit,
    Worth,
    few_prompts,
    worth,
)
from activelearning.models import LoopTurn
from activelearning.services import arms
from activelearning.services.arms import Labels
from annotation.models.content import Response
from annotation.models.project import Project
from annotation.models.work import ItemResponse, Judgment
from annotation.services import aggregating
from rewardmodel.evaluation.accuracy import decisions, hits
from rewardmodel.models import Ensemble, TrainingRun
from rewardmodel.services import scoring

logger = logging.getLogger(__name__)

WATCHED = 500  # open pairs of which every model says who wins
NORMAL = 1.96  # standard errors on each side of a 95 % interval
MOST_RESPONSES = 20  # of one prompt: their pairs are enough to draw from

Pair = tuple[int, int]


def estimate(turn: LoopTurn) -> dict[str, Any]:
    """The estimate of a turn whose run has succeeded. Where there is too little, or it fails, the reason."""
    if turn.run is None:
        return {"reason": "The turn has trained no model.", "missing": "run"}
    try:
        return _estimate(turn, turn.run)
    except Exception as error:  # an estimate is worth less than the turn that it would stop
        logger.exception("estimate of turn %s", turn.pk)
        return {"reason": str(error) or type(error).__name__, "missing": "scores"}


def _estimate(turn: LoopTurn, run: TrainingRun) -> dict[str, Any]:
    project, rng = turn.project, np.random.default_rng(turn.pk)
    aggregating.refresh(project=project)
    labels = arms.labels_of(project, run)
    watched = watched_pairs(project)
    wanted = sorted({*labels.first, *labels.second, *(pk for pair in watched for pk in pair)})
    found = {
        "run": run.number,
        "labels": labels.given,
        "active_labels": len(np.unique(labels.item[labels.active])),
        "random_labels": len(np.unique(labels.item[labels.random])),
    }
    if not wanted:
        return {**found, "reason": "There are no pairs yet.", "missing": "audit"}
    ensemble = Ensemble.objects.filter(run=run).first() or Ensemble(project=project, run=run)
    scored = scoring.score(ensemble=ensemble, response_ids=wanted)
    row_of = {pk: row for row, pk in enumerate(wanted)}
    reward = np.asarray(scored.rewards, dtype=np.float64).mean(axis=1)
    first = np.array([row_of[pk] for pk in labels.first], dtype=np.int64)
    second = np.array([row_of[pk] for pk in labels.second], dtype=np.int64)
    calls = np.array([reward[row_of[a]] - reward[row_of[b]] for a, b in watched])
    return {
        **found,
        **_worth(labels, np.asarray(scored.features), first, second, rng),
        "audit": _accuracy(
            (reward[first] - reward[second])[labels.audit],
            labels.shares[labels.audit],
            labels.prompt[labels.audit],
        ),
        "watched": {"pairs": [f"{a}-{b}" for a, b in watched], "calls": _signs(calls)},
    }


def _worth(
    labels: Labels,
    features: Floats,
    first: np.ndarray[Any, Any],
    second: np.ndarray[Any, Any],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Active minus random, with the curve of both; see acquisition.worth."""
    learned = labels.active | labels.random
    if not learned.any():
        return _plain(_nothing(labels))
    z = fit_projection(features, first[learned], second[learned], rng).apply(features)
    x = (z[first] - z[second]).astype(np.float64)
    share = labels.shares[:, 0] + labels.shares[:, 1] / 2
    groups = np.unique(labels.prompt, return_inverse=True)[1]
    precision = choose_prior_precision(
        x[learned], share[learned], labels.votes[learned], groups[learned], rng
    )
    active, random = (
        Arm(x[rows], labels.shares[rows], labels.votes[rows], labels.item[rows])
        for rows in (labels.active, labels.random)
    )
    rows = labels.audit
    audit = Audit(x[rows], labels.shares[rows], labels.votes[rows], labels.prompt[rows])
    return _plain(worth(active, random, audit, prior_precision=precision, rng=rng))


def _nothing(labels: Labels) -> Worth:
    winners = labels.audit & (decisions(labels.shares[:, [0, 2, 1]]) != 0)
    return Worth(None, None, None, None, 0, int(winners.sum()), int((labels.audit & ~winners).sum()),
                 len(set(labels.prompt[winners])), (), "random",
                 f"0 pairs were drawn at random and labelled; {FEWEST_LABELS} are needed.")  # fmt: skip


def _plain(found: Worth) -> dict[str, Any]:
    """As JSON, with what is needed beside what there is."""
    needed = {"labels": FEWEST_LABELS, "audit": FEWEST_DECIDED, "prompts": FEWEST_PROMPTS}
    return {**dataclasses.asdict(found), "needed": needed}


def _accuracy(difference: Floats, shares: Floats, prompts: Ids) -> dict[str, float | int | None]:
    """On the decided audit pairs, with its standard error and half of its 95 % interval: those of as many
    single pairs, or the larger ones of the prompts, whose pairs are right or wrong together (Cameron, Gelbach
    and Miller 2008).
    """
    decided = decisions(shares[:, [0, 2, 1]])
    right = hits(difference, decided)[decided != 0]
    if not len(right):
        return {"accuracy": None, "standard_error": None, "reach": None, "n": 0}
    value = float(right.mean())
    # (k + ½)/(n + 1) keeps an accuracy of 0 or 1 from having no error at all.
    p = (float(right.sum()) + 0.5) / (len(right) + 1)
    alone = float(np.sqrt(p * (1 - p) / len(right)))
    names, of_prompt = np.unique(prompts[decided != 0], return_inverse=True)
    together = float(np.sqrt((np.bincount(of_prompt, weights=right - value) ** 2).sum())) / len(right)
    return {
        "accuracy": value,
        "standard_error": max(alone, together),
        # One prompt tells nothing about others.
        "reach": 1.0 if len(names) < 2 else NORMAL * max(alone, few_prompts(len(names)) * together),
        "n": len(right),
    }


def watched_pairs(project: Project) -> list[Pair]:
    """Up to `WATCHED` pairs of responses nobody has judged, the same ones every time as far as they last.

    Drawn by a hash of their ids: from prompts in the order of theirs, one pair of each and more where the
    prompts are few.
    """
    prompts = list(
        project.prompts.order_by(Func(Cast("pk", TextField()), function="md5")).values_list("pk", flat=True)[
            :WATCHED
        ]
    )
    by_prompt: dict[int, list[int]] = {pk: [] for pk in prompts}
    rows = Response.objects.filter(prompt__in=prompts).order_by("pk").values_list("prompt_id", "pk")
    for prompt, pk in rows:
        by_prompt[prompt].append(pk)
    judged = _judged(prompts)
    each = -(-WATCHED // max(len(prompts), 1))
    found: list[Pair] = []
    for every in by_prompt.values():
        responses = every[:MOST_RESPONSES]
        open_pairs = [
            (a, b) for i, a in enumerate(responses) for b in responses[i + 1 :] if (a, b) not in judged
        ]
        found += sorted(open_pairs, key=_mixed)[:each]
    return found[:WATCHED]


def _judged(prompts: Sequence[int]) -> set[Pair]:
    """Every pair within an item that has a vote, lower id first."""
    by_item: dict[int, list[int]] = {}
    rows = ItemResponse.objects.filter(
        item__prompt__in=prompts, item__in=Judgment.objects.filter(live=True).values("item")
    )
    for item, response in rows.order_by("response_id").values_list("item_id", "response_id"):
        by_item.setdefault(item, []).append(response)
    return {(a, b) for ids in by_item.values() for i, a in enumerate(ids) for b in ids[i + 1 :]}


def _mixed(pair: Pair) -> bytes:
    return hashlib.sha256(f"{pair[0]}-{pair[1]}".encode()).digest()


def _signs(values: Floats) -> str:
    return "".join("+" if value > 0 else "-" if value < 0 else "0" for value in values)
