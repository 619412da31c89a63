"""What somebody who can write to Redis may put into the queue, and that no worker and no page runs it."""

from __future__ import annotations

import datetime as dt
import json
import os
import pickle
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django_rq
import pytest
from django.test import Client
from rq import SimpleWorker
from rq.job import Job
from rq.serializers import resolve_serializer

from migration_app import jobs
from migration_app.engine.tasks import BATCH_TASK
from migration_app.models import Batch
from migration_app.worker import ConsoleJob, ConsoleWorker
from tests import workers

pytestmark = pytest.mark.django_db(transaction=True)


class InProcessWorker(SimpleWorker, ConsoleWorker):
    """The console's worker without the fork, which would share no database with the test."""


@pytest.fixture(autouse=True)
def queue() -> Iterator[Any]:
    found = django_rq.get_queue("default")
    found.connection.flushdb()
    yield found
    found.connection.flushdb()


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return tmp_path / "it-ran"


class Touching:
    """An object whose pickle, once read, makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.path),))


def planted(queue: Any, job_id: str = "planted", **fields: Any) -> None:
    """A job's hash as somebody with a Redis client writes it, and its id in the queue."""
    at = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    row = {
        "created_at": at,
        "enqueued_at": at,
        "origin": "default",
        "status": "queued",
        "timeout": 60,
    } | fields
    queue.connection.hset(f"rq:job:{job_id}", mapping=row)
    queue.connection.rpush("rq:queue:default", job_id)
    queue.connection.sadd("rq:queues", "rq:queue:default")


def named(function: str, *args: Any, instance: Any = None, **kwargs: Any) -> bytes:
    return zlib.compress(json.dumps([function, instance, args, kwargs]).encode())


def work_off(queue: Any) -> None:
    workers.work_off(queue, worker_class=InProcessWorker)


def test_a_pickle_in_a_jobs_hash_is_never_read(queue: Any, trace: Path) -> None:
    bad = pickle.dumps(Touching(trace))
    planted(queue, data=zlib.compress(bad), meta=bad, result=bad)
    planted(queue, "second", data=bad)
    work_off(queue)
    assert not trace.exists()
    assert {"planted", "second"} <= set(queue.failed_job_registry.get_job_ids())


@pytest.mark.parametrize(
    "data",
    [
        named("os.mkdir", "{trace}"),
        named("mkdir", "{trace}", instance="os"),
        named("migration_app.worker.os.mkdir", "{trace}"),
        named("migration_app.jobs.os.mkdir", "{trace}"),
        named("migration_app.jobs._enqueue_now", "batch", 1),
        named("django.core.management.call_command", "flush", interactive=False),
        named("migration_app.jobs.task_job", "batch", "1"),
        named("migration_app.jobs.task_job", "batch", 1, 2),
        named("migration_app.jobs.task_job", kind_name="batch", pk=1),
        named("migration_app.jobs.task_job"),
        named("migration_app.jobs.task_job", "batch"),
        named("migration_app.jobs.task_job", 1),
        named("migration_app.jobs.task_job", "batch", True),
        named("migration_app.jobs.task_job", ["batch"], 1),
        named("migration_app.jobs.task_job", "weather", 1),
        b"not even compressed",
        zlib.compress(b"[" * 100_000),
        zlib.compress(b"null"),
    ],
)
def test_what_is_no_job_of_the_console_is_refused_logged_and_counted_as_failed(
    data: bytes, queue: Any, trace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = data
    if data.startswith(b"x"):
        text = zlib.compress(zlib.decompress(data).replace(b"{trace}", str(trace).encode()))
    planted(queue, data=text)
    work_off(queue)
    assert not trace.exists()
    assert queue.failed_job_registry.get_job_ids() == ["planted"]
    assert "planted" in caplog.text


def test_what_is_named_to_follow_a_job_is_not_run_either(queue: Any, trace: Path) -> None:
    callbacks = {
        f"{name}_callback_name": "tests.migration_app.test_worker_refuses.touch"
        for name in ("success", "failure", "stopped")
    }
    webhooks = json.dumps(
        [
            {
                "url": "http://127.0.0.1:9/",
                "job_status": "finished",
                "method": "GET",
                "headers": None,
                "timeout": 1,
            }
        ]
    )
    planted(queue, data=named("migration_app.jobs.task_job", "batch", 999), webhooks=webhooks, **callbacks)
    planted(queue, "bad", data=named("os.mkdir", str(trace)), webhooks=webhooks, **callbacks)
    TOUCHED.clear()
    work_off(queue)
    assert TOUCHED == []
    assert queue.finished_job_registry.get_job_ids() == ["planted"]
    assert queue.failed_job_registry.get_job_ids() == ["bad"]


TOUCHED: list[object] = []


def touch(*args: object) -> None:
    """What a planted job names as its callback."""
    TOUCHED.append(args)


@pytest.mark.parametrize("field", ["timeout", "result_ttl", "status", "created_at"])
def test_a_hash_that_cannot_be_read_does_not_end_the_worker(field: str, queue: Any) -> None:
    planted(queue, data=named("migration_app.jobs.task_job", "batch", 1), **{field: "nonsense"})
    batch = Batch.objects.create(kind="verify", filter={"ids": []}, max_thread_pk=0, reason="a test")
    jobs.enqueue(BATCH_TASK, batch.pk)
    work_off(queue)
    batch.refresh_from_db()
    assert batch.state == "finished"


def test_every_way_to_a_job_reads_json(queue: Any) -> None:
    assert {queue.serializer.loads(b"[1]")[0], resolve_serializer(None).loads(b"[1]")[0]} == {1}
    worker = ConsoleWorker([queue], connection=queue.connection)
    assert (worker.job_class, queue.job_class) == (ConsoleJob, ConsoleJob)
    with pytest.raises(ValueError, match=r"Expecting value|decode"):
        resolve_serializer(None).loads(pickle.dumps({}))
    with pytest.raises(ValueError, match=r"Expecting value|decode"):
        Job("x", connection=queue.connection).serializer.loads(pickle.dumps({}))


@pytest.mark.parametrize(
    "page", ["", "failed/", "started/", "finished/", "deferred/", "scheduled/", "planted/"]
)
def test_the_pages_of_the_queue_read_no_pickle(
    page: str, queue: Any, trace: Path, admin_client: Client
) -> None:
    bad = pickle.dumps(Touching(trace))
    planted(queue, data=zlib.compress(bad), meta=bad)
    for registry in (
        queue.failed_job_registry,
        queue.started_job_registry,
        queue.finished_job_registry,
        queue.deferred_job_registry,
        queue.scheduled_job_registry,
    ):
        queue.connection.zadd(registry.key, {"planted": 9_999_999_999})
    for index in (0, 1):
        admin_client.get(f"/admin/rq/queues/{index}/{page}", secure=True)
    assert not trace.exists()
