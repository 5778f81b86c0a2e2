"""What a first run would see of responses, before there is one: the same embeddings, the same cache."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rewardmodel.services import embedding, scoring
from rewardmodel.services.embedding import embed_responses  # the program itself: tests go without one
from rewardmodel.training import data, encoder, features
from rewardmodel.training.config import TrainingConfig
from rewardmodel.training.scoring import embed, time_limit
from tests import factories
from tests.rewardmodel.synthetic import write_encoder


@pytest.fixture(autouse=True)
def _own_cache(settings: object, tmp_path: Path) -> None:
    settings.LAUREL_CACHE_DIR = tmp_path / "cache"


def three() -> list[int]:
    project = factories.project()
    first, second = factories.prompt(project, "Why is the sky blue?"), factories.prompt(project, "Say it.")
    made = [
        factories.response(first, "Because of Rayleigh scattering."),
        factories.response(first, "I do not know!"),
        factories.response(second, "It."),
    ]
    return [one.pk for one in made]


@pytest.mark.slow
@pytest.mark.django_db
def test_they_are_what_training_makes_of_the_same_responses(tmp_path: Path, settings: object) -> None:
    ids = three()
    found = embed_responses([ids[2], ids[0], ids[1]])
    scoring.write_responses(ids, tmp_path / "responses.parquet")
    responses = data.read_responses(tmp_path / "responses.parquet")
    config = TrainingConfig()
    located = encoder.locate(config.encoder, config.encoder_revision, config.windows)
    shards = set(settings.LAUREL_CACHE_DIR.rglob("*.safetensors"))
    raw = features.of_responses(
        lambda texts: encoder.embed(located, texts, settings.LAUREL_CACHE_DIR), responses
    )
    assert shards
    assert set(settings.LAUREL_CACHE_DIR.rglob("*.safetensors")) == shards  # nothing new
    order = [responses.ids.index(str(pk)) for pk in (ids[2], ids[0], ids[1])]
    np.testing.assert_array_equal(found, features.standardisation(raw).apply(raw)[order])
    assert found.dtype == np.float32


class Late:
    """A child whose time was over."""

    def __init__(self, _: str, words: list[object], *, log: Path) -> None:
        assert words[words.index("--seconds") + 1] == "2.0"

    def wait(self) -> int:
        return time_limit.LATE

    def end(self) -> None: ...


@pytest.mark.django_db
def test_a_child_whose_time_was_over_is_no_failure_of_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "Child", Late)
    with pytest.raises(embedding.EmbeddingTakesLong, match="longer than 2 seconds"):
        embed_responses(three(), seconds=2.0)
    with pytest.raises(embedding.EmbeddingTakesLong):
        embedding.embed_texts(["a"], seconds=2.0)


def test_what_is_embedded_in_time_is_kept_and_the_next_call_goes_on_from_there(tmp_path: Path) -> None:
    """Of three batches of texts one is embedded in no time at all."""
    folder = write_encoder(tmp_path / "encoder")
    pq.write_table(pa.table({"text": [f"river {n}" for n in range(130)]}), tmp_path / "in.parquet")
    words = [str(tmp_path / name) for name in ("in.parquet", "out.npz")]
    words += ["--encoder", str(folder), "--cache", str(tmp_path / "cache")]
    assert embed.main([*words, "--seconds", "0"]) == time_limit.LATE
    (first,) = (tmp_path / "cache").rglob("*.safetensors")
    assert not (tmp_path / "out.npz").exists()
    assert embed.main(words) == 0
    shards = list((tmp_path / "cache").rglob("*.safetensors"))
    assert first in shards
    assert len(shards) == 3
    assert embed.main([*words, "--seconds", "600"]) == 0


@pytest.mark.django_db
def test_a_response_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(scoring.ScoringFailed, match=re.escape("1 of 4 ids")):
        embed_responses([*three(), 10**9])
    with pytest.raises(embedding.EmbeddingFailed, match="no response"):
        embed_responses([])
