"""From a file's bytes to UTF-8 bytes in pieces: gzip and UTF-16 are decoded, in constant memory.

A file that ends too early (a gzip file cut off in the middle) yields what could be read, and a fault. A file that
unpacks to far more than its size ends the reading. Standard library only.
"""

from __future__ import annotations

import codecs
import contextlib
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

CHUNK_BYTES = 1 << 18
REJECT_BYTES = 65_536
"""Bytes kept of each reject."""
UNPACK_RATIO = 200
"""Most that a gzip file may grow when unpacked: archives grow ten or thirty times, a bomb a thousand times."""
_UNPACKED_FREELY = 16 << 20
_BLANK = b" \t\r\n\x1e\0"
_FOREIGN = (
    (b"PK\x03\x04", "a ZIP file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\x00", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"SQLite format 3", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF"),
)


class ArchiveUnreadableError(Exception):
    """The file as a whole can't be read; the text says what to do."""


def too_long_reason(what: str, limit: int) -> str:
    """Why a line or an object was not read."""
    return f"The {what} is longer than {limit:,} bytes: write it as several, for instance one object a line."


Watch = Callable[[], None]
"""Called for each piece of a file, also if it yields nothing; may raise to end the reading."""


def nobody_watches() -> None:
    """Continue reading."""


class ByteReader(Protocol):
    """A stream: the next bytes, at most as many as requested, none at the end."""

    def read(self, size: int, /) -> bytes:
        """Read."""


class ByteSource:
    """The decoded bytes of a file, taken by line or by chunk, with room to put back what was read too far.

    ``faults`` collects errors of the layers below; check it after everything was read.
    """

    def __init__(self, stream: ByteReader, watch: Watch = nobody_watches) -> None:
        self.faults: list[str] = []
        self.line_number = 1  # of the next byte, from 1
        self._chunks = _watched(_utf8(_inflated(_chunks(stream), self.faults), self.faults), watch)
        self._kept = b""
        self._at = 0

    def chunk(self) -> bytes:
        """The next piece, empty at the end. The caller then counts lines itself."""
        if self._at < len(self._kept):
            piece, self._kept, self._at = self._kept[self._at :], b"", 0
            return piece
        return next(self._chunks, b"")

    def put_back(self, piece: bytes) -> None:
        """Hand back bytes, to be read next."""
        self._kept, self._at = piece + self._kept[self._at :], 0

    def first_byte(self) -> bytes:
        """The next byte that is no white space, left in place; empty at the end."""
        while True:
            piece = self.chunk()
            if not piece:
                return b""
            rest = piece.lstrip(_BLANK)
            self.line_number += piece[: len(piece) - len(rest)].count(b"\n")
            if rest and codecs.BOM_UTF8.startswith(rest[:3]):  # perhaps where another file was appended
                while len(rest) < len(codecs.BOM_UTF8) and (more := self.chunk()):
                    rest += more
                if rest.startswith(codecs.BOM_UTF8):
                    self.put_back(rest[len(codecs.BOM_UTF8) :])
                    continue
            if rest:
                self.put_back(rest)
                return rest[:1]

    def line(self, limit: int) -> tuple[bytes, bool]:
        """The next line with its line feed, empty at the end; and whether it was longer than ``limit``.

        Of a line that is too long only the beginning is returned; the rest is skipped.
        """
        parts: list[bytes] = []
        size = 0
        while True:
            if self._at >= len(self._kept):
                self._kept, self._at = next(self._chunks, b""), 0
                if not self._kept:
                    break
            end = self._kept.find(b"\n", self._at) + 1
            piece = self._kept[self._at : end or len(self._kept)]
            self._at += len(piece)
            if size <= limit:
                parts.append(piece)
            size += len(piece)
            if size > limit:
                parts = [_beginning(parts, min(limit, REJECT_BYTES))]
            if end:
                self.line_number += 1
                break
        return b"".join(parts), size > limit


def _beginning(parts: list[bytes], size: int) -> bytes:
    head = b""
    for part in parts:
        head += part[: size - len(head)]
    return head


def _chunks(stream: ByteReader) -> Iterator[bytes]:
    while piece := stream.read(CHUNK_BYTES):
        yield piece


def _watched(chunks: Iterator[bytes], watch: Watch) -> Iterator[bytes]:
    for piece in chunks:
        watch()
        yield piece


def _begun(chunks: Iterator[bytes], size: int) -> tuple[bytes, Iterable[bytes]]:
    """The first bytes, and the complete stream."""
    head = b""
    while len(head) < size:
        piece = next(chunks, b"")
        if not piece:
            break
        head += piece
    return head, itertools.chain((head,) if head else (), chunks)


def _inflated(chunks: Iterator[bytes], faults: list[str]) -> Iterator[bytes]:
    head, whole = _begun(chunks, 16)
    if not head.startswith(b"\x1f\x8b"):
        for magic, name in _FOREIGN:
            if head.startswith(magic):
                raise ArchiveUnreadableError(
                    f"This is {name}: unpack or export it first to JSON Lines, CSV or gzip of these."
                )
        yield from whole
        return
    yield from _unpacked(whole, faults)


def _unpacked(chunks: Iterable[bytes], faults: list[str]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(wbits=31)
    size = unpacked_size = 0
    for chunk in chunks:
        rest = chunk
        size += len(chunk)
        while rest:
            if inflater.eof:
                # Another gzip member may follow, or zeros that pad the last one.
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                inflater = zlib.decompressobj(wbits=31)
            before = inflater.copy()
            try:
                piece = inflater.decompress(rest, CHUNK_BYTES * 4)
            except zlib.error:
                rescued = _rescued(before, rest)
                if rescued:
                    yield rescued
                faults.append(_broken("is damaged here", unpacked_size + len(rescued)))
                return
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            unpacked_size += len(piece)
            if unpacked_size > max(_UNPACKED_FREELY, size * UNPACK_RATIO):
                raise ArchiveUnreadableError(
                    f"The gzip file unpacks to more than {UNPACK_RATIO} times its size, which no archive does, so the "
                    "reading stopped. If it is one nevertheless, unpack it and import the unpacked file."
                )
            if piece:
                yield piece
    if piece := inflater.flush():
        unpacked_size += len(piece)
        yield piece
    if not inflater.eof:
        faults.append(_broken("was cut off", unpacked_size))


def _rescued(inflater: zlib._Decompress, packed: bytes) -> bytes:
    """What can be unpacked before the damage: zlib returns nothing of a damaged piece.

    At most what was requested when the damage was found.
    """
    unpacked = bytearray()
    with contextlib.suppress(zlib.error):  # it comes: there is the damage
        for at in range(len(packed)):
            unpacked += inflater.decompress(packed[at : at + 1], CHUNK_BYTES * 4 - len(unpacked))
            if len(unpacked) >= CHUNK_BYTES * 4:
                break
    return bytes(unpacked)


def _broken(how: str, unpacked_size: int) -> str:
    """The error text for an incomplete gzip file."""
    if unpacked_size == 0:
        return f"The gzip file {how}: nothing of it could be read."
    return f"The gzip file {how}: everything before was read, the rest is missing."


def _utf8(chunks: Iterator[bytes], faults: list[str]) -> Iterator[bytes]:
    head, whole = _begun(chunks, 4)
    encoding = ""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        encoding = "utf-32"
    elif head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif len(head) >= 4 and head[1] == 0 and head[3] == 0 and head[0] != 0:
        encoding = "utf-16-le"
    elif len(head) >= 4 and head[0] == 0 and head[2] == 0 and head[1] != 0:
        encoding = "utf-16-be"
    if not encoding:
        skip = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
        for chunk in whole:
            if piece := chunk[skip:]:
                yield piece
            skip = 0
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in whole:
            if text := decoder.decode(chunk):
                yield text.encode()
        decoder.decode(b"", final=True)
    except UnicodeError:
        faults.append(
            f"The file is not valid {encoding.upper()} here: the rest was not read. Save it as UTF-8."
        )
