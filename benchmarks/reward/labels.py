"""What are vote shares worth? The same debates learned from shares, from majorities, and from agreement only.

    python -m benchmarks.reward.labels [--data DIR]     # writes labels.csv

Each row is a whole `python -m rewardmodel.training`, one debate left out at a time. All are judged on every
pair against its vote shares, in nats per vote; the difference to shares has an interval from resampling
debates. "Calibrated on shares" gives the other labels a blend fitted on the shares of the other debates, so
that what is left is what the heads themselves learned worse.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import tables
from benchmarks.reward import snapshots
from benchmarks.reward.run import train
from rewardmodel.evaluation import accuracy, blend, clustered
from rewardmodel.evaluation.calibration import expected_calibration_error, log_probabilities

HERE = Path(__file__).resolve().parent
NEARLY_NOTHING = 1e-9  # effective votes of a pair that is predicted but not learned from

Relabel = Callable[[snapshots.Comparison], tuple[snapshots.Comparison, float]]


def soft(pair: snapshots.Comparison) -> tuple[snapshots.Comparison, float]:
    return pair, pair.a + pair.tie + pair.b


def majority(pair: snapshots.Comparison) -> tuple[snapshots.Comparison, float]:
    """All votes to the answer with most of them; a draw between answers is a tie."""
    votes = pair.a + pair.tie + pair.b
    a, b = (votes if one > max(other, pair.tie) else 0 for one, other in ((pair.a, pair.b), (pair.b, pair.a)))
    return replace(pair, a=a, b=b, tie=votes - a - b), votes


def unanimous(pair: snapshots.Comparison) -> tuple[snapshots.Comparison, float]:
    votes = pair.a + pair.tie + pair.b
    return pair, votes if max(pair.a, pair.b, pair.tie) == votes else NEARLY_NOTHING


LABELS: dict[str, Relabel] = {"soft": soft, "majority": majority, "unanimous": unanimous}


def write(pairs: list[snapshots.Comparison], relabel: Relabel, folder: Path) -> None:
    changed = {pair.pair_id: relabel(pair) for pair in pairs}
    snapshots.write([pair for pair, _ in changed.values()], folder)
    table = pq.read_table(folder / "preferences.parquet")
    weight = pa.array([float(changed[name][1]) for name in table.column("pair_id").to_pylist()])
    table = table.set_column(table.column_names.index("effective_votes"), "effective_votes", weight)
    snapshots.replace_table(folder, "preferences.parquet", table)


def nll(log_p: np.ndarray, shares: np.ndarray) -> np.ndarray:
    return np.asarray(-(shares * log_p).sum(axis=1))


def recalibrated(found: dict[str, np.ndarray], shares: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Log-probabilities of each fold under the blend that the shares of the other folds ask for."""
    log_p = np.empty_like(shares)
    gap = found["d_length"] / found["d_length"].std()
    for f in range(fold.max() + 1):
        inside, rest = fold == f, fold != f
        known = blend.Known(
            found["d_heads"][rest], gap[rest], shares[rest], np.full(rest.sum(), 5.0), fold[rest]
        )
        fitted = blend.fit(known, 0.0)
        mixed = fitted.mix(found["d_heads"][inside], gap[inside])
        log_p[inside] = log_probabilities(mixed, fitted.temperature, fitted.tau)
    return log_p


def predictions(out: Path) -> dict[str, np.ndarray]:
    table = pq.read_table(out / "predictions.parquet")
    return {name: np.asarray(table.column(name).to_pylist()) for name in table.column_names}


def row(
    name: str, log_p: np.ndarray, reference: np.ndarray, d: np.ndarray, shares: np.ndarray, fold: np.ndarray
) -> dict[str, Any]:
    draws = clustered.resamples(int(fold.max()) + 1, 2000, np.random.default_rng(0))
    worse = clustered.mean(nll(log_p, shares) - nll(reference, shares), fold, draws)
    expected, seen = np.exp(log_p[:, 0]) + np.exp(log_p[:, 2]) / 2, shares[:, 0] + shares[:, 2] / 2
    ece = expected_calibration_error(expected, seen, fold, draws)
    right = accuracy.pairwise(d, shares, fold, draws).decided
    values = {"nll": float(nll(log_p, shares).mean()), "worse": worse.value, "low": worse.low}
    values |= {"high": worse.high, "accuracy": right.value, "ece": ece.value, "ece_high": ece.high}
    return {"labels": name} | {key: round(float(value or 0), 4) for key, value in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=snapshots.DATA)
    parser.add_argument("--out", type=Path, default=HERE / "labels.csv")
    given = parser.parse_args()
    pairs = snapshots.ukpconvarg1(given.data)
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        work, found = Path(name), {}
        for label, relabel in LABELS.items():
            write(pairs, relabel, work / label)
            train(work / label, work / f"{label}-run", work / "cache", {})
            found[label] = predictions(work / f"{label}-run")
    soft_run = found["soft"]
    fold = np.unique(soft_run["prompt_id"], return_inverse=True)[1]
    shares = np.stack([soft_run[f"share_{side}"] for side in ("a", "b", "tie")], axis=1)
    log_p = {
        label: np.log(np.stack([run[f"p_{side}"] for side in ("a", "b", "tie")], axis=1))
        for label, run in found.items()
    }
    for label, run in found.items():
        assert (run["pair_id"] == soft_run["pair_id"]).all()
        rows.append(row(label, log_p[label], log_p["soft"], run["d"], shares, fold))
    for label in ("majority", "unanimous"):
        again = recalibrated(found[label], shares, fold)
        rows.append(
            row(
                f"{label}, calibrated on shares",
                again,
                log_p["soft"],
                again[:, 0] - again[:, 1],
                shares,
                fold,
            )
        )
    tables.write(given.out, rows)
    for one in rows:
        print(one)


if __name__ == "__main__":
    main()
