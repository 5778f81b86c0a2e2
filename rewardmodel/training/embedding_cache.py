"""Embeddings on disk, so that no text goes through the encoder twice.

One folder per encoder revision and template; in it shards named by the SHA-256 of their content. A shard is
written whole under a temporary name and renamed, so two writers cannot harm each other, and one that does
not match its name is deleted and its texts are embedded again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from rewardmodel.training import files


def text_hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class EmbeddingCache:
    """The vectors of one (encoder revision, template), by text hash."""

    def __init__(self, root: Path, revision: str, template: str) -> None:
        name = hashlib.sha256(template.encode()).hexdigest()
        self.folder = root / revision[:32] / name[:16]

    def load(self) -> dict[bytes, np.ndarray]:
        """Every vector of every sound shard."""
        found: dict[bytes, np.ndarray] = {}
        for path in self.shards():
            found.update(self.read(path))
        return found

    def shards(self) -> list[Path]:
        return sorted(self.folder.glob("*.safetensors"))

    def read(self, path: Path) -> dict[bytes, np.ndarray]:
        """The vectors of one shard; none, and it is deleted, when it is not sound."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            if hashlib.sha256(content).hexdigest() == path.stem:
                shard = load_tensors(content)
                pairs = zip(shard["keys"], shard["vectors"], strict=True)
                return {key.tobytes(): vector for key, vector in pairs}
        except (SafetensorError, KeyError, ValueError):
            pass
        path.unlink(missing_ok=True)
        return {}

    def add(self, vectors: Mapping[bytes, np.ndarray]) -> None:
        """Write one shard."""
        if not vectors:
            return
        names = sorted(vectors)
        keys = np.frombuffer(b"".join(names), dtype=np.uint8).reshape(len(names), 32)
        content = save_tensors({"keys": keys, "vectors": np.stack([vectors[name] for name in names])})
        files.write_bytes(self.folder / f"{hashlib.sha256(content).hexdigest()}.safetensors", content)
