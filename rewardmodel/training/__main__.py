"""python -m rewardmodel.training SNAPSHOT RUN [--config FILE] [--cache DIR]"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from rewardmodel.training import config, program, stopping
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
    return program.carry_out(lambda stop: _train(given, stop), given.run)


def _train(given: argparse.Namespace, stop: stopping.Stop) -> None:
    (given.run / "failure.json").unlink(missing_ok=True)
    settings = config.from_json(given.config) if given.config else config.TrainingConfig()
    # After the quick checks: loading torch takes seconds.
    module = "finetune.run" if isinstance(settings, FinetuneConfig) else "run"
    tier = importlib.import_module(f"rewardmodel.training.{module}")
    tier.train(tier.Request(given.snapshot, given.run, settings, given.cache or given.run / "cache"), stop)


if __name__ == "__main__":
    sys.exit(main())
