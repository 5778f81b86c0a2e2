"""python -m activelearning.acquisition.on_device CALL OUT --device cuda

Carries out one selection with its sums on a GPU, in a process of its own: it loads torch.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from activelearning.acquisition.group_recipe import select_groups
from activelearning.acquisition.recipe import select_batch

FUNCTIONS: dict[str, Callable[..., Any]] = {"pairs": select_batch, "groups": select_groups}
NO_DEVICE = 4  # exit code; the reason stands on standard error


@dataclass(frozen=True, eq=False)
class Call:
    """`select_batch` ("pairs") or `select_groups` ("groups") with these arguments and this generator."""

    what: Literal["pairs", "groups"]
    arguments: tuple[Any, ...]
    options: Mapping[str, Any]
    rng: np.random.Generator


def main(arguments: list[str] | None = None) -> int:
    """CALL and OUT are pickles: of a `Call`, and of its result and the generator as it is afterwards.

    They are written and read by one Laurel in a folder of its own; never give it a file from elsewhere.
    """
    parser = argparse.ArgumentParser(prog="python -m activelearning.acquisition.on_device")
    parser.add_argument("call", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", required=True, help="cuda, cuda:1, …; cpu for torch without a GPU")
    given = parser.parse_args(arguments)
    from activelearning.acquisition.device import DeviceArithmetic  # torch, once the arguments are right

    try:
        arithmetic = DeviceArithmetic(given.device)
    except (RuntimeError, AssertionError) as error:  # AssertionError: torch built without CUDA
        print(str(error).strip().splitlines()[0], file=sys.stderr)  # noqa: T201  a program
        return NO_DEVICE
    call: Call = pickle.loads(given.call.read_bytes())  # noqa: S301  our own, see above
    found = FUNCTIONS[call.what](*call.arguments, **call.options, rng=call.rng, arithmetic=arithmetic)
    given.out.write_bytes(pickle.dumps((found, call.rng)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
