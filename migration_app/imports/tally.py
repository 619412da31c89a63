"""What one import counts, rejects and reports while it runs, written to its row as it goes."""

from __future__ import annotations

import collections
import dataclasses
import time
from collections.abc import Callable

from django.conf import settings
from django.db import transaction

from migration_app.archive.files.reader import Reject
from migration_app.archive.files.streams import REJECT_BYTES, ArchiveUnreadableError, ByteReader
from migration_app.archive.ids import storable_text
from migration_app.archive.siblings import unknown_fields
from migration_app.models import ImportReject, SourceImport
from migration_app.tasks.holding import Hold

RejectSink = Callable[[Reject], None]
Progress = Callable[[int, str], None]
"""Hears how many bytes of the file were read, or how many threads were assessed, and which of the two."""

MAX_REJECT_ROWS = 10_000
"""So many rejects are kept in the database where a reject file holds all of them. Of an upload all are kept."""

KEPT_BYTES = 64 << 20
"""Of all rejected lines together so much is kept; of those behind it their beginnings."""
_BEGINNING_BYTES = 200

_WAITING_BYTES = 4 << 20
_WAITING_REJECTS = 1_000
_FIRST_DOCUMENTS = 1000
_REPORT_SECONDS = 1.0


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


class ImportTally:
    """Counts and rejects of one import."""

    def __init__(
        self,
        hold: Hold[SourceImport],
        stream: ByteReader,
        *,
        reject_sink: RejectSink | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.hold = hold
        self.stream = CountingStream(stream)
        self.counts: collections.Counter[str] = collections.Counter()
        self.unread_columns: set[str] = set()
        """Columns of a CSV file that say something which nobody reads."""
        self.rejects = 0
        self.first_reason = ""
        self._kept = 0
        self._kept_bytes = 0
        self._waiting: list[ImportReject] = []
        self._waiting_bytes = 0
        self._reject_sink = reject_sink
        self._progress = progress
        self._reported_at = time.monotonic()

    @property
    def source_import(self) -> SourceImport:
        """The import."""
        return self.hold.row

    def document(self, count: int = 1) -> None:
        """Count documents that could be read."""
        self.counts["documents"] += count

    def reject(self, reject: Reject) -> None:
        """Keep what can't be taken. Raises ArchiveUnreadableError if nothing at all can be, or too much can't."""
        self.step()
        self.rejects += 1
        self.first_reason = self.first_reason or reject.reason
        reject = self._shortened(reject)
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
                    raw=reject.raw,
                )
            )
            if self._waiting_bytes > _WAITING_BYTES or len(self._waiting) >= _WAITING_REJECTS:
                self._rejects_write()
        if self.rejects >= _FIRST_DOCUMENTS and not self.counts["documents"]:
            self.write()
            raise ArchiveUnreadableError(
                f"The first {self.rejects:,} lines are all unreadable, so this is no archive. The first reason: "
                f"{self.first_reason}"
            )
        if self.rejects >= settings.IMPORT_MAX_REJECTS:
            self.write()
            raise ArchiveUnreadableError(
                f"{self.rejects:,} lines were rejected up to line {reject.line_number:,}, so the reading stopped "
                f"there (IMPORT_MAX_REJECTS). The first reason: {self.first_reason}"
            )

    def _shortened(self, reject: Reject) -> Reject:
        room = REJECT_BYTES if self._kept_bytes < KEPT_BYTES else _BEGINNING_BYTES
        if len(reject.raw) > room:
            reject = dataclasses.replace(reject, raw=reject.raw[:room])
        self._kept_bytes += len(reject.raw)
        return reject

    def _rejects_write(self) -> None:
        if self._waiting:
            with transaction.atomic():
                self.hold.write()
                ImportReject.objects.bulk_create(self._waiting)
        self._waiting, self._waiting_bytes = [], 0

    def step(self) -> None:
        """Report how far it is, at most once a second. Raises if the reading is to end; see ``Hold.check``."""
        self.hold.check()
        now = time.monotonic()
        if now - self._reported_at > _REPORT_SECONDS:
            self._reported_at = now
            self._report()

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(self.stream.bytes_read, "bytes")
        self.hold.report = {
            "counts": dict(self.counts),
            "reject_count": self.rejects,
            "bytes_read": self.stream.bytes_read,
            "notes": self._notes(),
        }

    def _notes(self) -> list[str]:
        if not self.unread_columns:
            return []
        names = storable_text(unknown_fields(self.unread_columns), 4000)
        return [f"Columns that the console does not know, and did not read: {names}."]

    def threads_assessed(self, done: int) -> None:
        """The same while threads are assessed."""
        self.step()
        if self._progress is not None:
            self._progress(done, "threads")

    def write(self) -> None:
        """Write counts and rejects. Raises TaskLostError if the import is not ours."""
        self._rejects_write()
        self._report()
        self.hold.write(**self.hold.report)
