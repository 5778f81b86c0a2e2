"""Stands in for `python -m rewardmodel.training.handover`: same command line, same files, told what to do by
RUN/play.json."""

import json
import sys
from pathlib import Path

INTERVAL = {"value": 0.7, "low": 0.6, "high": 0.8, "n": 120}


def main(arguments: list[str]) -> int:
    run, out = Path(arguments[0]), Path(arguments[1])
    status = Path(arguments[arguments.index("--status") + 1])
    act = json.loads((run / "play.json").read_text())
    if act == "refuse":
        (status / "failure.json").write_text(json.dumps({"reason": "The encoder is gone. Bring it back."}))
        return 1
    if act == "crash":
        sys.stderr.write("Traceback: the wheels came off\n")
        return 7
    (out / "model").mkdir(parents=True)
    (out / "model" / "w").write_bytes(b"w" * 3_000_000)
    about = {"kind": "distilled", "held_out": {"accuracy_student": INTERVAL, "accuracy_length": INTERVAL}}
    (out / "handover.json").write_text(json.dumps(about))
    (out / "manifest.json").write_text("{}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
