"""python -m rewardmodel.training.handover RUN OUT [--snapshot DIR] [--cache DIR] [--seed N]"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rewardmodel.training import program, stopping
from rewardmodel.training.failure import ConfigError


def main(arguments: list[str] | None = None) -> int:
    """0 with the folder OUT; 1 and the reason (also in --status/failure.json); 143 after SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="python -m rewardmodel.training.handover", description="Hand a trained run over to trainers."
    )
    parser.add_argument("run", type=Path, help="a run folder")
    parser.add_argument("out", type=Path, help="the folder to make; must not exist")
    parser.add_argument("--snapshot", type=Path, help="what the run was trained on, if it has moved")
    parser.add_argument("--cache", type=Path, help="where embeddings are kept (default: RUN/cache)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tokens", type=int, help="how many to learn from, all passes together")
    parser.add_argument("--status", type=Path, help="a folder for progress.json and failure.json")
    given = parser.parse_args(arguments)
    return program.carry_out(lambda stop: _hand_over(given, stop), given.status)


def _hand_over(given: argparse.Namespace, stop: stopping.Stop) -> None:
    from rewardmodel.training.handover import distil, run  # loading torch takes seconds
    from rewardmodel.training.progress import Progress

    snapshot = given.snapshot or run.snapshot_of(given.run)
    if snapshot is None:
        raise ConfigError(f"{given.run} does not say which snapshot it was trained on: give --snapshot DIR.")
    effort = distil.Effort(seed=given.seed, **({"tokens": given.tokens} if given.tokens else {}))
    request = run.Request(given.run, given.out, snapshot, given.cache or given.run / "cache", effort)
    run.hand_over(request, stop, Progress(given.status / "progress.json") if given.status else None)


if __name__ == "__main__":
    sys.exit(main())
