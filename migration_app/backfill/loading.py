"""What claimed threads need before anything is sent: their plans, conversations and chunks, loaded by the group.

Must not import jobs or rq.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence

from django.db import DatabaseError

from migration_app.models import Chunk, Conversation, Thread
from migration_app.services.claims import threads_claim
from migration_app.services.pages import load_source_threads
from migration_app.services.plans import PlannedThread, plan_of, policies_of

_CONVERTED = frozenset({Thread.Work.BACKFILL, Thread.Work.VERIFY})


@dataclasses.dataclass(slots=True)
class Loaded:
    """A claimed thread with the rows that its work begins from.

    ``planned`` is None for work that converts nothing, and where ``trouble`` says why the plan can't be made.
    """

    thread: Thread
    planned: PlannedThread | None = None
    conversation: Conversation | None = None
    chunks: list[Chunk] = dataclasses.field(default_factory=list)
    trouble: Exception | None = None


def claim_and_load(*, batch_pk: int, lease: dt.timedelta, count: int) -> list[Loaded]:
    """Take up to ``count`` threads of the batch, and load what their work needs."""
    threads = threads_claim(batch_pk=batch_pk, lease=lease, count=count)
    return threads_load(threads)


def threads_load(threads: Sequence[Thread]) -> list[Loaded]:
    """Load what the work of claimed threads needs. What goes wrong with one thread is its own trouble."""
    conversations = {row.thread_id: row for row in Conversation.objects.filter(thread__in=threads)}
    chunks: dict[int, list[Chunk]] = {}
    for chunk in Chunk.objects.filter(conversation__in=list(conversations.values())).order_by("sequence"):
        chunks.setdefault(chunk.conversation_id, []).append(chunk)
    loaded = {
        thread.pk: Loaded(thread, conversation=conversation, chunks=chunks.get(conversation.pk, []))
        if (conversation := conversations.get(thread.pk)) is not None
        else Loaded(thread)
        for thread in threads
    }
    convert = [entry for entry in loaded.values() if entry.thread.pending_work in _CONVERTED]
    for entry, planned in _planned(convert):
        if isinstance(planned, PlannedThread):
            entry.planned = planned
        else:
            entry.trouble = planned
    return list(loaded.values())


def _planned(entries: Sequence[Loaded]) -> Iterator[tuple[Loaded, PlannedThread | Exception]]:
    try:
        sources = {
            found.thread.pk: found.source
            for found in load_source_threads([entry.thread for entry in entries])
        }
    except DatabaseError:
        raise
    except Exception as trouble:  # noqa: BLE001 - one of them: each by itself will tell which
        if len(entries) > 1:
            for entry in entries:
                yield from _planned([entry])
        else:
            yield entries[0], trouble
        return
    for entry in entries:
        source = sources[entry.thread.pk]
        try:
            policies = policies_of(entry.thread, entry.conversation)
            yield entry, PlannedThread(source, plan_of(source, policies, entry.conversation), policies)
        except DatabaseError:
            raise
        except Exception as trouble:  # noqa: BLE001 - raised again when this thread's turn comes
            yield entry, trouble
