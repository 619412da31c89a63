"""What RQ carries: the name of a kind of work, and a number. With ``worker`` the only module that imports rq.

The queue may lose everything: pending work is in the database, and every worker reads that when it
starts and every 20 seconds (``sweep``). A job delivered twice, or one too many, finds nothing to claim.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
import socket
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import django_rq
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.job import Job, get_current_job
from rq.serializers import DefaultSerializer, JSONSerializer

from migration_app.batches.control import urgent_work_waits
from migration_app.collecting import seldom_collecting
from migration_app.contracts import Actor
from migration_app.engine.outcomes import bug_place
from migration_app.engine.runner import BugsMetError
from migration_app.operation.heartbeats import WorkerHeartbeat, worker_dismiss, worker_heartbeats
from migration_app.operation.samples import sample_take
from migration_app.tasks.api_health import API_HEALTH
from migration_app.tasks.registry import DEFAULT, URGENT, TaskKind, task_kinds
from migration_app.tasks.turns import Turn, stop_heard

logger = logging.getLogger(__name__)

# What unpickles runs whatever the pickle says, and RQ unpickles where nobody names a serializer, as some of its pages
# do. Here nothing ever does: who can write to Redis must not run code by it.
DefaultSerializer.dumps = JSONSerializer.dumps
DefaultSerializer.loads = JSONSerializer.loads

_TURN_SECONDS = 300.0
_AFTER_BUG_SECONDS = 1.0
_ANSWER_SECONDS = 2.0


def enqueue(kind: TaskKind, pk: int = 0) -> None:
    """Enqueue work when the current transaction commits.

    If the queue can't be reached that is logged, and a worker finds the work later.
    """

    def now() -> None:
        _enqueue_now(kind, pk)

    transaction.on_commit(now, robust=True)


@dataclasses.dataclass(frozen=True, slots=True)
class QueueState:
    """The queue as it is now. ``waiting``: jobs that no worker has taken; ``workers``: all known, the dead ones too."""

    workers: Sequence[WorkerHeartbeat]
    waiting: int


def queue_state() -> QueueState | None:
    """Ask the queue's server; None if it can't be reached."""
    try:
        redis = _answering_soon()
        waiting = sum(queue_named(name, connection=redis).count for name in (URGENT, DEFAULT))
        return QueueState(worker_heartbeats(redis), waiting)
    except RedisError as error:
        logger.warning("the queue can't be reached: %s", type(error).__name__)
        return None


def _answering_soon() -> Redis:
    """A connection for pages: a server that hangs must not hang them."""
    return _connection_to(settings.RQ_QUEUES[DEFAULT]["URL"])


@functools.cache
def _connection_to(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=_ANSWER_SECONDS, socket_connect_timeout=_ANSWER_SECONDS)


def worker_forget(name: str) -> bool:
    """Take a dead worker out of the list; False if there is none of that name, or the queue can't be reached."""
    try:
        return worker_dismiss(_answering_soon(), name)
    except RedisError:
        return False


def workers_alive() -> int | None:
    """Count the workers that were heard a moment ago, on any machine; None if the queue can't be reached."""
    state = queue_state()
    return None if state is None else sum(worker.is_alive for worker in state.workers)


def workers_missing() -> str:
    """Say what keeps work from being done: no queue, or no worker. Empty if nothing does."""
    alive = workers_alive()
    if alive is None:
        return "The queue's server can't be reached (REDIS_URL): nothing happens until it is back and a worker runs."
    return "" if alive else "No worker is running: nothing happens until one does (manage.py rqworker)."


def sweep() -> None:
    """Tidy up, enqueue what the database says is to be done and no queue holds, keep how far the estate is."""
    sample_take()
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
    with stop_heard() as stop, seldom_collecting():
        turn = Turn(
            actor=_actor(*kind.acts_for(pk)),
            stop=stop,
            ends_at=time.monotonic() + _TURN_SECONDS,
            urgent_waits=partial(urgent_work_waits, 0),
            enqueue=partial(_enqueue_now, kind),
            others_wait=partial(_others_wait, kind, pk),
        )
        try:
            work_is_left = kind.turn(pk, turn)
        finally:
            API_HEALTH.write()
        if work_is_left:
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
    prefix = _prefix(kind, pk)
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


def _prefix(kind: TaskKind, pk: int) -> str:
    """How the ids of all jobs begin that take turns at this work."""
    return f"{kind.name}-{pk}-"


def _others_wait(kind: TaskKind, pk: int) -> bool:
    """Whether a job waits for a worker that is for other work than this. Not if the queue can't be reached."""
    prefix = _prefix(kind, pk)
    try:
        waiting = [job_id for name in (URGENT, DEFAULT) for job_id in queue_named(name).get_job_ids()]
    except RedisError:
        return False
    return any(not job_id.startswith(prefix) for job_id in waiting)


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
