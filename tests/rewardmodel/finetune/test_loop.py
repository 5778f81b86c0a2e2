"""One step: its gradient is that of encoding every pair by itself; checks refuse what would train badly."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rewardmodel.likelihood import pair
from rewardmodel.likelihood.objective import Pairs
from rewardmodel.training import data, votes
from rewardmodel.training.failure import BackboneError, DivergedError, PreflightError
from rewardmodel.training.finetune import backbone, loop, members, memory, preflight
from rewardmodel.training.finetune.config import FinetuneConfig
from rewardmodel.training.finetune.objective import Whole, objective
from rewardmodel.training.finetune.preparing import Prepared, prepare
from rewardmodel.training.finetune.processes import Processes
from tests.rewardmodel.finetune import tiny
from tests.rewardmodel.synthetic import write_backbone

ALONE = Processes(0, 1, torch.device("cpu"))
ROOT = Path(__file__).resolve().parents[3]


def prepared(folder: Path, **settings: Any) -> tuple[Prepared, FinetuneConfig]:
    snapshot, path = tiny.prepare(folder, **settings)
    config = tiny.settings(path)
    read = data.read(snapshot, None)
    return prepare(read, votes.read(snapshot, read), config, ALONE.place, None), config


def learner(found: Prepared, config: FinetuneConfig) -> loop.Learner:
    drawn = loop.draw(found.problem, config, 0)
    member = found.nursery.make(0, drawn.parameters | {"tau": torch.tensor([-0.5])})
    return loop.Learner(member, found.problem, drawn, config)


def gradients(found: loop.Learner) -> dict[str, Tensor]:
    return {
        name: value.grad.clone() for name, value in found.member.trained().items() if value.grad is not None
    }


def test_the_objective_by_hand() -> None:
    """Two pairs over three rewards: Davidson's likelihood weighted by votes, centring over pairs."""
    rewards, tau = torch.tensor([1.0, 0.0, -0.5]), {"tau": torch.zeros(1)}
    pairs = Pairs(
        torch.tensor([[0, 1], [1, 2]]),
        torch.tensor([0, 0]),
        torch.tensor([3.0, 1.0]),
        torch.tensor([[1.0, 0], [0, 0.5], [0, 0.5]]),
    )
    first = -np.log(np.exp(0.5) / (np.exp(0.5) + np.exp(-0.5) + 1))
    z = np.exp(0.25) + np.exp(-0.25) + 1
    second = -0.5 * np.log(np.exp(-0.25) / z) - 0.5 * np.log(1 / z)
    wanted = (3 * first + second) / 4 + 0.01 * (1.0**2 + 0.5**2) / 2
    assert float(objective(rewards, tau, (pairs,), Whole(4.0, 2), 0.01)) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.slow
def test_the_gradient_is_that_of_encoding_every_pair_by_itself(tmp_path: Path) -> None:
    """The oracle encodes both sides of each pair alone, without padding, and adds up."""
    found, config = prepared(tmp_path, clip=1e9)
    mine = learner(found, config)
    rows, problem, pairs = mine.drawn.steps[0], found.problem, mine.drawn.terms[0]
    assert isinstance(pairs, Pairs)
    loss = mine.advance(ALONE)
    other = learner(found, config)
    nll, centre = torch.zeros(()), torch.zeros(())
    for row in rows:
        a, b = (
            backbone.rewards(
                other.member.model,
                *backbone.pad([problem.sequences[side[row]]], problem.pad_id),
                other.member.on,
            )[0]
            for side in pairs.responses
        )
        tau = other.member.parameters["tau"][0]
        nll = nll + pairs.weight[row] * pair.negative_log_likelihood(a - b, tau, pairs.shares[:, row])
        centre = centre + (a + b).square()
    total = nll / float(pairs.weight[rows].sum()) + config.centring * centre / len(rows)
    torch.autograd.backward(total)
    assert loss == pytest.approx(float(total.detach()), abs=1e-5)
    wanted = gradients(other)
    for name, gradient in gradients(mine).items():
        torch.testing.assert_close(gradient, wanted[name], atol=1e-5, rtol=1e-3)


