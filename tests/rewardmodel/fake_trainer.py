"""Stands in for `python -m rewardmodel.training` where a test is about processes and rows.

Has the same command line and writes the same files. What it does is written in SNAPSHOT/../play.json by the
test: a list with one act for each attempt (the last one repeats).
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

METRICS = {
    "accuracy": {"value": 0.71, "low": 0.62, "high": 0.8, "n": 120},
    "nll": 0.9,
    "brier": 0.2,
    "ece": 0.03,
    "baselines": {
        "length": {"value": 0.65, "low": 0.55, "high": 0.74, "n": 120},
        "majority": {"value": 0.5, "low": 0.4, "high": 0.6, "n": 120},
    },
}


def main(arguments: list[str]) -> int:
    snapshot, run = Path(arguments[0]), Path(arguments[1])
    acts = json.loads((snapshot / "play.json").read_text())
    attempts = run / "attempts"
    count = int(attempts.read_text()) if attempts.exists() else 0
    attempts.write_text(str(count + 1))
    act = acts[min(count, len(acts) - 1)]
    _write(
        run / "progress.json", {"phase": "training", "done": 3, "total": 9, "message": "Step 3", "curve": []}
    )
    if act == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "refuse":
        _write(run / "failure.json", {"reason": "There is one vote. Collect more.", "kind": "too_few"})
        return 1
    if act == "crash":
        sys.stderr.write("Traceback: the wheels came off\n")
        return 7
    if act == "hang":
        time.sleep(60)
    (run / "ensemble").mkdir(exist_ok=True)
    _write(run / "ensemble" / "ensemble.json", {})
    _write(run / "metrics.json", METRICS)
    return 0


def _write(path: Path, value: object) -> None:
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(value))
    draft.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
