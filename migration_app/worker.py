"""RQ's worker as the console runs it. Beside ``jobs`` the only module that imports rq."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.db import Error, connections
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.exceptions import NoSuchJobError, StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from migration_app import silence
from migration_app.gateways.errors import NotConfiguredError
from migration_app.gateways.transport import sdk_http_client
from migration_app.jobs import is_task_job, queue_named, sweep, task_job
from migration_app.operation.heartbeats import BEAT_SECONDS, Heartbeat
from migration_app.tasks.registry import DEFAULT, URGENT, task_kinds

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 20
_NAME_SHOWN = 100


class JobRefusedError(Exception):
    """The queue names something that is no job of the console's."""


class ConsoleJob(Job):
    """A job that takes a turn at one of the console's kinds of work, and does nothing else.

    A client that can write to Redis could name any function there, as the job's, as what follows its success or
    failure, or an address to call when it ends. All of that is ignored; the job fails instead.
    """

    success_callback = failure_callback = stopped_callback = None

    @property
    def func(self) -> Callable[..., None]:
        """The function; JobRefusedError for any but the console's, and for anything but a kind and a number."""
        if self.instance is not None or self.kwargs or not is_task_job(str(self.func_name), self.args):
            logger.error("job %r is refused: %r", self.id[:_NAME_SHOWN], str(self.func_name)[:_NAME_SHOWN])
            raise JobRefusedError("It is none of the console's jobs.")
        return task_job

    def restore(self, raw_data: Any) -> Any:
        """Read the job's hash; one that can't be read counts as gone: it must not end the worker."""
        try:
            return super().restore(raw_data)
        except NoSuchJobError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever stands there, RQ's own asserts too
            logger.error("job %r can't be read: %s", self.id[:_NAME_SHOWN], type(error).__name__)  # noqa: TRY400
            raise NoSuchJobError("The job can't be read.") from None

    def send_webhooks(self, *_args: Any, **_kwargs: Any) -> None:
        """Call nobody: the console's jobs name no address."""


