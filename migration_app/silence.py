"""Timeouts for a database that does not answer. Must not import models or services.

libpq waits for an answer forever. The options of the connection (settings.DATABASES) end that when the network or the
machine is gone. A server that is frozen, or is behind a proxy that acknowledges everything, differs from a
busy one only by time: so each wait of this process ends after ``DATABASE_ANSWER_SECONDS`` in a worker, and soon
after somebody asked the process to stop.
"""

from __future__ import annotations

import time
from typing import Any, TypeVar

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from psycopg.abc import PQGen

STOPPED_SECONDS = 25.0
"""How long a stopping process waits for an answer: service managers allow 90 seconds in all."""

_RV = TypeVar("_RV")


class _Patience:
    """What this process, and those it forks, have to go by."""

    def __init__(self) -> None:
        self.seconds: float | None = None
        self.stopped_at: float | None = None

    def is_over(self, since: float) -> bool:
        now = time.monotonic()
        if self.stopped_at is not None and now - max(since, self.stopped_at) > STOPPED_SECONDS:
            return True
        return self.seconds is not None and now - since > self.seconds


_patience = _Patience()


def answers_expected_within(seconds: float) -> None:
    """Let no wait for an answer of the database take longer, in this process and those it forks."""
    _patience.seconds = seconds


def stop_asked() -> None:
    """End current and later waits soon. Takes no lock: signal handlers call it."""
    _patience.stopped_at = time.monotonic()


def stop_over() -> None:
    """Forget the requested stop: it was for this job, and the process continues."""
    _patience.stopped_at = None


def connections_watch() -> None:
    """Watch the waits of every connection that Django opens from now on."""
    connection_created.connect(_watch, dispatch_uid="migration_app.silence")


def _watch(connection: BaseDatabaseWrapper, **_more: Any) -> None:
    if type(connection.connection) is psycopg.Connection:
        # Django has no option for the class of its connections.
        connection.connection.__class__ = _WatchedConnection


class _WatchedConnection(psycopg.Connection[Any]):
    """A connection whose waits time out; it is closed then, because nobody knows what the server did."""

    def wait(self, gen: PQGen[_RV], *args: Any, **kwargs: Any) -> _RV:
        """Consume a generator of the driver, as the driver does."""
        return super().wait(self._watched(gen), *args, **kwargs)

    def _watched(self, gen: PQGen[_RV]) -> PQGen[_RV]:
        since = time.monotonic()
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    since = time.monotonic()
                elif _patience.is_over(since):
                    self.close()
                    raise psycopg.OperationalError("the database does not answer; the connection was closed")
                wanted = gen.send(ready)
        except StopIteration as end:
            result: _RV = end.value
            return result
