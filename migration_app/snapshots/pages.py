"""Snapshot pages: how they are made, and how a thread is read from them again. Pages are never changed."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.db.models import QuerySet

from migration_app.archive.files.reader import decode_stored
from migration_app.archive.ids import MessageIds
from migration_app.archive.named_files import FILES, VECTOR_STORES, file_ids, may_name
from migration_app.archive.order.assemble import PageContent, assemble_thread, page_objects
from migration_app.archive.sequence import (
    payload_compress,
    payload_decompress,
    payload_sha256,
    sequence_pack,
)
from migration_app.archive.versions import KnownObjects
from migration_app.contracts import JsonObject, ListingOrder, SourceThread
from migration_app.models import SnapshotPage, SourceImport, SourceObject, Thread
from migration_app.spill import MAX_BYTES_IN_MEMORY

MAX_PAGE_BYTES = 1 << 20
"""Raw bytes of one page; a single document that is larger gets a page of its own. One page is read at a time."""

_GROUP_THREADS = 200
_GROUP_BYTES = 16 << 20
_PAGES_A_FETCH = 16


@dataclasses.dataclass(frozen=True, slots=True)
class LoadedThread:
    """A thread's row, what its snapshot says, and the last page of that: its number, and when the newest came in.

    ``names_resources``: whether it may name a file or a vector store.
    """

    thread: Thread
    source: SourceThread
    received_at: datetime.datetime | None
    sequence: int | None
    names_resources: bool = True


def pages_made(
    *,
    thread: Thread,
    first_sequence: int,
    kind: str,
    origin: str,
    order: ListingOrder,
    documents: Iterable[tuple[bytes, bool]],
    csv_header: bytes = b"",
    source_import: SourceImport | None = None,
    request_id: str = "",
) -> list[SnapshotPage]:
    """Unsaved pages for documents, given as bytes and whether secrets were redacted.

    Documents are JSON texts, or with kind ``transcript_csv`` the raw text of rows below ``csv_header``.
    """
    pages: list[SnapshotPage] = []
    for group in _page_groups(documents):
        raw = [document for document, _redacted in group]
        is_csv = kind == SnapshotPage.Kind.TRANSCRIPT_CSV
        payload = csv_header + b"".join(raw) if is_csv else sequence_pack(raw)
        pages.append(
            SnapshotPage(
                thread=thread,
                sequence=first_sequence + len(pages),
                kind=kind,
                source_import=source_import,
                origin=origin,
                order=order,
                payload=payload_compress(payload),
                sha256=payload_sha256(payload),
                raw_bytes=len(payload),
                document_count=len(group),
                redacted=any(redacted for _document, redacted in group),
                request_id=request_id,
            )
        )
    return pages


def _page_groups(documents: Iterable[tuple[bytes, bool]]) -> Iterator[list[tuple[bytes, bool]]]:
    group: list[tuple[bytes, bool]] = []
    size = 0
    for document in documents:
        if group and size + len(document[0]) > MAX_PAGE_BYTES:
            yield group
            group, size = [], 0
        group.append(document)
        size += len(document[0])
    if group:
        yield group


def page_content(page: SnapshotPage) -> PageContent:
    """A stored page as the assembly needs it."""
    order: ListingOrder = "asc" if page.order == "asc" else "desc" if page.order == "desc" else "unknown"
    return PageContent(page.kind, page.origin, order, payload_decompress(bytes(page.payload)))


def known_objects(thread: Thread, pages: Iterable[SnapshotPage]) -> KnownObjects:
    """What these pages of a thread hold, every state of it."""
    known, ids = KnownObjects(), MessageIds()
    for page in _whole(thread, pages):
        known.grow(page.raw_bytes)
        for found in page_objects(thread.thread_id, page_content(page), ids):
            known.see(found.kind, found.id, found.value)
    return known


def _whole(thread: Thread, pages: Iterable[SnapshotPage]) -> Iterable[SnapshotPage]:
    """The same pages with their payloads, which ``threads_with_pages`` has released."""
    if isinstance(pages, list) and any(page.get_deferred_fields() for page in pages):
        return _pages(SnapshotPage.objects.filter(thread=thread, sequence__lte=pages[-1].sequence))
    return pages


def load_source_thread(thread: Thread) -> SourceThread:
    """A thread assembled from its snapshot, with the file objects that it refers to."""
    return next(load_source_threads([thread])).source


def load_source_threads(threads: Sequence[Thread]) -> Iterator[LoadedThread]:
    """The same for many, by primary key; pages are streamed and released, files looked up in groups."""
    group: list[LoadedThread] = []
    wanted: list[set[str]] = []
    size = 0
    for thread, pages in _page_streams(threads):
        reading = _Reading()
        source = assemble_thread(thread.thread_id, map(reading.content, pages), {})
        names = reading.names_resources
        group.append(LoadedThread(thread, source, reading.received_at, reading.sequence, names))
        wanted.append(file_ids(source) if names else set())
        size += reading.size
        if len(group) >= _GROUP_THREADS or size >= _GROUP_BYTES:
            yield from _with_files(group, wanted)
            group, wanted, size = [], [], 0
    yield from _with_files(group, wanted)


@dataclasses.dataclass(slots=True)
class _Reading:
    """Facts about a thread's pages that remain when these are released. ``size``: raw bytes."""

    size: int = 0
    received_at: datetime.datetime | None = None
    sequence: int | None = None
    names_resources: bool = False

    def content(self, page: SnapshotPage) -> PageContent:
        """The page's content; its other facts are recorded."""
        content = page_content(page)
        self.size += len(content.payload)
        self.received_at = max(self.received_at or page.received_at, page.received_at)
        self.sequence = page.sequence
        self.names_resources = self.names_resources or may_name(content.payload, FILES, VECTOR_STORES)
        return content


