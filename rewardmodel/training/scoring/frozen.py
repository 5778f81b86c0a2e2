"""Members of an ensemble that are heads on one frozen encoder (`laurel-ensemble/1` and `/2`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rewardmodel.training import ensemble as ensembles
from rewardmodel.training import features
from rewardmodel.training.data import Responses
from rewardmodel.training.scoring.conversation import Exchange
from rewardmodel.training.scoring.embedder import Embedder
from rewardmodel.training.scoring.scorer import RawScores


class FrozenMembers:
    """The ensemble and the vectors it has met, in memory."""

    def __init__(self, folder: Path, cache: Path | None, device: str, keep: int) -> None:
        self.ensemble = ensembles.load_frozen(folder)
        encoder = ensembles.encoder_of(self.ensemble)
        self.embedder = Embedder(encoder, cache=cache, device=device, keep=keep)

    def __call__(self, exchanges: Sequence[Exchange]) -> RawScores:
        raw = features.of_responses(self.embedder, _responses(exchanges))
        found = ensembles.score_raw(self.ensemble, raw)
        return RawScores(found.rewards, found.criteria, found.distance, found.flagged)

    def forget(self) -> None:
        self.embedder.forget()


def _responses(exchanges: Sequence[Exchange]) -> Responses:
    """Responses with each prompt once."""
    texts = [exchange.prompt_text for exchange in exchanges]
    order = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    return Responses(
        tuple(map(str, range(len(exchanges)))),
        tuple(exchange.response for exchange in exchanges),
        tuple(map(str, order.values())),
        tuple(order),
        np.array([order[text] for text in texts], dtype=np.int64),
    )
