"""A file's format, detected from its first bytes. Standard library only."""

from __future__ import annotations

import io
from typing import Literal

from migration_app.archive.files.reader import DocumentUnreadableError, decode_document
from migration_app.archive.files.rows import (
    THREAD_ID_ALIASES,
    TRANSCRIPT_ALIASES,
    TRANSCRIPT_COLUMNS,
    column_names,
)
from migration_app.archive.files.streams import ArchiveUnreadableError, ByteReader, ByteSource
from migration_app.archive.transcripts import is_transcript

HEAD_BYTES = 1 << 18

Shape = Literal["archive", "transcripts", "transcript_csv", "thread_ids", "empty"]


class Replayed:
    """A stream whose beginning was read already, complete again."""

    def __init__(self, stream: ByteReader) -> None:
        self._stream = stream
        self.head = stream.read(HEAD_BYTES)
        self._rest = self.head

    def read(self, size: int, /) -> bytes:
        """The next bytes, first those that were read before."""
        if self._rest:
            piece, self._rest = self._rest[:size], self._rest[size:]
            return piece
        return self._stream.read(size)


def file_shape(head: bytes) -> Shape:
    """Detect a file's format from its first bytes (compressed or not). Raises ArchiveUnreadableError."""
    source = ByteSource(io.BytesIO(head))
    first = source.first_byte()
    if not first:
        for fault in source.faults:
            raise ArchiveUnreadableError(fault)
        return "empty"
    line, _too_long = source.line(HEAD_BYTES * 4)
    if first in b'{["' and (first != b'"' or line.lstrip()[:2] in {b'"{', b'"['}):
        try:
            return "transcripts" if is_transcript(decode_document(line.strip())) else "archive"
        except DocumentUnreadableError:
            return "archive"
    if set(TRANSCRIPT_COLUMNS) <= set(column_names(line, TRANSCRIPT_ALIASES)[1]):
        return "transcript_csv"
    if "thread_id" in column_names(line, THREAD_ID_ALIASES)[1] or _is_one_id(line):
        return "thread_ids"
    return "archive"


def _is_one_id(line: bytes) -> bool:
    text = line.decode(errors="replace").strip().strip('"')
    return text.startswith("thread_") and not set(text) & set(' ,;\t"')
