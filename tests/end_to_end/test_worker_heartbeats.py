"""A worker that is killed with -9 in the middle of a job is shown as dead; one that is stopped is gone."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from migration_app.batches.batches import batch_create
from migration_app.contracts import Actor
from migration_app.engine.tasks import BATCH_TASK
from migration_app.jobs import enqueue, queue_state
from migration_app.models import Thread
from migration_app.operation import heartbeats
from migration_app.operation.health import workers_signal
from migration_app.operation.heartbeats import WorkerHeartbeat
from migration_app.threads.selections import selection_of_filters
from tests.end_to_end.test_killed_workers import kill, wait_until, worker, worker_environment
from tests.migration_app.engine.conftest import make_thread
from tests.sandbox import RunningSandbox

__all__ = ["make_thread", "worker", "worker_environment"]  # fixtures, used by name
pytestmark = pytest.mark.django_db(transaction=True)


def known() -> list[WorkerHeartbeat]:
    state = queue_state()
    return [] if state is None else list(state.workers)


def test_a_killed_worker_is_shown_as_dead_with_what_it_was_doing(
    make_thread: Callable[..., Thread],
    sandbox: RunningSandbox,
    worker: Callable[[], subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_thread("thread_1", messages=400)
    batch = batch_create(
        kind="backfill", selection=selection_of_filters({}), actor=Actor("ada"), reason="a test"
    )
    enqueue(BATCH_TASK, batch.pk)
    sandbox.control.add_fault("latency", "", seconds=2.0)
    process = worker()
    wait_until(lambda: [one.doing for one in known()] == [f"batch-{batch.pk}"], "a worker at its job")
    assert known()[0].pid == process.pid
    kill(process)
    monkeypatch.setattr(heartbeats, "DEAD_AFTER_SECONDS", 1.0)  # what it is, test_heartbeats.py holds
    wait_until(lambda: workers_signal(known()).text == "none alive, 1 dead", "the worker to count as dead")
    assert [(one.pid, one.doing) for one in known()] == [(process.pid, f"batch-{batch.pk}")]


def test_a_worker_that_is_stopped_leaves_the_list(worker: Callable[[], subprocess.Popen[bytes]]) -> None:
    process = worker()
    wait_until(lambda: len(known()) == 1, "the worker")
    process.terminate()
    process.wait(30)
    assert known() == []
