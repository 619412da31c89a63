"""What claimed threads need before anything is sent: their plans, conversations and chunks, loaded by the group.

Must not import jobs or rq.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

from django.db import DatabaseError
from django.db.models import Max, Sum

from migration_app.archive.assemble import PageContent, assemble_thread
from migration_app.archive.sequence import SequenceDamagedError
from migration_app.models import Chunk, Conversation, SnapshotPage, Thread
from migration_app.services.claims import threads_claim
from migration_app.services.pages import load_source_thread, page_content
from migration_app.services.plans import PlannedThread, plan_of, policies_of

_CONVERTED = frozenset({Thread.Work.BACKFILL, Thread.Work.VERIFY})
_SMALL = 1 << 20
# What names a file or a vector store, whose rows must be looked up; an ASCII name can be written with \\u00.. too.
_NAMES = (b"file_id", b"vector_store_ids", b"\\u00")


@dataclasses.dataclass(slots=True)
class Loaded:
    """A claimed thread with the rows that its work begins from.

    ``snapshot_seen`` is when the newest page of the snapshot came in. ``pages`` hold the snapshot of a small
    thread, which ``convert`` converts without the database; the others were converted when they were loaded, or
    have the ``trouble`` why they can't be.
    """

    thread: Thread
    conversation: Conversation | None = None
    chunks: list[Chunk] = dataclasses.field(default_factory=list)
    snapshot_seen: dt.datetime | None = None
    pages: list[PageContent] | None = None
    plan: PlannedThread | None = None
    trouble: Exception | None = None

    def convert(self) -> None:
        """Convert a small thread, in the event loop: elsewhere the interpreter's lock would make the loop wait."""
        if self.pages is None:
            return
        try:
            source = assemble_thread(self.thread.thread_id, self.pages, {})
            policies = policies_of(self.thread, self.conversation)
            plan = plan_of(source, policies, self.conversation, names_resources=False)
            self.plan = PlannedThread(source, plan, policies)
        except Exception as trouble:  # noqa: BLE001 - raised again when this thread's turn comes
            self.trouble = trouble
        self.pages = None


def claim_and_load(*, batch_pk: int, lease: dt.timedelta, count: int) -> list[Loaded]:
    """Take up to ``count`` threads of the batch, and load what their work needs."""
    return threads_load(threads_claim(batch_pk=batch_pk, lease=lease, count=count))


def threads_load(threads: Sequence[Thread]) -> list[Loaded]:
    """Load what the work of claimed threads needs. What goes wrong with one thread is its own trouble."""
    loaded = {thread.pk: Loaded(thread) for thread in threads}
    holders: dict[int, Loaded] = {}
    for conversation in Conversation.objects.filter(thread__in=threads):
        holders[conversation.pk] = loaded[conversation.thread_id]
        loaded[conversation.thread_id].conversation = conversation
    for chunk in Chunk.objects.filter(conversation_id__in=list(holders)).order_by("sequence"):
        holders[chunk.conversation_id].chunks.append(chunk)
    convert = {pk for pk, entry in loaded.items() if entry.thread.pending_work in _CONVERTED}
    sizes = (
        SnapshotPage.objects.filter(thread_id__in=convert)
        .order_by()
        .values_list("thread_id")
        .annotate(size=Sum("raw_bytes"), newest=Max("received_at"))
    )
    small = set()
    for pk, size, newest in sizes:
        loaded[pk].snapshot_seen = newest
        if size <= _SMALL:
            small.add(pk)
    contents: dict[int, list[PageContent]] = {pk: [] for pk in small}
    for page in SnapshotPage.objects.filter(thread_id__in=small).order_by("thread_id", "sequence"):
        try:
            contents[page.thread_id].append(page_content(page))
        except SequenceDamagedError as damage:
            loaded[page.thread_id].trouble = damage
    for pk in convert:
        if loaded[pk].trouble is not None:
            continue
        pages = contents.get(pk, [])
        if pages and not any(name in page.payload for page in pages for name in _NAMES):
            loaded[pk].pages = pages
        else:
            _convert_here(loaded[pk])
    return list(loaded.values())


def _convert_here(entry: Loaded) -> None:
    try:
        source = load_source_thread(entry.thread)
        policies = policies_of(entry.thread, entry.conversation)
        entry.plan = PlannedThread(source, plan_of(source, policies, entry.conversation), policies)
    except DatabaseError:
        raise
    except Exception as trouble:  # noqa: BLE001 - raised again when this thread's turn comes
        entry.trouble = trouble
