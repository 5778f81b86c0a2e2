"""A trained ensemble on disk: heads.safetensors (weights, standardisation), ood.safetensors (what is too far
from the training responses; older ensembles have none) and ensemble.json (the rest).

Format 2 holds the heads of each criterion, if there are several, beside those of the overall; format 1 knew
one criterion only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from rewardmodel.evaluation.out_of_distribution import Reference
from rewardmodel.training import encoder as encoders
from rewardmodel.training import features, files, heads
from rewardmodel.training.data import Responses
from rewardmodel.training.failure import EnsembleError
from rewardmodel.training.finetune import bundle
from rewardmodel.training.finetune.bundle import Finetuned
from rewardmodel.training.overall import Criterion

FORMAT, FORMER_FORMAT = "laurel-ensemble/2", "laurel-ensemble/1"
FORMER_LIMIT = 8.0  # of ensembles which do not say theirs
OOD = "ood.safetensors"


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
    reference: Reference | None = None  # None: of a version that did not keep one
    several: tuple[
        Criterion, ...
    ] = ()  # what the overall is made of (training.overall), where there are several

    @property
    def size(self) -> int:
        return int(self.parameters["tau"].shape[0])

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """At least one."""
        alone = Criterion(self.criterion, 1.0, self.parameters, self.temperature, self.tau)
        return self.several or (alone,)


@dataclass(frozen=True)
class Scores:
    """Rows in the order of the responses.

    The rewards of each criterion are on the scale of the overall: its temperature is that of all, while each
    has a tie parameter of its own (`Ensemble.criteria`).
    """

    rewards: np.ndarray  # (n, K) float32, before temperature
    features: np.ndarray  # (n, f) float32, standardised; hidden states of a fine-tuned ensemble
    criteria: Mapping[str, np.ndarray]  # each (n, K) float32, before temperature
    distance: np.ndarray | None = None  # (n,) from the training responses, about 1 for a usual one
    flagged: np.ndarray | None = None  # (n,) bool: out of distribution


def save(folder: Path, ensemble: Ensemble) -> None:
    """Write the files; ensemble.json last, with the hashes of those it belongs to."""
    tensors = {f"heads.{name}": value.contiguous() for name, value in ensemble.parameters.items()}
    for i, one in enumerate(ensemble.several):
        tensors |= {f"criteria.{i}.{name}": value.clone() for name, value in one.parameters.items()}
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
        "features": {
            "surface": list(features.SURFACE),
            "width": len(ensemble.standardisation.mean),
            "limit": ensemble.standardisation.limit,
        },
        "temperature": ensemble.temperature,
        "tau": ensemble.tau,
        "criterion": ensemble.criterion,
        "criteria": [
            {"name": one.name, "weight": one.weight, "temperature": one.temperature, "tau": one.tau}
            for one in ensemble.several
        ],
        "snapshot_sha256": ensemble.snapshot_sha256,
    }
    if ensemble.reference is not None:
        ensemble.reference.save(folder / OOD)
        description["ood_sha256"] = files.sha256(folder / OOD)
    files.write_json(folder / "ensemble.json", description)


def load(folder: Path) -> Ensemble | Finetuned:
    """Read and check an ensemble folder. Raises EnsembleError naming what is wrong."""
    try:
        description = json.loads((folder / "ensemble.json").read_text(encoding="utf-8"))
        if description["format"] == bundle.FORMAT:
            return bundle.load(folder)
        content = (folder / "heads.safetensors").read_bytes()
        if description["format"] not in (FORMAT, FORMER_FORMAT):
            raise EnsembleError(
                f"{folder} has the format {description['format']!r}; this version reads {FORMAT} and "
                f"{FORMER_FORMAT}."
            )
        if files.sha256(folder / "heads.safetensors") != description["heads_sha256"]:
            raise EnsembleError(
                f"heads.safetensors in {folder} is not the file ensemble.json was written for."
            )
        if description["features"]["surface"] != list(features.SURFACE):
            raise EnsembleError(f"{folder} was trained on other surface features. Train a new ensemble.")
        tensors = load_tensors(content)
        return Ensemble(
            _under("heads.", tensors),
            features.Standardisation(
                tensors["features.mean"].numpy(),
                tensors["features.scale"].numpy(),
                float(description["features"].get("limit", FORMER_LIMIT)),
            ),
            description["encoder"]["name"],
            description["encoder"]["revision"],
            description["encoder"]["commit"],
            int(description["encoder"]["windows"]),
            float(description["temperature"]),
            float(description["tau"]),
            description["criterion"],
            description["snapshot_sha256"],
            _reference(folder, description.get("ood_sha256")),
            _criteria(description, tensors),
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise EnsembleError(
            f"{folder} does not hold a readable ensemble ({type(error).__name__}: {error})."
        ) from None


def load_frozen(folder: Path) -> Ensemble:
    """As `load`, for what needs heads on a frozen encoder. Raises EnsembleError for a fine-tuned ensemble."""
    found = load(folder)
    if isinstance(found, Finetuned):
        raise EnsembleError(f"{folder} is fine-tuned: this works with heads on a frozen encoder only.")
    return found


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> heads.Parameters:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _criteria(description: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> tuple[Criterion, ...]:
    return tuple(
        Criterion(
            one["name"],
            float(one["weight"]),
            _under(f"criteria.{i}.", tensors),
            float(one["temperature"]),
            float(one["tau"]),
        )
        for i, one in enumerate(description.get("criteria", ()))
    )


def _reference(folder: Path, expected: str | None) -> Reference | None:
    if expected is None:
        return None
    if files.sha256(folder / OOD) != expected:
        raise EnsembleError(f"{OOD} in {folder} is not the file ensemble.json was written for.")
    return Reference.load(folder / OOD)


def rewards_of(ensemble: Ensemble, standardised: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Standardised features (n, f) -> the rewards of the overall, (n, K), and of each criterion, as `Scores`
    has them."""
    inputs = torch.from_numpy(standardised)
    with torch.inference_mode():
        whole = heads.rewards(ensemble.parameters, inputs).numpy()
        if not ensemble.several:
            return whole, {ensemble.criterion: whole}
        return whole, {
            one.name: heads.rewards(one.parameters, inputs).numpy()
            * np.float32(ensemble.temperature / one.temperature)
            for one in ensemble.several
        }


