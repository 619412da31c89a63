"""A database that answers nothing and resets nothing: workers stop when they are told, and come back to work."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.db import connection

from migration_app import jobs
from migration_app.batches.batches import batch_create
from migration_app.contracts import Actor
from migration_app.engine.tasks import BATCH_TASK
from migration_app.imports.imports import import_receive
from migration_app.imports.tasks import IMPORT_TASK
from migration_app.models import Batch, SourceImport, Thread
from migration_app.threads.selections import selection_of_filters
from tests.chaos.invariants import estate_troubles
from tests.chaos.silence import SilentProxy
from tests.end_to_end.test_killed_workers import kill, wait_until, worker_environment
from tests.migration_app.engine.conftest import make_thread
from tests.sandbox import RunningSandbox

__all__ = ["make_thread", "worker_environment"]  # fixtures, used by name
pytestmark = pytest.mark.django_db(transaction=True)

StartWorker = Callable[..., "subprocess.Popen[bytes]"]
STOP_SECONDS = 60
# A worker as the service manager starts it, less patient than usual.
WORKER = """
import django
django.setup()
from django.core.management import execute_from_command_line
from migration_app import silence, worker
silence.STOPPED_SECONDS = 2.0
worker.SWEEP_SECONDS = 2
execute_from_command_line(["manage.py", "rqworker", "default", "-v", "0"])
"""


@pytest.fixture
def proxy() -> Iterator[SilentProxy]:
    database = settings.DATABASES["default"]
    with SilentProxy(database["HOST"] or "127.0.0.1", int(database["PORT"])).running() as between:
        yield between


@pytest.fixture
def worker(worker_environment: dict[str, str], proxy: SilentProxy) -> Iterator[StartWorker]:
    """Starts worker processes that reach the database through the proxy; none outlives the test."""
    database = settings.DATABASES["default"]
    login, name = f"{database['USER']}:{database['PASSWORD']}", connection.settings_dict["NAME"]
    started: list[subprocess.Popen[bytes]] = []

    def start(*, answer_seconds: int = 900) -> subprocess.Popen[bytes]:
        environment = {
            **worker_environment,
            "DATABASE_URL": f"postgresql://{login}@127.0.0.1:{proxy.port}/{name}?connect_timeout=2",
            "DATABASE_ANSWER_SECONDS": str(answer_seconds),
            "DJANGO_SETTINGS_MODULE": "console.settings",
            "LOG_LEVEL": "CRITICAL",
        }
        command = [sys.executable, "-c", WORKER]
        started.append(subprocess.Popen(command, env=environment, cwd=settings.BASE_DIR))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            kill(process)


def backfill() -> Batch:
    batch = batch_create(
        kind="backfill", selection=selection_of_filters({}), actor=Actor("ada"), reason="a test", window=2
    )
    jobs.enqueue(BATCH_TASK, batch.pk)
    return batch


def finished(batch: Batch) -> bool:
    return Batch.objects.get(pk=batch.pk).state == "finished"


def test_an_idle_worker_stops_when_told_though_the_database_is_silent(
    worker: StartWorker, proxy: SilentProxy
) -> None:
    process = worker()
    wait_until(lambda: jobs.workers_alive() == 1, "the worker")
    proxy.silence()
    wait_until(proxy.swallowed.is_set, "the worker to look into the database")
    process.terminate()
    assert process.wait(STOP_SECONDS) == 0


def test_a_worker_amid_a_batch_stops_when_told_though_the_database_is_silent_and_another_completes_it(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, worker: StartWorker, proxy: SilentProxy
) -> None:
    threads = [make_thread(f"thread_{number}", messages=45) for number in range(6)]
    sandbox.control.add_fault("latency", "", seconds=0.05)
    batch = backfill()
    process = worker()
    wait_until(lambda: sum(sandbox.control.state().requests.values()) >= 4, "four calls")
    proxy.silence()
    wait_until(proxy.swallowed.is_set, "the worker to ask the database for something")
    process.terminate()
    assert process.wait(STOP_SECONDS) == 0
    proxy.speak(forget=True)
    worker()
    wait_until(lambda: finished(batch), "the batch to finish")
    assert estate_troubles(sandbox.control, threads) == []


def test_a_worker_that_imports_stops_when_told_though_the_database_is_silent(
    sandbox: RunningSandbox, worker: StartWorker, proxy: SilentProxy
) -> None:
    lines = b"".join(b'{"id": "thread_%d", "object": "thread"}\n' % number for number in range(60_000))
    source_import = import_receive(kind="archive", file_name="a", chunks=[lines], actor=Actor("ada"))
    jobs.enqueue(IMPORT_TASK, source_import.pk)
    process = worker()
    wait_until(lambda: SourceImport.objects.get().state == "running", "the import to begin")
    proxy.silence()
    wait_until(proxy.swallowed.is_set, "the worker to ask the database for something")
    process.terminate()
    assert process.wait(STOP_SECONDS) == 0


def test_a_worker_gives_up_a_silent_connection_by_itself_and_completes_the_batch(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, worker: StartWorker, proxy: SilentProxy
) -> None:
    threads = [make_thread(f"thread_{number}", messages=45) for number in range(6)]
    sandbox.control.add_fault("latency", "", seconds=0.05)
    batch = backfill()
    process = worker(answer_seconds=3)
    wait_until(lambda: sum(sandbox.control.state().requests.values()) >= 4, "four calls")
    proxy.silence()
    wait_until(proxy.swallowed.is_set, "the worker to ask the database for something")
    proxy.speak(forget=True)
    wait_until(lambda: finished(batch), "the batch to finish")
    assert process.poll() is None
    assert estate_troubles(sandbox.control, threads) == []
