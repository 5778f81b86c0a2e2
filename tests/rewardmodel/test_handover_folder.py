"""The hand-over folder: complete, checked after it was read back, whole or not there at all."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from rewardmodel.training.handover import folder, package, run
from rewardmodel.training.handover.folder import HandOverError
from rewardmodel.training.stopping import Stop, StoppedError
from tests.rewardmodel import handovers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return handovers.write_run(tmp_path_factory.mktemp("trained"))


@pytest.fixture(scope="module")
def handed(trained):
    (trained / "MODEL_CARD.md").write_text("# Card\n")
    out = trained.parent / "out"
    run.hand_over(handovers.request(trained, out), Stop())
    return out


def test_it_holds_model_ensemble_golden_scores_check_card_and_hashes(handed, trained):
    names = {path.name for path in handed.iterdir()}
    assert names == {
        "model", "ensemble", "golden_scores.jsonl", "check.py", "handover.json", "README.md", "manifest.json",
        "MODEL_CARD.md",
    }  # fmt: skip
    listed = json.loads((handed / "manifest.json").read_text())["files"]
    present = {p.relative_to(handed).as_posix() for p in handed.rglob("*") if p.is_file()}
    assert set(listed) == present - {"manifest.json"}
    settings = json.loads((handed / "model" / "config.json").read_text())
    assert settings["id2label"] == {"0": "reward"}
    assert settings["problem_type"] == "regression"
    about = json.loads((handed / "handover.json").read_text())
    assert about["held_out"]["pairs"] == 10
    for name in ("student", "ensemble", "length"):
        assert about["held_out"][f"accuracy_{name}"]["n"] > 0
    for original in (trained / "ensemble").iterdir():
        assert (handed / "ensemble" / original.name).read_bytes() == original.read_bytes()
    readme = (handed / "README.md").read_text()
    assert "On 10 held-out pairs it prefers the same response as the ensemble in " in readme
    assert f"more than {about['longest_tokens']} tokens is an error" in readme
    for word in ("TRL", "OpenRLHF", "LLaMA-Factory", "verl", "reward_model_type: api"):
        assert word in readme


def test_check_passes_and_the_ensembles_reward_stands_beside_the_score(handed):
    done = handovers.check(handed)
    assert done.returncode == 0, done.stderr
    assert "ok:" in done.stdout
    rows = handovers.golden_rows(handed)
    assert len(rows) >= 20
    assert {"messages", "text", "score", "ensemble_mean", "ensemble_std"} <= rows[0].keys()


def test_the_same_run_is_handed_over_to_the_same_weights(handed, trained, tmp_path):
    run.hand_over(handovers.request(trained, tmp_path / "again"), Stop())
    for name in ("model/model.safetensors", "golden_scores.jsonl"):
        assert (tmp_path / "again" / name).read_bytes() == (handed / name).read_bytes()


@pytest.mark.parametrize("scores_only", [False, True])
def test_tampered_weights_are_caught_by_hash_and_by_score(handed, tmp_path, scores_only):
    copy = tmp_path / "copy"
    shutil.copytree(handed, copy)
    path = copy / "model" / "model.safetensors"
    tensors = load_file(path)
    tensors["classifier.weight"] *= 1.01
    save_file(tensors, path, metadata={"format": "pt"})
    done = handovers.check(copy, *(["--scores-only"] if scores_only else []))
    assert done.returncode == 1
    assert "scores differ" in done.stderr
    assert ("model.safetensors has changed" in done.stderr) is not scores_only


def test_another_template_a_missing_file_and_a_broken_folder_are_caught(handed, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(handed, copy)
    template = copy / "model" / "chat_template.jinja"
    template.write_text("Well: " + template.read_text())
    (copy / "ensemble" / "ensemble.json").unlink()
    done = handovers.check(copy)
    assert done.returncode == 1
    assert "templated differently" in done.stderr
    assert "ensemble/ensemble.json is missing" in done.stderr
    (copy / "golden_scores.jsonl").unlink()
    assert handovers.check(copy, "--scores-only").returncode == 2


def test_a_folder_that_fails_its_own_check_is_never_there(trained, tmp_path, monkeypatch):
    real = package.golden.write

    def honest(path, model_folder, tokenizer, examples):
        real(path, model_folder, tokenizer, examples)
        path.write_text(path.read_text().replace('"score": ', '"score": 1'))

    monkeypatch.setattr(package.golden, "write", honest)
    with pytest.raises(HandOverError, match="did not pass its own check"):
        handovers.write_ready(tmp_path / "out", trained / "ensemble")
    assert list(tmp_path.iterdir()) == []


def test_stopping_leaves_nothing(trained, tmp_path):
    stop = Stop()
    stop.asked = True
    with pytest.raises(StoppedError):
        run.hand_over(handovers.request(trained, tmp_path / "out"), stop)
    assert list(tmp_path.iterdir()) == []


def test_a_kill_leaves_no_half_folder_and_the_next_attempt_sweeps_up(trained, tmp_path):
    """Killed at the moment the draft appears, which is when files are being written."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "rewardmodel.training.handover", str(trained), str(out)]
    child = subprocess.Popen([*command, "--tokens", "500"], cwd=handovers.ROOT, start_new_session=True)
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob(".out.*.part/model")) and time.monotonic() < deadline:
        assert child.poll() is None
        time.sleep(0.005)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert not out.exists()
    assert len(list(tmp_path.glob(".out.*.part"))) == 1  # the control: it did die half-way
    handovers.write_ready(out, trained / "ensemble")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert handovers.check(out).returncode == 0


def test_what_is_refused(trained, tmp_path):
    model, tokenizer = handovers.llama()
    (tmp_path / "there").mkdir()
    with pytest.raises(HandOverError, match="exists already"):
        handovers.write_ready(tmp_path / "there", trained / "ensemble")
    silent = type(tokenizer).from_pretrained(trained.parent / "encoder")
    with pytest.raises(HandOverError, match="no chat template"):
        folder.check(model, silent)
    silent.chat_template, silent.pad_token = "x", None
    with pytest.raises(HandOverError, match="no pad token"):
        folder.check(model, silent)
    wrong = handovers.request(trained, tmp_path / "out")
    snapshot = tmp_path / "snapshot"
    shutil.copytree(wrong.snapshot, snapshot)
    manifest = json.loads((snapshot / "manifest.json").read_text())
    (snapshot / "manifest.json").write_text(json.dumps(manifest | {"project": "another"}))
    with pytest.raises(HandOverError, match="not the snapshot the run was trained on"):
        run.hand_over(run.Request(trained, tmp_path / "out", snapshot, wrong.cache, wrong.effort), Stop())
    assert not (tmp_path / "out").exists()


def test_a_ready_decoder_is_handed_over_with_a_value_head(trained, tmp_path):
    out = tmp_path / "out"
    handovers.write_ready(out, trained / "ensemble")
    head = load_file(out / "model" / "value_head.safetensors")
    model, _ = handovers.llama()
    assert torch.equal(head["v_head.summary.weight"], model.score.weight)
    assert not head["v_head.summary.bias"].any()
    assert handovers.check(out).returncode == 0
    readme = (out / "README.md").read_text()
    assert "reward_model_type: full" in readme
    assert "texts of at most 64 tokens, and of a longer one Laurel reads the end" in readme
    assert "is an error" not in readme  # what an encoder does with a longer one
    assert (
        "fine-tuned model, member 0. The ensemble adds +0.250 · log(1 + characters of the response)" in readme
    )
