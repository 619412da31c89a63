"""A worker's turn at a batch: a window of threads in flight, filled as they end, until there is nothing to take.

The turn also ends on request: by the clock, by SIGTERM (``stop``), because its batch is paused or
cancelled, because urgent work waits, or because the breaker trips. Threads then stop after the current chunk
and are handed back. Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError

from migration_app.batches.batches import batch_finish
from migration_app.batches.claims import threads_pending
from migration_app.batches.control import batch_hold
from migration_app.engine import outcomes
from migration_app.engine.behaviour import Behaviour
from migration_app.engine.converting.converter import Converter, ConverterEndedError
from migration_app.engine.database import DatabaseThread
from migration_app.engine.journal.commits import Commits
from migration_app.engine.journal.entries import Entry
from migration_app.engine.leases import LeaseKeeper
from migration_app.engine.loading import Loaded
from migration_app.engine.outcomes import bug_place
from migration_app.engine.places import Places, ThreadPlaces
from migration_app.engine.steps.protocol import thread_backfill, thread_verify
from migration_app.engine.steps.resources import thread_check_resources
from migration_app.engine.steps.review import thread_accept, thread_remigrate
from migration_app.engine.steps.snapshot import thread_snapshot
from migration_app.engine.steps.undo import thread_rollback
from migration_app.engine.stock import Stock
from migration_app.engine.supervision import Heartbeat, Supervision
from migration_app.engine.work import HandBackError, Work
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError, LeaseUncertainError, StoppedError
from migration_app.models import Thread
from migration_app.spill import TemporarySpaceError
from migration_app.tasks.breaker import Breaker
from migration_app.tasks.connections import Connections
from migration_app.tasks.turns import Turn
from migration_app.threads.statuses import LeaseLostError

logger = logging.getLogger(__name__)

W = Thread.Work
_R = TypeVar("_R")
_IDLE_SECONDS = 5.0
_IDLE_POLL = 0.25
_PROBE_SECONDS = 1.0
_MOST_IN_HAND = 2
"""Threads in hand for each place, at most."""


class BugsMetError(Exception):
    """Some threads failed by a fault of this program; each of them says so. Raised when the turn is over."""


def batch_work(*, batch_pk: int, connections: Connections, turn: Turn) -> bool:
    """Work on a batch's threads until none is left to take, or the turn is over.

    Returns whether the batch has work left, here or in other workers' hands. Raises BugsMetError at the end
    if a thread met a bug; database errors at once (leases run out, and the work is found again).
    """
    work = BatchTurn(batch_pk, connections, turn)
    asyncio.run(work.run())
    left = threads_pending(batch_pk).exists()
    if not left:
        batch_finish(batch_pk=batch_pk, actor=turn.actor)
    if work.bugs:
        raise BugsMetError(f"{work.bugs} threads failed by a fault of the console; see their pages.")
    return left


class BatchTurn:
    """The state of one turn: what is loaded, what is in flight, and whether to stop. Lives in one event loop."""

    def __init__(self, batch_pk: int, connections: Connections, turn: Turn) -> None:
        self.bugs = 0
        self._batch_pk = batch_pk
        self._turn = turn
        self._actor = turn.actor
        self._connections = connections
        self._lease = dt.timedelta(seconds=settings.LEASE_SECONDS)
        self._breaker = Breaker(settings.BREAKER_FAILURES)
        self._stopping = False
        self._failure: BaseException | None = None
        self._idle_until = 0.0
        self._in_flight: set[asyncio.Task[None]] = set()
        self._beside: list[asyncio.Task[None]] = []
        self._learning = False
        self._checked_resource: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._opened: dict[Callable[[], Connection], Connection] = {}

    async def run(self) -> None:
        """Fill the window until there is nothing to take or the turn is over."""
        self._wake = asyncio.Event()
        self._places = Places(on_idle=self._wake.set)
        with LeaseKeeper(self._lease).running() as self._keeper:
            async with (
                Commits(self._actor) as self._commits,
                DatabaseThread() as self._database,
                DatabaseThread() as self._wave,
                Converter(self._database, lambda: self._stopping) as self._converter,
            ):
                self._stock = Stock(self._batch_pk, self._database, self._keeper, lease=self._lease)
                name = self._connections.target_name
                self._behaviour = Behaviour(name, self._wave) if name else Behaviour()
                self._heartbeat = Heartbeat(self._batch_pk, self._wave, self._opened.values)
                self._supervision = Supervision(
                    self._batch_pk,
                    self._turn,
                    self._wave,
                    self._connections.limiter,
                    self._heartbeat,
                    places=self._places,
                    stopping=lambda: self._stopping,
                    stop=self._stop_soon,
                    spawn=self._spawn,
                )
                try:
                    if self._turn.stop.is_set():
                        self._stop_soon()
                    else:
                        self._beside.append(self._spawn(self._supervision.run()))
                        await self._supervision.check()
                    await self._fill()
                    if self._failure is None:
                        await self._heartbeat.write()
                finally:
                    for task in self._beside:
                        task.cancel()
                    await asyncio.gather(*self._beside, return_exceptions=True)
                    for connection in self._opened.values():
                        await connection.close()
                    if self._connections.limiter is not None:
                        await self._connections.limiter.close()
        if self._failure is not None:
            raise self._failure

    async def _fill(self) -> None:
        self._worked()
        poll_at = 0.0
        dry = False
        loading: asyncio.Task[bool] | None = None
        while True:
            if loading is not None and loading.done():
                found, loading = loading.exception() is None and loading.result(), None
                dry = not found
                poll_at = 0.0 if found else time.monotonic() + _IDLE_POLL
            for _ in range(min(len(self._stock), self._room())):
                self._start(self._stock.take())
            working = bool(self._in_flight or self._stock)
            busy = working or loading is not None
            if working:  # a claim under way is none: however slow, a turn that finds nothing comes to its end
                self._worked()
            if self._stopping and not self._in_flight and loading is None:
                break
            if not busy and dry and (time.monotonic() > self._idle_until or not await self._pending()):
                break  # nothing is left, or others hold the rest, or it waits for later: the sweeper checks again
            want = self._wanted()
            if loading is None and want and time.monotonic() >= poll_at:
                loading = self._spawn(self._stock.load(want))
            await self._rest()
        if self._failure is None:
            await self._stock.give_back()

    def _in_hand(self) -> int:
        return len(self._in_flight) - self._converter.waiting  # which make no calls yet

    def _room(self) -> int:
        """How many threads to begin now. One at a time while the breaker wonders whether the target is back.

        As many in hand as there are places; more only for places that nobody needs just now, since those in hand
        wait for the journal: so none waits long for a place with something to write.
        """
        if self._stopping:
            return 0
        in_hand, size = self._in_hand(), self._places.size
        if self._breaker.probing:
            return 1 - in_hand
        return max(size - in_hand, min(self._places.idle, _MOST_IN_HAND * size - in_hand))

    def _wanted(self) -> int:
        if self._stopping:
            return 0
        if self._breaker.probing:
            return 0 if self._stock or self._in_flight else 1
        return self._stock.wanted(places=self._places.size, in_hand=self._in_hand())

    async def _learn(self) -> None:
        """Load what is known of the target, and find out more if that is due; no thread waits for it."""
        await self._behaviour.load()
        await self._behaviour.probe(lambda: self._connection(self._connections.target), self._actor)

    def _spawn(self, work: Coroutine[Any, Any, _R]) -> asyncio.Task[_R]:
        """Begin a task beside the others. An error that it does not see to itself fails the turn: a database away."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _worked(self) -> None:
        """Stay a while from now on: others may hand threads back."""
        self._idle_until = time.monotonic() + _IDLE_SECONDS

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if task in self._in_flight:
            self._in_flight.discard(task)
            self._worked()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)
        self._wake.set()

    def _fail(self, error: BaseException) -> None:
        """The turn can't continue: threads in flight stop, then the error is raised."""
        self._failure = self._failure or error
        self._stop_soon()

    def _stop_soon(self) -> None:
        """Take no more threads; those in hand stop after the current call, and none waits for place or permit."""
        self._stopping = True
        self._places.stop()
        self._wake.set()
        if self._connections.limiter is not None:
            self._connections.limiter.stop()

    def _start(self, loaded: Loaded) -> None:
        self._in_flight.add(self._spawn(self._thread(loaded)))

    async def _thread(self, loaded: Loaded) -> None:
        """See one thread through, whatever happens on its way."""
        thread, entry = loaded.thread, Entry(loaded.thread)
        token, retries = thread.lease_token, thread.retries  # the row loses the token with its last entry
        try:
            try:
                await self._converter.convert(loaded)
                with self._places.of_thread() as places:
                    work = self._work(loaded, places)
                    try:
                        await _STEPS[thread.pending_work](work)
                    finally:
                        entry = work.entry
            except (HandBackError, StoppedError, LeaseUncertainError) as end:
                if isinstance(end, LeaseUncertainError):
                    # This worker was stopped, or the database away: what it holds may be others' by now.
                    logger.warning("thread %s: its lease may have run out; the turn ends", thread.pk)
                    self._stop_soon()
                outcomes.hand_back(entry)
                await self._commits.write(entry)
            except GatewayError as error:
                await self._call_failed(entry, error)
            except (TemporarySpaceError, ConverterEndedError) as error:
                outcomes.no_room(entry, error)
                await self._commits.write(entry)
            else:
                self._breaker.succeeded()
        except LeaseLostError:
            logger.warning("thread %s: lease lost, left to its new holder", thread.pk)
        except (OperationalError, InterfaceError):
            raise
        except Exception as bug:  # noqa: BLE001 - one bad thread never costs a batch; recorded, logged, raised at the end
            await self._met_bug(thread, bug)
        finally:
            self._stock.left(loaded)
            self._keeper.drop(thread.pk, token)
            self._heartbeat.thread_left(thread, retries=retries)

    def _work(self, loaded: Loaded, places: ThreadPlaces) -> Work:
        loaded.convert()
        at_source = loaded.thread.pending_work == W.SNAPSHOT
        pk, token = loaded.thread.pk, loaded.thread.lease_token
        connection = self._connection(self._connections.source if at_source else self._connections.target)
        if loaded.thread.pending_work == W.BACKFILL and not self._learning:
            self._learning = True
            self._beside.append(self._spawn(self._learn()))
        return Work(
            thread=loaded.thread,
            planned=loaded.plan,
            conversation=loaded.conversation,
            chunks=loaded.chunks,
            connection=connection.fenced(lambda: self._keeper.holds(pk, token), places.call),
            commits=self._commits,
            database=self._database,
            stopping=lambda: self._stopping,
            entry=Entry(loaded.thread),
            actor=self._actor,
            places=places,
            trouble=loaded.trouble,
            snapshot_seen=loaded.snapshot_seen,
            looks=self._checked_resource,
            behaviour=self._behaviour,
        )

    async def _call_failed(self, entry: Entry, error: GatewayError) -> None:
        self._breaker.failed(entry.thread.pk, error, now=time.monotonic())
        reason = self._breaker.tripped(now=time.monotonic())
        if reason and not self._stopping:
            self._stop_soon()
            await self._wave.run(batch_hold, batch_pk=self._batch_pk, actor=self._actor, reason=reason)
        if reason:
            outcomes.hand_back(entry, error)
        else:
            outcomes.call_failed(entry, error)
        await self._commits.write(entry)

    async def _met_bug(self, thread: Thread, bug: Exception) -> None:
        self.bugs += 1
        logger.error("thread %s met a bug: %s", thread.pk, bug_place(bug))
        entry = Entry(thread)  # what was not durable yet is in doubt like an answer that was lost
        outcomes.met_bug(entry, bug)
        try:
            await self._commits.write(entry)
        except LeaseLostError:
            logger.warning("thread %s: lease lost before its bug was recorded", thread.pk)

    def _connection(self, connect: Callable[[], Connection]) -> Connection:
        """Open a connection once a turn, when the first thread needs it: most batches need only one of the two."""
        if connect not in self._opened:
            self._opened[connect] = connect()
        return self._opened[connect]

    async def _pending(self) -> bool:
        return await self._database.run(lambda: threads_pending(self._batch_pk).exists())

    async def _rest(self) -> None:
        """Wait until something ended, for a moment at most; while probing, always as long as a probe's pause."""
        if self._breaker.probing:
            await asyncio.sleep(_PROBE_SECONDS)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_POLL):
                    await self._wake.wait()
        self._wake.clear()


_STEPS: dict[str, Callable[[Work], Coroutine[Any, Any, None]]] = {
    W.SNAPSHOT: thread_snapshot,
    W.BACKFILL: thread_backfill,
    W.VERIFY: thread_verify,
    W.RESOURCES: thread_check_resources,
    W.ROLLBACK: thread_rollback,
    W.ACCEPT: thread_accept,
    W.REMIGRATE: thread_remigrate,
}
