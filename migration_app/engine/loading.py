"""What claimed threads need before anything is sent: their plans, conversations and chunks, loaded by the group.

Must not import jobs or rq.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from django.db import InterfaceError, OperationalError
from django.db.models import Max, Sum

from migration_app.archive.named_files import FILES, VECTOR_STORES, may_name
from migration_app.archive.order.assemble import PageContent, assemble_thread
from migration_app.archive.sequence import SequenceDamagedError
from migration_app.engine.chunks import CHUNK_FIELDS, CHUNKS, chunk_weight
from migration_app.models import Chunk, Conversation, SnapshotPage, Thread
from migration_app.snapshots.pages import load_source_thread, page_content
from migration_app.spill import MAX_BYTES_IN_MEMORY, Gathering
from migration_app.threads.plans import PlannedThread, planned_thread

_CHUNKS_A_FETCH = 500
_CONVERTED = frozenset({Thread.Work.BACKFILL, Thread.Work.VERIFY})
_SMALL = 1 << 20
_HEAVIEST = 2 * MAX_BYTES_IN_MEMORY
"""What a large thread's snapshot and items may weigh in memory each; the rest is in a file."""


@dataclasses.dataclass(slots=True)
class Loaded:
    """A claimed thread with the rows that its work begins from.

    ``snapshot_seen`` is the number of the last page of the snapshot. ``pages`` hold the snapshot of a small
    thread, which ``convert`` converts without the database. A large one is to be converted elsewhere
    (``engine.converting.converter``); the others were converted when they were loaded, or have the ``trouble``
    why they can't be. ``weight``: about how many bytes of JSON it holds in memory.
    """

    thread: Thread
    conversation: Conversation | None = None
    chunks: Sequence[Chunk] = ()
    snapshot_seen: int | None = None
    pages: list[PageContent] | None = None
    is_large: bool = False
    plan: PlannedThread | None = None
    trouble: Exception | None = None
    weight: int = 0

    def convert(self) -> None:
        """Convert a small thread, in the event loop: elsewhere the interpreter's lock would make the loop wait."""
        if self.pages is None:
            return
        try:
            source = assemble_thread(self.thread.thread_id, self.pages, {})
            self.plan = planned_thread(self.thread, self.conversation, source, names_resources=False)
        except Exception as trouble:  # noqa: BLE001 - raised again when this thread's turn comes
            self.trouble = trouble
        self.pages = None


def threads_load(threads: Sequence[Thread], *, room: int | None = None) -> list[Loaded]:
    """Load what the work of claimed threads needs. What goes wrong with one thread is its own trouble.

    With ``room``, bytes, only as many as fit into it, from the first on, and one at least: a hundred large
    threads at once would fill the worker's memory.
    """
    convert = {thread.pk for thread in threads if thread.pending_work in _CONVERTED}
    sizes = _snapshot_sizes(convert)
    threads = _fitting(threads, sizes, room)
    convert &= {thread.pk for thread in threads}
    loaded = {thread.pk: _sized(Loaded(thread), sizes) for thread in threads}
    for conversation in Conversation.objects.filter(thread__in=threads):
        loaded[conversation.thread_id].conversation = conversation
    _load_chunks(loaded.values())
    small = {pk for pk in convert if pk in sizes and sizes[pk].raw_bytes <= _SMALL}
    contents: dict[int, list[PageContent]] = {pk: [] for pk in small}
    for page in SnapshotPage.objects.filter(thread_id__in=small).order_by("thread_id", "sequence"):
        try:
            contents[page.thread_id].append(page_content(page))
        except SequenceDamagedError as damage:
            loaded[page.thread_id].trouble = damage
    for pk in convert:
        if loaded[pk].trouble is not None:
            continue
        if pk in sizes and pk not in small:
            loaded[pk].is_large = True
            continue
        pages = contents.get(pk, [])
        if pages and not any(may_name(page.payload, FILES, VECTOR_STORES) for page in pages):
            loaded[pk].pages = pages
        else:
            _convert_here(loaded[pk])
    return list(loaded.values())


def _load_chunks(entries: Iterable[Loaded]) -> None:
    holders = {entry.conversation.pk: entry for entry in entries if entry.conversation is not None}
    gathered: dict[int, Gathering[Chunk]] = {pk: Gathering(CHUNKS) for pk in holders}
    rows = Chunk.objects.filter(conversation_id__in=list(holders)).only(*CHUNK_FIELDS).order_by("sequence")
    for chunk in rows.iterator(chunk_size=_CHUNKS_A_FETCH):
        gathered[chunk.conversation_id].append(chunk, chunk_weight(chunk))
    for pk, chunks in gathered.items():
        holders[pk].chunks = chunks.sequence()


@dataclasses.dataclass(frozen=True, slots=True)
class _Snapshot:
    """What the database says of a snapshot without reading it."""

    raw_bytes: int
    last: int

    @property
    def weight(self) -> int:
        """Bytes of JSON that it holds in memory, about."""
        return min(self.raw_bytes, _HEAVIEST)


def _snapshot_sizes(pks: set[int]) -> dict[int, _Snapshot]:
    rows = (
        SnapshotPage.objects.filter(thread_id__in=pks)
        .order_by()
        .values_list("thread_id")
        .annotate(size=Sum("raw_bytes"), last=Max("sequence"))
    )
    return {pk: _Snapshot(size, last) for pk, size, last in rows}


def _fitting(threads: Sequence[Thread], sizes: Mapping[int, _Snapshot], room: int | None) -> Sequence[Thread]:
    if room is None:
        return threads
    for number, thread in enumerate(threads):
        room -= sizes[thread.pk].weight if thread.pk in sizes else 0
        if room < 0:
            return threads[: max(1, number)]
    return threads


def _sized(entry: Loaded, sizes: Mapping[int, _Snapshot]) -> Loaded:
    snapshot = sizes.get(entry.thread.pk)
    if snapshot is not None:
        entry.weight, entry.snapshot_seen = snapshot.weight, snapshot.last
    return entry


def _convert_here(entry: Loaded) -> None:
    try:
        source = load_source_thread(entry.thread)
        entry.plan = planned_thread(entry.thread, entry.conversation, source)
    except (OperationalError, InterfaceError):
        raise  # the database is away: no thread's own trouble
    except Exception as trouble:  # noqa: BLE001 - raised again when this thread's turn comes
        entry.trouble = trouble
