"""The process that converts large threads for a worker: pages in, a source thread and its plan out.

In a process of its own because converting holds the interpreter's lock for seconds, and every answer to all other
threads would wait. It knows neither Django nor the database nor any key, writes nothing anywhere but to unnamed
temporary files, and ends with the worker, also if that is killed: then standard input ends. Started by
``engine.converting.converter``.
"""

from __future__ import annotations

import dataclasses
import gc
import os
import pickle
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any

from migration_app.archive.named_files import FILES, file_ids, may_name
from migration_app.archive.order.assemble import PageContent, assemble_thread
from migration_app.archive.sequence import payload_decompress
from migration_app.contracts import JsonObject, Policies, SourceThread, ThreadPlan
from migration_app.conversion.resources import Resource, thread_resources
from migration_app.conversion.sent import Sent, plan_as_sent
from migration_app.engine.converting import handover

_COLLECT_AFTER = 50_000


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What is to be converted. Its pages follow, some at a time, and after the last ones none."""

    thread_id: str
    policies: Policies
    sent: Sent


@dataclasses.dataclass(frozen=True, slots=True)
class NamedFiles:
    """A question: what is known of these files? The answer is a mapping from ids to objects."""

    ids: frozenset[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Converted:
    """The thread, its plan, and the files and vector stores that it names."""

    source: SourceThread
    plan: ThreadPlan
    resources: tuple[Resource, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class NotConverted:
    """Why not. ``place``: type and place of the error, without its text, which may quote content."""

    error: Exception
    place: str
    is_lost: bool = False


def main(descriptor: int) -> None:
    """Do what the worker orders over this socket until it ends."""
    for heard in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # a service manager may send them to all processes of a worker
        signal.signal(heard, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    with socket.socket(fileno=descriptor) as worker:
        while True:
            try:
                order = handover.receive(worker)
            except EOFError:
                return
            handover.send(worker, _converted(order, worker))


def _end_with_the_worker() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def _converted(order: Order, worker: socket.socket) -> Converted | NotConverted:
    pages = _Pages(worker)
    try:
        source = assemble_thread(order.thread_id, pages, {}, spill=True)
        if pages.may_name_files and (ids := file_ids(source)):
            handover.send(worker, NamedFiles(frozenset(ids)))
            files: dict[str, JsonObject] = handover.receive(worker)
            source = dataclasses.replace(source, files=files)
        plan = _plan(order, source)
        if isinstance(plan, NotConverted):
            return plan
        return Converted(source, plan, thread_resources(source))
    except Exception as error:  # noqa: BLE001 - the thread's own trouble, raised by the worker when its turn comes
        for _page in pages:
            pass  # what was not read yet would be taken for the next order
        return NotConverted(_sendable(error), _place(error))


def _plan(order: Order, source: SourceThread) -> ThreadPlan | NotConverted:
    try:
        return plan_as_sent(source, order.policies, order.sent)
    except ValueError as error:
        return NotConverted(error, _place(error), is_lost=True)


class _Pages(Iterator[PageContent]):
    """The pages of an order, as they come in."""

    def __init__(self, worker: socket.socket) -> None:
        self.may_name_files = False
        self._worker = worker
        self._group: list[tuple[Any, ...]] = []
        self._ended = False

    def __next__(self) -> PageContent:
        if not self._group and not self._ended:
            self._group = handover.receive(self._worker)[::-1]
            self._ended = not self._group
        if self._ended:
            raise StopIteration
        kind, origin, order, payload = self._group.pop()
        payload = payload_decompress(payload)
        self.may_name_files = self.may_name_files or may_name(payload, FILES)
        return PageContent(kind, origin, order, payload)


def _place(error: Exception) -> str:
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"


def _sendable(error: Exception) -> Exception:
    """The error, or where it can't be sent one that names it."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - what was just made
    except Exception:  # noqa: BLE001 - an error's constructor may raise anything
        return RuntimeError(type(error).__name__)
    return error
