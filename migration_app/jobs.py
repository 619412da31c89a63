"""What RQ carries: the name of a kind of work, and a number. With ``worker`` the only module that imports rq.

The queue may lose everything: pending work is in the database, and every worker reads that when it
starts and every 20 seconds (``sweep``). A job delivered twice, or one too many, finds nothing to claim.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import django_rq
from django.db import transaction
from django.utils import timezone
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.job import Job, get_current_job
from rq.serializers import DefaultSerializer, JSONSerializer

from migration_app.batches.control import urgent_work_waits
from migration_app.contracts import Actor
from migration_app.engine.outcomes import bug_place
from migration_app.engine.runner import BugsMetError
from migration_app.tasks.registry import DEFAULT, TaskKind, task_kinds
from migration_app.tasks.turns import Turn, stop_heard

logger = logging.getLogger(__name__)

# What unpickles runs whatever the pickle says, and RQ unpickles where nobody names a serializer, as some of its pages
# do. Here nothing ever does: who can write to Redis must not run code by it.
DefaultSerializer.dumps = JSONSerializer.dumps
DefaultSerializer.loads = JSONSerializer.loads

_TURN_SECONDS = 300.0
_AFTER_BUG_SECONDS = 1.0


def enqueue(kind: TaskKind, pk: int = 0) -> None:
    """Enqueue work when the current transaction commits.

    If the queue can't be reached that is logged, and a worker finds the work later.
    """

    def now() -> None:
        _enqueue_now(kind, pk)

    transaction.on_commit(now, robust=True)


def workers_alive() -> int | None:
    """Count the workers whose heartbeat was heard lately, on any machine; None if the queue can't be reached."""
    try:
        return len(Worker.all(connection=queue_named().connection))
    except RedisError:
        logger.warning("the queue can't be reached", exc_info=True)
        return None


def workers_missing() -> str:
    """Say what keeps work from being done: no queue, or no worker. Empty if nothing does."""
    alive = workers_alive()
    if alive is None:
        return "The queue's server can't be reached (REDIS_URL): nothing happens until it is back and a worker runs."
    return "" if alive else "No worker is running: nothing happens until one does (manage.py rqworker)."


def sweep() -> None:
    """Tidy up, and enqueue what the database says is to be done and no queue holds."""
    for kind in task_kinds().values():
        kind.tidy(_actor())
        for pk in kind.waiting():
            _enqueue_now(kind, pk)


class JobFailedError(Exception):
    """A job met an error nobody expected; the worker's log says where."""


@contextlib.contextmanager
def _discretion() -> Iterator[None]:
    """Keep messages of unexpected errors out of RQ and the logs: a database's may quote a whole row.

    What a job says itself passes: it is written for operators.
    """
    try:
        yield
    except BugsMetError:
        raise
    except Exception as bug:  # noqa: BLE001 - whatever it is: raised again without its message
        logger.error("a job failed: %s", bug_place(bug))  # noqa: TRY400 - the message must stay out
        time.sleep(_AFTER_BUG_SECONDS)  # a batch whose every job fails must not spin
        raise JobFailedError(f"{type(bug).__name__}: the worker's log says where.") from None


@_discretion()
def task_job(kind_name: str, pk: int) -> None:
    """Take one turn at a piece of long work; enqueue it again if that leaves some. All that a worker ever runs."""
    kind = task_kinds()[kind_name]
    with stop_heard() as stop:
        turn = Turn(
            actor=_actor(*kind.acts_for(pk)),
            stop=stop,
            ends_at=time.monotonic() + _TURN_SECONDS,
            urgent_waits=partial(urgent_work_waits, 0),
            enqueue=partial(_enqueue_now, kind),
        )
        if kind.turn(pk, turn):
            _enqueue_now(kind, pk)


def is_task_job(function: str, arguments: Any) -> bool:
    """Whether this is what the console itself enqueues: ``task_job`` with a known kind and a number."""
    match arguments:
        case [str(name), int(pk)]:
            ours = f"{task_job.__module__}.{task_job.__qualname__}"
            return function == ours and name in task_kinds() and type(pk) is int
    return False


def _enqueue_now(kind: TaskKind, pk: int) -> None:
    """Put a job into the queue, unless one like it waits there already."""
    queue = queue_named(kind.queue(pk))
    prefix = f"{kind.name}-{pk}-"
    if any(job_id.startswith(prefix) for job_id in queue.get_job_ids()):
        return
    queue.enqueue_call(
        task_job,
        args=(kind.name, pk),
        timeout=-1,  # a turn ends by itself, and every call inside it has its own limit
        job_id=f"{prefix}{timezone.now():%Y%m%d%H%M%S%f}-{os.getpid()}",
        description=f"{kind.name} {pk}",
        result_ttl=600,
        failure_ttl=7 * 86_400,
    )


def queue_named(name: str = DEFAULT, **options: Any) -> Queue:
    """Return one of the two queues."""
    return django_rq.get_queue(name, **options)


def _actor(name: str = "", user_id: int | None = None) -> Actor:
    """Who acts in a job: the person who requested the work, through this job; or the worker itself."""
    job: Job | None = get_current_job()
    return Actor(
        name=name or f"worker on {socket.gethostname()}",
        user_id=user_id,
        job_id=job.id if job is not None else "",
    )
