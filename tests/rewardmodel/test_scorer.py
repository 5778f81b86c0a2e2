"""Loaded once, scored many times: the same rewards as the scoring program, whatever was scored before."""

import numpy as np
import pytest

from rewardmodel.training import encoder, ensemble
from rewardmodel.training.data import Responses
from rewardmodel.training.failure import EnsembleError
from rewardmodel.training.scoring import embedder, scorer
from rewardmodel.training.scoring.conversation import (
    Exchange,
    MalformedError,
    Turn,
    read_exchange,
    read_prompt,
)
from tests.rewardmodel.bundles import HEADS, write_ensemble
from tests.rewardmodel.synthetic import write_encoder


@pytest.fixture
def folder(tmp_path):
    return write_ensemble(tmp_path / "ensemble")


def exchange(prompt, response):
    return Exchange((Turn("user", prompt),), response)


MANY = [exchange(f"the cat opens {i % 3}", f"because evidence {'stone ' * i}") for i in range(20)]


def test_the_same_rewards_as_the_scoring_program_on_the_calibrated_scale(folder, tmp_path):
    kept = ensemble.load(folder)
    texts = tuple(each.response for each in MANY)
    prompts = tuple(dict.fromkeys(each.prompt_text for each in MANY))
    which = np.array([prompts.index(each.prompt_text) for each in MANY])
    responses = Responses(tuple(map(str, range(20))), texts, prompts, prompts, which)
    raw = ensemble.score(kept, responses, tmp_path / "cache").rewards
    found = scorer.load(folder).score(MANY)
    assert found.rewards.shape == (20, HEADS)
    assert found.rewards.dtype == np.float32
    np.testing.assert_allclose(found.rewards, raw / 2.0, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.mean, (raw / 2.0).mean(axis=1), rtol=1e-4, atol=1e-5)


def test_conservative_by_hand():
    identity = scorer.Identity("x", "f", 2, 2.0, 0.0, "overall")
    members = lambda exchanges: scorer.RawScores(np.array([[2.0, 6.0]], np.float32), {})  # noqa: E731
    found = scorer.Scorer(identity, members).score([MANY[0]])  # 1 and 3 after temperature
    assert (found.mean[0], found.std[0]) == (2.0, 1.0)
    assert found.conservative(0.5)[0] == 1.5
    assert found.conservative(0)[0] == 2.0


@pytest.mark.slow
def test_order_company_and_repetition_do_not_matter(folder):
    one = scorer.load(folder)
    together = one.score(MANY).mean
    np.testing.assert_allclose(one.score(MANY[::-1]).mean, together[::-1], atol=1e-6)
    alone = np.concatenate([scorer.load(folder).score([each]).mean for each in MANY[:5]])
    np.testing.assert_allclose(alone, together[:5], atol=1e-5)
    assert one.score([]).rewards.shape[0] == 0


def test_what_was_embedded_is_not_embedded_again_while_there_is_room(folder, monkeypatch):
    seen = []
    embed = encoder.Network.embed
    monkeypatch.setattr(
        encoder.Network, "embed", lambda self, texts: seen.extend(texts) or embed(self, texts)
    )
    roomy, narrow = scorer.load(folder), scorer.load(folder, keep=3)
    for one in (roomy, narrow):
        seen.clear()
        first, again = one.score(MANY).mean, one.score(MANY).mean
        np.testing.assert_allclose(first, again, atol=1e-6)
        assert len(seen) == (23 if one is roomy else 43)  # 20 responses, 3 prompts; only 3 were kept


def test_the_cache_on_disk_is_read_and_not_written(tmp_path, monkeypatch):
    model = encoder.locate(str(write_encoder(tmp_path / "e")), None, 4)
    texts = [f"the {'cat ' * i}" for i in range(70)]
    cold = encoder.embed(model, texts[:-1], tmp_path / "cache")
    before = sorted(path.name for path in tmp_path.rglob("*.safetensors"))
    warm = embedder.Embedder(model, cache=tmp_path / "cache", keep=99)
    warm(texts[-1:])
    monkeypatch.setattr(encoder, "Network", lambda *_: pytest.fail("embedded again"))
    warm._network.embed = lambda texts: pytest.fail("embedded again")
    np.testing.assert_array_equal(warm(texts[:-1]), cold)
    assert sorted(path.name for path in tmp_path.rglob("*.safetensors")) == before


def test_a_damaged_shard_is_embedded_again(tmp_path):
    model = encoder.locate(str(write_encoder(tmp_path / "e")), None, 4)
    cold = encoder.embed(model, ["the cat"], tmp_path / "cache")
    shard = next((tmp_path / "cache").rglob("*.safetensors"))
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    np.testing.assert_array_equal(
        embedder.Embedder(model, cache=tmp_path / "cache", keep=9)(["the cat"]), cold
    )


def test_every_answer_says_which_ensemble_gave_it(folder, tmp_path):
    one = scorer.load(folder, project="garden", run=3)
    told = one.score(MANY[:1]).ensemble.as_dict()
    assert (told["project"], told["run"], told["size"], told["temperature"]) == ("garden", 3, HEADS, 2.0)
    other = write_ensemble(tmp_path / "other" / "ensemble", seed=1, encoder_folder=tmp_path / "encoder")
    assert scorer.load(other).identity.sha256 != told["sha256"]
    assert len(told["sha256"]) == 64


def test_how_far_from_the_training_responses_and_whether_too_far(folder, tmp_path):
    assert scorer.load(folder).score(MANY).distance is None
    encoder_folder = tmp_path / "encoder"
    far = scorer.load(write_ensemble(tmp_path / "far", encoder_folder=encoder_folder, threshold=0.0))
    found = far.score(MANY)
    assert found.distance.shape == (20,)
    assert (found.distance > 0).all()
    assert found.flagged.all()
    near = scorer.load(write_ensemble(tmp_path / "near", encoder_folder=encoder_folder, threshold=1e9))
    np.testing.assert_array_equal(near.score(MANY).distance, found.distance)
    assert not near.score(MANY).flagged.any()
    assert found.part(2, 5).distance.tolist() == found.distance[2:5].tolist()


def test_an_unknown_format_is_named(folder):
    path = folder / "ensemble.json"
    path.write_text(path.read_text().replace("laurel-ensemble/2", "laurel-ensemble/99"))
    with pytest.raises(EnsembleError, match="laurel-ensemble/99"):
        scorer.load(folder)
    with pytest.raises(EnsembleError, match="does not hold a readable ensemble"):
        scorer.load(folder / "nothing")


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ("text", "items[0]"),
        ({"prompt": "p"}, "items[0].response"),
        ({"prompt": 7, "response": "r"}, "items[0].prompt"),
        ({"prompt": [{"role": "user"}], "response": "r"}, "items[0].prompt[0].content"),
        ({"prompt": "p", "response": None}, "items[0].response"),
        ({"prompt": "p", "response": "r", "modle": 1}, "items[0].modle"),
    ],
)
def test_what_is_malformed_is_named(value, field):
    with pytest.raises(MalformedError) as found:
        read_exchange(value, "items[0]")
    assert found.value.field == field


def test_prompts_of_every_shape():
    turns = (Turn("system", "Be brief."), Turn("user", "Why?"))
    as_list = [{"role": turn.role, "content": turn.content} for turn in turns]
    assert read_prompt(as_list) == turns
    assert (
        read_prompt('[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]')
        == turns
    )
    assert read_prompt("[{not turns") == (Turn("user", "[{not turns"),)
    assert Exchange(turns, "").prompt_text == "Be brief.\nWhy?"
