"""What a turn at a batch hears while it lasts: its end, SIGTERM, and what the operator wants of the batch by now; and
what it reports: its heartbeat, with what it did.

Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from migration_app.batches.control import batch_control, urgent_work_waits
from migration_app.batches.rates import Done, batch_beat
from migration_app.counters import counters_fold
from migration_app.engine.database import DatabaseThread
from migration_app.engine.places import Places
from migration_app.gateways.connection import CallCounts, Connection
from migration_app.gateways.limits.limits import Limiter
from migration_app.models import Thread
from migration_app.tasks.api_health import API_HEALTH
from migration_app.tasks.turns import Turn

_CHECK_SECONDS = 1.0
_STOP_POLL = 0.1
_FOLD_SECONDS = 10.0
_BEAT_SECONDS = 5.0


class Heartbeat:
    """What this turn did, added to its batch every few seconds: no call and no thread costs a statement of its own.

    ``opened``: the connections that the turn has opened so far. A worker that is killed takes the last seconds along.
    """

    def __init__(
        self, batch_pk: int, database: DatabaseThread, opened: Callable[[], Iterable[Connection]]
    ) -> None:
        self._batch_pk = batch_pk
        self._database = database
        self._opened = opened
        self._at = time.monotonic()
        self._done = Done()
        self._counted = CallCounts()

    @property
    def due(self) -> bool:
        """Whether the last one was a while ago."""
        return time.monotonic() - self._at >= _BEAT_SECONDS

    def thread_left(self, thread: Thread, *, retries: int) -> None:
        """Count a thread that leaves this worker's hands; ``retries``: how many it had when it was taken."""
        self._done.retries += thread.retries - retries
        if not thread.pending_work:
            self._done.threads += 1
            self._done.messages += thread.message_count

    async def write(self) -> None:
        """Write what was done since the last time."""
        done, self._done = self._done, Done()
        now, connections = time.monotonic(), list(self._opened())
        counted = CallCounts(
            calls=sum(connection.counts.calls for connection in connections),
            retries=sum(connection.counts.retries for connection in connections),
            throttled=sum(connection.counts.throttled for connection in connections),
        )
        done.seconds, self._at = now - self._at, now
        done.calls = counted.calls - self._counted.calls
        done.retries += counted.retries - self._counted.retries
        done.throttled = counted.throttled - self._counted.throttled
        self._counted = counted
        await self._database.run(batch_beat, self._batch_pk, done)


class Supervision:
    """Beside the threads of one turn. ``stop`` ends it here; ``spawn`` begins a task whose error fails it.

    ``places``: the window, which follows what the operator wants.
    """

    def __init__(
        self,
        batch_pk: int,
        turn: Turn,
        database: DatabaseThread,
        limiter: Limiter | None,
        heartbeat: Heartbeat,
        *,
        places: Places,
        stopping: Callable[[], bool],
        stop: Callable[[], None],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._batch_pk = batch_pk
        self._turn = turn
        self._database = database
        self._limiter = limiter
        self._heartbeat = heartbeat
        self._places = places
        self._stopping = stopping
        self._stop = stop
        self._spawn = spawn

    async def run(self) -> None:
        """Hear of SIGTERM within a moment, check the batch once a second, and keep the counters short."""
        checking: asyncio.Task[None] | None = None
        check_at = time.monotonic() + _CHECK_SECONDS
        fold_at = time.monotonic() + _FOLD_SECONDS
        try:
            while not self._stopping():
                await asyncio.sleep(_STOP_POLL)
                now = time.monotonic()
                if self._turn.stop.is_set():
                    self._stop()
                elif now >= check_at and (checking is None or checking.done()):
                    # Apart: the database may not answer, and a stop is to be heard all the same.
                    checking = self._spawn(self._check_and_fold(fold=now >= fold_at))
                    check_at = now + _CHECK_SECONDS
                    fold_at = now + _FOLD_SECONDS if now >= fold_at else fold_at
        finally:
            if checking is not None:
                checking.cancel()

    async def check(self) -> None:
        """Read what the operator wants of the batch by now, and whether the turn is over."""
        control = await self._database.run(batch_control, self._batch_pk)
        self._places.resize(control.window)
        if self._limiter is not None:
            self._limiter.set_batch_rate(control.requests_per_minute)
        urgent = not control.urgent and await self._database.run(urgent_work_waits, self._batch_pk)
        if urgent or not control.may_continue or await self._database.run(self._turn.is_over):
            self._stop()

    async def _check_and_fold(self, *, fold: bool) -> None:
        await self.check()
        if self._heartbeat.due:
            await self._heartbeat.write()
        if API_HEALTH.due():
            await self._database.run(API_HEALTH.write)
        if fold:
            await self._database.run(counters_fold)
