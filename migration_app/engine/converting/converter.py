"""Large threads are converted in a process of its own (``process``), one after the other: the worker's side.

Meanwhile the event loop answers all other threads, and the database's thread claims and loads: it only reads the
pages, a few at a time. Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pathlib
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import migration_app
from migration_app.engine.converting import handover
from migration_app.engine.converting.process import Converted, NamedFiles, NotConverted, Order
from migration_app.engine.database import DatabaseThread
from migration_app.engine.loading import Loaded
from migration_app.engine.work import HandBackError
from migration_app.models import SnapshotPage
from migration_app.snapshots.pages import source_objects
from migration_app.threads.plans import PlanLostError, PlannedThread, planned_from, policies_of, sent_of

logger = logging.getLogger(__name__)

_BYTES_AT_ONCE = 1 << 20
_STOP_HEARD_SECONDS = 0.2
_NEEDED = ("PATH", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
"""All of the environment that the process gets: no key is among it."""


class ConverterEndedError(Exception):
    """The process ended before the thread was converted, most likely because there was no memory for it."""

    def __init__(self, how: str) -> None:
        super().__init__(
            f"The process that converts large threads ended ({how}). If the system ended it for want of memory, give "
            "the worker more, and try again."
        )


class Converter:
    """Converts one thread at a time, for memory's sake, in the order in which they come.

    The process is started when it is needed, and ended when nobody waits: what it took is free again.
    """

    def __init__(self, database: DatabaseThread, stopping: Callable[[], bool]) -> None:
        self.waiting = 0
        """How many threads wait to be converted, or are."""
        self._database = database
        self._stopping = stopping
        self._turn = asyncio.Lock()
        self._child: _Child | None = None

    async def __aenter__(self) -> Converter:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    async def convert(self, loaded: Loaded) -> None:
        """Give a large thread its plan, or the trouble why it has none; leave all others alone.

        Raises HandBackError if the worker is to stop, ConverterEndedError, and what the database raises.
        """
        if not loaded.is_large:
            return
        self.waiting += 1
        try:
            async with self._turn:
                await self._convert(loaded)
        finally:
            self.waiting -= 1
            if not self.waiting:
                self._end()

    async def _convert(self, loaded: Loaded) -> None:
        if self._stopping():
            raise HandBackError
        exchange = asyncio.create_task(self._exchange(loaded))
        try:
            while not exchange.done() and not self._stopping():
                await asyncio.wait({exchange}, timeout=_STOP_HEARD_SECONDS)
        finally:
            if not exchange.done():
                self._end()  # in the middle of an order; the exchange ends with it
                await asyncio.wait({exchange})
        try:
            exchange.result()
        except Exception:
            self._end()  # it may be in the middle of an order too
            if self._stopping():
                raise HandBackError from None
            raise

    async def _exchange(self, loaded: Loaded) -> None:
        try:
            policies = policies_of(loaded.thread, loaded.conversation)
            order = Order(loaded.thread.thread_id, policies, sent_of(loaded.conversation))
        except PlanLostError as lost:
            loaded.trouble = lost
            return
        child = self._child = self._child or _Child()
        try:
            result = await self._ordered(child, order, loaded)
        except (EOFError, ConnectionError):
            raise ConverterEndedError(child.ended_how()) from None
        if isinstance(result, Converted):
            plan = await self._database.run(planned_from, result.plan, result.resources)
            loaded.plan = PlannedThread(result.source, plan, policies)
        elif result.is_lost:
            loaded.trouble = PlanLostError(str(result.error))
        else:
            logger.warning("thread %s can't be converted: %s", loaded.thread.pk, result.place)
            loaded.trouble = result.error

    async def _ordered(self, child: _Child, order: Order, loaded: Loaded) -> Converted | NotConverted:
        await asyncio.to_thread(child.send, order)
        for group in await self._database.run(_groups, loaded):
            pages = await self._database.run(_pages, loaded.thread.pk, group)
            await asyncio.to_thread(child.send, pages)
        await asyncio.to_thread(child.send, ())
        answer = await asyncio.to_thread(child.receive)
        if isinstance(answer, NamedFiles):
            files = await self._database.run(source_objects, "file", answer.ids)
            await asyncio.to_thread(child.send, files)
            answer = await asyncio.to_thread(child.receive)
        result: Converted | NotConverted = answer
        return result

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.end()


class _Child:
    """The process, and the socket to it. It has no other descriptor of ours, and prints nowhere."""

    def __init__(self) -> None:
        ours, its = socket.socketpair()
        with its:
            run = f"from migration_app.engine.converting.process import main; main({its.fileno()})"
            self._process = subprocess.Popen(
                [sys.executable, "-c", run],
                stdin=subprocess.PIPE,  # ends with this process
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
                env=_environment(),
            )
        self._socket = ours
        weakref.finalize(self, ours.close)  # not with the process: a thread may be waiting for it still

    def send(self, value: object) -> None:
        """Send an object. ConnectionError if the process is gone."""
        handover.send(self._socket, value)

    def receive(self) -> Any:
        """Wait for an object. EOFError if the process is gone."""
        return handover.receive(self._socket)

    def ended_how(self) -> str:
        """Say how it ended."""
        self.end()
        code = self._process.returncode
        return f"signal {-code}" if code < 0 else f"exit {code}"

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    return {**kept, "PYTHONPATH": str(pathlib.Path(migration_app.__file__).parents[1])}


def _groups(loaded: Loaded) -> list[tuple[int, int]]:
    """The pages in portions of a megabyte, by their first and last numbers."""
    pages = SnapshotPage.objects.filter(thread=loaded.thread, sequence__lte=loaded.snapshot_seen)
    groups: list[tuple[int, int]] = []
    size = _BYTES_AT_ONCE
    for sequence, raw_bytes in pages.order_by("sequence").values_list("sequence", "raw_bytes"):
        size += raw_bytes
        if size > _BYTES_AT_ONCE:
            groups.append((sequence, sequence))
            size = raw_bytes
        else:
            groups[-1] = groups[-1][0], sequence
    return groups


def _pages(thread_pk: int, group: tuple[int, int]) -> Sequence[tuple[Any, ...]]:
    pages = SnapshotPage.objects.filter(thread=thread_pk, sequence__range=group).order_by("sequence")
    return [
        (kind, origin, order, bytes(payload))
        for kind, origin, order, payload in pages.values_list("kind", "origin", "order", "payload")
    ]
