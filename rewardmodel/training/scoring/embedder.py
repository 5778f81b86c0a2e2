"""Vectors of texts for a process that lives long: from memory, else from disk, else from the encoder."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from rewardmodel.training import encoder as encoders
from rewardmodel.training.embedding_cache import EmbeddingCache, text_hash


class Embedder:
    """The encoder's vectors; what was used last stays in memory. For one thread at a time.

    Reads the disk cache and never writes to it: the texts of a policy in training come once and are gone.
    """

    def __init__(
        self, encoder: encoders.Encoder, *, cache: Path | None = None, device: str = "cpu", keep: int
    ) -> None:
        self.encoder, self.device, self.keep = encoder, device, keep
        self._store = EmbeddingCache(cache, encoder.revision, encoder.template) if cache else None
        self._memory: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._network: encoders.Network | None = None
        self._shard_of: dict[bytes, Path] | None = None

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """(n, d) float32. What has to be embedded is embedded in batches of similar length."""
        unique = {text_hash(text): text for text in texts}
        found = {key: vector for key in unique if (vector := self._known(key)) is not None}
        missing = sorted(unique.keys() - found.keys(), key=lambda key: (len(unique[key]), key))
        for start in range(0, len(missing), encoders.TEXTS_PER_BATCH):
            batch = missing[start : start + encoders.TEXTS_PER_BATCH]
            self._network = self._network or encoders.Network(self.encoder, self.device)
            vectors = self._network.embed([unique[key] for key in batch])
            found.update(zip(batch, vectors, strict=True))
        self._remember(found)
        return np.stack([found[text_hash(text)] for text in texts])

    def forget(self) -> None:
        """Empty the memory: the next vectors depend on nothing that came before."""
        self._memory.clear()

    def _known(self, key: bytes) -> np.ndarray | None:
        if key in self._memory:
            self._memory.move_to_end(key)
            return self._memory[key]
        if self._store is None:
            return None
        if self._shard_of is None:
            self._shard_of = _index(self._store)
        if key not in self._shard_of:
            return None
        self._remember(self._store.read(self._shard_of[key]))  # its neighbours are likely to be next
        return self._memory.get(key)

    def _remember(self, vectors: dict[bytes, np.ndarray]) -> None:
        for key, vector in vectors.items():
            self._memory[key] = vector
            self._memory.move_to_end(key)
        while len(self._memory) > self.keep:
            self._memory.popitem(last=False)


def _index(store: EmbeddingCache) -> dict[bytes, Path]:
    """Which shard holds a text; of each shard only the keys are read."""
    where: dict[bytes, Path] = {}
    for path in store.shards():
        try:
            with safe_open(path, framework="np") as shard:
                where.update((key.tobytes(), path) for key in shard.get_tensor("keys"))
        except (OSError, SafetensorError):
            continue  # `EmbeddingCache.read` deals with what is damaged
    return where
