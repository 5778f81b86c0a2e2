"""Vectors of texts by the sentence encoder. Torch runs in a child process, never in this one."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings

from rewardmodel.services.children import Child
from rewardmodel.services.scoring import ScoringFailed


class EmbeddingFailed(ScoringFailed):
    """The texts could not be embedded; the message says why."""


def embed_texts(texts: Sequence[str], *, encoder: str | None = None) -> np.ndarray:
    """Vectors (n, d) float32 in the order of the texts, from the cache where they are there.

    encoder: a folder or a Hugging Face id; None: the default one, which comes with Laurel. Raises
    `EmbeddingFailed`.
    """
    if not texts:
        raise EmbeddingFailed("There is no text to embed.")
    with tempfile.TemporaryDirectory(prefix="laurel-embed-") as name:
        folder = Path(name)
        pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), folder / "texts.parquet")
        words: list[str | Path] = [folder / "texts.parquet", folder / "out.npz"]
        words += ["--cache", settings.LAUREL_CACHE_DIR]
        words += ["--encoder", encoder] if encoder is not None else []
        child = Child("rewardmodel.training.scoring.embed", words, log=folder / "log")
        try:
            code = child.wait()
        finally:
            child.end()
        if code != 0:
            said = (folder / "log").read_text(errors="replace").strip()[-2_000:]
            raise EmbeddingFailed(f"Embedding failed: {said or f'it ended with exit code {code}'}")
        with np.load(folder / "out.npz", allow_pickle=False) as file:
            return np.asarray(file["vectors"], dtype=np.float32)
