"""The promotion gate: a new run replaces the active ensemble only if it is not worse on the same pairs.

Not less accurate and not less calibrated; a difference counts when it is beyond chance and large enough to
matter (rewardmodel.evaluation.gate). Nor may it lose a criterion that the active ensemble knows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from annotation.models.project import Project
from rewardmodel.evaluation import gate
from rewardmodel.models import Ensemble, TrainingRun
from rewardmodel.services import common_pairs, overall_labels, promoting
from rewardmodel.services.children import Child
from rewardmodel.services.scoring import ScoringFailed


@dataclass(frozen=True)
class Verdict:
    promote: bool
    reason: str
    against: int | None = None  # the primary key of the ensemble it was compared with


def judge(
    run: TrainingRun, metrics: Mapping[str, Any], *, follow: Callable[[Child], int] = Child.wait
) -> Verdict:
    """Compare a trained run with the active ensemble. Changes nothing."""
    active = (
        Ensemble.objects.select_related("run__snapshot").filter(project=run.project_id, active=True).first()
    )
    if active is None:
        return Verdict(True, f"Promoted as the project's first ensemble. {_beside_length(metrics)}")
    if active.run_id == run.pk:
        return Verdict(True, active.reason, active.pk)
    number = active.run.number
    if lost := _lost(run, active.run):
        return Verdict(
            False,
            f"Run {number} stays: it also knows {', '.join(lost)}, which run {run.number} has not learned. "
            f"Promote run {run.number} if that is meant.",
            active.pk,
        )
    found, on = _compare(run, active.run, follow)
    if not found.enough:
        return Verdict(
            True,
            f"Promoted: only {found.decided} held-out pairs of {found.prompts} prompts are common to both, "
            f"too few to tell it from run {number}. {_beside_length(metrics)}",
            active.pk,
        )
    start = f"Run {number} stays" if found.worse else "Promoted"
    return Verdict(not found.worse, f"{start}: {_words(found, number, on)}", active.pk)


def promote_if_not_worse(run: TrainingRun) -> bool:
    """Judge a succeeded run and promote it unless it is worse. A run already judged keeps its verdict."""
    run.refresh_from_db()
    if run.state != TrainingRun.State.SUCCEEDED:
        raise promoting.NotPromotable(
            f"Run {run.number} has {run.state}: only a trained one can be promoted."
        )
    if run.verdict:
        return Ensemble.objects.filter(run=run).exists()
    return apply(run, judge(run, run.metrics or {})).promote


@transaction.atomic
def apply(run: TrainingRun, verdict: Verdict) -> Verdict:
    """Act on the gate's verdict and write it down; what somebody promoted in the meantime stays."""
    Project.objects.select_for_update().get(pk=run.project_id)
    active = Ensemble.objects.filter(project=run.project_id, active=True).first()
    if verdict.promote and (active.pk if active else None) != verdict.against:
        verdict = Verdict(
            False, "Another ensemble became active while this one was compared: that one stays."
        )
    if verdict.promote:
        promoting.promote(run=run, reason=verdict.reason)
    TrainingRun.objects.filter(pk=run.pk).update(verdict=verdict.reason)
    run.verdict = verdict.reason
    return verdict


def _lost(run: TrainingRun, old: TrainingRun) -> list[str]:
    """Criteria of the project that the old ensemble knows and the new one does not."""
    lost = overall_labels.learned(old).keys() - overall_labels.learned(run).keys()
    return [name for name in run.project.criterion_names if name in lost]


def _compare(
    run: TrainingRun, old: TrainingRun, follow: Callable[[Child], int]
) -> tuple[gate.Comparison, str]:
    """On the frozen audit set: pairs drawn at random from prompts neither learned from. Where that is small,
    on the whole test split, both scored by both; where that is small too, on what each predicted out of fold.
    """
    found: gate.Comparison | None = None
    try:
        pairs = common_pairs.on_test_split(run, old, follow)
    except (ScoringFailed, OSError):  # another encoder now, or files of the old one are damaged or gone
        pass
    else:
        audited = pairs.audited.compare(run.seed)
        if audited.enough:
            return audited, "of the frozen audit set"
        found = pairs.compare(run.seed)
        if found.enough:
            return found, f"of the test split (the frozen audit set has {audited.decided}, too few)"
    crossed = common_pairs.out_of_fold(run, old).compare(run.seed)
    if found is None or crossed.decided > found.decided:
        return crossed, "that both predicted out of fold"
    return found, "of the test split"


def _words(found: gate.Comparison, number: int, on: str) -> str:
    accuracy, ece = found.accuracy, found.ece
    gain = f"{100 * (accuracy.value or 0):+.1f} points of accuracy"
    interval = f"95 % interval {100 * (accuracy.low or 0):+.1f} to {100 * (accuracy.high or 0):+.1f}"
    text = f"{gain} against run {number} ({interval}) on {found.decided:,} pairs of {found.prompts:,} prompts"
    text += f" {on}; calibration error {ece.value or 0:+.3f}, votes' log-loss {found.nll.value or 0:+.4f}."
    faults = [
        ("less accurate", found.less_accurate),
        ("gives the votes less probability", found.less_likely),
        ("less calibrated", found.less_calibrated),
    ]
    named = [words for words, holds in faults if holds]
    return text + (f" It is worse beyond chance: {', '.join(named)}." if named else "")


def _beside_length(metrics: Mapping[str, Any]) -> str:
    """Its accuracy next to the length baseline, with a warning when it does not beat it."""
    mine, length = metrics.get("accuracy", {}), metrics.get("baselines", {}).get("length", {})
    if mine.get("value") is None or length.get("value") is None:
        return "There are no held-out pairs with a winner to measure it on."
    text = f"Accuracy {mine['value']:.3f} on held-out pairs; length alone gives {length['value']:.3f}."
    if mine["value"] < length["value"]:
        text += " Careful: that is below the length baseline; collect more votes before relying on it."
    return text
