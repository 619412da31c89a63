"""Collecting the entries of all threads in flight, and writing the waiting ones as one group.

While one group is on its way to the disk the next one collects, so groups grow with the load and a quiet
system stays quick. The database is spoken to in a thread of its own. Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from types import TracebackType

from migration_app.contracts import Actor
from migration_app.engine.database import connection_close
from migration_app.engine.journal import (
    EntriesRefusedError,
    Entry,
    applied_to,
    entries_apply,
)
from migration_app.threads.statuses import LeaseLostError

LARGEST_GROUP = 200
_Waiting = tuple[Entry, asyncio.Future[None]]


class Commits:
    """Where the threads in flight hand in their entries; use it as an async context, inside one event loop."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._executor = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._waiting: list[_Waiting] = []
        self._flushing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Commits:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is still waiting, and close the thread's database connection."""
        if self._flushing is not None:
            await self._flushing
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, connection_close)
        self._executor.shutdown()

    async def write(self, entry: Entry) -> None:
        """Return when the entry is durable; ``entry.thread`` then says what its row holds.

        LeaseLostError: another worker has the thread, nothing was written. Database errors pass; after an
        OperationalError nobody knows whether it was written, so the thread must be left to its next worker.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, done))
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush())
        await done

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:LARGEST_GROUP], self._waiting[LARGEST_GROUP:]
                try:
                    held = await loop.run_in_executor(
                        self._executor, entries_apply, [entry for entry, _ in group], self._actor
                    )
                except EntriesRefusedError as error:
                    for entry, done in group:
                        self._settle(entry, done, error.held, error.refused.get(entry.thread.pk))
                except BaseException as error:  # noqa: BLE001 - whatever it is, it is each waiter's to raise
                    for _, done in group:
                        if not done.done():
                            done.set_exception(error)
                else:
                    for entry, done in group:
                        self._settle(entry, done, held, None)
        finally:
            self._flushing = None

    def _settle(
        self, entry: Entry, done: asyncio.Future[None], held: frozenset[int], refused: Exception | None
    ) -> None:
        if entry.thread.pk in held:
            applied_to(entry.thread, entry.parts)
        if done.done():  # the waiting thread was cancelled; the row stays
            return
        if refused is not None:
            done.set_exception(refused)
        elif entry.thread.pk not in held:
            done.set_exception(
                LeaseLostError(f"Thread {entry.thread.thread_id} is no longer with this worker's lease.")
            )
        else:
            done.set_result(None)
