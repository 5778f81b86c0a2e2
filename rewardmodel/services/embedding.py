"""Vectors by the sentence encoder. Torch runs in a child process, never in this one."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings

from rewardmodel.services import scoring
from rewardmodel.services.children import Child
from rewardmodel.services.scoring import ScoringFailed

LATE = 3  # exit code of the programs, see training.scoring.time_limit


class EmbeddingFailed(ScoringFailed):
    """The texts could not be embedded; the message says why."""


class EmbeddingTakesLong(EmbeddingFailed):
    """The time given was over before all was embedded; what was embedded by then is in the cache."""


def embed_texts(
    texts: Sequence[str], *, encoder: str | None = None, seconds: float | None = None
) -> np.ndarray:
    """Vectors (n, d) float32 in the order of the texts, from the cache where they are there.

    encoder: a folder or a Hugging Face id; None: the default one, which comes with Laurel. seconds: after
    so many nothing more is embedded; None: as long as it takes. Raises `EmbeddingFailed`.
    """
    if not texts:
        raise EmbeddingFailed("There is no text to embed.")
    with tempfile.TemporaryDirectory(prefix="laurel-embed-") as name:
        folder = Path(name)
        pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), folder / "texts.parquet")
        words = ["--encoder", encoder] if encoder is not None else []
        _run("embed", [folder / "texts.parquet", folder / "out.npz", *words], folder / "log", seconds)
        with np.load(folder / "out.npz", allow_pickle=False) as file:
            return np.asarray(file["vectors"], dtype=np.float32)


def embed_responses(response_ids: Sequence[int], *, seconds: float | None = None) -> np.ndarray:
    """What a head of a first run would see of these responses: (n, f) float32, in the order of the ids.

    They are standardised over these responses; training shares their embeddings by the cache. seconds: as
    for `embed_texts`. Raises `EmbeddingFailed`, or `ScoringFailed` when an id is of no response.
    """
    if not response_ids:
        raise EmbeddingFailed("There is no response to embed.")
    with tempfile.TemporaryDirectory(prefix="laurel-embed-") as name:
        folder = Path(name)
        scoring.write_responses(list(dict.fromkeys(response_ids)), folder / "responses.parquet")
        _run("featurise", [folder / "responses.parquet", folder / "out.npz"], folder / "log", seconds)
        with np.load(folder / "out.npz", allow_pickle=False) as file:
            row_of = {int(one): row for row, one in enumerate(file["response_id"])}
            return np.asarray(file["features"][[row_of[pk] for pk in response_ids]], dtype=np.float32)


def _run(program: str, words: list[str | Path], log: Path, seconds: float | None) -> None:
    words = [*words, "--cache", settings.LAUREL_CACHE_DIR]
    words += ["--seconds", str(seconds)] if seconds is not None else []
    child = Child(f"rewardmodel.training.scoring.{program}", words, log=log)
    try:
        code = child.wait()
    finally:
        child.end()
    if code == LATE:
        raise EmbeddingTakesLong(f"Embedding takes longer than {seconds:.0f} seconds.")
    if code != 0:
        said = log.read_text(errors="replace").strip()[-2_000:]
        raise EmbeddingFailed(f"Embedding failed: {said or f'it ended with exit code {code}'}")
