"""The frozen encoder and its cache, with a tiny real network."""

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from rewardmodel.training import encoder
from rewardmodel.training.embedding_cache import EmbeddingCache, text_hash
from rewardmodel.training.failure import EncoderError
from tests.rewardmodel.synthetic import write_encoder

TEXTS = ["the cat", "river " * 30 + "stone " * 30, "", "because the paper walks under evidence", "the cat"]


def tiny(folder: Path, windows: int = 4) -> encoder.Encoder:
    return encoder.locate(str(write_encoder(folder / "encoder")), None, windows)


def test_a_vector_is_the_mean_over_all_tokens_of_all_windows(tmp_path: Path) -> None:
    model = tiny(tmp_path, windows=2)
    vectors = encoder.embed(model, TEXTS, tmp_path / "cache")
    tokenizer = AutoTokenizer.from_pretrained(model.folder)
    network = AutoModel.from_pretrained(model.folder).eval()
    ids = tokenizer(TEXTS[1], add_special_tokens=False)["input_ids"]
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    with torch.inference_mode():  # 24 tokens a window, two of them special; the third window is left out
        states = [network(torch.tensor([[cls, *ids[i : i + 22], sep]])).last_hidden_state[0] for i in (0, 22)]
    np.testing.assert_allclose(vectors[1], torch.cat(states).mean(0).numpy(), atol=1e-5)
    np.testing.assert_array_equal(vectors[0], vectors[4])
    assert vectors.shape == (5, 16)
    assert np.isfinite(vectors).all()


def test_the_second_time_nothing_is_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny(tmp_path)
    first = encoder.embed(model, TEXTS, tmp_path / "cache")

    def refuse(*_: object) -> None:
        raise AssertionError("the network was loaded")

    monkeypatch.setattr(encoder, "Network", refuse)
    np.testing.assert_array_equal(encoder.embed(model, TEXTS[::-1], tmp_path / "cache"), first[::-1])


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_a_damaged_shard_is_thrown_away_and_embedded_again(tmp_path: Path, damage: str) -> None:
    model = tiny(tmp_path)
    first = encoder.embed(model, TEXTS, tmp_path / "cache")
    (shard,) = (tmp_path / "cache").rglob("*.safetensors")
    content = bytearray(shard.read_bytes())
    content[-1] ^= 0xFF
    shard.write_bytes({"flip": content, "truncate": content[:-9], "empty": b""}[damage])
    assert EmbeddingCache(tmp_path / "cache", model.revision, model.template).load() == {}
    np.testing.assert_array_equal(encoder.embed(model, TEXTS, tmp_path / "cache"), first)


def test_another_encoder_or_template_has_another_place(tmp_path: Path) -> None:
    one, more = tiny(tmp_path, windows=1), tiny(tmp_path, windows=2)
    other = encoder.locate(str(write_encoder(tmp_path / "other", seed=1)), None, 1)
    folders = {EmbeddingCache(tmp_path, e.revision, e.template).folder for e in (one, more, other)}
    assert len(folders) == 3


def _write_many(root: Path, start: int) -> None:
    cache = EmbeddingCache(root, "r", "t")
    for i in range(start, start + 40):
        cache.add({text_hash(str(j)): np.full(4, j, np.float32) for j in range(i, i + 5)})


def test_two_writers_do_not_harm_each_other(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_many, args=(tmp_path, start)) for start in (0, 20)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    found = EmbeddingCache(tmp_path, "r", "t").load()
    assert len(found) == 64
    assert all((found[text_hash(str(j))] == j).all() for j in range(64))
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.slow
def test_the_bundled_default_is_the_published_file() -> None:
    model = encoder.locate("sentence-transformers/all-MiniLM-L6-v2", None, 4)
    assert (model.folder / "model.safetensors").is_file()
    assert len(model.revision) == 64


def test_bundled_weights_which_are_not_the_published_ones_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(encoder, "BUNDLED_SHA256", "0" * 64)
    with pytest.raises(EncoderError, match="Reinstall"):
        encoder.locate("sentence-transformers/all-MiniLM-L6-v2", None, 4)


def test_weights_that_are_not_safetensors_are_refused(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match="safetensors"):
        encoder.locate(str(folder), None, 1)


def test_code_that_comes_with_a_model_is_not_run(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "encoder")
    described = json.loads((folder / "config.json").read_text())
    described |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(described))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    model = encoder.locate(str(folder), None, 1)
    with pytest.raises(EncoderError, match="its own code"):
        encoder.embed(model, ["the cat"], tmp_path / "cache")
    assert not (tmp_path / "ran").exists()
