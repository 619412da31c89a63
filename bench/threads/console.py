"""The console's side: seeds threads, runs batches through the engine, and says what they cost.

python -m bench.threads.console       commands as lines of JSON, see bench.children
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import django

django.setup()

import django_rq  # noqa: E402 - models can only be imported after the set-up
from django.db import connection  # noqa: E402
from django.db.models import Count, Sum  # noqa: E402

from bench.children import answer_commands  # noqa: E402
from bench.measure import Spending, postmaster_of  # noqa: E402
from bench.threads import estate  # noqa: E402
from migration_app import jobs  # noqa: E402
from migration_app.archive.sequence import payload_compress, payload_sha256, sequence_pack  # noqa: E402
from migration_app.batches.batches import batch_create  # noqa: E402
from migration_app.contracts import Actor  # noqa: E402
from migration_app.engine.tasks import BATCH_TASK  # noqa: E402
from migration_app.models import Batch, Conversation, SnapshotPage, Thread  # noqa: E402
from migration_app.models.guards import GUARDED  # noqa: E402
from migration_app.snapshots.page_writing import snapshot_pages_write  # noqa: E402
from migration_app.threads.assessments import threads_assess  # noqa: E402
from migration_app.threads.selections import selection_of_filters  # noqa: E402

ACTOR = Actor("bench")
_PAGE = 100
_CROWD = """
    INSERT INTO migration_app_thread
        (thread_id, user_ref, status, fidelity, message_count, run_count, item_count, chunk_count, payload_bytes,
         finding_counts, error_code, error_text, attempts, pending_work, created_at, updated_at, snapshot_at)
    SELECT 'thread_other' || n, 'user-' || n, 'verified', 'exact', 12, 3, 14, 1, 4000, '{}', '', '', 0, '',
           now(), now(), now()
    FROM generate_series(1, %s) AS n
"""
S = Thread.Status


def seed(*, messages: int, first: int, count: int, snapshots: bool, repeated: bool = False) -> dict[str, Any]:
    """Register threads, numbered from ``first``; with ``snapshots`` they hold them, as after an import.

    ``repeated``: the tables are empty; where as many threads of that size were made before, they come back, whatever
    their number.
    """
    kept = f"bench_{messages}_{count}"
    if not repeated or not _bring_back(kept):
        _make(messages=messages, first=first, count=count, snapshots=snapshots)
        if repeated:
            _keep(kept)
    with connection.cursor() as cursor:  # else autovacuum comes in the middle of some round
        cursor.execute("VACUUM ANALYZE migration_app_thread, migration_app_snapshotpage")
    return {}


def _make(*, messages: int, first: int, count: int, snapshots: bool) -> None:
    threads = Thread.objects.bulk_create(
        (Thread(thread_id=thread_id) for thread_id in estate.thread_ids(messages, first, count)),
        batch_size=1000,
    )
    if snapshots:
        snapshot_pages_write(page for thread in threads for page in _pages(thread, messages))
        threads_assess(thread_pks=[thread.pk for thread in threads], actor=ACTOR, reason="bench")


def _pages(thread: Thread, messages: int) -> Iterator[SnapshotPage]:
    """The pages that a live snapshot stores: the thread, then lists of at most 100 messages."""
    for sequence, document in enumerate(_documents(thread.thread_id, messages)):
        packed = sequence_pack([document])
        yield SnapshotPage(
            thread=thread,
            sequence=sequence,
            kind=SnapshotPage.Kind.LIVE,
            origin="live-bench",
            order="asc",
            payload=payload_compress(packed),
            sha256=payload_sha256(packed),
            raw_bytes=len(packed),
            document_count=1,
        )


def _documents(thread_id: str, messages: int) -> Iterator[bytes]:
    yield estate.thread_document(thread_id)
    after = ""
    for end in range(_PAGE, messages + _PAGE, _PAGE):
        yield estate.message_page(thread_id, after=after, limit=_PAGE)
        after = f"_{end - 1}"


def _keep(name: str) -> None:
    """Copy every row of the console's tables into a schema of this name."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {name}")
        for table in _tables():
            cursor.execute(f"CREATE TABLE {name}.{table} AS TABLE {table}")


