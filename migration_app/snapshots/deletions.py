"""What the source has deleted, as archives report it: stored, and assigned to its threads.

The deletion of a message does not name its thread, and may come before it, with it or long after. So a new deletion is
searched for once in everything stored, and pages stored later look up stored deletions. Nothing is missed in between:
a writer of a thread's pages holds a shared lock until they are visible, and a writer of new deletions waits
for all of these.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from django.db import connection, transaction

from migration_app.archive.expanded import Deletion, SourceObject
from migration_app.archive.ids import MessageIds
from migration_app.archive.order.assemble import page_sights
from migration_app.models import SnapshotPage, SourceDeletion, SourceImport, Thread
from migration_app.snapshots.page_writing import snapshot_pages_write
from migration_app.snapshots.pages import page_content, pages_made

_LOCK = 0x64656C  # any number that nothing else of the console uses
_PAGES_A_FETCH = 16
_GROUP = 500
_IDS = 10_000
# An id as JSON holds it; a name that is written with escapes is decoded.
_ID = re.compile(rb'"id"\s*:\s*("(?:[^"\\]|\\.)*+")')
_ESCAPED_NAME = re.compile(rb"\\u006[49]", re.IGNORECASE)


def deletion_document(deletion: Deletion) -> bytes:
    """A deletion as stored in a page of its thread."""
    name = "thread" if deletion.kind == "thread" else "thread.message"
    return json.dumps({"id": deletion.id, "object": f"{name}.deleted", "deleted": True}).encode()


def deletions_keep(*, deletions: Iterable[Deletion], source_import: SourceImport) -> None:
    """Store what an import says was deleted; known deletions are skipped."""
    rows = [
        SourceDeletion(
            kind=deletion.kind,
            object_id=deletion.id,
            thread_id=deletion.thread_id if deletion.kind == "message" else "",
            source_import=source_import,
        )
        for deletion in deletions
    ]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        SourceDeletion.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)


def deletions_are_kept() -> bool:
    """Whether there are any. Until the current transaction ends, none is added."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [_LOCK])
    return SourceDeletion.objects.exists()


def deletions_of(messages: Mapping[str, Collection[str]]) -> dict[str, list[Deletion]]:
    """Kept deletions of these threads and of these messages of theirs, by thread id.

    The caller is in the transaction that stores the threads' pages, and stores these with them.
    """
    if not deletions_are_kept():
        return {}
    kind = SourceDeletion.Kind
    deleted_threads = {object_id for object_id, _thread in _kept(kind.THREAD, sorted(messages))}
    ids = {message_id for named in messages.values() for message_id in named}
    deleted_messages = set(_kept(kind.MESSAGE, sorted(ids)))
    found: dict[str, list[Deletion]] = {}
    for thread_id, named in messages.items():
        deletions = [Deletion("thread", thread_id, thread_id)] if thread_id in deleted_threads else []
        deletions += [
            Deletion("message", message_id, thread_id)
            for message_id in named
            if not deleted_messages.isdisjoint({(message_id, ""), (message_id, thread_id)})
        ]
        if deletions:
            found[thread_id] = deletions
    return found


