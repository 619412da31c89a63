"""What a turn at a batch hears while it lasts: its end, SIGTERM, and what the operator wants of the batch by now.

Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from migration_app.batches.control import batch_control, urgent_work_waits
from migration_app.counters import counters_fold
from migration_app.engine.database import DatabaseThread
from migration_app.gateways.limits.limits import Limiter

_CHECK_SECONDS = 1.0
_STOP_POLL = 0.1
_FOLD_SECONDS = 10.0


class Supervision:
    """Beside the threads of one turn. ``stop`` ends the turn; ``spawn`` begins a task whose error fails it.

    ``window``: how many threads the operator wants in flight.
    """

    def __init__(
        self,
        batch_pk: int,
        database: DatabaseThread,
        limiter: Limiter | None,
        *,
        end: float,
        told: threading.Event,
        stopping: Callable[[], bool],
        stop: Callable[[], None],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self.window = 1
        self._batch_pk = batch_pk
        self._database = database
        self._limiter = limiter
        self._end = end
        self._told = told
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
                if self._told.is_set() or now >= self._end:
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
        """Read what the operator wants of the batch by now."""
        control = await self._database.run(batch_control, self._batch_pk)
        self.window = control.window
        if self._limiter is not None:
            self._limiter.set_batch_rate(control.requests_per_minute)
        urgent = not control.urgent and await self._database.run(urgent_work_waits, self._batch_pk)
        if urgent or not control.may_continue:
            self._stop()

    async def _check_and_fold(self, *, fold: bool) -> None:
        await self.check()
        if fold:
            await self._database.run(counters_fold)