def _bring_back(name: str) -> bool:
    """Fill the empty tables from that schema; False where there is none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [name])
        tables = [row[0] for row in cursor.fetchall()]
        # As it was, counters included: no trigger counts it again.
        cursor.execute("SET session_replication_role = replica")
        for table in tables:
            cursor.execute(f"INSERT INTO {table} SELECT * FROM {name}.{table}")  # noqa: S608 - our own names
        cursor.execute("RESET session_replication_role")
    return bool(tables)


def _tables() -> list[str]:
    """The console's tables in this database."""
    names = connection.introspection.django_table_names(only_existing=True)
    return [name for name in names if name.startswith("migration_app_")]


def work(*, kinds: list[str], window: int) -> dict[str, Any]:
    """Put all seeded threads through batches of these kinds, one after the other, in this process.

    The cost is that of the whole job as a worker runs it: handing out the work, then the engine's turn, until the
    batch is finished.
    """
    with Spending() as spent:
        for kind in kinds:
            jobs.task_job("batch", _batch(kind, window).pk)
    return {**spent.seconds(), "verified": _verified()}


def _batch(kind: str, window: int, limit: int | None = None) -> Batch:
    status = S.REGISTERED if kind == Batch.Kind.SNAPSHOT else S.SNAPSHOTTED
    selection = selection_of_filters({"status__exact": status})
    batch = batch_create(kind=kind, selection=selection, actor=ACTOR, reason="bench")
    Batch.objects.filter(pk=batch.pk).update(window=window, requests_per_minute=limit)
    return batch


def enqueue(*, kind: str, window: int, limit: int | None = None) -> dict[str, Any]:
    """Start a batch over all seeded threads as an operator does, for workers to take."""
    batch = _batch(kind, window, limit)
    jobs.enqueue(BATCH_TASK, batch.pk)
    return {"batch": batch.pk}


def wait(*, batch: int, seconds: float) -> dict[str, Any]:
    """Wait until workers have finished a batch; TimeoutError if they have not in time."""
    end = time.monotonic() + seconds
    while Batch.objects.values_list("state", flat=True).get(pk=batch) != Batch.State.FINISHED:
        if time.monotonic() > end:
            raise TimeoutError(f"batch {batch} was not finished within {seconds:.0f} s")
        time.sleep(0.02)
    row = Batch.objects.get(pk=batch)
    taken = (row.finished_at or row.created_at) - row.created_at
    return {"wall": taken / dt.timedelta(seconds=1), "verified": _verified()}


def stored() -> dict[str, int]:
    """Threads that have a snapshot, and the messages in it."""
    threads = Thread.objects.filter(status=S.SNAPSHOTTED)
    return threads.aggregate(threads=Count("pk"), messages=Sum("message_count", default=0))


def workers() -> dict[str, Any]:
    """How many workers are ready."""
    return {"alive": jobs.workers_alive()}


def crowd(*, count: int) -> dict[str, Any]:
    """Fill the database with threads that were verified long ago."""
    with connection.cursor() as cursor:
        cursor.execute(_CROWD, [count])
        cursor.execute("VACUUM ANALYZE migration_app_thread")
    return {}


def clear() -> dict[str, Any]:
    """Empty the database but for its schema, and the queue, so that each round begins alike."""
    django_rq.get_queue("default").connection.flushdb()  # a Redis database of the bench's own
    with connection.cursor() as cursor:
        guarded = [model._meta.db_table for model in GUARDED]  # noqa: SLF001 - Django documents it
        for table in guarded:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER console_keep_truncate")
        cursor.execute(f"TRUNCATE {', '.join(_tables())} CASCADE")
        for table in guarded:
            cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER console_keep_truncate")
    return {}


def about() -> dict[str, Any]:
    """PostgreSQL's version, its server process if it runs on this machine, and how durable it is set."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), current_setting('fsync'), pg_backend_pid()")
        version, fsync, backend = cursor.fetchone()
    return {"version": version, "fsync": fsync, "postmaster": postmaster_of(backend)}


def _verified() -> dict[str, int]:
    """Threads and items that the console says it has verified, to be compared with the caller's input."""
    verified = Conversation.objects.filter(state=Conversation.State.VERIFIED, thread__status=S.VERIFIED)
    return verified.aggregate(threads=Count("pk"), items=Sum("item_count", default=0))


if __name__ == "__main__":
    answer_commands(
        {
            "seed": seed,
            "work": work,
            "enqueue": enqueue,
            "wait": wait,
            "stored": stored,
            "workers": workers,
            "clear": clear,
            "crowd": crowd,
            "about": about,
        }
    )