def _kept(kind: str, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Stored deletions of these ids: id, and the thread that the deletion names."""
    for start in range(0, len(ids), _IDS):
        rows = SourceDeletion.objects.filter(kind=kind, object_id__in=ids[start : start + _IDS])
        yield from rows.values_list("object_id", "thread_id")


@dataclasses.dataclass(frozen=True, slots=True)
class Search:
    """What a search for deletions found: the threads to be assessed, and the deletions that are then settled.

    Until they are, every import that ends searches for them too: none ends before their threads are recalculated,
    also if the import that began with it was killed.
    """

    touched: set[int] = dataclasses.field(default_factory=set)
    deletions: Sequence[int] = ()

    def settle(self) -> None:
        """Mark the deletions as settled: their threads were assessed, and nobody needs to search again."""
        SourceDeletion.objects.filter(pk__in=self.deletions).update(searched=True)


def deletions_search(*, fence: Callable[[], None], beat: Callable[[], None]) -> Search:
    """Search everything stored for what was newly deleted.

    ``beat`` is called while it lasts, and ``fence`` first in each transaction that writes: it raises if the import is
    not this reader's any more.
    """
    rows = list(SourceDeletion.objects.filter(searched=False))
    if not rows:
        return Search()
    kind = SourceDeletion.Kind
    threads = [row.object_id for row in rows if row.kind == kind.THREAD]
    messages = frozenset(row.object_id for row in rows if row.kind == kind.MESSAGE)
    concerned = set(Thread.objects.filter(thread_id__in=threads).values_list("pk", flat=True))
    if messages:
        concerned |= _threads_with(messages, beat)
    touched: set[int] = set()
    pks = sorted(concerned)
    for start in range(0, len(pks), _GROUP):
        with transaction.atomic():
            fence()
            locked = Thread.objects.select_for_update(of=("self",), no_key=True)
            for thread in locked.filter(pk__in=pks[start : start + _GROUP]).order_by("pk"):
                if _put_with(thread):
                    touched.add(thread.pk)
        beat()
    return Search(touched, [row.pk for row in rows])


def _threads_with(messages: frozenset[str], beat: Callable[[], None]) -> set[int]:
    """Threads whose pages hold one of these ids, perhaps not as a message's."""
    pages = (
        SnapshotPage.objects.exclude(kind=SnapshotPage.Kind.REJECTS).select_related("thread").order_by("pk")
    )
    concerned: set[int] = set()
    for page in pages.iterator(chunk_size=_PAGES_A_FETCH):
        if page.thread_id not in concerned and not messages.isdisjoint(_named(page)):
            concerned.add(page.thread_id)
        beat()
    return concerned


def _named(page: SnapshotPage) -> Iterator[str]:
    """Ids that a page holds."""
    content = page_content(page)
    if page.kind == SnapshotPage.Kind.TRANSCRIPT_CSV or _ESCAPED_NAME.search(content.payload):
        sights = page_sights(page.thread.thread_id, content, MessageIds())
        yield from (found.id for found in sights if isinstance(found, SourceObject))
    else:
        for found in _ID.finditer(content.payload):
            yield json.loads(found.group(1).decode(errors="replace"), strict=False)


def _put_with(thread: Thread) -> bool:
    """Store a thread's deletions with it; returns whether it has pages that were not assessed."""
    known: set[str] = set()
    ids = MessageIds()
    last = -1
    for page in thread.pages.order_by("sequence").iterator(chunk_size=_PAGES_A_FETCH):
        last = page.sequence
        sights = page_sights(thread.thread_id, page_content(page), ids)
        known.update(
            found.id for found in sights if isinstance(found, SourceObject) and found.kind == "message"
        )
    is_behind = last >= 0 and (thread.snapshot_sequence is None or thread.snapshot_sequence < last)
    return bool(deletions_put(thread=thread, message_ids=known, first_sequence=last + 1)) or is_behind


def deletions_put(*, thread: Thread, message_ids: Collection[str], first_sequence: int) -> list[SnapshotPage]:
    """Store kept deletions of a thread and of these messages after its pages, except those already there.

    The caller holds the thread's row, and stores the messages in the same transaction.
    """
    deletions = deletions_of({thread.thread_id: message_ids}).get(thread.thread_id, [])
    if not deletions:
        return []
    named = {
        (found.kind, found.id)
        for page in thread.pages.filter(kind=SnapshotPage.Kind.ARCHIVE).order_by("sequence")
        for found in page_sights(thread.thread_id, page_content(page), MessageIds())
        if isinstance(found, Deletion)
    }
    pages = pages_made(
        thread=thread,
        first_sequence=first_sequence,
        kind=SnapshotPage.Kind.ARCHIVE,
        origin="deletions",
        order="unknown",
        documents=[
            (deletion_document(deletion), False)
            for deletion in deletions
            if (deletion.kind, deletion.id) not in named
        ],
    )
    snapshot_pages_write(pages)
    return pages
