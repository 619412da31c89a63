"""What RQ carries: ids. The only module that imports rq.

The queue may lose everything: what is to be done stands in the database, and every worker looks there when it
starts and every 20 seconds (``sweep``). A job delivered twice, or one too many, finds nothing to take.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import django_rq
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.job import Job, get_current_job
from rq.serializers import DefaultSerializer, JSONSerializer

from migration_app import silence
from migration_app.batches.batches import batch_fail, batch_finish, batch_prepare_piece
from migration_app.batches.cancel import batch_take_back
from migration_app.batches.claims import threads_claimable
from migration_app.batches.control import WORKED_ON, batch_control, urgent_work_waits
from migration_app.contracts import Actor
from migration_app.counters import counters_fold
from migration_app.engine.given_up import given_up_work
from migration_app.engine.outcomes import bug_place
from migration_app.engine.runner import BugsMetError, Connections, batch_work
from migration_app.engine.target_behaviour import target_name
from migration_app.gateways.connection import source_connection, target_base_url, target_connection
from migration_app.gateways.limits.limits import Limiter
from migration_app.imports.imports import import_run, imports_tidy, imports_waiting
from migration_app.models import Assistant, Batch, Reconciliation, Trial
from migration_app.models.batch import MAX_WINDOW
from migration_app.prompts.assistant_check_work import looks_work
from migration_app.prompts.assistants import assistant_convert_next
from migration_app.readiness.checks import checks_waiting
from migration_app.readiness.work import readiness_work
from migration_app.reconciliation.records import reconciliation_schedule, reconciliations_waiting
from migration_app.reconciliation.review import review_send
from migration_app.reconciliation.work import Watch, reconcile_work
from migration_app.threads.given_up import given_up_due
from migration_app.threads.selections import SelectionError
from migration_app.trials.trials import trials_waiting
from migration_app.trials.work import TrialWatch, trial_work

logger = logging.getLogger(__name__)

# What unpickles runs whatever the pickle says, and RQ unpickles where nobody names a serializer, as some of its pages
# do. Here nothing ever does: who can write to Redis must not run code by it.
DefaultSerializer.dumps = JSONSerializer.dumps
DefaultSerializer.loads = JSONSerializer.loads

URGENT, DEFAULT = "urgent", "default"
"""The queues: on-demand batches go into the first, which every worker empties before it looks at the second."""

_TURN_SECONDS = 300.0
_RESPONSE_SECONDS = 240.0
"""Of silence: a response is one answer, and a model may think for minutes before it gives it."""
_AFTER_BUG_SECONDS = 1.0
_IMPORT_GRACE_SECONDS = 20.0
"""Service managers give a process 90 seconds; what takes longer is begun again, and passes over what is stored."""


def batch_enqueue(batch_pk: int) -> None:
    """Put a batch into the queue when the transaction at hand commits: to be prepared, then worked on.

    Like the three below: if the queue can't be reached that is logged, and a worker finds the batch later.
    """
    _enqueue_on_commit("batch", batch_pk)


def import_enqueue(source_import_pk: int) -> None:
    """Put an upload into the queue when the transaction at hand commits."""
    _enqueue_on_commit("import", source_import_pk)


def conversions_enqueue() -> None:
    """Have the assistants converted that were asked for, when the transaction at hand commits."""
    _enqueue_on_commit("conversions", 0)


def looks_enqueue() -> None:
    """Have the assistants looked at in the live source that were asked for, when the transaction at hand commits."""
    _enqueue_on_commit("looks", 0)


def reconcile_enqueue(reconciliation_pk: int) -> None:
    """Put a reconciliation into the queue when the transaction at hand commits: to be run, or to send to review."""
    _enqueue_on_commit("reconcile", reconciliation_pk)


def trial_enqueue(trial_pk: int) -> None:
    """Put a try-out into the queue when the transaction at hand commits: to be run, or to be cleaned up after."""
    _enqueue_on_commit("trial", trial_pk)


def readiness_enqueue() -> None:
    """Have the readiness checks done that were asked for, when the transaction at hand commits."""
    _enqueue_on_commit("readiness", 0)


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
    """Enqueue what the database says is to be done and no queue holds. Paused and waiting batches are left."""
    states = [*WORKED_ON, Batch.State.CANCELLING]
    for pk, state in Batch.objects.filter(state__in=states).values_list("pk", "state"):
        if state != Batch.State.RUNNING or threads_claimable(pk).exists():
            _batch_enqueue_now(pk)
        else:
            batch_finish(batch_pk=pk, actor=_actor())
    imports_tidy(actor=_actor())
    for pk in imports_waiting():
        _enqueue("import", pk)
    if Assistant.objects.filter(status=Assistant.Status.QUEUED).exists():
        _enqueue("conversions", 0)
    if Assistant.objects.filter(look=Assistant.Look.ASKED).exists():
        _enqueue("looks", 0)
    reconciliation_schedule(every_hours=settings.RECONCILE_EVERY_HOURS, actor=_actor())
    for pk in reconciliations_waiting():
        _enqueue("reconcile", pk)
    for pk in trials_waiting():
        _enqueue("trial", pk)
    if checks_waiting():
        _enqueue("readiness", 0)
    if given_up_due():
        _enqueue("given_up", 0)
    counters_fold()


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


@contextlib.contextmanager
def _stop_asked() -> Iterator[threading.Event]:
    """Yield a flag that SIGTERM sets, so that the work at hand comes to an end instead of being cut off.

    The handler only sets the flag, and whoever works only asks ``is_set``, which takes no lock: a handler
    must not wait for what it has interrupted. Enter this before the database is asked for anything: it may not answer.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def hear(signum: int, frame: FrameType | None) -> None:
        stop.set()
        silence.stop_asked()
        if callable(before):  # a worker that does not fork: it ends after this job
            before(signum, frame)

    before = signal.signal(signal.SIGTERM, hear)
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        yield stop
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if signal.getsignal(signal.SIGTERM) is hear:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
        silence.stop_over()