@pytest.mark.slow
def test_what_is_encoded_in_chunks_has_the_same_gradient(tmp_path: Path) -> None:
    found, config = prepared(tmp_path, responses=8, clip=1e9)
    whole, cut = learner(found, config), learner(found, replace(config, tokens_per_pass=64))
    assert whole.advance(ALONE) == pytest.approx(cut.advance(ALONE), abs=1e-5)
    wanted = gradients(whole)
    for name, gradient in gradients(cut).items():
        torch.testing.assert_close(gradient, wanted[name], atol=1e-5, rtol=1e-3)


@pytest.mark.slow
def test_each_response_of_a_step_is_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, config = prepared(tmp_path, responses=6)
    one, encoded = learner(found, config), []
    rewards = backbone.rewards
    monkeypatch.setattr(
        backbone,
        "rewards",
        lambda model, ids, mask, on: (encoded.append(len(ids)), rewards(model, ids, mask, on))[1],
    )
    rows = one.drawn.steps[0]
    one.advance(ALONE)
    assert sum(encoded) == len(found.problem.rows.among(rows))
    assert sum(encoded) < len(rows)  # TRL would encode two a pair


@pytest.mark.slow
def test_members_start_apart_and_see_other_prompts(tmp_path: Path) -> None:
    found, config = prepared(tmp_path, prompts=30)
    first, second = (found.nursery.make(number, {}) for number in (0, 1))
    draws = [loop.draw(found.problem, config, number) for number in (0, 1)]
    assert not torch.equal(draws[0].terms[0].weight, draws[1].terms[0].weight)
    trained = [set(np.concatenate(drawn.steps).tolist()) for drawn in draws]
    assert trained[0] != trained[1]
    training = {i for i, split in enumerate(found.snapshot.pairs.split) if split == "train"}
    assert len(found.problem.terms[0]) == len(training)
    for drawn in draws:
        prompts = {int(found.problem.rows.prompt[row]) for step in drawn.steps for row in step}
        assert prompts <= {int(found.snapshot.pairs.prompt[row]) for row in training}
    fresh = [
        parameter
        for name, parameter in first.model.named_parameters()
        if "score" in name and "member" in name
    ]
    assert len(fresh) == 2
    assert not torch.equal(fresh[0], fresh[1])
    assert [name for name in second.trained() if "member0" in name] == []
    heads = [name for name in second.trained() if ".score." in name]
    assert heads == ["base_model.model.score.modules_to_save.member1.weight"]  # and no adapter on any head


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_member_begins_the_same_whoever_was_made_before(tmp_path: Path, method: str) -> None:
    """A run that is resumed after its first member makes the second one first."""
    found, config = prepared(tmp_path, method=method)
    made = found.nursery
    other = members.Nursery(made.source, config, made.pad_id, made.on)
    made.make(0, {})
    after, alone = made.make(1, {}).trained(), other.make(1, {}).trained()
    assert after.keys() == alone.keys()
    for name, value in after.items():
        assert torch.equal(value, alone[name]), name


@pytest.mark.slow
def test_too_high_a_rate_is_said_to_diverge(tmp_path: Path) -> None:
    found, config = prepared(tmp_path)
    one = learner(found, config)
    with torch.no_grad():
        one.member.parameters["tau"].fill_(float("nan"))
    with pytest.raises(DivergedError, match="lower learning_rate"):
        one.advance(ALONE)


