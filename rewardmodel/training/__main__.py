"""python -m rewardmodel.training SNAPSHOT RUN [--config FILE] [--cache DIR]"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import traceback
from pathlib import Path

from rewardmodel.training import config, files, stopping
from rewardmodel.training.failure import TrainingError, explain
from rewardmodel.training.finetune.config import FinetuneConfig


def main(arguments: list[str] | None = None) -> int:
    """0 when trained; 1 with RUN/failure.json; 143 after SIGTERM; 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.training", description="Train a reward ensemble."
    )
    parser.add_argument("snapshot", type=Path, help="a snapshot folder")
    parser.add_argument("run", type=Path, help="the run folder; an unfinished one is continued")
    parser.add_argument("--config", type=Path, help="JSON with settings; the rest keep their defaults")
    parser.add_argument("--cache", type=Path, help="where embeddings are kept (default: RUN/cache)")
    given = parser.parse_args(arguments)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # 50 times faster on a busy machine; before torch
    stop = stopping.Stop()
    stop.listen()
    try:
        (given.run / "failure.json").unlink(missing_ok=True)
        settings = config.from_json(given.config) if given.config else config.TrainingConfig()
        # After the quick checks: loading torch takes seconds.
        module = "finetune.run" if isinstance(settings, FinetuneConfig) else "run"
        tier = importlib.import_module(f"rewardmodel.training.{module}")
        tier.train(
            tier.Request(given.snapshot, given.run, settings, given.cache or given.run / "cache"), stop
        )
    except stopping.StoppedError:
        return stopping.EXIT_CODE
    except Exception as error:
        if not isinstance(error, TrainingError):
            traceback.print_exc()
        failure = explain(error)
        sys.stderr.write(failure.reason + "\n")
        with contextlib.suppress(OSError):  # a full disk must not hide its own reason
            files.write_json(given.run / "failure.json", {"reason": failure.reason, "kind": failure.kind})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