def encoder_of(ensemble: Ensemble) -> encoders.Encoder:
    """The encoder it was trained on. Raises EnsembleError when that has changed."""
    encoder = encoders.locate(ensemble.encoder, ensemble.encoder_commit, ensemble.windows)
    if encoder.revision != ensemble.encoder_revision:
        raise EnsembleError(
            f"The encoder {ensemble.encoder} here has the revision {encoder.revision[:12]}, the ensemble was "
            f"trained on "
            f"{ensemble.encoder_revision[:12]}. Train again, or bring that encoder back."
        )
    return encoder


def score(
    ensemble: Ensemble | Finetuned,
    responses: Responses,
    cache: Path,
    *,
    report: encoders.Report = lambda done, total: None,
) -> Scores:
    """Rewards of every response under every head; embeds what the cache does not hold."""
    if isinstance(ensemble, Finetuned):
        found = bundle.score(ensemble, responses, report=report)
        named = {ensemble.criterion: found.rewards}
        return Scores(found.rewards, found.hidden, named, found.distance, found.flagged)
    embed = partial(encoders.embed, encoder_of(ensemble), cache=cache, report=report)
    return score_raw(ensemble, features.of_responses(embed, responses))


def score_raw(ensemble: Ensemble, raw: np.ndarray) -> Scores:
    """raw: (n, f) of `features.of_responses`."""
    standardised = ensemble.standardisation.apply(raw)
    rewards, criteria = rewards_of(ensemble, standardised)
    if ensemble.reference is None:
        return Scores(rewards, standardised, criteria)
    distance = ensemble.reference.distance(standardised[:, features.embedding_columns(standardised.shape[1])])
    return Scores(rewards, standardised, criteria, distance, ensemble.reference.flag(distance))