def threads_with_pages(threads: Sequence[Thread]) -> Iterator[tuple[Thread, list[SnapshotPage]]]:
    """Each thread with its pages in order, by primary key; one query, one thread's pages in memory at a time.

    Those of a large thread come without their payloads, which Django reads when they are asked for.
    """
    for thread, stream in _page_streams(threads):
        pages: list[SnapshotPage] = []
        size = 0
        for page in stream:
            pages.append(page)
            size += page.raw_bytes
            if size > MAX_BYTES_IN_MEMORY:
                for held in pages if size - page.raw_bytes <= MAX_BYTES_IN_MEMORY else [page]:
                    del held.payload
        yield thread, pages


def _page_streams(threads: Sequence[Thread]) -> Iterator[tuple[Thread, Iterator[SnapshotPage]]]:
    """Each thread with its pages, to be taken before the next thread is asked for; one query."""
    rows = _pages(SnapshotPage.objects.filter(thread_id__in=[thread.pk for thread in threads]))
    streams = itertools.groupby(rows, key=lambda page: page.thread_id)
    nothing: tuple[int, Iterator[SnapshotPage]] = (0, iter(()))
    pk, pages = next(streams, nothing)
    for thread in sorted(threads, key=lambda row: row.pk):
        if pk == thread.pk:
            yield thread, pages
            pk, pages = next(streams, nothing)
        else:
            yield thread, iter(())


def _pages(query: QuerySet[SnapshotPage]) -> Iterator[SnapshotPage]:
    """Pages through a cursor of the database's: few are in memory at a time."""
    return query.order_by("thread_id", "sequence").iterator(chunk_size=_PAGES_A_FETCH)


def _with_files(group: Sequence[LoadedThread], wanted: Sequence[set[str]]) -> Iterator[LoadedThread]:
    files = source_objects("file", set().union(*wanted))
    for loaded, ids in zip(group, wanted, strict=True):
        known = {file_id: files[file_id] for file_id in sorted(ids) if file_id in files}
        source = dataclasses.replace(loaded.source, files=known) if known else loaded.source
        yield dataclasses.replace(loaded, source=source)


def source_objects(kind: str, object_ids: Iterable[str]) -> Mapping[str, JsonObject]:
    """The current versions of assistants, files or vector stores, by id; unknown ids are left out."""
    ids = sorted(object_ids)
    if not ids:
        return {}
    rows = SourceObject.objects.filter(kind=kind, object_id__in=ids, state=SourceObject.State.CURRENT)
    return {row.object_id: source_object_value(row) for row in rows}


def source_object_value(row: SourceObject) -> JsonObject:
    """What a stored assistant, file or vector store says."""
    return decode_stored(payload_decompress(bytes(row.payload)))


def pages_by_thread(threads: Sequence[Thread]) -> Iterator[tuple[Thread, Iterator[SnapshotPage]]]:
    """Each thread with its pages in order: one query for all, a few pages in memory at a time."""
    rows = (
        SnapshotPage.objects.filter(thread_id__in=[thread.pk for thread in threads])
        .order_by("thread_id", "sequence")
        .iterator(chunk_size=4)
    )
    by_thread = itertools.groupby(rows, key=lambda page: page.thread_id)
    waiting = next(by_thread, None)
    for thread in threads:
        if waiting is not None and waiting[0] == thread.pk:
            yield thread, waiting[1]
            waiting = next(by_thread, None)
        else:
            yield thread, iter(())
