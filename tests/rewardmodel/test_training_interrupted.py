"""A training run that is cut off goes on to the weights of an undisturbed one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewardmodel.training import encoder, run, stopping
from rewardmodel.training.config import TrainingConfig
from tests.rewardmodel.whole_runs import prepare, read, train

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _restore_sigterm() -> Any:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.slow
def test_stopped_while_embedding_it_goes_on_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "TEXTS_PER_BATCH", 16)
    snapshot, settings = prepare(tmp_path)
    config = TrainingConfig(encoder=str(tmp_path / "encoder"), bootstrap=200)
    assert train(snapshot, tmp_path / "whole" / "run", settings) == 0
    stop = stopping.Stop()
    add = encoder.EmbeddingCache.add

    def add_then_stop(self: encoder.EmbeddingCache, vectors: dict[bytes, np.ndarray]) -> None:
        add(self, vectors)
        stop.asked = True

    monkeypatch.setattr(encoder.EmbeddingCache, "add", add_then_stop)
    request = run.Request(snapshot, tmp_path / "run", config, tmp_path / "cache")
    with pytest.raises(stopping.StoppedError):
        run.train(request, stop)
    assert len(list((tmp_path / "cache").rglob("*.safetensors"))) == 1
    monkeypatch.setattr(encoder.EmbeddingCache, "add", add)
    run.train(request, stopping.Stop())
    whole, resumed = (p / "run/ensemble/heads.safetensors" for p in (tmp_path / "whole", tmp_path))
    assert whole.read_bytes() == resumed.read_bytes()


def start(snapshot: Path, out: Path, settings: Path) -> "subprocess.Popen[bytes]":
    arguments = [str(snapshot), str(out), "--config", str(settings), "--cache", str(out.parent / "cache")]
    return subprocess.Popen(
        [sys.executable, "-m", "rewardmodel.training", *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def written(out: Path) -> int:
    """When the progress file was last replaced; 0 before there is one."""
    path = out / "progress.json"
    return path.stat().st_mtime_ns if path.exists() else 0


def wait_for_step(process: "subprocess.Popen[bytes]", out: Path, step: int, since: int) -> int:
    """Poll until the checkpointed training is past `step` in a file newer than `since`; the step seen."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert process.poll() is None, "the run ended before it could be interrupted"
        seen = read(out / "progress.json") if written(out) > since else {"phase": "", "done": 0}
        if seen["phase"] == "training" and seen["done"] >= step:
            return int(seen["done"])
        time.sleep(0.01)
    raise AssertionError("training did not begin in two minutes")


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, how: signal.Signals
) -> None:
    shape = {"prompts": 20, "responses": 8, "hidden": 16, "leave_one_out": 5, "folds": 3}
    shape |= {"probe_responses": 0, "curve_heads": 0}  # they come after all that is cut off here
    snapshot, settings = prepare(tmp_path, **shape, max_steps=300, patience=300, checkpoint_every=3)
    assert start(snapshot, tmp_path / "whole" / "run", settings).wait(300) == 0
    out = tmp_path / "cut" / "run"
    for step in (8, 60):
        since = written(out)  # the second process is to be met at work, not the file of the first
        process = start(snapshot, out, settings)
        seen = wait_for_step(process, out, step, since)
        process.send_signal(how)
        assert process.wait(60) == (-signal.SIGKILL if how == signal.SIGKILL else 143)
        assert seen < 300
        assert not (out / "metrics.json").exists()
        assert not (out / "failure.json").exists()
    assert start(snapshot, out, settings).wait(300) == 0
    whole = tmp_path / "whole" / "run"
    for name in ("ensemble/heads.safetensors", "ensemble/ensemble.json", "predictions.parquet"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert len(read(out / "progress.json")["curve"]) == 200  # of 300, the last
    assert not list(out.rglob("*.part")) or how == signal.SIGKILL
