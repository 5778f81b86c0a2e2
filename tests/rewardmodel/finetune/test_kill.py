"""kill -9 at any moment, also during a save: the run goes on to the very weights of an undisturbed one."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rewardmodel.training import files, stopping
from rewardmodel.training.finetune import checkpoint, loop, run
from tests.rewardmodel.finetune.tiny import prepare, read, settings

ROOT = Path(__file__).resolve().parents[3]

# Imports once, then makes a process for every run it is told to do: arguments in, its exit code out. A run
# told to die at step n is killed up to a fiftieth of a second after that step began, wherever it is then; one
# told to die in a save kills itself as it comes to make its n-th file or folder durable: before, between or
# after the renames.
NURSERY = """
import json, os, random, signal, sys, threading
import accelerate, peft, transformers.models.llama.modeling_llama
from rewardmodel.training import files
from rewardmodel.training.__main__ import main
from rewardmodel.training.finetune import loop, run
sync, advance, left = files._sync, loop.Learner.advance, {}
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def counted_sync(path):
    left["save"] -= 1
    if left["save"] == 0:
        die()
    sync(path)
def counted_advance(learner, everyone):
    left["step"] -= 1
    if left["step"] == 0:
        threading.Timer(left["seconds"], die).start()
    return advance(learner, everyone)
files._sync, loop.Learner.advance = counted_sync, counted_advance
for line in sys.stdin:
    left, arguments = json.loads(line)
    child = os.fork()
    if child == 0:
        os._exit(main(arguments))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Killed(BaseException):
    """Nothing of the program runs after it."""


@pytest.fixture(autouse=True)
def _restore_sigterm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def trained_files(folder: Path) -> dict[str, bytes]:
    """What two runs on the same votes must agree on to the last bit."""
    paths = [*(folder / "ensemble").rglob("*"), folder / "predictions.parquet"]
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}
    assert {"ensemble/member0/adapter_model.safetensors", "ensemble/ensemble.json"} <= found.keys()
    return found


def numbers(folder: Path) -> dict[str, Any]:
    return {name: value for name, value in read(folder / "metrics.json").items() if name != "seconds"}


@pytest.mark.slow
def test_cut_off_at_steps_and_in_saves_it_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot, path = prepare(tmp_path, members=1, prompts=10, epochs=3, checkpoint_every=2)
    asked = settings(path)
    run.train(run.Request(snapshot, tmp_path / "whole", asked, tmp_path), stopping.Stop())
    advance, sync, rmtree = loop.Learner.advance, files._sync, shutil.rmtree
    events = 0

    def counted(wanted: int) -> None:
        nonlocal events
        events += 1
        if events == wanted:
            raise Killed

    cuts = (3, 9, 17)
    for cut in cuts:
        events = 0
        monkeypatch.setattr(
            loop.Learner, "advance", lambda self, all_, cut=cut: (counted(cut), advance(self, all_))[1]
        )
        monkeypatch.setattr(files, "_sync", lambda entry, cut=cut: (counted(cut), sync(entry)))
        monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # a kill tidies nothing up
        with pytest.raises(Killed):
            run.train(run.Request(snapshot, tmp_path / "cut", asked, tmp_path), stopping.Stop())
        assert not (tmp_path / "cut" / "metrics.json").exists()
    monkeypatch.setattr(loop.Learner, "advance", advance)
    monkeypatch.setattr(files, "_sync", sync)
    monkeypatch.setattr(shutil, "rmtree", rmtree)
    assert list((tmp_path / "cut" / "checkpoint").glob("member0-step*"))  # there was something to go on from
    run.train(run.Request(snapshot, tmp_path / "cut", asked, tmp_path), stopping.Stop())
    assert trained_files(tmp_path / "cut") == trained_files(tmp_path / "whole")
    assert numbers(tmp_path / "cut") == numbers(tmp_path / "whole")


def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path: Path) -> None:
    import torch

    for step in (5, 10):
        checkpoint.write(tmp_path, 0, step, {"w": torch.full((3,), float(step))}, [], "this run")
    found = checkpoint.newest(tmp_path, 0, "this run")
    assert found is not None
    assert found.step == 10
    newest = tmp_path / "member0-step00000010" / "state.safetensors"
    newest.write_bytes(newest.read_bytes()[:-4] + b"\0\0\0\1")
    found = checkpoint.newest(tmp_path, 0, "this run")
    assert found is not None
    assert (found.step, found.tensors["w"].tolist()) == (5, [5.0] * 3)
    assert checkpoint.newest(tmp_path, 0, "another run") is None
    assert checkpoint.newest(tmp_path, 1, "this run") is None


class Runs:
    """Training processes of their own, without the seconds of importing torch for each."""

    def __init__(self) -> None:
        self.rng = random.Random(5)
        self.nursery = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, snapshot: Path, out: Path, path: Path, step: int = 0, save: int = 0) -> int:
        """The exit code of a run that is killed around its step-th step, at its save-th durable write, or
        not at all."""
        assert self.nursery.stdin is not None
        assert self.nursery.stdout is not None
        death = {"step": step, "save": save, "seconds": self.rng.random() / 50}
        self.nursery.stdin.write(json.dumps([death, [str(snapshot), str(out), "--config", str(path)]]) + "\n")
        self.nursery.stdin.flush()
        return int(self.nursery.stdout.readline())


@pytest.fixture
def runs() -> Iterator[Runs]:
    found = Runs()
    yield found
    found.nursery.kill()
    found.nursery.wait()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_twenty_times_it_ends_with_the_weights_of_an_undisturbed_run(
    tmp_path: Path, runs: Runs
) -> None:
    snapshot, path = prepare(tmp_path, prompts=30, epochs=20, checkpoint_every=3)
    whole, cut, other = (tmp_path / name for name in ("whole", "cut", "other"))
    assert runs.do(snapshot, whole, path) == 0
    seen = set()
    for _ in range(10):
        for death in ({"step": runs.rng.randint(1, 8)}, {"save": runs.rng.randint(1, 12)}):
            assert runs.do(snapshot, cut, path, **death) == -signal.SIGKILL
            assert not (cut / "metrics.json").exists()
            seen |= {p.name for p in (cut / "checkpoint").glob("member*")}
    assert len(seen) > 10  # it got on in between
    assert runs.do(snapshot, cut, path) == 0
    expected = trained_files(whole)
    assert trained_files(cut) == expected
    assert numbers(cut) == numbers(whole)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": 1, "epochs": 1}))
    assert runs.do(snapshot, other, path) == 0
    assert trained_files(other) != expected  # the control: this can differ