@_discretion()
def batch_job(batch_pk: int) -> None:
    """Do what the batch's state asks for: hand out work, take a turn at it, or take it back.

    While there is work, one such job of the batch waits in the queue: every worker that comes free joins in,
    also while the first one still hands out, and after a turn a worker goes to the end of the queue, so that
    batches share the workers. A paused or waiting batch leaves the queue and comes back when it is let go.
    """
    with _stop_asked() as stop:
        batch = Batch.objects.filter(pk=batch_pk).first()
        if batch is None:
            logger.warning("batch %s is not in the database; nothing to do", batch_pk)
            return
        actor = _actor(batch.created_by_name, batch.created_by_id)
        try:
            while not stop.is_set() and batch_prepare_piece(batch_pk=batch_pk, actor=actor):
                _invite(batch_pk)
        except SelectionError as error:
            batch_fail(batch_pk=batch_pk, error_text=str(error), actor=actor)
            return
        if not stop.is_set():
            if batch_finish(batch_pk=batch_pk, actor=actor):
                return
            if batch_control(batch_pk).goes_on:
                _invite(batch_pk)
                batch_work(
                    batch_pk=batch_pk, actor=actor, connections=_apis(batch), seconds=_TURN_SECONDS, stop=stop
                )
        # After an error the sweep does this, and so not at once.
        _put_down(batch_pk, actor, stopped=stop.is_set())


def _apis(batch: Batch | None = None, *, target_seconds: float | None = None) -> Connections:
    limiter = Limiter(
        redis_url=settings.RQ_QUEUES[DEFAULT]["URL"],
        target=target_base_url(),
        requests_per_minute=settings.TARGET_REQUESTS_PER_MINUTE,
        items_per_minute=settings.TARGET_ITEMS_PER_MINUTE,
        batch=batch.pk if batch else None,
        urgent=batch is not None and batch.urgent,
    )
    return Connections(
        source=partial(
            source_connection,
            base_url=settings.SOURCE_BASE_URL,
            api_version=settings.SOURCE_API_VERSION,
            timeout_seconds=settings.HTTP_TIMEOUT_SECONDS,
            max_connections=MAX_WINDOW,  # the window may grow while the turn lasts
            max_bytes=settings.ANSWER_MAX_MB << 20,
        ),
        target=partial(
            target_connection,
            timeout_seconds=target_seconds or settings.HTTP_TIMEOUT_SECONDS,
            max_connections=MAX_WINDOW,
            max_bytes=settings.ANSWER_MAX_MB << 20,
            limiter=limiter,
        ),
        limiter=limiter,
        target_name=target_name(target_base_url()),
    )


