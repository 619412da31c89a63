"""Real worker processes, killed with -9 in the middle of a batch, again and again, until it is done."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import django_rq
import psutil
import pytest
from django.conf import settings
from django.db import connection

from migration_app.batches.batches import batch_create
from migration_app.contracts import Actor
from migration_app.engine.tasks import BATCH_TASK
from migration_app.jobs import enqueue
from migration_app.models import AuditEvent, Batch, FormerConversation, OrphanConversation, Thread
from migration_app.threads.selections import selection_of_filters
from tests.migration_app.engine.conftest import assert_conversation_holds_exactly_the_thread, make_thread
from tests.sandbox import RunningSandbox

__all__ = ["make_thread"]  # fixtures, used by name
pytestmark = pytest.mark.django_db(transaction=True)

StartWorker = Callable[[], "subprocess.Popen[bytes]"]
PATIENCE_SECONDS = 120
KILL_AFTER_CALLS = (1, 3, 4, 6, 8)
"""Calls that the target must have seen since the last kill; in all fewer than the whole job takes."""


@pytest.fixture
def worker_environment(sandbox: RunningSandbox) -> Iterator[dict[str, str]]:
    database = settings.DATABASES["default"]
    password, host, port = database["PASSWORD"], database["HOST"], database["PORT"]
    name = connection.settings_dict["NAME"]  # the test's own database
    queue = django_rq.get_queue("default")
    queue.connection.flushdb()
    yield {
        **os.environ,
        "DATABASE_URL": f"postgresql://{database['USER']}:{password}@{host}:{port}/{name}",
        "LEASE_SECONDS": "2",
        "HTTP_TIMEOUT_SECONDS": "10",
    }
    queue.connection.flushdb()


@pytest.fixture
def worker(worker_environment: dict[str, str]) -> Iterator[StartWorker]:
    """Starts worker processes; none outlives the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            str(Path(settings.BASE_DIR) / "manage.py"),
            "rqworker",
            "default",
            "-v",
            "0",
        ]
        started.append(subprocess.Popen(command, env=worker_environment, cwd=settings.BASE_DIR))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill -9 the worker and the job that it forked, as the machine's end would."""
    family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for one in family:
        one.kill()
    process.wait()
    psutil.wait_procs(family, timeout=10)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {PATIENCE_SECONDS} s in vain for: {what}")
        time.sleep(0.05)


def test_workers_killed_again_and_again_leave_no_item_twice_and_none_missing(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, worker: StartWorker
) -> None:
    threads = [make_thread(f"thread_{number}", messages=45) for number in range(6)]
    batch = batch_create(
        kind="backfill", selection=selection_of_filters({}), actor=Actor("ada"), reason="a test"
    )
    enqueue(BATCH_TASK, batch.pk)
    sandbox.control.add_fault("latency", "", seconds=0.05)

    def seen(goal: int) -> bool:
        return sum(sandbox.control.state().requests.values()) >= goal

    calls = 0
    for more in KILL_AFTER_CALLS:
        process = worker()
        calls += more
        wait_until(partial(seen, calls), f"{calls} calls")
        kill(process)

    process = worker()
    wait_until(lambda: Batch.objects.get(pk=batch.pk).state == "finished", "the batch to finish")
    process.terminate()
    process.wait(30)

    for thread in threads:
        assert_conversation_holds_exactly_the_thread(thread, sandbox)
        assert (thread.status, thread.pending_work, thread.lease_token) == ("verified", "", None)
        assert AuditEvent.objects.filter(subject_id=thread.thread_id, verb="thread.verified").count() == 1
    # Of a kill between an append and its answer there is one more: given up, and deleted when its time has come.
    others = OrphanConversation.objects.count() + FormerConversation.objects.count()
    assert sandbox.control.state().conversations <= len(threads) + others


def test_two_workers_share_a_batch_and_never_a_thread(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, worker: StartWorker
) -> None:
    threads = [make_thread(f"thread_{number}", messages=5) for number in range(24)]
    sandbox.control.add_fault("latency", "", seconds=0.05)
    workers = [worker() for _ in range(2)]
    # One thread at a time: with more in flight the first worker would have them all before the second is there.
    batch = batch_create(
        kind="backfill", selection=selection_of_filters({}), actor=Actor("ada"), reason="a test", window=1
    )
    enqueue(BATCH_TASK, batch.pk)
    wait_until(lambda: Batch.objects.get(pk=batch.pk).state == "finished", "the batch to finish")
    for process in workers:
        process.terminate()
    for process in workers:
        process.wait(30)

    assert sandbox.control.state().conversations == len(threads)
    assert not OrphanConversation.objects.exists()
    for thread in threads:
        assert_conversation_holds_exactly_the_thread(thread, sandbox)
    started = AuditEvent.objects.filter(verb="thread.backfill_started")
    assert started.count() == len(threads)
    assert started.values("job_id").distinct().count() == 2
