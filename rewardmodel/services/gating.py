"""The promotion gate: a new run replaces the active ensemble only if it is not worse on the same pairs."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from django.db import transaction

from annotation.models.project import Project
from annotation.services import snapshotting
from rewardmodel.evaluation import gate
from rewardmodel.evaluation.calibration import log_probabilities
from rewardmodel.models import Ensemble, TrainingRun
from rewardmodel.services import promoting
from rewardmodel.services.children import Child
from rewardmodel.services.running import folder_of
from rewardmodel.services.scoring import ScoringFailed, ensemble_folder, read_scores, score_file

PAIR_COLUMNS = [
    "pair_id",
    "prompt_id",
    "response_a",
    "response_b",
    "criterion",
    "p_a",
    "p_b",
    "p_tie",
    "split",
]
PREDICTION_COLUMNS = ["pair_id", "prompt_id", "d", "p_a", "p_b", "p_tie", "share_a", "share_b", "share_tie"]


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
    found, on = _compare(run, active.run, follow)
    number = active.run.number
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


def _compare(
    run: TrainingRun, old: TrainingRun, follow: Callable[[Child], int]
) -> tuple[gate.Comparison, str]:
    """On the test split both never learned from, scored by both; where that is small, on what each predicted
    out of fold."""
    found: gate.Comparison | None
    try:
        found = _on_test_split(run, old, follow)
        if found.enough:
            return found, "of the test split"
    except ScoringFailed:  # the encoder of the old one is another now, or its files are damaged
        found = None
    crossed = _on_predictions(folder_of(run), folder_of(old), run.seed)
    if found is None or crossed.decided > found.decided:
        return crossed, "that both predicted out of fold"
    return found, "of the test split"


def _on_test_split(run: TrainingRun, old: TrainingRun, follow: Callable[[Child], int]) -> gate.Comparison:
    folder = snapshotting.folder_of(run.snapshot)
    pairs = pq.read_table(folder / "preferences.parquet", columns=PAIR_COLUMNS).to_pylist()
    seen_by_old = _learned_from(snapshotting.folder_of(old.snapshot))
    criterion = run.config["criterion"]
    pairs = [
        pair
        for pair in pairs
        if pair["split"] == "test" and pair["criterion"] == criterion and pair["prompt_id"] not in seen_by_old
    ]
    if not pairs:
        return _compared(pairs, [], [], run.seed)
    with tempfile.TemporaryDirectory(prefix="laurel-gate-") as name:
        wanted = {pair[side] for pair in pairs for side in ("response_a", "response_b")}
        responses = Path(name) / "responses.parquet"
        table = pq.read_table(folder / "responses.parquet")
        keep = [one in wanted for one in table.column("response_id").to_pylist()]
        pq.write_table(table.filter(keep), responses)
        new_side, old_side = (
            _scored(ensemble_folder(one), responses, Path(name) / f"{one.pk}.npz", pairs, follow)
            for one in (run, old)
        )
    return _compared(pairs, new_side, old_side, run.seed)


def _learned_from(snapshot: Path) -> set[str]:
    """Prompts that an ensemble of this snapshot may have learned from: all but its test split."""
    table = pq.read_table(snapshot / "preferences.parquet", columns=["prompt_id", "split"])
    return {row["prompt_id"] for row in table.to_pylist() if row["split"] != "test"}


Predicted = list[tuple[float, np.ndarray]]  # for each pair d and (3,) log-probabilities of (A, B, tie)


def _scored(
    ensemble: Path, responses: Path, out: Path, pairs: list[dict[str, Any]], follow: Callable[[Child], int]
) -> Predicted:
    score_file(ensemble, responses, out, follow=follow)
    scores = read_scores(out)
    reward = dict(zip(scores.ids, scores.rewards.astype(np.float64).mean(axis=1), strict=True))
    d = np.array([reward[pair["response_a"]] - reward[pair["response_b"]] for pair in pairs])
    return list(zip(d.tolist(), log_probabilities(d, scores.temperature, scores.tau), strict=True))


def _on_predictions(new: Path, old: Path, seed: int) -> gate.Comparison:
    """Pairs in both runs' predictions.parquet: each was predicted by heads that did not see its prompt."""
    try:
        mine, theirs = (
            {
                row["pair_id"]: row
                for row in pq.read_table(
                    folder / "predictions.parquet", columns=PREDICTION_COLUMNS
                ).to_pylist()
            }
            for folder in (new, old)
        )
    except OSError:  # a run from before predictions were kept
        mine, theirs = {}, {}
    common = sorted(mine.keys() & theirs.keys())
    pairs = [
        {
            "prompt_id": mine[key]["prompt_id"],
            **{name: mine[key][f"share_{name[2:]}"] for name in ("p_a", "p_b", "p_tie")},
        }
        for key in common
    ]
    new_side, old_side = ([_predicted(side[key]) for key in common] for side in (mine, theirs))
    return _compared(pairs, new_side, old_side, seed)


def _predicted(row: Mapping[str, float]) -> tuple[float, np.ndarray]:
    p = np.array([row["p_a"], row["p_b"], row["p_tie"]])
    return row["d"], np.log(np.maximum(p, 1e-12))


def _compared(pairs: list[dict[str, Any]], new: Predicted, old: Predicted, seed: int) -> gate.Comparison:
    shares = np.array([[pair["p_a"], pair["p_b"], pair["p_tie"]] for pair in pairs]).reshape(-1, 3)
    prompt = np.array([pair["prompt_id"] for pair in pairs])
    return gate.compare(_side(new), _side(old), shares, prompt, rng=np.random.default_rng([seed, 3]))


def _side(predicted: Predicted) -> gate.Side:
    return gate.Side(
        np.array([d for d, _ in predicted], dtype=np.float64),
        np.array([log_p for _, log_p in predicted], dtype=np.float64).reshape(-1, 3),
    )


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
