"""kill -9 at any moment, also during a save: the run goes on to the very weights of an undisturbed one."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rewardmodel.training import files, stopping
from rewardmodel.training.finetune import checkpoint, loop, run
from tests.rewardmodel.finetune.tiny import prepare, read, settings

ROOT = Path(__file__).resolve().parents[3]

# Imports once, then makes a process for every run it is told to do: arguments in, the process id and
# its exit code out. Told to die in a save, a run kills itself as it comes to make its n-th file or folder
# durable: before, between or after the renames.
NURSERY = """
import json, os, signal, sys
import accelerate, peft, transformers.models.llama.modeling_llama
from rewardmodel.training import files
from rewardmodel.training.__main__ import main
from rewardmodel.training.finetune import run
sync, left = files._sync, 0
def counted(path):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    sync(path)
files._sync = counted
for line in sys.stdin:
    left, arguments = json.loads(line)
    child = os.fork()
    if child == 0:
        os._exit(main(arguments))
    print(child, flush=True)
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
        self.nursery = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, snapshot: Path, out: Path, path: Path, die_in_save: int = 0) -> int:
        """The process id."""
        assert self.nursery.stdin is not None
        self.nursery.stdin.write(
            json.dumps([die_in_save, [str(snapshot), str(out), "--config", str(path)]]) + "\n"
        )
        self.nursery.stdin.flush()
        return self._read()

    def _read(self) -> int:
        assert self.nursery.stdout is not None
        return int(self.nursery.stdout.readline())

    wait = _read  # for its exit code


@pytest.fixture
def runs() -> Iterator[Runs]:
    found = Runs()
    yield found
    found.nursery.kill()
    found.nursery.wait()


def steps(out: Path) -> int:
    try:
        progress = json.loads((out / "progress.json").read_text())
    except FileNotFoundError:
        return 0
    return int(progress["done"]) if progress["phase"] == "training" else 0


def kill_once(runs: Runs, given: tuple[Path, Path, Path], rng: random.Random, in_save: bool) -> None:
    """Start, kill at a random moment of the training or of a save, and see that it was not done."""
    out, since = given[1], steps(given[1])
    process = runs.start(*given, rng.randint(1, 30) if in_save else 0)
    until = time.monotonic() + 120
    while not in_save and steps(out) in (0, since):
        assert time.monotonic() < until
        time.sleep(0.005)
    if not in_save:
        time.sleep(rng.random() * 0.3)
        os.kill(process, signal.SIGKILL)
    assert runs.wait() == -signal.SIGKILL
    assert not (out / "metrics.json").exists()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_twenty_times_it_ends_with_the_weights_of_an_undisturbed_run(
    tmp_path: Path, runs: Runs
) -> None:
    rng = random.Random(5)
    snapshot, path = prepare(tmp_path, prompts=30, epochs=20, checkpoint_every=3)
    runs.start(snapshot, tmp_path / "whole", path)
    assert runs.wait() == 0
    seen = set()
    for kill in range(20):
        kill_once(runs, (snapshot, tmp_path / "cut", path), rng, in_save=kill % 2 == 1)
        seen |= {p.name for p in (tmp_path / "cut" / "checkpoint").glob("member*")}
    assert len(seen) > 10  # it got on in between
    runs.start(snapshot, tmp_path / "cut", path)
    assert runs.wait() == 0
    whole = trained_files(tmp_path / "whole")
    assert trained_files(tmp_path / "cut") == whole
    assert numbers(tmp_path / "cut") == numbers(tmp_path / "whole")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"seed": 1, "epochs": 1}))
    runs.start(snapshot, tmp_path / "other", path)
    assert runs.wait() == 0
    assert trained_files(tmp_path / "other") != whole  # the control: this can differ
