"""A target that quotes what users wrote in every error: where its words may stand, and where they must not.

One word of a user goes through every kind of work while the target refuses and quotes; then every column of every
table, every key of the queue and all that was logged is searched for it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import zlib
from collections.abc import Iterator
from typing import Any

import django_rq
import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from migration_app import jobs
from migration_app.batches.batches import batch_create
from migration_app.batches.control import batch_resume
from migration_app.engine import runner
from migration_app.engine.steps import protocol
from migration_app.engine.tasks import BATCH_TASK
from migration_app.models import Batch, ServerMessage, Thread
from migration_app.readiness.checks import check_request
from migration_app.readiness.tasks import READINESS_TASK
from migration_app.reconciliation.records import reconciliation_create
from migration_app.reconciliation.tasks import RECONCILIATION_TASK
from migration_app.threads.mapping import mapping_chunks
from migration_app.threads.selections import selection_of_filters
from migration_app.trials.tasks import TRIAL_TASK
from tests.migration_app.engine.conftest import ACTOR, expire_leases, message, objects_of
from tests.migration_app.trials.estate import thread_stored, trial_made
from tests.sandbox import RunningSandbox
from tests.workers import work_off

pytestmark = pytest.mark.django_db(transaction=True)
MARKER = "zanzibarnights"
"""As a server may take it for one of its own codes: one lower-case word."""

MAY_HOLD = {
    ("migration_app_servermessage", "text"),
    ("migration_app_reviewreading", "payload"),
    ("migration_app_snapshotpage", "payload"),
    ("migration_app_trialturn", "content"),
    ("migration_app_trialresult", "content"),
}


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch, sandbox: RunningSandbox, settings: Settings) -> Iterator[Any]:
    monkeypatch.setattr(runner, "_IDLE_SECONDS", 0.0)
    monkeypatch.setattr(protocol, "_TRIES_BEFORE_LOSS", 1)
    settings.MAX_ATTEMPTS = 2
    settings.BREAKER_FAILURES = 1
    settings.SOURCE_BASE_URL = sandbox.base_url
    found = django_rq.get_queue("default")
    found.connection.flushdb()
    yield found
    found.connection.flushdb()


def private_thread(thread_id: str) -> Thread:
    first, *_ = objects_of(thread_id, 0)
    return thread_stored(
        [first, message(thread_id, 0, MARKER), message(thread_id, 1, "Noted."), message(thread_id, 2, MARKER)]
    )


def work(queue: Any, kind: str = "") -> None:
    """Have the queue worked off, and what waits for later, as if its time had come."""
    if kind:
        batch = batch_create(kind=kind, selection=selection_of_filters({}), actor=ACTOR, reason="a test")
        jobs.enqueue(BATCH_TASK, batch.pk)
    for _ in range(2):
        Thread.objects.exclude(not_before=None).update(not_before=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        expire_leases()
        jobs.sweep()
        work_off(queue, logging_level="DEBUG")


def sweep_up(queue: Any) -> None:
    """What the breaker held goes on, so that each kind of work meets the refusals."""
    for batch in Batch.objects.filter(state="paused"):
        batch_resume(batch_pk=batch.pk, actor=ACTOR)
    work(queue)


def holding(text: str) -> set[tuple[str, str]]:
    """Which columns of which tables hold it, compressed or not."""
    found = set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = current_schema()"
        )
        for table, column, kind in cursor.fetchall():
            cursor.execute(f'SELECT "{column}"{"" if kind == "bytea" else "::text"} FROM "{table}"')
            if any(_holds(value, text) for (value,) in cursor.fetchall()):
                found.add((table, column))
    return found


def _holds(value: object, text: str) -> bool:
    if isinstance(value, bytes | memoryview):
        raw = bytes(value)
        with contextlib.suppress(zlib.error):  # most are not compressed
            raw = zlib.decompress(raw)
        return text.encode() in raw
    return value is not None and text in str(value).lower()


def in_redis(connection_: Any, text: str) -> list[bytes]:
    """Keys whose dumped value, names and fields hold it; what RQ compressed is opened."""
    found = []
    for key in connection_.scan_iter(count=1000):
        kind = connection_.type(key)
        values: list[bytes] = [key]
        if kind == b"hash":
            values += [part for pair in connection_.hgetall(key).items() for part in pair]
        elif kind == b"string":
            values.append(connection_.get(key))
        elif kind == b"stream":
            values += [
                part for _, entry in connection_.xrange(key) for pair in entry.items() for part in pair
            ]
        elif kind == b"list":
            values += connection_.lrange(key, 0, -1)
        else:
            values += connection_.zrange(key, 0, -1) if kind == b"zset" else connection_.smembers(key)
        if any(_holds(value, text) for value in values):
            found.append(key)
    return found


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_users_words_in_a_targets_errors_reach_neither_trail_nor_logs_nor_queue(
    status: int,
    queue: Any,
    sandbox: RunningSandbox,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    private_thread("thread_whole")
    work(queue, "backfill")
    private_thread("thread_refused")
    sandbox.control.add_fault("quoted", "items|responses|threads|models", status=status)
    for kind in ("backfill", "verify", "resources", "snapshot", "accept", "rollback"):
        work(queue, kind)
        sweep_up(queue)
    row = reconciliation_create(checks=["records", "target", "live"], sample_size=None, actor=ACTOR)
    jobs.enqueue(RECONCILIATION_TASK, row.pk)
    trial = trial_made(Thread.objects.get(thread_id="thread_whole"))
    jobs.enqueue(TRIAL_TASK, trial.pk)
    check_request(kind="target", actor=ACTOR)
    jobs.enqueue(READINESS_TASK)
    work(queue)
    assert ServerMessage.objects.filter(text__contains=MARKER).exists()
    assert holding(MARKER) <= MAY_HOLD
    assert in_redis(queue.connection, MARKER) == []
    assert MARKER not in caplog.text
    assert MARKER.encode() not in b"".join(mapping_chunks(selection_of_filters({})))