class ConsoleWorker(Worker):
    """RQ's worker, which serves high-priority batches first, and checks the database for work that the queue has lost.

    Jobs run forked, so a crash takes one job and not the worker; the SDK is imported here, in the parent:
    importing it in every fork would cost half a second a job (measured). What is no job of the console's is refused
    (``ConsoleJob``).

    A service manager that stops the worker may send SIGTERM to all its processes. RQ's fork would die of it in
    the middle of an import. Here it is blocked in the fork, and jobs hear it when they can (``tasks.turns``).
    """

    def __init__(self, queues: Any, *args: Any, **kwargs: Any) -> None:
        # An idle worker waits for the queue as long as its ttl less 15 s (RQ), then checks.
        kwargs["worker_ttl"] = SWEEP_SECONDS + 15
        kwargs["maintenance_interval"] = SWEEP_SECONDS
        kwargs |= {"job_class": ConsoleJob, "serializer": JSONSerializer}
        super().__init__(_urgent_first(queues), *args, **kwargs)
        # Here, and not in every job: what they import, what connections are made with, and whom they trust.
        task_kinds()
        with contextlib.suppress(OSError, NotConfiguredError):  # a job that connects says what is wrong
            sdk_http_client()
        silence.answers_expected_within(settings.DATABASE_ANSWER_SECONDS)
        self._look_again_at = 0.0
        self._heartbeat: Heartbeat | None = None

    def register_birth(self) -> None:
        """Begin to beat for the dashboard too, which RQ's own heartbeat is too slow for."""
        super().register_birth()  # type: ignore[no-untyped-call]  # RQ 2.12 has no annotation there
        if self._heartbeat is None:
            # A connection of its own: RQ's waits for jobs.
            url = settings.RQ_QUEUES[DEFAULT]["URL"]
            redis = Redis.from_url(url, socket_timeout=BEAT_SECONDS, socket_connect_timeout=BEAT_SECONDS)
            self._heartbeat = Heartbeat(redis, name=self.name, host=socket.gethostname(), pid=os.getpid())
            self._heartbeat.start()

    def register_death(self) -> None:
        """Leave the list of workers: this one ends properly."""
        if self._heartbeat is not None:
            self._heartbeat.end()
        super().register_death()  # type: ignore[no-untyped-call]  # RQ 2.12 has no annotation there

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Do a job; the heartbeat says which."""
        if self._heartbeat is None:
            super().execute_job(job, queue)
            return
        self._heartbeat.does(job.id.rsplit("-", 2)[0][:_NAME_SHOWN])
        try:
            super().execute_job(job, queue)
        finally:
            self._heartbeat.does("")

    @property
    def should_run_maintenance_tasks(self) -> bool:
        """Use a clock that can't jump: RQ uses the wall clock, and would wait as long as that was set back."""
        return time.monotonic() >= self._look_again_at

    def run_maintenance_tasks(self) -> None:
        """Do RQ's own housekeeping, then put forgotten work back into the queue."""
        self._look_again_at = time.monotonic() + SWEEP_SECONDS
        super().run_maintenance_tasks()  # type: ignore[no-untyped-call]  # RQ 2.12 has no annotation there
        self._check_for_work()

    def heartbeat(self, *args: Any, **kwargs: Any) -> None:
        """Send the worker's heartbeat; stop here if that was requested where it was not heard.

        RQ stops an idle worker by an exception of the signal handler. Where that is raised in a finaliser or in the
        middle of another's error handling it is lost, and RQ would wait for jobs forever.
        """
        if self._stop_requested and self.get_state() != WorkerStatus.BUSY:
            raise StopRequested
        super().heartbeat(*args, **kwargs)

    def maintain_heartbeats(self, job: Job) -> None:
        """Send the job's heartbeat, and check for work too: with every worker busy nobody else would."""
        super().maintain_heartbeats(job)
        self._check_for_work()

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Fork with the signals blocked: the fork keeps them so, and none comes between fork and pid."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        try:
            super().fork_work_horse(job, queue)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if self._stop_requested:
            self._tell_horse()

    def handle_warm_shutdown_request(self) -> None:
        """Ask the job to end, which RQ would only wait for; wait no longer for the database."""
        self._stop_requested = True  # RQ sets it only while a job is at work
        silence.stop_asked()
        super().handle_warm_shutdown_request()  # type: ignore[no-untyped-call]  # RQ 2.12 has no annotation there
        self._tell_horse()

    def _tell_horse(self) -> None:
        if self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)

    def _check_for_work(self) -> None:
        if self._stop_requested:
            return
        try:
            self._be_known()
            sweep()
        except (Error, RedisError):
            logger.warning(
                "the database or the queue did not answer; checking again in %s s",
                SWEEP_SECONDS,
                exc_info=True,
            )
        finally:
            # Jobs are forked from this process: a connection must not be shared with them.
            connections.close_all()

    def _be_known(self) -> None:
        """Register again where Redis came back empty: else the console says that no worker runs."""
        if not self.connection.sismember(self.redis_workers_keys, self.key):
            self.connection.delete(self.key)  # what heartbeats have left there since
            self.register_birth()


def _urgent_first(queues: Any) -> Sequence[Any]:
    """Put the urgent queue first, also for a worker that was started for the default one only.

    ``rqworker`` without names serves just "default" (django-rq), and urgent batches would wait forever.
    """
    listed = list(queues) if isinstance(queues, (list, tuple)) else [queues]
    names = [queue if isinstance(queue, str) else queue.name for queue in listed]
    if DEFAULT in names and URGENT not in names:
        like = listed[names.index(DEFAULT)]
        urgent = URGENT if isinstance(like, str) else queue_named(URGENT, connection=like.connection)
        return [urgent, *listed]
    return [queue for _, queue in sorted(zip(names, listed, strict=True), key=lambda pair: pair[0] != URGENT)]
