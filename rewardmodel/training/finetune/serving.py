"""Members of a fine-tuned ensemble, loaded once and asked many times (`laurel-ensemble-finetuned/1`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from rewardmodel.training.data import Responses
from rewardmodel.training.finetune import backbone, bundle
from rewardmodel.training.scoring.conversation import Exchange
from rewardmodel.training.scoring.scorer import RawScores


class FinetunedMembers:
    """The ensemble with its weights in memory."""

    def __init__(self, folder: Path, device: str) -> None:
        self.ensemble = bundle.load(folder)
        self.on = backbone.device("auto", torch.device(device))
        self.kept: bundle.Kept = {}

    def __call__(self, exchanges: Sequence[Exchange]) -> RawScores:
        found = bundle.score(self.ensemble, _responses(exchanges), on=self.on, kept=self.kept)
        named = {self.ensemble.criterion: found.rewards}
        return RawScores(found.rewards, named, found.distance, found.flagged)

    def forget(self) -> None:
        """Nothing of earlier exchanges is remembered."""


def _responses(exchanges: Sequence[Exchange]) -> Responses:
    turns = tuple(
        json.dumps([{"role": turn.role, "content": turn.content} for turn in exchange.prompt])
        for exchange in exchanges
    )
    names = tuple(map(str, range(len(exchanges))))
    return Responses(
        names,
        tuple(exchange.response for exchange in exchanges),
        names,
        tuple(exchange.prompt_text for exchange in exchanges),
        np.arange(len(exchanges)),
        turns=turns,
    )
