"""A trained ensemble on disk: heads.safetensors (weights, standardisation) and ensemble.json (the rest)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from rewardmodel.training import encoder as encoders
from rewardmodel.training import features, files, heads
from rewardmodel.training.data import Responses
from rewardmodel.training.failure import EnsembleError

FORMAT = "laurel-ensemble/1"


@dataclass(frozen=True)
class Ensemble:
    """K heads on one frozen encoder. Probabilities of a pair: pair.probabilities(d / temperature, tau),
    with d the difference of the ensemble-mean rewards."""

    parameters: heads.Parameters
    standardisation: features.Standardisation
    encoder: str
    encoder_revision: str
    encoder_commit: str | None
    windows: int
    temperature: float
    tau: float
    criterion: str
    snapshot_sha256: str

    @property
    def size(self) -> int:
        return int(self.parameters["tau"].shape[0])


@dataclass(frozen=True)
class Scores:
    """Rows in the order of the responses."""

    rewards: np.ndarray  # (n, K) float32, before temperature
    features: np.ndarray  # (n, f) float32, standardised


def save(folder: Path, ensemble: Ensemble) -> None:
    """Write both files; ensemble.json last, with the hash of the weights it belongs to."""
    tensors = {f"heads.{name}": value.contiguous() for name, value in ensemble.parameters.items()}
    tensors["features.mean"] = torch.tensor(ensemble.standardisation.mean)
    tensors["features.scale"] = torch.tensor(ensemble.standardisation.scale)
    files.write_bytes(folder / "heads.safetensors", save_tensors(tensors))
    description: dict[str, Any] = {
        "format": FORMAT,
        "heads": ensemble.size,
        "heads_sha256": files.sha256(folder / "heads.safetensors"),
        "encoder": {
            "name": ensemble.encoder,
            "revision": ensemble.encoder_revision,
            "commit": ensemble.encoder_commit,
            "windows": ensemble.windows,
        },
        "features": {"surface": list(features.SURFACE), "width": len(ensemble.standardisation.mean)},
        "temperature": ensemble.temperature,
        "tau": ensemble.tau,
        "criterion": ensemble.criterion,
        "snapshot_sha256": ensemble.snapshot_sha256,
    }
    files.write_json(folder / "ensemble.json", description)


def load(folder: Path) -> Ensemble:
    """Read and check an ensemble folder. Raises EnsembleError naming what is wrong."""
    try:
        description = json.loads((folder / "ensemble.json").read_text(encoding="utf-8"))
        content = (folder / "heads.safetensors").read_bytes()
        if description["format"] != FORMAT:
            raise EnsembleError(
                f"{folder} has the format {description['format']!r}; this version reads {FORMAT}."
            )
        if files.sha256(folder / "heads.safetensors") != description["heads_sha256"]:
            raise EnsembleError(
                f"heads.safetensors in {folder} is not the file ensemble.json was written for."
            )
        if description["features"]["surface"] != list(features.SURFACE):
            raise EnsembleError(f"{folder} was trained on other surface features. Train a new ensemble.")
        tensors = load_tensors(content)
        return Ensemble(
            {n.removeprefix("heads."): v for n, v in tensors.items() if n.startswith("heads.")},
            features.Standardisation(tensors["features.mean"].numpy(), tensors["features.scale"].numpy()),
            description["encoder"]["name"],
            description["encoder"]["revision"],
            description["encoder"]["commit"],
            int(description["encoder"]["windows"]),
            float(description["temperature"]),
            float(description["tau"]),
            description["criterion"],
            description["snapshot_sha256"],
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise EnsembleError(
            f"{folder} does not hold a readable ensemble ({type(error).__name__}: {error})."
        ) from None


def raw_features(
    encoder: encoders.Encoder, responses: Responses, cache: Path, report: encoders.Report
) -> np.ndarray:
    """Features before standardisation, (n, f) float64; embeds what the cache does not hold."""
    vectors = encoders.embed(encoder, [*responses.texts, *responses.prompt_texts], cache, report=report)
    of_responses, of_prompts = vectors[: len(responses.texts)], vectors[len(responses.texts) :]
    return features.raw(responses.texts, of_responses, of_prompts[responses.prompt])


def score(
    ensemble: Ensemble,
    responses: Responses,
    cache: Path,
    *,
    report: encoders.Report = lambda done, total: None,
) -> Scores:
    """Rewards of every response under every head. Raises EnsembleError when the encoder has changed."""
    encoder = encoders.locate(ensemble.encoder, ensemble.encoder_commit, ensemble.windows)
    if encoder.revision != ensemble.encoder_revision:
        raise EnsembleError(
            f"The encoder {ensemble.encoder} here has the revision {encoder.revision[:12]}, the ensemble was "
            f"trained on "
            f"{ensemble.encoder_revision[:12]}. Train again, or bring that encoder back."
        )
    standardised = ensemble.standardisation.apply(raw_features(encoder, responses, cache, report))
    with torch.inference_mode():
        rewards = heads.rewards(ensemble.parameters, torch.from_numpy(standardised)).numpy()
    return Scores(rewards, standardised)
