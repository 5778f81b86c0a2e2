"""The hand-over folder, whole or not at all: built under another name, checked in a fresh process, renamed.

OUT/model/               a standard AutoModelForSequenceClassification folder
OUT/ensemble/            the ensemble it stands for
OUT/golden_scores.jsonl  texts and the scores that model/ gives them
OUT/check.py             compares both, with nothing but torch and transformers
OUT/handover.json        what it is, and what standing in for the ensemble cost
OUT/README.md            how TRL, OpenRLHF, LLaMA-Factory and verl load it
OUT/manifest.json        SHA-256 of every other file
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rewardmodel.training import files
from rewardmodel.training.handover import check, folder, golden, readme
from rewardmodel.training.handover.folder import HandOverError

FORMAT = "laurel-handover/1"
MARK = ".part"


@dataclass(frozen=True)
class Contents:
    """What goes into the folder; the model is on its way from memory, the rest is copied."""

    model: Any
    tokenizer: Any
    bundle: Path
    examples: Sequence[golden.Example]
    about: dict[str, Any]  # handover.json
    card: Path | None = None  # MODEL_CARD.md of the run, if it has one


def write(out: Path, contents: Contents) -> dict[str, Any]:
    """Make the folder OUT. Returns what handover.json says. Raises HandOverError, and leaves nothing."""
    if out.exists():
        raise HandOverError(f"{out} exists already: name a folder that does not.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with _draft(out) as draft:
        folder.write(draft / "model", contents.model, contents.tokenizer)
        shutil.copytree(contents.bundle, draft / "ensemble")
        golden.write(
            draft / "golden_scores.jsonl", draft / "model", contents.tokenizer, list(contents.examples)
        )
        shutil.copyfile(check.__file__, draft / "check.py")
        if contents.card is not None and contents.card.is_file():
            shutil.copyfile(contents.card, draft / "MODEL_CARD.md")
        about = {"format": FORMAT, **contents.about}
        files.write_json(draft / "handover.json", about)
        files.write_bytes(draft / "README.md", readme.text(about, contents.model).encode())
        files.write_json(draft / "manifest.json", {"format": FORMAT, "files": _listed(draft)})
        _checked(draft)
        draft.replace(out)
    return about


@contextlib.contextmanager
def _draft(out: Path) -> Iterator[Path]:
    """A folder beside OUT that is gone afterwards, as are those which a killed hand-over left behind."""
    for left in out.parent.glob(f".{out.name}.*{MARK}"):
        shutil.rmtree(left, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=MARK))
    draft.chmod(0o755)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _listed(draft: Path) -> dict[str, dict[str, Any]]:
    """Every file with its size and SHA-256, each forced to the disk before the folder gets its name."""
    found = {}
    for path in sorted(path for path in draft.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        name = path.relative_to(draft).as_posix()
        found[name] = {"sha256": files.sha256(path), "bytes": path.stat().st_size}
    return found


def _checked(draft: Path) -> None:
    """Run the folder's own check.py in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-I", str(draft / "check.py")], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise HandOverError(
            f"The folder did not pass its own check after it was read back: {done.stderr.strip()[-800:]} "
            "Nothing was handed over."
        )