def _invite(batch_pk: int) -> None:
    """Let one more worker join in, if there is work for two."""
    if len(threads_claimable(batch_pk).values_list("pk", flat=True)[:2]) > 1:
        _batch_enqueue_now(batch_pk)


def _put_down(batch_pk: int, actor: Actor, *, stopped: bool) -> None:
    """Leave the batch as its state asks: to the queue, to whoever lets it go, or without its work."""
    control = batch_control(batch_pk)
    if control.state == Batch.State.CANCELLING:
        batch_take_back(batch_pk=batch_pk, actor=actor)  # what others hold is taken back when they end
        return
    if not control.goes_on:
        return
    if not control.urgent and urgent_work_waits(batch_pk):
        # It may be why this turn ended. Should the queue have lost it, this worker must not come back at once.
        for pk in Batch.objects.filter(urgent=True, state__in=WORKED_ON).values_list("pk", flat=True):
            _batch_enqueue_now(pk)
    half_handed_out = stopped and control.state == Batch.State.PREPARING
    if half_handed_out or threads_claimable(batch_pk).exists():
        _batch_enqueue_now(batch_pk)


def _later(stop: threading.Event, seconds: float) -> Callable[[], bool]:
    """Tell of a stop so many seconds after it was first heard of."""
    end: float | None = None

    def is_over() -> bool:
        nonlocal end
        if not stop.is_set():
            return False
        now = time.monotonic()
        end = now + seconds if end is None else end
        return now >= end

    return is_over


@_discretion()
def import_job(source_import_pk: int) -> None:
    """Read an uploaded file. A worker that is told to stop finishes a short one, and leaves a long one to the next."""
    with _stop_asked() as stop:
        import_run(
            source_import_pk=source_import_pk, actor=_actor(), stop=_later(stop, _IMPORT_GRACE_SECONDS)
        )
        if stop.is_set() and source_import_pk in imports_waiting():
            _enqueue("import", source_import_pk)


@_discretion()
def conversions_job(_nothing: int = 0) -> None:
    """Convert every assistant that was asked for, until urgent work waits or the worker is to stop."""
    actor = _actor()
    end = time.monotonic() + _TURN_SECONDS
    with _stop_asked() as stop:
        while not stop.is_set() and assistant_convert_next(actor=actor):
            if stop.is_set() or time.monotonic() > end or urgent_work_waits(0):
                _enqueue("conversions", 0)
                return


@_discretion()
def looks_job(_nothing: int = 0) -> None:
    """Look at every assistant in the live source that was asked for."""
    with _stop_asked() as stop:
        looks_work(connect=_apis().source, actor=_actor(), stop=stop)


@_discretion()
def reconcile_job(reconciliation_pk: int) -> None:
    """Take a turn at a reconciliation, until urgent work waits; send its threads to review if that was asked for."""
    end = time.monotonic() + _TURN_SECONDS
    with _stop_asked() as stop:
        asked_by = Reconciliation.objects.filter(pk=reconciliation_pk).values_list(
            "created_by_name", "created_by_id"
        )
        actor = _actor(*(asked_by.first() or ()))

        def make_room(_row: Reconciliation) -> None:
            if urgent_work_waits(0):
                stop.set()

        watch = Watch(stop=lambda: stop.is_set() or time.monotonic() > end, progress=make_room)
        left = reconcile_run(reconciliation_pk, actor=actor, watch=watch)
    if left:
        _enqueue("reconcile", reconciliation_pk)
    else:
        review_send(pk=reconciliation_pk, actor=actor)


def reconcile_run(
    reconciliation_pk: int, *, actor: Actor, watch: Watch, stopped: str = Reconciliation.State.QUEUED
) -> bool:
    """Run a reconciliation here, with the connections of jobs. Returns whether work is left."""
    return reconcile_work(pk=reconciliation_pk, actor=actor, apis=_apis(), watch=watch, stopped=stopped)


