"""A file that appears whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


class FileInTheWayError(FileExistsError):
    """Where the file should go there is one already; nothing was overwritten."""


@contextmanager
def atomic_file(target: Path) -> Iterator[BinaryIO]:
    """Yield a hidden file beside `target` to fill; on success flush it to disk and give it its name.

    On any error the hidden file is removed. Raises FileInTheWayError when `target` exists, before and after.
    """
    target = target.absolute()
    _check_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(6)}.partial")
    try:
        with partial.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        _check_free(target)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_free(target: Path) -> None:
    if os.path.lexists(target):
        raise FileInTheWayError(f"{target} exists already: choose another name or remove it first")
