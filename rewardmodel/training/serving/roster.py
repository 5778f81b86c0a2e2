"""Which ensembles are served, and under which project's name; replaced while requests go on.

A roster file is JSON: {"garden": {"run": 3, "ensemble": "/data/runs/garden/0003/ensemble"}}. Whoever knows
which ensemble is active writes it; a thread here looks at it and loads what is new before it takes the place
of what was, so no request is lost. Nothing is loaded before the first request for it.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardmodel.training.failure import explain
from rewardmodel.training.scoring.conversation import Exchange
from rewardmodel.training.scoring.scorer import Scored, Scorer
from rewardmodel.training.serving.batching import Batcher

LOOK_SECONDS = 0.5
LONGEST_PAUSE = 60.0  # seconds; what could not be loaded is tried again after 1, 2, 4, …


@dataclass(frozen=True)
class Listing:
    """An ensemble to serve."""

    ensemble: Path
    project: str | None = None
    run: int | None = None


Load = Callable[[Listing], Scorer]


class Served:
    """The ensemble of one project, with its queue. Safe from any thread."""

    def __init__(self, listing: Listing, load: Load, batcher: Callable[..., Batcher] = Batcher) -> None:
        self.listing, self._load = listing, load
        self.scorer: Scorer | None = None
        self._loading = threading.Lock()
        self.batcher = batcher(self._score)

    def load(self) -> Scorer:
        """Raises TrainingError when the ensemble cannot be read; the next request tries again."""
        with self._loading:
            if self.scorer is None:
                self.scorer = self._load(self.listing)
            return self.scorer

    def replace(self, listing: Listing) -> None:
        """Serve another ensemble. The old one answers until the new one is loaded; what is being scored ends
        with the one it began with."""
        fresh = self._load(listing) if self.scorer is not None else None
        with self._loading:
            self.listing, self.scorer = listing, fresh

    def _score(self, exchanges: Sequence[Exchange]) -> Scored:
        return (self.scorer or self.load()).score(exchanges)


@dataclass(frozen=True)
class _Failed:
    """What could not be loaded, from when it is tried again, and how long that was put off."""

    listing: Listing
    again: float
    pause: float


class Roster:
    """Every project that is served, by name; None names the only one where projects have no names."""

    def __init__(
        self,
        load: Load,
        batcher: Callable[..., Batcher] = Batcher,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._batcher, self._clock = load, batcher, clock
        self._served: dict[str | None, Served] = {}
        self._failed: dict[str | None, _Failed] = {}
        self._stop = threading.Event()

    def find(self, project: str | None) -> Served | None:
        """The project's ensemble; without a project the only one there is."""
        served = self._served
        if project is None and len(served) == 1:
            return next(iter(served.values()))
        return served.get(project)

    def names(self) -> list[str | None]:
        return list(self._served)

    def update(self, listings: dict[str | None, Listing]) -> None:
        """Serve exactly these. What cannot be loaded is said on standard error and stays as it was."""
        for name, listing in listings.items():
            mine = self._served.get(name)
            if mine is None:
                self._served = self._served | {name: Served(listing, self._load, self._batcher)}
            elif mine.listing != listing:
                self._replace(mine, name, listing)
        gone = [served for name, served in self._served.items() if name not in listings]
        self._served = {name: served for name, served in self._served.items() if name in listings}
        for served in gone:
            served.batcher.close()

    def _replace(self, mine: Served, name: str | None, listing: Listing) -> None:
        before = self._failed.get(name)
        if before is not None and before.listing == listing and self._clock() < before.again:
            return
        try:
            mine.replace(listing)
        except Exception as error:  # whatever it is, the thread that follows must live
            pause = min(2 * before.pause, LONGEST_PAUSE) if before and before.listing == listing else 1.0
            self._failed[name] = _Failed(listing, self._clock() + pause, pause)
            reason = explain(error).reason
            sys.stderr.write(f"{name}: run {listing.run} cannot be served: {reason}\n")
        else:
            self._failed.pop(name, None)

    def follow(self, path: Path) -> None:
        """Read the roster file now, and again whenever it changes, from a thread."""
        self.update(read(path))
        threading.Thread(target=self._watch, args=(path,), name="roster", daemon=True).start()

    def close(self) -> None:
        self._stop.set()
        for served in self._served.values():
            served.batcher.close()

    def _watch(self, path: Path) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.update(read(path))
            except (OSError, ValueError, KeyError, TypeError) as error:  # half a moment without the file
                sys.stderr.write(f"{path} cannot be read ({error}): what was served goes on\n")

    def about(self) -> dict[str, Any]:
        """For GET /health."""
        return {
            name or "": {
                "run": served.listing.run,
                "loaded": served.scorer is not None,
                "sha256": served.scorer.identity.sha256 if served.scorer else None,
                "waiting": served.batcher.waiting,
            }
            for name, served in self._served.items()
        }


def read(path: Path) -> dict[str | None, Listing]:
    """Raises OSError, ValueError, KeyError or TypeError when it is no roster file."""
    entries = json.loads(path.read_text(encoding="utf-8"))
    return {name: Listing(Path(entry["ensemble"]), name, entry["run"]) for name, entry in entries.items()}
