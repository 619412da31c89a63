"""The console's side of the journal's benchmark: threads written from their claim to their end, without any call.

python -m bench.threads.journal_console       commands as lines of JSON, see bench.children
"""

from __future__ import annotations

import collections
import time
import uuid
from typing import Any

import django
import psutil

django.setup()

from django.db import connection  # noqa: E402 - models can only be imported after the set-up
from django.db.models.functions import Now  # noqa: E402

from bench.children import answer_commands  # noqa: E402
from migration_app.contracts import Actor, Policies  # noqa: E402
from migration_app.counters import counters_fold  # noqa: E402
from migration_app.engine.journal.entries import Entry, applied_to, entries_apply  # noqa: E402
from migration_app.engine.steps import records  # noqa: E402
from migration_app.gateways.target import Appended, Created  # noqa: E402
from migration_app.models import Batch, Conversation, Thread  # noqa: E402

ACTOR = Actor("bench")
GROUP = 60
"""Entries that a worker with its usual window hands in at once."""
_LAST = 3
"""Number of the step that ends a thread's work."""


def claimed(*, threads: int) -> dict[str, Any]:
    """Put so many threads into a batch, as a worker holds them after its claim. Returns the batch's number."""
    batch = Batch.objects.create(
        kind="backfill", state="running", filter={}, max_thread_pk=0, reason="bench", taken_count=threads
    )
    token = uuid.uuid4()
    Thread.objects.bulk_create(
        [
            Thread(
                thread_id=f"journal_{batch.pk}_{number}",
                status=Thread.Status.QUEUED,
                batch=batch,
                pending_work=Thread.Work.BACKFILL,
                message_count=40,
                lease_token=token,
                lease_until=Now(),
                work_started_at=Now(),
            )
            for number in range(threads)
        ],
        batch_size=1000,
    )
    return {"batch": batch.pk}


def write(*, batch: int, first: bool) -> dict[str, dict[str, float]]:
    """Write every step of a batch's threads, with results and without in turns from group to group.

    ``first``: whether the first group has them. For each way: seconds on the clock, seconds of CPU of this process and
    of the database's, and bytes of its log, over all entries; and of the last ones alone.
    """
    rows = list(Thread.objects.filter(batch_id=batch).order_by("pk"))
    spent = {True: collections.Counter[str](), False: collections.Counter[str]()}
    kept = first
    for start in range(0, len(rows), GROUP):
        for step, entries in enumerate(_steps(rows[start : start + GROUP])):
            if not kept:
                for entry in entries:
                    entry.parts.pop("result", None)
            before = _spent()
            entries_apply(entries, ACTOR)
            took = {name: value - before[name] for name, value in _spent().items()}
            spent[kept].update(took)
            if step == _LAST:
                spent[kept].update({f"last {name}": value for name, value in took.items()})
            for entry in entries:
                applied_to(entry.thread, entry.parts)
        kept = not kept
    counters_fold()
    return {"with": dict(spent[True]), "without": dict(spent[False])}


def _spent() -> dict[str, float]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid(), pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        pid, log = cursor.fetchone()
    backend = psutil.Process(pid).cpu_times()
    cpu = time.process_time() + backend.user + backend.system
    return {"clock": time.perf_counter(), "CPU": cpu, "log": float(log)}


def _steps(threads: list[Thread]) -> Any:
    """The entries of a thread of one chunk, as ``engine.steps.protocol`` writes them, for all threads at once."""
    entries = [Entry(thread) for thread in threads]
    conversations: dict[int, Conversation] = {}
    for entry in entries:
        records.backfill_begun(entry)
        conversations[entry.thread.pk] = records.conversation_intended(entry.thread, Policies(), [])
        records.create_announced(entry, conversations[entry.thread.pk])
    yield entries
    entries = [Entry(thread) for thread in threads]
    for entry in entries:
        created = Created(f"conv_{entry.thread.pk}", request_id="req_1")
        records.conversation_opened(entry, conversations[entry.thread.pk], created)
        records.chunk_sending(entry, sequence=0, first_item=0, planned=[], digest="0" * 64)
        entry.parts["sending"]["item_count"] = 20
    yield entries
    entries = [Entry(thread) for thread in threads]
    for entry in entries:
        ids = tuple(f"msg_{entry.thread.pk}_{number}" for number in range(20))
        records.chunk_appended(entry, 0, Appended(ids, request_id="req_2"))
        entry.conversation(
            state=Conversation.State.COMPLETE, item_count=20, fingerprint="0" * 64, completed=True
        )
        entry.transition(Thread.Status.BACKFILLED, "thread.backfilled")
    yield entries
    entries = [Entry(thread) for thread in threads]
    for entry in entries:
        records.thread_verified(entry, 20)
    yield entries


if __name__ == "__main__":
    answer_commands({"claimed": claimed, "write": write})
