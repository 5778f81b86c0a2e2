"""On data nobody has tuned to, the model is not below the better of the baselines it prints."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rewardmodel.evaluation.calibration import log_probabilities
from rewardmodel.training import run, stopping
from rewardmodel.training.config import TrainingConfig
from tests.rewardmodel.synthetic import BAD, FILLER, GOOD, write_encoder, write_tables

pytestmark = pytest.mark.slow

Quality = Callable[[str, np.random.Generator], float]


def length(text: str, rng: np.random.Generator) -> float:
    return 1.5 * float(np.log(len(text)))


def shorter(text: str, rng: np.random.Generator) -> float:
    return -length(text, rng)


def nothing(text: str, rng: np.random.Generator) -> float:
    return 0.0


def words(text: str, rng: np.random.Generator) -> float:
    return sum(0.4 * (word in GOOD) - 0.4 * (word in BAD) for word in text.split())


def fashion(text: str, rng: np.random.Generator) -> float:
    """Another set of words is liked in every prompt: what the heads see there misleads elsewhere."""
    liked = set(rng.choice(FILLER, 5, replace=False))
    return length(text, rng) + sum(0.6 * (word in liked) - 0.3 for word in text.split() if word in FILLER)


def write_world(folder: Path, quality: Quality, prompts: int, responses: int, votes: int, seed: int) -> Path:
    """Every pair of a prompt's responses, with `votes` votes drawn from the difference in quality."""
    rng = np.random.default_rng(seed)
    written, pairs = [], []
    for prompt in range(prompts):
        name, taste = f"p{prompt:03}", int(rng.integers(1 << 30))
        texts = [
            " ".join(rng.choice(FILLER + GOOD + BAD, int(np.exp(rng.normal(3, 0.5))) + 2))
            for _ in range(responses)
        ]
        good = [quality(text, np.random.default_rng(taste)) for text in texts]
        written += [
            {"prompt_id": name, "response_id": f"{name}r{i}", "prompt": "[]", "text": text, "model": ""}
            for i, text in enumerate(texts)
        ]
        for i, j in zip(*np.triu_indices(responses, 1), strict=True):
            p = np.exp(log_probabilities(np.array([good[i] - good[j]]), 1.0, -0.7))[0]
            a, b, tie = rng.multinomial(votes, p) / votes
            pairs.append(
                {
                    "pair_id": f"{name}r{i}|{j}",
                    "prompt_id": name,
                    "response_a": f"{name}r{i}",
                    "response_b": f"{name}r{j}",
                    "criterion": "overall",
                    "p_a": a,
                    "p_tie": tie,
                    "p_b": b,
                    "votes": votes,
                    "effective_votes": float(votes),
                    "split": "test" if prompt % 10 == 0 else "calibration" if prompt % 10 == 1 else "train",
                }
            )
    return write_tables(folder, written, pairs)


@pytest.mark.parametrize("quality", [length, shorter, nothing, words, fashion])
@pytest.mark.parametrize(
    ("prompts", "responses", "votes"), [(6, 5, 3), (60, 3, 1), (30, 6, 3)], ids=["few", "thin", "some"]
)
def test_never_below_the_better_baseline(
    tmp_path: Path, quality: Quality, prompts: int, responses: int, votes: int
) -> None:
    encoder = write_encoder(tmp_path / "encoder")
    config = TrainingConfig(encoder=str(encoder), bootstrap=100)
    nll, accuracy = [], []
    for seed in range(3):
        snapshot = write_world(tmp_path / f"s{seed}", quality, prompts, responses, votes, seed)
        request = run.Request(snapshot, tmp_path / f"r{seed}", config, tmp_path / "cache")
        metrics = run.train(request, stopping.Stop())
        baselines = metrics["baselines"].values()
        nll.append(metrics["nll"] - min(one["nll"] for one in baselines))
        accuracy.append(metrics["accuracy"]["value"] - max(one["value"] for one in baselines))
    pairs, answers = prompts * responses * (responses - 1) / 2, prompts * responses
    assert np.mean(nll) < 0.4 / np.sqrt(pairs * votes)
    assert np.mean(accuracy) > -2 / np.sqrt(3 * answers)  # pairs share answers
    if quality is words and pairs > 400:
        assert np.mean(nll) < -0.02
        assert np.mean(accuracy) > 0.05
