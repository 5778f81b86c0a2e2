"""What should a linear head see? One penalised maximum-likelihood fit per fold and choice, in explored.csv.

    python -m benchmarks.reward.explore [--data DIR]

No bootstrap, no early stopping, no temperature: only the features and the weight decay differ.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks import tables
from benchmarks.reward import snapshots
from benchmarks.reward.run import strict_labels
from rewardmodel.evaluation.accuracy import decisions
from rewardmodel.likelihood import pair
from rewardmodel.training import data, encoder, features
from rewardmodel.training.config import DEFAULT_ENCODER

HERE = Path(__file__).resolve().parent
CHOICES = (
    ("log length", 1),
    ("surface", 50),
    ("embedding", 50),
    *(("surface + embedding", decay) for decay in (1, 10, 50, 200)),
    ("surface + embedding + cosine", 50),
    *(("surface + embedding + cosine + product", decay) for decay in (10, 50, 200)),
    ("surface + embedding + cosine + distance", 50),
)


@dataclass(frozen=True)
class Votes:
    """Blocks of standardised features by name, and the pairs with a fold for each."""

    blocks: dict[str, np.ndarray]
    pairs: data.Pairs
    folds: list[np.ndarray]  # one (m,) array of fold numbers for each repetition
    strict: np.ndarray  # (m,) +1, -1, or 0 where there is no released label


def prepare(folder: Path, cache: Path, strict: dict[str, int], repetitions: int) -> Votes:
    snapshot = data.read(folder, None)
    responses, pairs = snapshot.responses, snapshot.pairs
    model = encoder.locate(DEFAULT_ENCODER, None, 4)
    vectors = encoder.embed(model, [*responses.texts, *responses.prompt_texts], cache).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    e, p = vectors[: len(responses.ids)], vectors[len(responses.ids) :][responses.prompt]
    surface = np.array([features.surface(text) for text in responses.texts])
    blocks = {
        "log length": surface[:, :1],
        "surface": surface,
        "cosine": (e * p).sum(1, keepdims=True),
        "embedding": e,
        "product": e * p,
        "distance": np.abs(e - p),
    }
    prompts = len(responses.prompt_ids)
    folds = [pairs.prompt] if prompts <= 25 else []
    folds = folds or [
        np.random.default_rng(i).integers(0, 10, prompts)[pairs.prompt] for i in range(repetitions)
    ]
    label = np.array([strict.get(name, 0) for name in pairs.ids])
    return Votes({name: _scaled(block) for name, block in blocks.items()}, pairs, folds, label)


def _scaled(block: np.ndarray) -> np.ndarray:
    width = block.shape[1] if block.shape[1] > 100 else 1
    return np.asarray((block - block.mean(0)) / (block.std(0) + 1e-8) / np.sqrt(width))


def cross_fitted(votes: Votes, names: str, decay: float, fold: np.ndarray) -> tuple[np.ndarray, float]:
    """Reward differences of every pair by the model which did not see its fold, and their mean NLL."""
    x = torch.tensor(np.hstack([votes.blocks[name] for name in names.split(" + ")]), dtype=torch.float32)
    left, right = torch.from_numpy(votes.pairs.left), torch.from_numpy(votes.pairs.right)
    shares = torch.tensor(votes.pairs.shares, dtype=torch.float32)
    groups = int(fold.max()) + 1
    seen = torch.from_numpy(fold)[:, None] != torch.arange(groups)
    weight = seen * torch.tensor(votes.pairs.weight, dtype=torch.float32)[:, None]
    w = torch.zeros(x.shape[1], groups, requires_grad=True)
    tau = torch.zeros(groups, requires_grad=True)
    solver = torch.optim.LBFGS([w, tau], max_iter=300, line_search_fn="strong_wolfe", tolerance_change=1e-7)

    def closure() -> torch.Tensor:
        solver.zero_grad()
        r = x @ w
        value = (
            pair.loss(r[left] - r[right], tau, shares[:, None], weight).sum() + decay / 2 * w.square().sum()
        )
        value.backward()
        return value

    solver.step(closure)
    with torch.no_grad():
        r = x @ w
        rows, mine = torch.arange(len(left)), torch.from_numpy(fold)
        d = (r[left] - r[right])[rows, mine]
        nll = pair.negative_log_likelihood(d, tau[mine], shares).mean()
    return d.numpy(), float(nll)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=snapshots.DATA)
    parser.add_argument("--out", type=Path, default=HERE / "explored.csv")
    given = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        snapshots.write(snapshots.ukpconvarg1(given.data), work / "debates")
        snapshots.write(snapshots.pandalm(given.data), work / "pandalm")
        for source, repetitions in (("debates", 1), ("pandalm", 3)):
            votes = prepare(work / source, work / "cache", strict_labels(given.data), repetitions)
            decided = decisions(votes.pairs.shares)
            for names, decay in CHOICES:
                fits = [cross_fitted(votes, names, decay, fold) for fold in votes.folds]
                right = [float((np.sign(d) == decided)[decided != 0].mean()) for d, _ in fits]
                strict = votes.strict != 0
                d = fits[0][0]
                row = {
                    "data": source,
                    "features": names,
                    "weight_decay": decay,
                    "accuracy": round(float(np.mean(right)), 4),
                    "strict": round(float((np.sign(d) == votes.strict)[strict].mean()), 4)
                    if strict.any()
                    else "",
                    "nll": round(float(np.mean([nll for _, nll in fits])), 4),
                    "fold_seeds": len(fits),
                }
                found.append(row)
                print(row, flush=True)
    tables.write(given.out, found)


if __name__ == "__main__":
    main()
