"""What parsing one text may cost, so that no bomb of brackets, cells or formulas holds a page up."""

from collections.abc import MutableMapping
from typing import Any, Final

STEPS_PER_CHARACTER: Final = 0.5  # prose needs 0.1 to 0.3; a bomb of brackets 2 and more
LOOK_AGAIN: Final = 0.1  # steps that one more look at a token already known is worth
SPARE_STEPS: Final = 20_000  # so that short texts may be as dense as they like


class TooComplex(Exception):
    """Parsing took more steps than honest text needs."""


def budget(text: str) -> dict[str, Any]:
    """The environment markdown-it hands to every rule.

    left      steps that may still be taken
    paid      tokens already counted
    closers   (opener, text) → from where a formula's closer was searched, and where it is
    """
    return {"left": STEPS_PER_CHARACTER * len(text) + SPARE_STEPS, "paid": 0, "closers": {}}


def spend(env: MutableMapping[str, Any], steps: float = 1) -> None:
    env["left"] -= steps
    if env["left"] < 0:
        raise TooComplex
