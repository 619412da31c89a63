"""Real worker processes that are told to stop, as a service manager does: SIGTERM to every process of theirs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest
from django.conf import settings

from migration_app import jobs
from migration_app.batches.batches import batch_create
from migration_app.contracts import Actor
from migration_app.engine.tasks import BATCH_TASK
from migration_app.imports.imports import import_receive
from migration_app.imports.tasks import IMPORT_TASK
from migration_app.models import Batch, Chunk, Thread
from migration_app.threads.selections import selection_of_filters
from tests.end_to_end.test_killed_workers import kill, wait_until, worker, worker_environment
from tests.migration_app.engine.conftest import assert_conversation_holds_exactly_the_thread, make_thread
from tests.sandbox import RunningSandbox

__all__ = ["make_thread", "worker", "worker_environment"]  # fixtures, used by name
pytestmark = pytest.mark.django_db(transaction=True)

StartWorker = Callable[[], "subprocess.Popen[bytes]"]


def tell_all(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM to the worker and to the job that it forked, the job first."""
    children = psutil.Process(process.pid).children(recursive=True)
    for pid in [*(child.pid for child in children), process.pid]:
        os.kill(pid, signal.SIGTERM)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of a pool behind, whatever became of the test."""
    if process.poll() is None:
        kill(process)


def backfill() -> Batch:
    batch = batch_create(
        kind="backfill", selection=selection_of_filters({}), actor=Actor("ada"), reason="a test"
    )
    jobs.enqueue(BATCH_TASK, batch.pk)
    return batch


@pytest.mark.parametrize("everybody", [True, False], ids=["to_all_processes", "to_the_worker_alone"])
def test_a_worker_that_is_told_to_stop_hands_its_threads_back_after_the_chunk_at_hand(
    everybody: bool, make_thread: Callable[..., Thread], sandbox: RunningSandbox, worker: StartWorker
) -> None:
    threads = [make_thread(f"thread_{number}", messages=205) for number in range(4)]
    batch = backfill()
    sandbox.control.add_fault("latency", "", seconds=0.3)
    process = worker()
    wait_until(Chunk.objects.filter(state="appended").exists, "the first chunk")
    if everybody:
        tell_all(process)
    else:
        process.terminate()
    assert process.wait(60) == 0  # long before its turn of five minutes is over
    assert not Thread.objects.exclude(lease_token=None).exists()
    assert not Chunk.objects.filter(state="sending").exists()
    assert Thread.objects.filter(pending_work="backfill").count() == len(threads)
    assert jobs.queue_named().job_ids != []

    sandbox.control.clear_faults()
    worker()
    wait_until(lambda: Batch.objects.get(pk=batch.pk).state == "finished", "the batch to finish")
    for thread in threads:
        assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert sandbox.control.state().conversations == len(threads)


def test_an_import_is_not_cut_off_by_the_signal_that_stops_its_worker(
    sandbox: RunningSandbox, worker: StartWorker
) -> None:
    lines = b"".join(b'{"id": "thread_%d", "object": "thread"}\n' % number for number in range(4_000))
    source_import = import_receive(
        kind="archive", file_name="archive.jsonl", chunks=[lines], actor=Actor("ada")
    )
    jobs.enqueue(IMPORT_TASK, source_import.pk)
    process = worker()

    def running() -> bool:
        source_import.refresh_from_db()
        return source_import.state != "waiting"

    wait_until(running, "the import to begin")
    assert source_import.state == "running"
    tell_all(process)
    assert process.wait(60) == 0
    source_import.refresh_from_db()
    assert (source_import.state, Thread.objects.count()) == ("finished", 4_000)


def test_a_pool_of_workers_shares_a_batch_and_ends_when_it_is_told(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, worker_environment: dict[str, str]
) -> None:
    threads = [make_thread(f"thread_{number}", messages=5) for number in range(8)]
    command = [
        sys.executable,
        "manage.py",
        "rqworker-pool",
        "urgent",
        "default",
        "--num-workers",
        "2",
        "-v",
        "0",
    ]
    pool = subprocess.Popen(command, env=worker_environment, cwd=settings.BASE_DIR)
    try:
        wait_until(lambda: jobs.workers_alive() == 2, "two workers")
        batch = backfill()
        wait_until(lambda: Batch.objects.get(pk=batch.pk).state == "finished", "the batch to finish")
        pool.terminate()
        assert pool.wait(60) == 0
    finally:
        kill_all(pool)
    assert jobs.workers_alive() == 0
    for thread in threads:
        assert_conversation_holds_exactly_the_thread(thread, sandbox)
