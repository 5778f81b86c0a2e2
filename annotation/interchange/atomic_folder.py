"""Folders that appear whole or not at all, and the hashes of what is in them."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


class FolderInTheWayError(FileExistsError):
    """Where the folder should go there is something already; nothing was overwritten."""


@dataclass(frozen=True, slots=True)
class FileSum:
    sha256: str
    bytes: int
    rows: int

    def as_json(self) -> dict[str, str | int]:
        return asdict(self)


@contextmanager
def atomic_folder(target: Path, *, accept_empty: bool = False) -> Iterator[Path]:
    """Yield a hidden folder beside `target` to fill; on success flush it to disk and rename it to `target`.

    On any error the hidden folder is removed and `target` is untouched. Raises FolderInTheWayError when
    `target` exists (with `accept_empty`: when it is anything but an empty folder), before and after the work.
    """
    target = target.absolute()
    _check_free(target, accept_empty)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(6)}.partial")
    partial.mkdir()
    try:
        yield partial
        for path in sorted(partial.iterdir()):
            _flush(path)
        _flush(partial)
        _check_free(target, accept_empty)
        try:
            partial.rename(target)
        except OSError as error:
            raise FolderInTheWayError(
                f"{target} could not be put in place ({error.strerror}): choose a new folder"
            ) from error
        _flush(target.parent)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def file_sum(path: Path, rows: int) -> FileSum:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileSum(digest, path.stat().st_size, rows)


def _check_free(target: Path, accept_empty: bool) -> None:
    if not os.path.lexists(target):
        return
    if accept_empty and target.is_dir() and not target.is_symlink() and not any(target.iterdir()):
        return
    what = "is not empty" if accept_empty and target.is_dir() else "exists already"
    raise FolderInTheWayError(f"{target} {what}: choose another folder or remove it first")


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
