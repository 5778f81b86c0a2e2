"""Micro-batching: what many clients ask at the same time is scored together, as one batch.

One thread takes the first waiting request, collects others for a few milliseconds or until the batch is full,
and scores them in one call, in which the encoder sorts texts by length. The queue is bounded: what does not
fit is refused at once, so that waiting never grows without end.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from rewardmodel.training.scoring.conversation import Exchange
from rewardmodel.training.scoring.scorer import Scored

BATCH = 256  # exchanges scored together at most, unless one request brings more
WAIT_SECONDS = 0.004  # how long the first of a batch waits for others
QUEUE = 4_096  # exchanges that may wait


class BusyError(RuntimeError):
    """The queue is full: come back in a moment."""


class ClosedError(RuntimeError):
    """The server is stopping and takes nothing new."""


@dataclass(frozen=True)
class _Job:
    exchanges: Sequence[Exchange]
    answer: Future[Scored] = field(default_factory=Future)


class Batcher:
    """Scores through `score`, from a thread of its own."""

    def __init__(
        self,
        score: Callable[[Sequence[Exchange]], Scored],
        *,
        batch: int = BATCH,
        wait_seconds: float = WAIT_SECONDS,
        queue: int = QUEUE,
    ) -> None:
        self._score, self._batch, self._wait, self._room = score, batch, wait_seconds, queue
        self._jobs: deque[_Job] = deque()
        self._waiting = 0  # exchanges in `_jobs`
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    def submit(self, exchanges: Sequence[Exchange]) -> Future[Scored]:
        """Raises BusyError when there is no room, ClosedError after `close`."""
        job = _Job(exchanges)
        with self._changed:
            if self._closed:
                raise ClosedError("The server is stopping.")
            if self._waiting and self._waiting + len(exchanges) > self._room:
                raise BusyError(f"{self._waiting} responses are waiting to be scored; there is no room.")
            self._jobs.append(job)
            self._waiting += len(exchanges)
            self._changed.notify_all()
        return job.answer

    @property
    def waiting(self) -> int:
        return self._waiting

    def close(self, seconds: float | None = None) -> None:
        """Take nothing new; score what waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(seconds)

    def _run(self) -> None:
        while (jobs := self._collect()) is not None:
            if not jobs:
                continue
            try:
                scored = self._score([exchange for job in jobs for exchange in job.exchanges])
            except BaseException as error:
                for job in jobs:
                    job.answer.set_exception(error)
                continue
            at = 0
            for job in jobs:
                job.answer.set_result(scored.part(at, at + len(job.exchanges)))
                at += len(job.exchanges)

    def _collect(self) -> list[_Job] | None:
        """The next batch, without those whose answer was cancelled; None when closed and nothing waits."""
        with self._changed:
            while not self._jobs and not self._closed:
                self._changed.wait()
            if not self._jobs:
                return None
            deadline = time.monotonic() + self._wait
            while self._waiting < self._batch and not self._closed:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            jobs: list[_Job] = []
            size = 0
            while self._jobs and (not size or size + len(self._jobs[0].exchanges) <= self._batch):
                job = self._jobs.popleft()
                self._waiting -= len(job.exchanges)
                if job.answer.set_running_or_notify_cancel():
                    jobs.append(job)
                    size += len(job.exchanges)
            return jobs
