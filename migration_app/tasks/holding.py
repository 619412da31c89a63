"""A task in a holder's hands: a heartbeat beside the work, and a stop from outside whatever the work is doing.

Every transaction of the work begins by writing to the task's row (``Hold.write``), so a holder that was taken for dead,
or whose task was stopped, stops at its next step. For work whose single steps may take minutes: what writes to its row
every few seconds anyway needs no hold. Must not import jobs or rq.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, Error, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.functions import Now

from migration_app.models.task import Task
from migration_app.tasks.lifecycle import Lifecycle, TaskLostError, WorkerStopError

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=Task)

_CHECK_SECONDS = 0.5
_HEARTBEAT_SECONDS = 5.0
_CANCEL_SECONDS = 5.0


class Hold(Generic[T]):
    """One holder's hold of a task."""

    def __init__(self, lifecycle: Lifecycle[T], row: T, *, stop: Callable[[], bool] = bool) -> None:
        self.row = row
        self.report: dict[str, Any] = {}
        """Columns of the row with the progress, written by the heartbeat."""
        self._lifecycle = lifecycle
        self._stop = stop
        self._lost = threading.Event()
        self._over = threading.Event()

    @property
    def is_lost(self) -> bool:
        """Whether it is known that somebody else has the task, or nobody is to have it."""
        return self._lost.is_set()

    @contextlib.contextmanager
    def running(self) -> Iterator[Hold[T]]:
        """Send heartbeats until the block ends, and hear of a stop or a takeover, whatever the work is doing.

        A thread of its own: one step may take minutes, and so may one statement. A killed process takes it along.
        """
        worker = connections[DEFAULT_DB_ALIAS]
        keeper = threading.Thread(target=self._run, args=(worker,), name="task-heartbeat", daemon=True)
        keeper.start()
        try:
            yield self
        finally:
            self._over.set()
            keeper.join()

    def check(self) -> None:
        """Raise TaskLostError or WorkerStopError if the work is to end. Costs nothing."""
        if self.is_lost:
            raise self._lifecycle.lost(self.row)
        if self._stop():
            raise WorkerStopError

    def write(self, **changes: Any) -> None:
        """Write to the task's row, which fences the current transaction. TaskLostError if it is not ours."""
        try:
            self._lifecycle.write(self.row, **changes)
        except TaskLostError:
            self._lost.set()
            raise

    def _run(self, worker: BaseDatabaseWrapper) -> None:
        next_beat = 0.0
        waited = 0.0
        try:
            while not self._over.wait(_CHECK_SECONDS):
                waited += _CHECK_SECONDS
                try:
                    self._check(worker)
                    if waited >= next_beat and not self.is_lost:
                        self._lifecycle.held_by(self.row).update(heartbeat_at=Now(), **self.report)
                        next_beat = waited + _HEARTBEAT_SECONDS
                except Error:
                    logger.warning("%s: no heartbeat; trying again", self.row, exc_info=True)
                    connection.close()
        finally:
            connection.close()

    def _check(self, worker: BaseDatabaseWrapper) -> None:
        found = self._lifecycle.rows.filter(pk=self.row.pk).values_list("claim_token").first()
        # A row that can't be seen: its transaction is open, or it was deleted, which the holder's next write shows.
        # Nor is it lost while the holder's own end of it, which takes the token away, waits to be committed.
        if found is None or self.row.claim_token in {None, found[0]} or self.is_lost:
            return
        self._lost.set()
        running = worker.connection
        if isinstance(running, psycopg.Connection):
            # A long statement of the holder ends now and not when it is done. Where none runs this does nothing.
            running.cancel_safe(timeout=_CANCEL_SECONDS)
