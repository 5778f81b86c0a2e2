"""One fine-tuning run from snapshot folder to run folder. Killed and called again, it resumes.

RUN/ensemble/member0 … are written as each member is finished; ensemble.json comes last and makes them an
ensemble. Several processes train together (`torchrun`, `accelerate launch`); the first one writes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rewardmodel.training import card, data, files, votes
from rewardmodel.training.finetune import checkpoint, loop, members, processes
from rewardmodel.training.finetune.config import FinetuneConfig
from rewardmodel.training.finetune.finishing import describe, finish
from rewardmodel.training.finetune.preparing import Prepared, prepare
from rewardmodel.training.progress import Progress
from rewardmodel.training.run import claim
from rewardmodel.training.stopping import Stop, StoppedError


@dataclass(frozen=True)
class Request:
    snapshot: Path
    run: Path
    config: FinetuneConfig
    cache: Path  # unused: what a trained encoder gives cannot be kept


def train(request: Request, stop: Stop) -> dict[str, Any]:
    """Train, evaluate, and write the ensemble and the metrics. Returns the metrics.

    Raises TrainingError with its reason, and StoppedError after SIGTERM with everything saved.
    """
    began, everyone = time.monotonic(), processes.join()
    run = _Run(request, everyone, stop)
    run.tell("reading", 0, 1, "Reading the snapshot")
    snapshot = data.read(request.snapshot, request.config.criterion)
    if everyone.first:
        claim(request.run, request.config, snapshot, request.snapshot)
    everyone.wait()
    if (done := claim(request.run, request.config, snapshot, request.snapshot)) is not None:
        run.tell("done", 1, 1, "This run was already complete")
        return done
    run.tell("reading", 0, 1, "Checking template, head, lengths and memory")
    report = request.run / "preflight.json" if everyone.first else None
    learned = votes.read(request.snapshot, snapshot)
    prepared = prepare(snapshot, learned, request.config, everyone.place, report)
    run.train_members(prepared)
    # The others leave: evaluating may take longer than a process is waited for.
    return run.finish(prepared, began) if everyone.first else {}


class _Run:
    """What the parts of a run share: its folder, its progress, the other processes, the wish to stop."""

    def __init__(self, request: Request, everyone: processes.Processes, stop: Stop) -> None:
        self.source, self.folder, self.config = request.snapshot, request.run, request.config
        self.everyone, self.stop = everyone, stop
        self.progress = Progress(request.run / "progress.json")
        self.done, self.total = 0, 0  # steps of the members before this one, of all

    def tell(self, phase: str, done: int, total: int, message: str) -> None:
        if self.everyone.first:
            self.progress.report(phase, done, total, message)

    def train_members(self, prepared: Prepared) -> None:
        """Train every member that is not finished."""
        draws = [loop.draw(prepared.problem, self.config, number) for number in range(self.config.members)]
        self.total = sum(len(drawn.steps) for drawn in draws)
        for number, drawn in enumerate(draws):
            if (self.folder / "ensemble" / members.name(number) / members.DESCRIPTION).exists():
                self.progress.curve = describe(self.folder, number)["curve"]
            else:
                self._train(prepared, number, drawn)
            self.done += len(drawn.steps)
        prepared.nursery.close()  # what is scored next is read from the disk

    def _train(self, prepared: Prepared, number: int, drawn: loop.Draw) -> None:
        """Train one member from its newest checkpoint, and write it."""
        member = prepared.nursery.make(number, drawn.parameters)
        learner = loop.Learner(member, prepared.problem, drawn, self.config)
        saved = checkpoint.newest(self.folder / "checkpoint", number, prepared.fingerprint)
        if saved is not None:
            learner.restore(saved.tensors, saved.step)
            self.progress.curve = saved.curve
        losses: list[float] = []
        while learner.step < len(drawn.steps):
            loss = learner.advance(self.everyone)
            losses.append(loss)
            stopped = self.everyone.any(self.stop.asked)
            due = learner.step % self.config.checkpoint_every == 0 or learner.step == len(drawn.steps)
            if stopped or due:
                self._checkpoint(learner, prepared, losses)
            if stopped:
                raise StoppedError
            message = f"Member {number + 1} of {self.config.members}, step {learner.step}: {loss:.4f}"
            self.tell("training", self.done + learner.step, self.total, message)
        if self.everyone.first:
            described = {"steps": learner.step, "curve": self.progress.curve}
            members.save(member, self.folder / "ensemble" / members.name(number), described)
        self.everyone.wait()

    def _checkpoint(self, learner: loop.Learner, prepared: Prepared, losses: list[float]) -> None:
        """A point of the curve and, by the first process, a checkpoint."""
        self.progress.point(self.done + learner.step, float(np.mean(losses)), learner.validation())
        losses.clear()
        if self.everyone.first:
            checkpoint.write(
                self.folder / "checkpoint",
                learner.member.number,
                learner.step,
                learner.state(),
                self.progress.curve,
                prepared.fingerprint,
            )

    def finish(self, prepared: Prepared, began: float) -> dict[str, Any]:
        def tell(done: int, total: int) -> None:
            self.progress.report("evaluating", done, total, f"{done} of {total} responses scored")

        metrics = finish(self.source, self.folder, self.config, prepared, tell)
        metrics["seconds"] = round(time.monotonic() - began, 2)
        card.write(self.folder, self.source, self.config.as_dict(), metrics)
        files.write_json(self.folder / "metrics.json", metrics)
        checkpoint.clear(self.folder / "checkpoint")
        (self.folder / "failure.json").unlink(missing_ok=True)
        self.progress.report("done", 1, 1, "Trained")
        return metrics
