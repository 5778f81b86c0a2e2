"""A small trained ensemble to score with: written directly, in milliseconds, without a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rewardmodel.evaluation.out_of_distribution import Reference
from rewardmodel.training import encoder, ensemble, features, heads
from tests.rewardmodel.synthetic import write_encoder

HEADS = 4


def write_ensemble(
    folder: Path,
    *,
    seed: int = 0,
    temperature: float = 2.0,
    encoder_folder: Path | None = None,
    threshold: float | None = None,
) -> Path:
    """An ensemble of random linear heads on a tiny random encoder, which is written beside it.

    threshold: where "out of distribution" begins; None: the ensemble cannot tell, as older ones.
    """
    where = encoder_folder or write_encoder(folder.parent / "encoder")
    model = encoder.locate(str(where), None, 4)
    width = len(features.SURFACE) + 1 + 2 * 16
    rng = np.random.default_rng(seed)
    ensemble.save(
        folder,
        ensemble.Ensemble(
            parameters=heads.initialise(HEADS, width, 0, rng),
            standardisation=features.Standardisation(rng.normal(size=width), np.ones(width)),
            encoder=str(where),
            encoder_revision=model.revision,
            encoder_commit=None,
            windows=4,
            temperature=temperature,
            tau=-0.5,
            criterion="overall",
            snapshot_sha256="0" * 64,
            reference=None
            if threshold is None
            else Reference(np.zeros(32, np.float32), np.eye(32, dtype=np.float32), threshold),
        ),
    )
    return folder