@pytest.mark.slow
def test_a_frozen_head_is_found_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As PEFT leaves it without modules_to_save; and a head whose steps do not move it."""
    found, config = prepared(tmp_path)
    one = learner(found, config)
    assert preflight._head(one)["moved"] > 0
    monkeypatch.setattr(one.optimiser, "step", lambda: None)
    with pytest.raises(PreflightError, match="does not learn"):
        preflight._head(one)
    for value in backbone.head(one.member.model).parameters():
        value.requires_grad_(False)
    with pytest.raises(PreflightError, match="frozen"):
        preflight._head(one)


@pytest.mark.slow
def test_a_backbone_that_reads_its_padding_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, config = prepared(tmp_path)
    one, pooled = learner(found, config), backbone.pooled
    monkeypatch.setattr(
        backbone, "pooled", lambda m, ids, mask, on: pooled(m, ids, torch.ones_like(mask), on)
    )
    with pytest.raises(PreflightError, match="does not mask its padding"):
        preflight._invariance(one, preflight._sample(found.problem))


def test_too_little_memory_is_said_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free", lambda on: 1_000)
    with pytest.raises(PreflightError, match="Lower tokens_per_pass"):
        prepared(tmp_path)


@pytest.mark.slow
def test_full_training_needs_sixteen_bytes_a_weight_and_lora_few(tmp_path: Path) -> None:
    found, config = prepared(tmp_path)
    full, config_full = prepared(tmp_path / "full", method="full")
    few = memory.estimate(found.nursery.make(0, {}).model, config, 1_000, found.nursery.on)
    all_ = memory.estimate(full.nursery.make(0, {}).model, config_full, 1_000, full.nursery.on)
    assert all_.parameters + all_.gradients + all_.optimizer == 4 * all_.parameters
    assert few.gradients + few.optimizer < all_.gradients + all_.optimizer
    stored = memory.estimate(
        full.nursery.make(0, {}).model,
        replace(config_full, gradient_checkpointing=False),
        1_000,
        full.nursery.on,
    )
    assert stored.activations > all_.activations


@pytest.mark.slow
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("checkpointing", [True, False])
def test_the_estimate_is_what_a_large_pass_keeps(
    tmp_path: Path, precision: torch.dtype, method: str, checkpointing: bool
) -> None:
    """Told from 128 tokens, for 16 times as many; a wide network keeps more, which no rule of thumb knows."""
    on = backbone.Device(ALONE.place, precision)
    told = {}
    for width in (64, 256):
        path = write_backbone(tmp_path / f"of{width}", num_hidden_layers=4, intermediate_size=width)
        config = FinetuneConfig(
            backbone=str(path), method=method, max_length=128, gradient_checkpointing=checkpointing
        )
        model = members.Nursery(backbone.locate(str(path), None), config, 0, on).make(0, {}).model
        found = memory.estimate(model, config, 2_048, on).activations
        kept = kept_by(model.train(), on) + (kept_by(model.eval(), on) / 4 if checkpointing else 0)
        assert found == pytest.approx(kept, rel=0.1)
        told[width] = found
    assert told[256] > 1.3 * told[64]


def kept_by(model: torch.nn.Module, on: backbone.Device) -> int:
    """Bytes that a pass over 2,048 tokens keeps, all of it counted."""
    ids = torch.randint(5, 20, (32, 64))
    mask = torch.ones_like(ids)
    mask[::2, -7:] = 0
    seen: dict[int, Tensor] = {}
    weights = {value.data_ptr() for value in model.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: seen.setdefault(tensor.untyped_storage().data_ptr(), tensor), lambda tensor: tensor
    ):
        hidden = backbone.pooled(model, ids, mask, on)
    assert hidden.requires_grad
    return sum(value.untyped_storage().nbytes() for value in seen.values() if value.data_ptr() not in weights)


def test_a_pad_token_that_is_eos_is_replaced_or_refused(tmp_path: Path) -> None:
    files = backbone.locate(str(write_backbone(tmp_path / "same", pad="<|end|>")), None)
    assert backbone.tokenizer(files, None).pad_token == "<unk>"  # the only reserved one it has
    with pytest.raises(BackboneError, match="not in the tokenizer's vocabulary"):
        backbone.tokenizer(files, "<nowhere>")


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """torchrun with two processes shares the prompts of each step and ends with the same weights."""
    from safetensors.torch import load_file

    snapshot, settings = tiny.prepare(tmp_path, prompts=20, members=1)
    heads = [[sys.executable, "-m", "rewardmodel.training"]]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    heads.append([*launcher, "-m", "rewardmodel.training"])
    for name, head in zip(("one", "two"), heads, strict=True):
        subprocess.run(
            [*head, str(snapshot), str(tmp_path / name), "--config", str(settings)],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=True,
            timeout=300,
        )
    one, two = (
        load_file(tmp_path / name / "ensemble" / "member0" / "adapter_model.safetensors")
        for name in ("one", "two")
    )
    for key, value in one.items():
        torch.testing.assert_close(value, two[key], atol=1e-4, rtol=1e-3)
    moved = [float(value.abs().max()) for key, value in one.items() if "lora_B" in key]
    assert min(moved) > 1e-3  # B begins at zero
