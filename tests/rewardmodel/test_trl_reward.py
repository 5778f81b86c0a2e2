"""The reward function TRL calls: in this process or from the server, texts or conversations; a real step."""

import numpy as np
import pytest
import torch

from rewardmodel.training.failure import EnsembleError, RewardServerError
from rewardmodel.training.scoring import scorer, trl_reward
from rewardmodel.training.scoring.conversation import Exchange, Turn
from rewardmodel.training.scoring.trl_reward import reward_function
from rewardmodel.training.serving import roster, server
from tests.rewardmodel.bundles import write_ensemble
from tests.rewardmodel.serving import serving

PLAIN = (["the cat", "the river"], ["because evidence", "lol whatever"])
TURNS = (
    [[{"role": "user", "content": text}] for text in PLAIN[0]],
    [[{"role": "assistant", "content": text}] for text in PLAIN[1]],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_ensemble(tmp_path_factory.mktemp("bundle") / "ensemble")


@pytest.fixture(scope="module")
def truth(folder):
    exchanges = [Exchange((Turn("user", p),), r) for p, r in zip(*PLAIN, strict=True)]
    return scorer.load(folder).score(exchanges).conservative(0.5)


def test_in_this_process(folder, truth):
    reward = reward_function(folder, penalty=0.5)
    for prompts, completions in (PLAIN, TURNS):
        found = reward(prompts=prompts, completions=completions, completion_ids=[[1], [2]], answer=["x", "y"])
        assert all(isinstance(value, float) for value in found)
        np.testing.assert_allclose(found, truth, atol=1e-6)


@pytest.mark.slow
def test_from_the_server(folder, truth, monkeypatch):
    served = roster.Roster(lambda listing: scorer.load(listing.ensemble))
    served.update({None: roster.Listing(folder)})
    with serving(served, server.Options(token="t")) as port:
        address = f"http://127.0.0.1:{port}"
        reward = reward_function(address, penalty=0.5, token="t")
        for prompts, completions in (PLAIN, TURNS):
            np.testing.assert_allclose(reward(prompts, completions), truth, atol=1e-6)
        with pytest.raises(RewardServerError, match="token"):
            reward_function(address, token="wrong")(*PLAIN)
    monkeypatch.setattr(trl_reward, "TRIES", 1)
    with pytest.raises(RewardServerError, match="serve-rewards"):
        reward(*PLAIN)


def test_a_folder_without_an_ensemble_is_said_at_once(tmp_path):
    with pytest.raises(EnsembleError):
        reward_function(tmp_path)


@pytest.mark.slow
def test_grpo_takes_a_step_with_it(folder, tmp_path):
    from datasets import Dataset
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
    from trl import GRPOConfig, GRPOTrainer

    tokenizer = AutoTokenizer.from_pretrained(folder.parent / "encoder")
    tokenizer.eos_token = "[SEP]"
    torch.manual_seed(0)
    policy = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1,
            num_attention_heads=2, max_position_embeddings=64, pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.cls_token_id, eos_token_id=tokenizer.sep_token_id,
        )
    )  # fmt: skip
    before = policy.lm_head.weight.detach().clone()
    seen = []
    reward = reward_function(folder)

    def counted(prompts, completions, **columns):
        seen.append(reward(prompts, completions, **columns))
        return seen[-1]

    arguments = GRPOConfig(
        output_dir=str(tmp_path), max_steps=1, per_device_train_batch_size=4, num_generations=4,
        max_completion_length=6, learning_rate=0.1, use_cpu=True, bf16=False, report_to=[],
        save_strategy="no", beta=0.0,
    )  # fmt: skip
    rows = Dataset.from_list([{"prompt": "the cat opens"}, {"prompt": "the river walks"}])
    trainer = GRPOTrainer(
        model=policy, reward_funcs=counted, args=arguments, train_dataset=rows, processing_class=tokenizer
    )
    trainer.train()
    assert [len(values) for values in seen] == [4]
    logged = [entry["reward"] for entry in trainer.state.log_history if "reward" in entry]
    assert logged[0] == pytest.approx(np.mean(seen[0]), abs=1e-4)
    assert len(set(seen[0])) == 1 or not torch.equal(policy.lm_head.weight, before)
