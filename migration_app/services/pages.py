"""Snapshot pages: how they are made, and how a thread is read from them again. Pages are never changed."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from migration_app.archive.assemble import PageContent, assemble_thread, page_objects
from migration_app.archive.ids import MessageIds
from migration_app.archive.reader import decode_document
from migration_app.archive.sequence import (
    payload_compress,
    payload_decompress,
    payload_sha256,
    sequence_pack,
)
from migration_app.archive.versions import KnownObjects
from migration_app.contracts import JsonObject, ListingOrder, SourceThread
from migration_app.models import SnapshotPage, SourceImport, SourceObject, Thread

MAX_PAGE_BYTES = 4 << 20
"""Raw bytes of one page; a single document that is larger gets a page of its own."""

_GROUP_THREADS = 200
_GROUP_BYTES = 16 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class LoadedThread:
    """A thread's row, what its snapshot says, and when the newest page of that came in."""

    thread: Thread
    source: SourceThread
    received_at: datetime.datetime | None


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
    """Unsaved pages for documents, given as bytes and whether secrets were taken out of them.

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
    for page in pages:
        for found in page_objects(thread.thread_id, page_content(page), ids):
            known.see(found.kind, found.id, found.value)
    return known


def load_source_thread(thread: Thread) -> SourceThread:
    """What a thread's snapshot says, put in order, with the file objects that it refers to."""
    return next(load_source_threads([thread])).source


def load_source_threads(threads: Sequence[Thread]) -> Iterator[LoadedThread]:
    """The same for many, by primary key; pages are read in one stream, files looked up by the group."""
    group: list[LoadedThread] = []
    size = 0
    for thread, pages in threads_with_pages(threads):
        contents = [page_content(page) for page in pages]
        received_at = max((page.received_at for page in pages), default=None)
        group.append(LoadedThread(thread, assemble_thread(thread.thread_id, contents, {}), received_at))
        size += sum(len(content.payload) for content in contents)
        if len(group) >= _GROUP_THREADS or size >= _GROUP_BYTES:
            yield from _with_files(group)
            group, size = [], 0
    yield from _with_files(group)


def threads_with_pages(threads: Sequence[Thread]) -> Iterator[tuple[Thread, list[SnapshotPage]]]:
    """Each thread with its pages in order, by primary key; one query, one thread's pages in memory at a time."""
    rows = (
        SnapshotPage.objects.filter(thread_id__in=[thread.pk for thread in threads])
        .order_by("thread_id", "sequence")
        .iterator(chunk_size=16)
    )
    page = next(rows, None)
    for thread in sorted(threads, key=lambda row: row.pk):
        pages = []
        while page is not None and page.thread_id == thread.pk:
            pages.append(page)
            page = next(rows, None)
        yield thread, pages


def _with_files(group: Sequence[LoadedThread]) -> Iterator[LoadedThread]:
    wanted = [file_ids(loaded.source) for loaded in group]
    files = source_objects("file", set().union(*wanted))
    for loaded, ids in zip(group, wanted, strict=True):
        known = {file_id: files[file_id] for file_id in sorted(ids) if file_id in files}
        source = dataclasses.replace(loaded.source, files=known) if known else loaded.source
        yield dataclasses.replace(loaded, source=source)


def file_ids(source: SourceThread) -> set[str]:
    """Ids of files that a thread's messages and steps name."""
    found: set[str] = set()
    waiting: list[Any] = [*source.messages, *source.steps]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            for name, part in value.items():
                if name == "file_id" and isinstance(part, str):
                    found.add(part)
                elif name == "file_ids" and isinstance(part, list):
                    found.update(element for element in part if isinstance(element, str))
                elif isinstance(part, dict | list):
                    waiting.append(part)
    # PostgreSQL can't compare with text that holds a NUL or half of a surrogate pair, and no such id is stored.
    return {file_id for file_id in found if file_id.isprintable()}


def source_objects(kind: str, object_ids: Iterable[str]) -> Mapping[str, JsonObject]:
    """The current versions of assistants, files or vector stores, by id; unknown ids are left out."""
    ids = sorted(object_ids)
    if not ids:
        return {}
    rows = SourceObject.objects.filter(kind=kind, object_id__in=ids, state=SourceObject.State.CURRENT)
    return {row.object_id: source_object_value(row) for row in rows}


def source_object_value(row: SourceObject) -> JsonObject:
    """What a stored assistant, file or vector store says."""
    return decode_document(payload_decompress(bytes(row.payload)))
