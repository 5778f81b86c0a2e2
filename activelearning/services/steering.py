"""What the estimates of the turns lead to: fall back to chance or come back from it, go on or stop."""

import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from django.db.models import QuerySet
from django.db.models.fields.json import KT

from activelearning.acquisition.quotas import Recipe, recipe_named
from activelearning.acquisition.stopping import StopConfig, advise
from activelearning.acquisition.worth import CurvePoint, Estimate, Worth, should_fall_back, should_return
from activelearning.models import LoopTurn
from activelearning.services.policies import policy_of
from annotation.models.project import Project

logger = logging.getLogger(__name__)

KEPT_ACTIVE = 0.2  # of a batch after the fall-back: without any there would be nothing new to tell
COMPARED = 12  # models whose calls are compared, at most: older ones say nothing about standing still

FALLEN = (
    "In the last rounds choosing was no better than chance: until it is, {share:.0%} of a batch is drawn at "
    "random."
)
RETURNED = "Choosing beats chance again: the recipe is back."


def recipe_for(project: Project) -> Recipe:
    """The policy's recipe; after a fall-back nearly all of the batch is drawn at random."""
    policy = policy_of(project)
    share = max(policy.random_share, 1 - KEPT_ACTIVE) if fallen_back(project) else policy.random_share
    return dataclasses.replace(recipe_named(policy.recipe), random_share=max(share, _least(policy.recipe)))


def fallen_back(project: Project) -> bool:
    """Whether the loop draws at random for now, by the estimates of its turns."""
    return policy_of(project).fall_back and fallen(estimates(project))


def fallen(history: Iterable[Worth]) -> bool:
    """Fold the estimates, oldest first: fall back, come back, each judged by what came since the other.

    So the state needs no column of its own, and no crash can leave it half-way.
    """
    down, since = False, list[Worth]()
    for each in history:
        since.append(each)
        if should_return(since) if down else should_fall_back(since):
            down, since = not down, []
    return down


def estimates(project: Project) -> list[Worth]:
    """Of the project's turns, oldest first: the gain and its interval, all that a fall-back goes by."""
    parts = ("gain", "low", "high")
    turns = project.loop_turns.filter(estimate__isnull=False).order_by("pk")
    rows = turns.values_list(*(KT(f"estimate__{part}") for part in parts))
    return [worth_of({part: _number(one) for part, one in zip(parts, row, strict=True)}) for row in rows]


def worth_of(found: Mapping[str, Any]) -> Worth:
    """What a turn's JSON says of active minus random; without a figure where there is none."""
    names = [field.name for field in dataclasses.fields(Worth) if field.name not in ("curve", "loss_gain")]
    loss = found.get("loss_gain")
    values = {name: found.get(name) for name in names}
    values |= {name: found.get(name) or 0 for name in ("m", "n_audit", "ties", "prompts")}
    return Worth(
        **values,  # type: ignore[arg-type]  # they are those of the fields, as `asdict` wrote them
        loss_gain=Estimate(**loss) if loss else None,
        curve=tuple(_point(point) for point in found.get("curve") or ()),
    )


def note_for(turn: LoopTurn) -> str:
    """What its estimate, not saved yet, leads to, in a sentence; empty where it changes nothing."""
    if not policy_of(turn.project).fall_back:
        return ""
    history = [worth_of(found) for found in _before(turn)]
    now, before = fallen([*history, worth_of(turn.estimate or {})]), fallen(history)
    if now:
        return FALLEN.format(share=1 - KEPT_ACTIVE)
    return RETURNED if before else ""


def advice_for(turn: LoopTurn) -> dict[str, Any]:
    """Whether more labels are worth it, by the models of the turns before and of this one, whose estimate is
    not saved yet; where it is not known, the reason.
    """
    try:
        return _advice(turn)
    except Exception as error:  # advice is worth less than the turn that it would stop
        logger.exception("advice of turn %s", turn.pk)
        return {"reason": str(error) or type(error).__name__}


def _advice(turn: LoopTurn) -> dict[str, Any]:
    policy = policy_of(turn.project)
    rounds = _rounds([*_before(turn), turn.estimate or {}])
    if not rounds:
        return {"reason": "No model has been measured on audit pairs yet."}
    labels = np.maximum.accumulate(np.array([max(one["labels"], 1) for one in rounds], dtype=np.float64))
    figures = [one["audit"] for one in rounds]
    found = advise(
        labels,
        np.array([one["accuracy"] for one in figures]),
        np.array([one["standard_error"] for one in figures]),
        common_calls([one["watched"] for one in rounds[-COMPARED:]]),
        rng=np.random.default_rng(turn.pk),
        cost_per_label=float(policy.label_cost) if policy.label_cost is not None else None,
        config=StopConfig(worthwhile=max(policy.worthwhile, 1e-6)),
    )
    return {**dataclasses.asdict(found), "currency": policy.currency}


def common_calls(watched: Sequence[Mapping[str, Any]]) -> list[np.ndarray[Any, Any]]:
    """Of each model, oldest first, the calls (U,) on the pairs that the latest ones were asked about.

    A pair that was judged meanwhile is none of them: people's answers change a model there by right. Models
    that share no pair with the last are left out.
    """
    named = [dict(zip(one["pairs"], one["calls"], strict=True)) for one in watched]
    if not named or not named[-1]:
        return []
    kept, common = [named[-1]], set(named[-1])
    for calls in reversed(named[:-1]):
        both = common & calls.keys()
        # Half of what the last is asked about must remain, else too few would stand for all.
        if len(both) < len(named[-1]) / 2:
            break
        kept.insert(0, calls)
        common = both
    value = {"+": 1.0, "-": -1.0, "0": 0.0}
    return [np.array([value[calls[pair]] for pair in sorted(common)]) for calls in kept]


def _before(turn: LoopTurn) -> list[dict[str, Any]]:
    return _stored(turn.project.loop_turns.filter(pk__lt=turn.pk))


def _stored(turns: QuerySet[LoopTurn]) -> list[dict[str, Any]]:
    found = turns.filter(estimate__isnull=False).order_by("pk").values_list("estimate", flat=True)
    return [one for one in found if one]


def _rounds(estimates: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those which measured a model on audit pairs, one of each model."""
    measured = (one for one in estimates if (one.get("audit") or {}).get("accuracy") is not None)
    return list({one["run"]: one for one in measured}.values())


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _point(found: Mapping[str, Any]) -> CurvePoint:
    three = {name: Estimate(**found[name]) for name in ("active", "random", "gain")}
    return CurvePoint(labels=found["labels"], **three)


def _least(recipe: str) -> float:
    return 1.0 if recipe == "random" else 0.0
