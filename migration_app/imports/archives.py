"""Reading an archive, or transcripts, into the console: a stream of documents, stored a buffer at a time.

Memory is bounded by the buffer. A crash in the middle loses nothing: running it again passes over what is
stored and continues.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence
from functools import partial

from django.conf import settings
from django.db import transaction

from migration_app.archive.expanded import Deletion, EmptyPage, LastPage, Refused
from migration_app.archive.expanded import SourceObject as Found
from migration_app.archive.files.reader import Document, Reject, read_documents
from migration_app.archive.files.rows import (
    TRANSCRIPT_READ,
    Row,
    Table,
    read_rows,
    row_message,
    unread_columns,
)
from migration_app.archive.files.shallow import top_level_strings
from migration_app.archive.files.shape import Replayed, file_shape
from migration_app.archive.files.streams import REJECT_BYTES, ArchiveUnreadableError, ByteReader
from migration_app.archive.identified import KINDS
from migration_app.archive.ids import MessageIds, id_fault, storable_text
from migration_app.archive.objects import is_last_page
from migration_app.archive.order.ordering import direction_evidence
from migration_app.archive.order.seen_lists import list_marks
from migration_app.archive.order.unfinished import LIST_CONTINUES
from migration_app.archive.redact import redacted_document
from migration_app.archive.transcripts import TranscriptLines, is_transcript
from migration_app.archive.versions import NestedTooDeeplyError
from migration_app.archive.whole import whole_object
from migration_app.contracts import Actor, ListingOrder
from migration_app.imports.documents import TOO_DEEP, OtherLists, document_parts, is_shallow
from migration_app.imports.news import ThreadEntry, ThreadNews
from migration_app.imports.store import newest_page_pk, registered_reason, threads_store
from migration_app.imports.talks import Talks
from migration_app.imports.tally import ImportTally, Progress, RejectSink
from migration_app.models import AuditEvent, SnapshotPage, SourceImport, Thread
from migration_app.snapshots.deletions import deletions_keep, deletions_search
from migration_app.snapshots.source_objects import (
    LooseObject,
    loose_object,
    newest_source_object_pk,
    source_objects_store,
)
from migration_app.tasks.holding import Hold
from migration_app.threads.assessments import threads_assess

K = SnapshotPage.Kind

_BUFFER_BYTES = 12 << 20  # decoded, that is about ten times as much memory
_BUFFER_DOCUMENTS = 20_000
_GROUP = 1000


def archive_import(
    *,
    hold: Hold[SourceImport],
    stream: ByteReader,
    actor: Actor,
    reject_sink: RejectSink | None = None,
    progress: Progress | None = None,
) -> None:
    """Read a file of API objects or transcripts, as JSON or CSV, and assess every thread it touched.

    Raises ArchiveUnreadableError if the file as a whole, or from some line on, can't be read: everything before is
    stored and assessed.
    """
    tally = ImportTally(hold, stream, reject_sink=reject_sink, progress=progress)
    whole = Replayed(tally.stream)
    shape = file_shape(whole.head)
    if shape == "empty":
        raise ArchiveUnreadableError("The file is empty.")
    if shape == "thread_ids":
        raise ArchiveUnreadableError(
            "This looks like a list of thread ids, not like an archive: import it with import_threads."
        )
    intake = _Intake(tally, actor)
    try:
        if shape == "transcript_csv":
            intake.rows(whole)
        else:
            intake.documents(whole)
    except ArchiveUnreadableError:
        intake.flush()
        intake.assess()
        raise
    intake.flush()
    if not any(count for name, count in tally.counts.items() if name != "documents"):
        tally.write()
        reason = f" The first reason: {tally.first_reason}" if tally.first_reason else ""
        raise ArchiveUnreadableError(f"Nothing in the file could be taken.{reason}")
    intake.assess()


def _lists_left_open(thread_pks: Sequence[int]) -> int:
    """The number of unfinished lists of these threads."""
    counts = (
        count
        for pks in _groups(thread_pks)
        for count in Thread.objects.filter(pk__in=pks).values_list(
            f"finding_counts__{LIST_CONTINUES}", flat=True
        )
    )
    return sum(count or 0 for count in counts)


def _groups(thread_pks: Sequence[int]) -> Iterator[Sequence[int]]:
    return (thread_pks[start : start + _GROUP] for start in range(0, len(thread_pks), _GROUP))


class _Intake:
    """The buffer of one import."""

    def __init__(self, tally: ImportTally, actor: Actor) -> None:
        self._touched: set[int] = set()
        self._earlier: set[int] = set()
        self._going_on: set[int] = set()
        self._pages_until = newest_page_pk()
        self._objects_until = newest_source_object_pk()
        self._tally = tally
        self._actor = actor
        self._news: dict[str, ThreadNews] = {}
        self._loose: list[LooseObject] = []
        self._size = 0
        self._buffered = 0
        self._rising = self._falling = 0
        self._csv_header = b""
        self._lines = TranscriptLines()
        self._talks = Talks()
        self._deletions: list[Deletion] = []
        self._other_lists = OtherLists()
        # The thread of an unfinished list, and its last object: an empty page right after it is its end.
        self._before: tuple[str, Found | EmptyPage] | None = None

    def documents(self, stream: ByteReader) -> None:
        """Read JSON documents."""
        limit = settings.IMPORT_MAX_DOCUMENT_MB << 20
        self._tally.counts.update(skipped=0, deletions=0)
        for document in read_documents(stream, max_document_bytes=limit, watch=self._tally.step):
            if isinstance(document, Reject):
                self._unread(document)
            else:
                self._guarded(document)
            self._flush_if_full()

    def rows(self, stream: ByteReader) -> None:
        """Read a CSV of transcripts. Rows without message ids are counted, to tell repetitions apart."""
        ids = MessageIds()
        for row in read_rows(stream, watch=self._tally.step):
            if isinstance(row, Table):
                self._csv_header = row.header if row.header.endswith(b"\n") else row.header + b"\n"
            elif isinstance(row, Reject):
                self._unread(row)
            else:
                self._row(row, ids)
            self._flush_if_full()

    def flush(self) -> None:
        """Store what the buffer holds."""
        hold = self._tally.hold
        if self._deletions:
            with transaction.atomic():
                hold.write(unassessed=True)
                deletions_keep(deletions=self._deletions, source_import=self._tally.source_import)
            self._deletions = []
        if self._loose:
            with transaction.atomic():
                hold.write()
                source_objects_store(
                    objects=self._loose,
                    source_import=self._tally.source_import,
                    actor=self._actor,
                    counts=self._tally.counts,
                    earlier_until=self._objects_until,
                )
        if self._news:
            stored = threads_store(
                news=self._news,
                source_import=self._tally.source_import,
                earlier_until=self._pages_until,
                order=self._direction(),
                csv_header=self._csv_header,
                talks=self._talks,
                actor=self._actor,
                counts=self._tally.counts,
                fence=partial(hold.write, unassessed=True),
            )
            self._touched |= stored.touched
            self._earlier |= stored.earlier
            self._going_on |= stored.going_on
            for reject in stored.rejects:
                self._tally.reject(reject)
        self._news, self._loose, self._size, self._buffered = {}, [], 0, 0
        self._tally.write()

    def assess(self) -> None:
        """Assess every thread that was touched, and count them all."""
        tally = self._tally
        search = deletions_search(fence=partial(tally.hold.write, unassessed=True), beat=tally.step)
        self._touched |= search.touched
        threads_assess(
            thread_pks=sorted(self._touched),
            actor=self._actor,
            reason=f"Import {tally.source_import.pk}.",
            progress=tally.threads_assessed,
            fence=tally.hold.write,
        )
        search.settle()
        tally.counts["threads"] = len(self._touched | self._earlier)
        if left_open := _lists_left_open(sorted(self._going_on)) + self._other_lists.left_open:
            tally.counts["lists_left_open"] = left_open
        if self._earlier:
            # The earlier try has registered threads too. The database's clock is not this machine's.
            since = tally.source_import.created_at - dt.timedelta(days=1)
            tally.counts["threads_new"] = AuditEvent.objects.filter(
                verb="thread.registered",
                at__gte=since,
                reason=registered_reason(tally.source_import),
            ).count()
        tally.write()
        tally.hold.write(unassessed=False)

    def _flush_if_full(self) -> None:
        self._tally.step()
        if self._size >= _BUFFER_BYTES or self._buffered >= _BUFFER_DOCUMENTS:
            self.flush()

    def _guarded(self, document: Document) -> None:
        try:
            self._document(document)
        except (NestedTooDeeplyError, RecursionError):
            self._unread(Reject(document.line_number, TOO_DEEP, document.raw[:REJECT_BYTES]))

    def _unread(self, reject: Reject) -> None:
        """Reject what can't be read. If it still shows its thread and type, the thread is marked."""
        fields = top_level_strings(reject.raw) if reject.raw[:1] == b"{" else {}
        kind = KINDS.get(fields.get("object", ""))
        refused = Refused(reject.reason)
        if reject.thread_id:
            place = self._talks.rows[reject.thread_id]
            refused = Refused(reject.reason, thread_id=reject.thread_id, kind="message", place=place)
            self._talks.rows[reject.thread_id] += 1
        elif kind and not id_fault(fields.get("thread_id")) and not id_fault(fields.get("id")):
            refused = Refused(reject.reason, thread_id=fields["thread_id"], kind=kind, values=(fields,))
        self._refuse(reject.line_number, reject.raw, refused)

    def _refuse(self, line_number: int, raw: bytes, refused: Refused) -> None:
        if not refused.is_note:
            self._tally.reject(Reject(line_number, refused.reason, raw[:REJECT_BYTES]))
        for thread_id in filter(None, (refused.thread_id, refused.beside)):
            mark = self._talks.marks.mark_of(dataclasses.replace(refused, thread_id=thread_id), line_number)
            self._add(thread_id, ThreadEntry(K.REJECTS, b"", redacted=False, mark=mark, said=refused.ids))

    def _document(self, document: Document) -> None:
        raw, value, redacted = redacted_document(document.raw, document.value)
        self._tally.document()
        shallow = is_shallow(document.raw)
        found = whole_object(value) if shallow else None
        if found is not None:
            self._single(ThreadEntry(K.ARCHIVE, raw, redacted, (found,), line_number=document.line_number))
            return
        parts = document_parts(value, self._lines, document.line_number, is_shallow=shallow)
        self._tally.counts["skipped"] += parts.skipped
        self._tally.counts["deletions"] += len(parts.deletions)
        self._deletions += parts.deletions
        for refusal in parts.refused:
            self._refuse(document.line_number, raw, refusal)
        transcript = is_transcript(value)
        places = set(range(len(value["messages"]) if transcript else 0))
        places.difference_update(refusal.place for refusal in parts.refused)
        for thread_id, part in parts.by_thread.items():
            # A document about several threads is split: no page holds another thread's content. Neither
            # does a page hold what was refused for the rest of the file: read alone it would be taken.
            own = raw if parts.is_of_one_thread else part.written(thread_id)
            kind = K.TRANSCRIPT if transcript else K.ARCHIVE
            entry = part.entry(kind, own, redacted=redacted, line_number=document.line_number, places=places)
            self._add(thread_id, entry)
        if is_last_page(value) and self._before is not None:
            thread_id, last = self._before
            last = last if isinstance(last, EmptyPage) else last._replace(page=None)
            lists = list_marks((last, LastPage()))
            self._add(thread_id, ThreadEntry(K.ARCHIVE, raw, redacted, (), lists))
        self._other_lists.see(value, parts)
        self._before = parts.going_on()
        alone = not parts.by_thread and len(parts.loose) == 1 and not isinstance(value.get("data"), list)
        for found in parts.loose:
            self._loose.append(
                loose_object(found, raw if alone and found.value == value else None, redacted=redacted)
            )
            self._size += len(self._loose[-1].raw)
        self._buffered += 1

    def _single(self, entry: ThreadEntry) -> None:
        """Add a document of one complete object of a thread, as nearly all are: it has no lists and no refusals."""
        self._add(entry.objects[0].thread_id, entry)
        self._other_lists.pass_by()
        self._before = None
        self._buffered += 1

    def _row(self, row: Row, ids: MessageIds) -> None:
        self._tally.unread_columns.update(unread_columns(row, TRANSCRIPT_READ))
        taken = row_message(row.cells, ids)
        thread_id = row.cells.get("thread_id", "").strip()
        place = self._talks.rows[thread_id]
        if isinstance(taken, str):
            named = "" if id_fault(thread_id) else thread_id
            self._talks.rows[thread_id] += bool(named)
            refused = Refused(taken, thread_id=named, kind="message", place=place)
            self._refuse(row.line_number, row.raw, refused)
            return
        self._talks.rows[thread_id] += 1
        thread, message = taken
        self._tally.document()
        user_ref = storable_text(row.cells.get("user_ref", "").strip(), 512)
        has_id = bool(row.cells.get("message_id", "").strip())
        objects = (
            Found("thread", thread["id"], thread["id"], thread, user_ref),
            Found("message", message["id"], thread["id"], message, is_counted=not has_id),
        )
        raw = row.raw if row.raw.endswith(b"\n") else row.raw + b"\n"
        entry = ThreadEntry(
            K.TRANSCRIPT_CSV,
            raw,
            redacted=False,
            objects=objects,
            line_number=row.line_number,
            places={place},
        )
        self._add(thread["id"], entry)
        self._buffered += 1

    def _add(self, thread_id: str, entry: ThreadEntry) -> None:
        news = self._news.get(thread_id)
        if news is None:
            news = self._news[thread_id] = ThreadNews(thread_id)
        news.add(entry)
        self._size += len(entry.raw)

    def _direction(self) -> ListingOrder:
        """The direction of this import's message lists, if all that have one agree."""
        for news in self._news.values():
            listed = (
                found.value
                for entry in news.entries
                if entry.kind == K.ARCHIVE
                for found in entry.objects
                if found.kind == "message"
            )
            rising, falling = direction_evidence(listed)
            self._rising += bool(rising and not falling)
            self._falling += bool(falling and not rising)
        if bool(self._rising) == bool(self._falling):
            return "unknown"
        return "asc" if self._rising else "desc"
