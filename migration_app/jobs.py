"""What RQ carries: ids. The only module that imports rq.

The queue may lose everything: what is to be done stands in the database, and every worker looks there when it
starts and every 20 seconds (``sweep``). A job delivered twice, or one too many, finds nothing to take.
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
from django.conf import settings
from django.db import Error, connections, transaction
from django.utils import timezone
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.job import Job, get_current_job

from migration_app.backfill.runner import BugsMetError, Connections, batch_work, bug_place
from migration_app.contracts import Actor
from migration_app.gateways.connection import source_connection, target_connection
from migration_app.intake.imports import import_run, imports_waiting
from migration_app.models import Assistant, Batch
from migration_app.services.assistants import assistant_convert_next
from migration_app.services.batches import batch_fail, batch_finish, batch_prepare
from migration_app.services.claims import threads_claimable
from migration_app.services.selections import SelectionError

logger = logging.getLogger(__name__)

_TURN_SECONDS = 300.0
_SWEEP_SECONDS = 20
_AFTER_BUG_SECONDS = 1.0


class ConsoleWorker(Worker):
    """RQ's worker, which also looks into the database for work that the queue has lost.

    Jobs run forked, so a crash takes one job and not the worker; the SDK is imported here, in the parent:
    importing it in every fork would cost half a second a job (measured).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # An idle worker waits for the queue as long as its ttl less 15 s (RQ), then looks around.
        kwargs["worker_ttl"] = _SWEEP_SECONDS + 15
        kwargs["maintenance_interval"] = _SWEEP_SECONDS
        super().__init__(*args, **kwargs)

    def run_maintenance_tasks(self) -> None:
        """Do RQ's own housekeeping, then put forgotten work back into the queue."""
        super().run_maintenance_tasks()  # type: ignore[no-untyped-call]  # RQ 2.12 has no annotation there
        try:
            sweep()
        except Error:
            logger.warning(
                "the database did not answer; looking again in %s s", _SWEEP_SECONDS, exc_info=True
            )
        finally:
            # Jobs are forked from this process: a connection must not be shared with them.
            connections.close_all()


def batch_enqueue(batch_pk: int) -> None:
    """Put a batch into the queue when the transaction at hand commits: to be prepared, then worked on.

    Like the two below: if the queue can't be reached that is logged, and a worker finds the batch later.
    """
    _enqueue_on_commit("batch", batch_pk)


def import_enqueue(source_import_pk: int) -> None:
    """Put an upload into the queue when the transaction at hand commits."""
    _enqueue_on_commit("import", source_import_pk)


def conversions_enqueue() -> None:
    """Have the assistants converted that were asked for, when the transaction at hand commits."""
    _enqueue_on_commit("conversions", 0)


def workers_alive() -> int:
    """Count the workers that gave a sign of life lately, on any machine; none if the queue is unreachable."""
    try:
        return len(Worker.all(connection=_queue().connection))
    except RedisError:
        logger.warning("the queue can't be reached", exc_info=True)
        return 0


def sweep() -> None:
    """Enqueue what the database says is to be done and no queue holds."""
    for pk in Batch.objects.filter(state=Batch.State.PREPARING).values_list("pk", flat=True):
        _enqueue("batch", pk)
    for pk in Batch.objects.filter(state=Batch.State.RUNNING).values_list("pk", flat=True):
        if threads_claimable(pk).exists():
            _enqueue("batch", pk)
        else:
            batch_finish(batch_pk=pk, actor=_actor())
    for pk in imports_waiting():
        _enqueue("import", pk)
    if Assistant.objects.filter(status=Assistant.Status.QUEUED).exists():
        _enqueue("conversions", 0)


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
def batch_job(batch_pk: int) -> None:
    """Prepare the batch if that is still to be done, then take a turn at it.

    While there is work, one such job of the batch waits in the queue: every worker that comes free joins in,
    and after a turn a worker goes to the end of the queue, so that batches share the workers.
    """
    batch = Batch.objects.filter(pk=batch_pk).first()
    if batch is None:
        logger.warning("batch %s is not in the database; nothing to do", batch_pk)
        return
    actor = _actor(batch.created_by_name, batch.created_by_id)
    try:
        batch_prepare(batch_pk=batch_pk, actor=actor)
    except SelectionError as error:
        batch_fail(batch_pk=batch_pk, error_text=str(error), actor=actor)
        return
    if threads_claimable(batch_pk).count() > 1:
        _enqueue("batch", batch_pk)
    apis = Connections(
        source=partial(
            source_connection,
            base_url=settings.SOURCE_BASE_URL,
            api_version=settings.SOURCE_API_VERSION,
            timeout_seconds=settings.HTTP_TIMEOUT_SECONDS,
        ),
        target=partial(target_connection, timeout_seconds=settings.HTTP_TIMEOUT_SECONDS),
    )
    batch_work(batch_pk=batch_pk, actor=actor, connections=apis, seconds=_TURN_SECONDS)
    # After an error the sweep does this, and so not at once.
    if threads_claimable(batch_pk).exists():
        _enqueue("batch", batch_pk)


@_discretion()
def import_job(source_import_pk: int) -> None:
    """Read an uploaded file."""
    import_run(source_import_pk=source_import_pk, actor=_actor())


@_discretion()
def conversions_job(_nothing: int = 0) -> None:
    """Convert every assistant that was asked for."""
    while assistant_convert_next(actor=_actor()):
        pass


_JOBS = {"batch": batch_job, "import": import_job, "conversions": conversions_job}


def _enqueue_on_commit(kind: str, pk: int) -> None:
    def enqueue() -> None:
        _enqueue(kind, pk)

    transaction.on_commit(enqueue, robust=True)


def _enqueue(kind: str, pk: int) -> None:
    """Put a job into the queue, unless one like it waits there already."""
    queue = _queue()
    prefix = f"{kind}-{pk}-"
    if any(job_id.startswith(prefix) for job_id in queue.get_job_ids()):
        return
    queue.enqueue_call(
        _JOBS[kind],
        args=(pk,),
        timeout=-1,  # a turn ends by itself, and every call inside it has its own limit
        job_id=f"{prefix}{timezone.now():%Y%m%d%H%M%S%f}-{os.getpid()}",
        description=f"{kind} {pk}",
        result_ttl=600,
        failure_ttl=7 * 86_400,
    )


def _queue() -> Queue:
    return django_rq.get_queue("default")


def _actor(name: str = "", user_id: int | None = None) -> Actor:
    """Who acts in a job: whoever started the batch, through this job; or the worker itself."""
    job: Job | None = get_current_job()
    return Actor(
        name=name or f"worker on {socket.gethostname()}",
        user_id=user_id,
        job_id=job.id if job is not None else "",
    )
