"""A folder as a zip file that is sent while it is read: nothing is stored, nothing is held in memory."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

CHUNK = 1 << 20


class _Outlet(io.RawIOBase):
    """What zipfile writes, until it is taken away. Cannot be sought, so entries end with their sizes."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        content = bytes(data)  # type: ignore[call-overload]
        self._held += content
        return len(content)

    def take(self) -> bytes:
        content, self._held = bytes(self._held), bytearray()
        return content


def stream(folder: Path, name: str) -> Iterator[bytes]:
    """The folder's files under `name/`, stored, not squeezed: weights do not get smaller."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(f"{name}/{path.relative_to(folder).as_posix()}")
            with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                while chunk := source.read(CHUNK):
                    target.write(chunk)
                    yield outlet.take()
    yield outlet.take()
