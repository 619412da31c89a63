"""Collecting the entries of all threads in hand, and writing the waiting ones as one group.

While one group is on its way to the disk the next one collects, so groups grow with the load and a quiet
system stays quick. The database is spoken to in a thread of its own. Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Sequence
from types import TracebackType

from migration_app.contracts import Actor
from migration_app.engine.database import connection_close
from migration_app.engine.journal.entries import (
    EntriesRefusedError,
    Entry,
    applied_to,
    entries_apply,
)
from migration_app.gateways.errors import StoppedError
from migration_app.threads.statuses import LeaseLostError

LARGEST_GROUP = 200
_SOON_SECONDS = 0.05
"""So long what a thread's last call brought waits for a place, to be written with what announces the next one."""

_Waiting = tuple[Entry, asyncio.Future[None]]
_Group = Sequence[_Waiting]


class Commits:
    """Where the threads in hand give in their entries; use it as an async context, inside one event loop."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._executor = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._waiting: list[_Waiting] = []
        self._is_writing = False

    async def __aenter__(self) -> Commits:
        self._loop = asyncio.get_running_loop()
        self._all_written = asyncio.Event()
        self._all_written.set()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is still waiting, and close the thread's database connection."""
        await self._all_written.wait()
        await self._loop.run_in_executor(self._executor, connection_close)
        self._executor.shutdown()

    async def write(self, entry: Entry) -> None:
        """Return when the entry is durable; ``entry.thread`` then says what its row holds.

        One that announces a call waits for the call's place first. If that lasts, the rest of it is written before: a
        conversation's id is not to be lost with this worker. StoppedError: the rest is written, nothing announced.
        LeaseLostError: another worker has the thread, nothing was written. Database errors pass; after an
        OperationalError nobody knows whether it was written, so the thread must be left to its next worker.
        """
        if entry.announcement is None:
            await self.hand_in(entry)
        else:
            await _Announcing(self, entry).written()

    def hand_in(self, entry: Entry) -> asyncio.Future[None]:
        """Have the entry written with the next group; the future is done when it is durable. Raises as ``write``."""
        done: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append((entry, done))
        self._write_next()
        return done

    def _write_next(self) -> None:
        if self._is_writing or not self._waiting:
            return
        group, self._waiting = self._waiting[:LARGEST_GROUP], self._waiting[LARGEST_GROUP:]
        self._is_writing = True
        self._all_written.clear()
        writing = self._executor.submit(entries_apply, [entry for entry, _ in group], self._actor)
        writing.add_done_callback(lambda written: self._loop.call_soon_threadsafe(self._end, group, written))

    def _end(self, group: _Group, written: concurrent.futures.Future[frozenset[int]]) -> None:
        """A group has been written, or not: begin the next one, then wake the threads of this one."""
        self._is_writing = False
        self._write_next()
        error = written.exception()
        if error is None:
            held = written.result()
            for entry, done in group:
                self._settle(entry, done, held, None)
        elif isinstance(error, EntriesRefusedError):
            for entry, done in group:
                self._settle(entry, done, error.held, error.refused.get(entry.thread.pk))
        else:  # whatever it is, it is each waiter's to raise
            for _, done in group:
                if not done.done():
                    done.set_exception(error)
        if not self._is_writing:
            self._all_written.set()

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


class _Announcing:
    """An entry that announces a call, from when it is handed in until it is durable."""

    def __init__(self, commits: Commits, entry: Entry) -> None:
        if entry.announcement is None:
            raise ValueError("The entry announces nothing.")
        self._commits = commits
        self._entry = entry
        self._announcement = entry.announcement
        self._outcome: asyncio.Future[asyncio.Future[None]] = asyncio.get_running_loop().create_future()
        self._has_place = False
        self._is_recording = False

    async def written(self) -> None:
        """Return when the call is announced. Raises as ``Commits.write``."""
        self._announcement.places.reserve(self._granted, self._stopped)
        if not self._outcome.done():
            await asyncio.wait([self._outcome], timeout=_SOON_SECONDS)
        if not self._outcome.done():
            self._is_recording = True  # one thread has one entry in a group
            await self._record()
            self._is_recording = False
            if self._has_place:
                self._announce()
        try:
            await (await self._outcome)
        except StoppedError:
            await self._record()
            raise

    async def _record(self) -> None:
        """Write what there is without the announcement."""
        record, self._entry = self._entry, Entry(self._entry.thread)
        if record.parts or record.events:
            await self._commits.hand_in(record)

    def _granted(self) -> None:
        self._has_place = True
        if not self._is_recording:
            self._announce()

    def _announce(self) -> None:
        if self._outcome.done():  # the waiting thread was cancelled
            return
        try:
            self._announcement.add_to(self._entry)
        except Exception as bug:  # noqa: BLE001 - it is the thread's to raise
            self._outcome.set_exception(bug)
        else:
            self._outcome.set_result(self._commits.hand_in(self._entry))

    def _stopped(self) -> None:
        if not self._outcome.done():
            self._outcome.set_exception(StoppedError())
