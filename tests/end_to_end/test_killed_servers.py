"""PostgreSQL and Valkey killed with -9 under real workers, wrong clocks, jobs delivered twice: whole at the end."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import django_rq
import environ
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from bench.threads import console
from migration_app import jobs
from migration_app import worker as worker_module
from migration_app.batches.batches import batch_create
from migration_app.contracts import Actor
from migration_app.engine.tasks import BATCH_TASK
from migration_app.models import AuditEvent, Batch, OrphanConversation, Thread
from migration_app.threads.selections import selection_of_filters
from tests.chaos.invariants import estate_troubles, unheld_conversations
from tests.chaos.killable import Servers, Workers, own_servers
from tests.migration_app.engine.conftest import make_thread
from tests.sandbox import RunningSandbox
from tests.workers import worker_here

__all__ = ["make_thread"]  # fixtures, used by name

PATIENCE_SECONDS = 180.0
SEVEN_HOURS = 7 * 3600.0
JOB = """
import sys, django
django.setup()
from migration_app.jobs import task_job
task_job("batch", int(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def servers(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Servers]:
    """A pair of these tests' own, with the schema: the session's must not die."""
    with own_servers() as own, django_db_blocker.unblock():
        with database_of(own):
            call_command("migrate", verbosity=0)
        yield own


@contextlib.contextmanager
def database_of(own: Servers) -> Iterator[None]:
    """Have this process, and every thread of it, speak to these servers instead."""
    named = connections.settings["default"]
    before = dict(named)
    connection.close()
    named.update(environ.Env.db_url_config(own.database_url))
    try:
        yield
    finally:
        connection.close()
        named.update(before)


@pytest.fixture
def place(transactional_db: None, servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    """The servers, empty but for the schema; the database of this process is theirs for the test."""
    for queue in settings.RQ_QUEUES.values():
        monkeypatch.setitem(queue, "URL", servers.redis_url)
    with database_of(servers):
        console.clear()
        yield servers


@pytest.fixture
def environment(place: Servers, sandbox: RunningSandbox) -> dict[str, str]:
    return {
        "DATABASE_URL": place.database_url,
        "REDIS_URL": place.redis_url,
        "DJANGO_SETTINGS_MODULE": "console.settings",
        "LEASE_SECONDS": "2",
        "HTTP_TIMEOUT_SECONDS": "10",
        "TARGET_REQUESTS_PER_MINUTE": "12000",
        "LOG_LEVEL": "CRITICAL",
    }


@pytest.fixture
def workers(environment: dict[str, str]) -> Iterator[Workers]:
    kept = Workers(environment, sweep_seconds=2)
    yield kept
    kept.close()


@pytest.fixture
def threads(place: Servers, make_thread: Callable[..., Thread]) -> list[Thread]:
    """Sixty threads of two and three chunks."""
    return [make_thread(f"thread_{number:02}", messages=25 + number % 25) for number in range(60)]


def backfill() -> Batch:
    batch = batch_create(
        kind="backfill", selection=selection_of_filters({}), actor=Actor("ada"), reason="a test"
    )
    Batch.objects.filter(pk=batch.pk).update(window=8)
    jobs.enqueue(BATCH_TASK, batch.pk)
    return batch


def wait_for_calls(workers: Workers, sandbox: RunningSandbox, count: int) -> None:
    def seen() -> bool:
        return sum(sandbox.control.state().requests.values()) >= count

    workers.wait_until(seen, seconds=PATIENCE_SECONDS, what=f"{count} calls")


def wait_for_end(workers: Workers, batch: Batch) -> None:
    def finished() -> bool:
        return Batch.objects.get(pk=batch.pk).state == "finished"

    workers.wait_until(finished, seconds=PATIENCE_SECONDS, what="the batch to finish")


def test_a_batch_survives_postgresql_killed_and_down_for_a_while(
    place: Servers, threads: list[Thread], sandbox: RunningSandbox, workers: Workers
) -> None:
    sandbox.control.add_fault("latency", "", seconds=0.03)
    batch = backfill()
    for _ in range(2):
        workers.start()
    for calls, down_seconds in ((50, 0.0), (130, 3.0)):
        wait_for_calls(workers, sandbox, calls)
        place.kill_postgres()
        connection.close()
        time.sleep(down_seconds)
        place.start_postgres()
    wait_for_end(workers, batch)
    assert estate_troubles(sandbox.control, threads) == []


def test_a_batch_survives_valkey_killed_with_all_its_jobs_and_limits(
    place: Servers, threads: list[Thread], sandbox: RunningSandbox, workers: Workers
) -> None:
    sandbox.control.add_fault("latency", "", seconds=0.03)
    batch = backfill()
    for _ in range(2):
        workers.start()
    wait_for_calls(workers, sandbox, 50)
    place.kill_valkey()
    time.sleep(1.0)
    place.start_valkey()
    wait_for_end(workers, batch)
    assert estate_troubles(sandbox.control, threads) == []
    workers.wait_until(
        lambda: jobs.workers_alive() == 2, seconds=PATIENCE_SECONDS, what="both workers to be known again"
    )


def test_workers_whose_clocks_are_hours_wrong_neither_lose_nor_take_each_others_threads(
    threads: list[Thread], sandbox: RunningSandbox, workers: Workers
) -> None:
    sandbox.control.add_fault("latency", "", seconds=0.03)
    for clock in (SEVEN_HOURS, -SEVEN_HOURS):
        workers.start(clock=clock)
    workers.wait_until(lambda: jobs.workers_alive() == 2, seconds=PATIENCE_SECONDS, what="two workers")
    batch = backfill()
    wait_for_end(workers, batch)
    assert estate_troubles(sandbox.control, threads) == []
    assert not AuditEvent.objects.filter(verb="thread.resumed").exists()
    assert not OrphanConversation.objects.exists()
    assert unheld_conversations(sandbox.control) == 0


def test_a_wall_clock_that_is_set_back_does_not_keep_a_worker_from_looking_around(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with worker_here(["default"], connection=django_rq.get_queue("default").connection) as worker:
        looks = [worker.should_run_maintenance_tasks]
        worker.run_maintenance_tasks()
        looks.append(worker.should_run_maintenance_tasks)
        ahead = timezone.now() + dt.timedelta(hours=7)  # as if the clock had been set back since
        monkeypatch.setattr(worker, "last_cleaned_at", ahead)
        later = time.monotonic() + worker_module.SWEEP_SECONDS
        with monkeypatch.context() as patch:
            patch.setattr(time, "monotonic", lambda: later)
            looks.append(worker.should_run_maintenance_tasks)
    assert looks == [True, False, True]


def test_a_job_that_is_delivered_twice_or_too_late_does_nothing_twice(
    threads: list[Thread], sandbox: RunningSandbox, environment: dict[str, str]
) -> None:
    batch = backfill()
    command = [sys.executable, "-c", JOB, str(batch.pk)]

    def started() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env={**os.environ, **environment}, cwd=settings.BASE_DIR)

    both = [started() for _ in range(2)]
    assert [job.wait(PATIENCE_SECONDS) for job in both] == [0, 0]
    assert estate_troubles(sandbox.control, threads) == []
    assert sandbox.control.state().conversations == len(threads)
    assert AuditEvent.objects.filter(verb="thread.backfill_started").count() == len(threads)

    def all_there_is() -> list[Any]:
        return [AuditEvent.objects.count(), sandbox.control.state().requests, Batch.objects.get().state]

    before = all_there_is()
    jobs.task_job("batch", batch.pk)
    assert all_there_is() == before
