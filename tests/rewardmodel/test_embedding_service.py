"""Texts become vectors in a child process: the default encoder's, in their order, from the cache."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rewardmodel.services import embedding, scoring
from rewardmodel.training import encoder
from rewardmodel.training.config import DEFAULT_ENCODER
from rewardmodel.training.scoring import embed
from tests.rewardmodel.synthetic import write_encoder

TEXTS = ["the cat", "because the paper walks", "", "the cat", "river " * 40]


def test_the_program_writes_the_encoders_vectors(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder")
    pq.write_table(pa.table({"text": TEXTS}), tmp_path / "in.parquet")
    words = [str(tmp_path / "in.parquet"), str(tmp_path / "out.npz"), "--encoder", str(folder)]
    assert embed.main(words) == 0
    expected = encoder.embed(encoder.locate(str(folder), None, 4), TEXTS, tmp_path / "other")
    with np.load(tmp_path / "out.npz") as file:
        np.testing.assert_allclose(file["vectors"], expected, atol=1e-6)


@pytest.mark.parametrize(("rows", "says"), [({"words": ["a"]}, "column text"), ({"text": []}, "one or more")])
def test_a_file_without_texts_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: dict[str, list[str]], says: str
) -> None:
    pq.write_table(pa.table(rows), tmp_path / "in.parquet")
    assert embed.main([str(tmp_path / "in.parquet"), str(tmp_path / "out.npz")]) == 1
    assert says in capsys.readouterr().err


@pytest.mark.slow
def test_texts_are_embedded_by_the_default_encoder_in_a_child(tmp_path: Path, settings: Any) -> None:
    settings.LAUREL_CACHE_DIR = tmp_path / "cache"
    vectors = embedding.embed_texts(["A cat sat on the mat.", "A feline rested on a rug.", "Tax law."])
    assert vectors.shape == (3, 384)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.2
    located = encoder.locate(DEFAULT_ENCODER, None, 4)
    assert list((tmp_path / "cache" / located.revision[:32]).rglob("*.safetensors"))
    with pytest.raises(scoring.ScoringFailed, match="not a folder here"):
        embedding.embed_texts(["a"], encoder=str(tmp_path / "missing"))


def test_nothing_to_embed_is_said() -> None:
    with pytest.raises(embedding.EmbeddingFailed):
        embedding.embed_texts([])
