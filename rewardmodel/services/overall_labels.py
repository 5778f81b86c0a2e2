"""The labels that a run's overall reward is tested on."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from rewardmodel.models import TrainingRun
from rewardmodel.services.scoring import ensemble_folder

SHARES = ("p_a", "p_b", "p_tie")

Row = Mapping[str, Any]


def of_run(run: TrainingRun, rows: Iterable[Row]) -> list[Row]:
    """Rows of preferences.parquet -> one per pair: those of the criterion that is the run's overall, or the
    weighted shares of all criteria that count, for pairs which have a label on each of them."""
    weights = {name: weight for name, weight in learned(run).items() if weight > 0}
    total = sum(weights.values())
    by_pair: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row["criterion"] in weights:
            by_pair[row["pair_id"]][row["criterion"]] = row
    return [
        {
            **next(iter(labels.values())),
            **{s: sum(weights[name] * row[s] for name, row in labels.items()) / total for s in SHARES},
        }
        for labels in by_pair.values()
        if len(labels) == len(weights)
    ]


def learned(run: TrainingRun) -> dict[str, float]:
    """The criteria that the run's ensemble knows, and how much each counts in its overall."""
    try:
        kept = json.loads((ensemble_folder(run) / "ensemble.json").read_text(encoding="utf-8"))
    except OSError:
        kept = {}
    several = {str(one["name"]): float(one["weight"]) for one in kept.get("criteria", ())}
    if any(weight > 0 for weight in several.values()):
        return several
    return {kept.get("criterion") or run.config.get("criterion") or run.project.main_criterion: 1.0}