@_discretion()
def trial_job(trial_pk: int) -> None:
    """Take a turn at a try-out, until urgent work waits."""
    end = time.monotonic() + _TURN_SECONDS
    with _stop_asked() as stop:
        asked_by = Trial.objects.filter(pk=trial_pk).values_list("created_by_name", "created_by_id")
        actor = _actor(*(asked_by.first() or ()))

        def make_room(_row: Trial) -> None:
            if urgent_work_waits(0):
                stop.set()

        watch = TrialWatch(stop=lambda: stop.is_set() or time.monotonic() > end, progress=make_room)
        left = trial_run(trial_pk, actor=actor, watch=watch)
    if left:
        _enqueue("trial", trial_pk)


def trial_run(trial_pk: int, *, actor: Actor, watch: TrialWatch) -> bool:
    """Run a try-out here, with the connections of jobs. Returns whether work is left."""
    apis = _apis(target_seconds=max(_RESPONSE_SECONDS, settings.HTTP_TIMEOUT_SECONDS))
    return trial_work(pk=trial_pk, actor=actor, apis=apis, watch=watch)


@_discretion()
def readiness_job(_nothing: int = 0) -> None:
    """Do the readiness checks that were asked for, until the turn ends."""
    end = time.monotonic() + _TURN_SECONDS
    with _stop_asked() as stop:
        for kind in checks_waiting():
            readiness_run(kind, actor=_actor(), stop=lambda: stop.is_set() or time.monotonic() > end)
    if checks_waiting():
        _enqueue("readiness", 0)


def readiness_run(kind: str, *, actor: Actor, stop: Callable[[], bool] = bool) -> bool:
    """Do one readiness check here, with the connections of jobs. Returns whether work is left."""
    return readiness_work(kind=kind, actor=actor, apis=_apis(), stop=stop)


@_discretion()
def given_up_job(_nothing: int = 0) -> None:
    """Delete conversations that were given up in doubt and are due, until urgent work waits."""
    end = time.monotonic() + _TURN_SECONDS
    with _stop_asked() as stop:
        given_up_work(
            actor=_actor(),
            apis=_apis(),
            stop=lambda: stop.is_set() or time.monotonic() > end or urgent_work_waits(0),
        )


JOBS = {
    "batch": batch_job,
    "import": import_job,
    "conversions": conversions_job,
    "looks": looks_job,
    "reconcile": reconcile_job,
    "trial": trial_job,
    "readiness": readiness_job,
    "given_up": given_up_job,
}
"""All that a worker runs (``worker.ConsoleJob``), whatever is named in the queue."""


def _enqueue_on_commit(kind: str, pk: int) -> None:
    def enqueue() -> None:
        if kind == "batch":
            _batch_enqueue_now(pk)
        else:
            _enqueue(kind, pk)

    transaction.on_commit(enqueue, robust=True)


def _batch_enqueue_now(pk: int) -> None:
    urgent = Batch.objects.filter(pk=pk, urgent=True).exists()
    _enqueue("batch", pk, queue_name=URGENT if urgent else DEFAULT)


def _enqueue(kind: str, pk: int, *, queue_name: str = DEFAULT) -> None:
    """Put a job into the queue, unless one like it waits there already."""
    queue = queue_named(queue_name)
    prefix = f"{kind}-{pk}-"
    if any(job_id.startswith(prefix) for job_id in queue.get_job_ids()):
        return
    queue.enqueue_call(
        JOBS[kind],
        args=(pk,),
        timeout=-1,  # a turn ends by itself, and every call inside it has its own limit
        job_id=f"{prefix}{timezone.now():%Y%m%d%H%M%S%f}-{os.getpid()}",
        description=f"{kind} {pk}",
        result_ttl=600,
        failure_ttl=7 * 86_400,
    )


def queue_named(name: str = DEFAULT, **options: Any) -> Queue:
    """Return one of the two queues."""
    return django_rq.get_queue(name, **options)


def _actor(name: str = "", user_id: int | None = None) -> Actor:
    """Who acts in a job: whoever started the batch, through this job; or the worker itself."""
    job: Job | None = get_current_job()
    return Actor(
        name=name or f"worker on {socket.gethostname()}",
        user_id=user_id,
        job_id=job.id if job is not None else "",
    )
