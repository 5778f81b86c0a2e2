"""Lines of an untrusted file, plain or gzip, with bounds on line length and on expansion."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

CHUNK_BYTES = 1 << 18
EXPANSION_GRACE_BYTES = 64 << 20
"""Up to this much decompressed data no ratio is asked for: small files of one repeated line are innocent."""

GZIP_MAGIC = b"\x1f\x8b"
FOREIGN_MAGIC = (
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8"),
    (b"PK\x03\x04", "a zip archive", "unpack it, or compress the file itself with gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed", "decompress it, or use gzip"),
    (b"\xfd7zXZ\x00", "xz-compressed", "decompress it, or use gzip"),
    (b"BZh", "bzip2-compressed", "decompress it, or use gzip"),
    (b"PAR1", "a Parquet file", "convert it to JSON Lines"),
)


class UnreadableFileError(ValueError):
    """The file as a whole cannot be read on: wrong type, broken gzip or a decompression bomb."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """Stands for a line beyond the limit; its bytes were read past and dropped."""

    number_of_bytes: int


def byte_lines(
    stream: BinaryIO, *, max_line_bytes: int, max_expansion: int
) -> Iterator[tuple[int, bytes | TooLong]]:
    """Yield (line number from 1, line without its newline).

    Memory stays below twice `max_line_bytes` plus two chunks whatever the file holds. Raises
    UnreadableFileError when the file is not text, the gzip data is broken or it expands more than
    `max_expansion` times.
    """
    number, length = 1, 0
    kept: list[bytes] = []
    for chunk in _text_chunks(stream, max_expansion):
        *complete, rest = chunk.split(b"\n")
        for piece in complete:
            length += len(piece)
            if length > max_line_bytes:
                yield number, TooLong(length)
            else:
                yield number, b"".join([*kept, piece]) if kept else piece
            number, kept, length = number + 1, [], 0
        length += len(rest)
        if length > max_line_bytes:
            kept = []
        elif rest:
            kept.append(rest)
    if length:
        yield number, TooLong(length) if length > max_line_bytes else b"".join(kept)


def _text_chunks(stream: BinaryIO, max_expansion: int) -> Iterator[bytes]:
    """The file's bytes from the first after any byte-order mark, decompressed where they are gzip."""
    chunks = _with_full_head(iter(lambda: stream.read(CHUNK_BYTES), b""))
    head = next(chunks, b"")
    for magic, what, remedy in FOREIGN_MAGIC:
        if head.startswith(magic):
            raise UnreadableFileError(f"the file is {what}: {remedy}")
    if not head.startswith(GZIP_MAGIC):
        yield head.removeprefix(b"\xef\xbb\xbf")
        yield from chunks
        return
    unpacked = _with_full_head(_gunzip(head, chunks, max_expansion))
    yield next(unpacked, b"").removeprefix(b"\xef\xbb\xbf")
    yield from unpacked


def _with_full_head(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, the first chunk at least eight long if it can be: magic numbers stand whole."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= 8:
            break
    if head:
        yield head
    yield from chunks


def _gunzip(head: bytes, chunks: Iterator[bytes], max_expansion: int) -> Iterator[bytes]:
    """Decompress a gzip file of one or more members, at most CHUNK_BYTES at a time."""
    packed_bytes = unpacked_bytes = 0
    member = zlib.decompressobj(wbits=31)
    packed: bytes | None = head
    while packed is not None:
        packed_bytes += len(packed)
        while packed:
            if member.eof:
                packed = packed.lstrip(b"\0")  # padding between or after members
                if not packed:
                    break
                member = zlib.decompressobj(wbits=31)
            try:
                unpacked = member.decompress(packed, CHUNK_BYTES)
            except zlib.error as error:
                raise UnreadableFileError(
                    f"the gzip data is damaged ({error}): compress or upload the file again"
                ) from error
            packed = member.unused_data if member.eof else member.unconsumed_tail
            unpacked_bytes += len(unpacked)
            if unpacked_bytes > max(EXPANSION_GRACE_BYTES, max_expansion * packed_bytes):
                raise UnreadableFileError(
                    f"the gzip data expands more than {max_expansion} times: unpack the file first"
                )
            if unpacked:
                yield unpacked
        packed = next(chunks, None)
    if not member.eof:
        raise UnreadableFileError("the gzip data ends too early: compress or upload the file again")
