"""What one import counts, rejects and reports while it runs, written to its row as it goes."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable

from django.utils import timezone

from migration_app.archive.ids import storable_text
from migration_app.archive.reader import Reject
from migration_app.archive.streams import REJECT_BYTES, ArchiveUnreadableError, ByteReader
from migration_app.models import ImportReject, SourceImport

RejectSink = Callable[[Reject], None]
Progress = Callable[[int, str], None]
"""Hears how many bytes of the file were read, or how many threads were assessed, and which of the two."""

MAX_REJECT_ROWS = 10_000
"""So many rejects are kept in the database where a reject file holds all of them. Of an upload all are kept."""

_WAITING_BYTES = 4 << 20
_FIRST_DOCUMENTS = 1000
_HEARTBEAT_SECONDS = 10.0


class ImportStoppedError(Exception):
    """The row of this import is gone, or another worker has taken it over."""


class CountingStream:
    """A stream that knows how much of it was read."""

    def __init__(self, stream: ByteReader) -> None:
        self._stream = stream
        self.bytes_read = 0

    def read(self, size: int, /) -> bytes:
        """Read on."""
        piece = self._stream.read(size)
        self.bytes_read += len(piece)
        return piece


class Tally:
    """Counts and rejects of one import."""

    def __init__(
        self,
        source_import: SourceImport,
        stream: ByteReader,
        *,
        reject_sink: RejectSink | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.source_import = source_import
        self.stream = CountingStream(stream)
        self.counts: collections.Counter[str] = collections.Counter()
        self.rejects = 0
        self.first_reason = ""
        self._kept = 0
        self._waiting: list[ImportReject] = []
        self._waiting_bytes = 0
        self._reject_sink = reject_sink
        self._progress = progress
        self._last_beat = time.monotonic()

    def document(self, count: int = 1) -> None:
        """Count documents that could be read."""
        self.counts["documents"] += count

    def reject(self, reject: Reject) -> None:
        """Take note of what can't be taken. Raises ArchiveUnreadableError if nothing at all can be."""
        self.rejects += 1
        self.first_reason = self.first_reason or reject.reason
        if self._reject_sink is not None:
            self._reject_sink(reject)
        if self._reject_sink is None or self._kept < MAX_REJECT_ROWS:
            self._kept += 1
            self._waiting_bytes += len(reject.raw) + 500
            self._waiting.append(
                ImportReject(
                    source_import=self.source_import,
                    line_number=reject.line_number,
                    reason=storable_text(reject.reason, 4000),
                    raw=reject.raw[:REJECT_BYTES],
                )
            )
            if self._waiting_bytes > _WAITING_BYTES:
                self._rejects_write()
        if self.rejects >= _FIRST_DOCUMENTS and not self.counts["documents"]:
            self._rejects_write()
            raise ArchiveUnreadableError(
                f"The first {self.rejects:,} lines are all unreadable, so this is no archive. The first reason: "
                f"{self.first_reason}"
            )

    def _rejects_write(self) -> None:
        ImportReject.objects.bulk_create(self._waiting)
        self._waiting, self._waiting_bytes = [], 0

    def beat(self, *, force: bool = False) -> None:
        """Say that the import is alive and how far it is; at most every ten seconds unless forced."""
        if self._progress is not None:
            self._progress(self.stream.bytes_read, "bytes")
        if force or time.monotonic() - self._last_beat > _HEARTBEAT_SECONDS:
            self.write()

    def threads_assessed(self, done: int) -> None:
        """The same while threads are assessed."""
        if self._progress is not None:
            self._progress(done, "threads")
        self.write()

    def write(self) -> None:
        """Write counts, rejects and the sign of life. Raises ImportStoppedError if the import is not ours."""
        self._last_beat = time.monotonic()
        self._rejects_write()
        running = SourceImport.objects.filter(
            pk=self.source_import.pk,
            state=SourceImport.State.RUNNING,
            started_at=self.source_import.started_at,
        )
        changed = running.update(
            counts=dict(self.counts),
            reject_count=self.rejects,
            bytes_read=self.stream.bytes_read,
            heartbeat_at=timezone.now(),
        )
        if changed != 1:
            raise ImportStoppedError("Another worker has taken over this import, or it was deleted.")
