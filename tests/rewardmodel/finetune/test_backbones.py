"""Backbones of other kinds than Llama, and the precisions of a GPU on the processor."""

from pathlib import Path
from typing import Any

import pytest
import torch

from rewardmodel.training.failure import EnsembleError
from rewardmodel.training.finetune import backbone, members
from rewardmodel.training.finetune.config import FinetuneConfig
from tests.rewardmodel.synthetic import write_backbone

CPU = torch.device("cpu")
SEQUENCES = [[5, 6, 7, 8, 9], [9, 8, 7]]


def opt(**common: Any) -> Any:
    """It reads its rate of dropout as a number, not as a layer."""
    from transformers import OPTConfig, OPTForCausalLM

    return OPTForCausalLM(
        OPTConfig(hidden_size=32, word_embed_proj_dim=32, ffn_dim=64, dropout=0.3, **common)
    )


def falcon(**common: Any) -> Any:
    """It reads its rates from the configuration in every pass."""
    from transformers import FalconConfig, FalconForCausalLM

    rates = {"hidden_dropout": 0.3, "attention_dropout": 0.3}
    return FalconForCausalLM(FalconConfig(hidden_size=32, **rates, **common))


def gpt2(**common: Any) -> Any:
    """Its linear layers are not nn.Linear."""
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(n_embd=32, resid_pdrop=0.3, **common))


def nursery(folder: Path, kind: Any, precision: torch.dtype = torch.float32) -> members.Nursery:
    path = write_backbone(folder / "backbone")
    config = FinetuneConfig(backbone=str(path), max_length=64)
    tokens = backbone.tokenizer(backbone.locate(str(path), None), None)
    if kind is not None:
        shape = {"num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": len(tokens)}
        kind(**shape, pad_token_id=tokens.pad_token_id, eos_token_id=tokens.eos_token_id).save_pretrained(
            path
        )
    source = backbone.locate(str(path), None)
    return members.Nursery(source, config, tokens.pad_token_id, backbone.Device(CPU, precision))


def rewards(of: members.Member) -> torch.Tensor:
    return backbone.rewards(of.model, *backbone.pad(SEQUENCES, 0), of.on)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [opt, falcon, gpt2])
def test_training_draws_no_dropout_and_reaches_the_layers(tmp_path: Path, kind: Any) -> None:
    """What is encoded twice in a step has the same reward both times; a resumed run draws nothing."""
    one = nursery(tmp_path, kind).make(0, {})
    assert one.model.training
    first, second = rewards(one), rewards(one)
    assert torch.equal(first, second)
    torch.autograd.backward(first.square().sum())
    reached = [name for name, value in one.trained().items() if value.grad is not None and value.grad.any()]
    assert len([name for name in reached if "lora_B" in name]) >= 2 * 4  # of two layers


@pytest.mark.slow
def test_in_bf16_every_member_is_trained_in_float32_on_a_backbone_of_half_the_size(tmp_path: Path) -> None:
    made, exact = nursery(tmp_path, None, torch.bfloat16), nursery(tmp_path, None)
    for number in (0, 1):
        one, wanted = made.make(number, {}), exact.make(number, {})
        frozen = {
            value.dtype for value in one.model.parameters() if not value.requires_grad and value.ndim > 1
        }
        assert torch.bfloat16 in frozen
        assert {value.dtype for value in one.trained().values()} == {torch.float32}
        mine, other = rewards(one), rewards(wanted)
        assert mine.dtype == torch.float32
        torch.testing.assert_close(mine, other, atol=0.05, rtol=0.05)
        assert not torch.equal(mine, other)  # it did compute in bf16
        for found in (mine, other):
            torch.autograd.backward(found.square().sum())
        for name, value in wanted.trained().items():
            gradient = one.trained()[name].grad
            assert gradient is not None
            assert value.grad is not None
            gap = (gradient - value.grad).norm()
            assert gap <= 0.1 * value.grad.norm() + 1e-6, name


@pytest.mark.slow
def test_a_head_on_disk_that_is_not_the_trained_one_is_refused(tmp_path: Path) -> None:
    one = nursery(tmp_path, None).make(0, {})
    members.save(one, tmp_path / "member0", {})
    members._check_head(one, tmp_path / "member0")
    with torch.no_grad():
        backbone.head(one.model).modules_to_save["member0"].weight[0, 0] += 1e-6
    with pytest.raises(EnsembleError, match="not saved as it was trained"):
        members._check_head(one, tmp_path / "member0")


def test_bf16_is_chosen_where_the_gpu_computes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older GPUs only imitate it, many times slower."""
    place = torch.device("cuda")
    for able, chosen in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(
            torch.cuda,
            "is_bf16_supported",
            lambda including_emulation=True, able=able: including_emulation or able,
        )
        assert backbone.device("auto", place).precision == chosen
    assert backbone.device("bf16", place).precision == torch.bfloat16
    assert backbone.device("auto", CPU).precision == torch.float32
