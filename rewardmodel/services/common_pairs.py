"""Pairs on which two runs can be compared: both predict them, neither has learned from them."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from annotation.services import snapshotting
from rewardmodel.evaluation import gate
from rewardmodel.evaluation.calibration import log_probabilities
from rewardmodel.evaluation.gate import Side
from rewardmodel.models import TrainingRun
from rewardmodel.services import overall_labels
from rewardmodel.services.children import Child
from rewardmodel.services.running import folder_of
from rewardmodel.services.scoring import ensemble_folder, read_scores, score_file

PAIR_COLUMNS = [
    "pair_id",
    "prompt_id",
    "response_a",
    "response_b",
    "criterion",
    "p_a",
    "p_b",
    "p_tie",
    "origin",
    "split",
]
PREDICTION_COLUMNS = ["pair_id", "prompt_id", "d", "p_a", "p_b", "p_tie", "share_a", "share_b", "share_tie"]
PREDICTED = ("d", "p_a", "p_b", "p_tie")
OLD = "_old"
AUDIT = "audit"  # the origin of pairs drawn at random

Row = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class CommonPairs:
    """m pairs with what people say of them and what two models predict."""

    shares: npt.NDArray[np.float64]  # (m, 3) over (A, B, tie)
    prompt: npt.NDArray[np.str_]  # (m,)
    audit: npt.NDArray[np.bool_]  # (m,) drawn at random, so that they stand for all
    new: Side
    old: Side

    @property
    def audited(self) -> "CommonPairs":
        """The frozen audit set: a prompt of the test split stays in it while the project grows."""
        rows = self.audit
        new, old = (Side(side.d[rows], side.log_p[rows]) for side in (self.new, self.old))
        return replace(
            self, shares=self.shares[rows], prompt=self.prompt[rows], audit=self.audit[rows], new=new, old=old
        )

    def compare(self, seed: int) -> gate.Comparison:
        """New minus old."""
        rng = np.random.default_rng([seed, 3])
        return gate.compare(self.new, self.old, self.shares, self.prompt, rng=rng)


def on_test_split(run: TrainingRun, old: TrainingRun, follow: Callable[[Child], int]) -> CommonPairs:
    """The test split of the new run's snapshot without prompts the old one knew, scored by both.

    Raises `ScoringFailed`.
    """
    folder = snapshotting.folder_of(run.snapshot)
    seen_by_old = _learned_from(snapshotting.folder_of(old.snapshot))
    table = pq.read_table(folder / "preferences.parquet", columns=PAIR_COLUMNS)
    pairs = [
        pair
        for pair in overall_labels.of_run(run, table.to_pylist())
        if pair["split"] == "test" and pair["prompt_id"] not in seen_by_old
    ]
    if not pairs:
        return _common([], [], [], [])
    with tempfile.TemporaryDirectory(prefix="laurel-gate-") as name:
        wanted = {pair[side] for pair in pairs for side in ("response_a", "response_b")}
        responses = Path(name) / "responses.parquet"
        table = pq.read_table(folder / "responses.parquet")
        keep = [one in wanted for one in table.column("response_id").to_pylist()]
        pq.write_table(table.filter(keep), responses)
        new, old_side = (
            _scored(ensemble_folder(one), responses, Path(name) / f"{one.pk}.npz", pairs, follow)
            for one in (run, old)
        )
    return _common([(pair["p_a"], pair["p_b"], pair["p_tie"]) for pair in pairs], pairs, new, old_side)


def out_of_fold(new: TrainingRun, old: TrainingRun) -> CommonPairs:
    """Pairs in both runs' predictions.parquet: each was predicted by heads that did not see its prompt."""
    try:
        mine, theirs = (
            pq.read_table(folder_of(run) / "predictions.parquet", columns=PREDICTION_COLUMNS)
            for run in (new, old)
        )
    except OSError:  # a run from before predictions were kept
        return _common([], [], [], [])
    theirs = theirs.select(["pair_id", *PREDICTED])
    both = mine.join(theirs, "pair_id", join_type="inner", right_suffix=OLD).sort_by("pair_id")
    return CommonPairs(
        _columns(both, ("share_a", "share_b", "share_tie")),
        np.array(both["prompt_id"].to_pylist(), dtype=np.str_),
        np.zeros(len(both), dtype=np.bool_),
        _predicted(both, ""),
        _predicted(both, OLD),
    )


def _predicted(both: pa.Table, suffix: str) -> Side:
    d, *p = (name + suffix for name in PREDICTED)
    return Side(_columns(both, [d])[:, 0], np.log(np.maximum(_columns(both, p), 1e-12)))


def _columns(table: pa.Table, names: Sequence[str]) -> npt.NDArray[np.float64]:
    return np.stack([table[name].to_numpy() for name in names], axis=1)


def _learned_from(snapshot: Path) -> set[str]:
    """Prompts that an ensemble of this snapshot may have learned from: all but its test split."""
    table = pq.read_table(snapshot / "preferences.parquet", columns=["prompt_id", "split"])
    return {row["prompt_id"] for row in table.to_pylist() if row["split"] != "test"}


Predicted = list[tuple[float, np.ndarray]]  # for each pair d and (3,) log-probabilities of (A, B, tie)


def _scored(
    ensemble: Path, responses: Path, out: Path, pairs: list[Row], follow: Callable[[Child], int]
) -> Predicted:
    score_file(ensemble, responses, out, follow=follow)
    scores = read_scores(out)
    reward = dict(zip(scores.ids, scores.rewards.astype(np.float64).mean(axis=1), strict=True))
    d = np.array([reward[pair["response_a"]] - reward[pair["response_b"]] for pair in pairs])
    return list(zip(d.tolist(), log_probabilities(d, scores.temperature, scores.tau), strict=True))


def _common(
    shares: list[tuple[float, float, float]], pairs: list[Row], new: Predicted, old: Predicted
) -> CommonPairs:
    return CommonPairs(
        np.array(shares, dtype=np.float64).reshape(-1, 3),
        np.array([pair["prompt_id"] for pair in pairs], dtype=np.str_),
        np.array([pair.get("origin") == AUDIT for pair in pairs], dtype=np.bool_),
        _side(new),
        _side(old),
    )


def _side(predicted: Predicted) -> Side:
    return Side(
        np.array([d for d, _ in predicted], dtype=np.float64),
        np.array([log_p for _, log_p in predicted], dtype=np.float64).reshape(-1, 3),
    )
