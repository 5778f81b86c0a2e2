"""Carry out a selection, here or, where the pool is large and a device is set, in a child process on that."""

import logging
import pickle
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from django.conf import settings

from activelearning.acquisition.on_device import FUNCTIONS, Call
from activelearning.acquisition.wording import Said, said
from rewardmodel.services.children import Child

PROGRAM = "activelearning.acquisition.on_device"
MANY = 50_000  # candidates: below that loading torch takes longer than what it saves

logger = logging.getLogger(__name__)


def select(
    what: Literal["pairs", "groups"],
    *arguments: Any,
    candidates: int,
    rng: np.random.Generator,
    **options: Any,
) -> tuple[Any, Said | None]:
    """What `select_batch` ("pairs") or `select_groups` ("groups") returns, and a note where the device that
    is set could not be used: then it is carried out here, to the same picks.

    candidates: how many pairs there are to choose from.
    """
    device, note = settings.LAUREL_SELECTION_DEVICE, None
    if device != "cpu" and candidates > MANY:
        try:
            return _in_a_child(Call(what, arguments, options, rng), device), None
        except _Unusable as error:
            note = said(
                "Chosen on the processor: {device} could not be used ({why}).", device=device, why=str(error)
            )
            logger.warning("%s", note)
    return FUNCTIONS[what](*arguments, rng=rng, **options), note


class _Unusable(RuntimeError):
    """The child did not choose; the message says why."""


def _in_a_child(call: Call, device: str) -> Any:
    """Its result; `call.rng` goes on from where the child left its copy. Raises `_Unusable`."""
    with tempfile.TemporaryDirectory(prefix="laurel-select-") as name:
        folder = Path(name)
        (folder / "call").write_bytes(pickle.dumps(call))
        log = folder / "log"
        child = Child(PROGRAM, [folder / "call", folder / "out", "--device", device], log=log)
        try:
            code = child.wait()
        finally:
            child.end()
        if code != 0:
            lines = log.read_text(errors="replace").strip().splitlines()
            raise _Unusable(lines[-1][-300:] if lines else f"exit code {code}")
        found, rng = pickle.loads((folder / "out").read_bytes())  # noqa: S301  our own child wrote it
    call.rng.bit_generator.state = rng.bit_generator.state
    return found
