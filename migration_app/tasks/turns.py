"""A worker's turn at a task: in whose name, until when, and how it hears that it is to stop. Must not import rq."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from migration_app import silence
from migration_app.contracts import Actor

_MORE_SECONDS = 1.0
"""So long a turn that nobody waits for continues, before the queue is asked again."""


@dataclasses.dataclass(frozen=True, slots=True)
class Watch:
    """The environment of a task: whether it should stop, and the callback for its progress."""

    stop: Callable[[], bool] = bool
    progress: Callable[[Any], None] = lambda _row: None


@dataclasses.dataclass(slots=True)
class Turn:
    """One job's turn. It ends at ``ends_at``, of the monotonic clock, or later, when other work waits.

    ``enqueue`` adds a job of this kind for a primary key.
    """

    actor: Actor
    stop: threading.Event
    ends_at: float
    urgent_waits: Callable[[], bool]
    enqueue: Callable[[int], None]
    others_wait: Callable[[], bool] = lambda: True

    def is_over(self) -> bool:
        """Whether the worker is to stop, or the turn has lasted long enough and other work waits: may ask the queue."""
        if self.stop.is_set():
            return True
        now = time.monotonic()
        if now <= self.ends_at:
            return False
        if self.others_wait():
            return True
        self.ends_at = now + _MORE_SECONDS
        return False

    def make_room(self) -> None:
        """End the turn if urgent work waits: asks the database."""
        if self.urgent_waits():
            self.stop.set()

    def watch(self) -> Watch:
        """The turn as work beside the engine sees it: over at its end, and when urgent work waits."""
        return Watch(stop=self.is_over, progress=lambda _row: self.make_room())

    def stopped_for(self, seconds: float) -> Callable[[], bool]:
        """Report a stop so many seconds after it was requested: time to finish short work."""
        end: float | None = None

        def is_over() -> bool:
            nonlocal end
            if not self.stop.is_set():
                return False
            now = time.monotonic()
            end = now + seconds if end is None else end
            return now >= end

        return is_over


@contextlib.contextmanager
def stop_heard() -> Iterator[threading.Event]:
    """Yield a flag that SIGTERM sets, so that the current work is completed instead of being cut off.

    The handler only sets the flag, and the work only reads ``is_set``, which takes no lock: a handler
    must not wait for what it has interrupted. Enter this before the database is asked for anything: it may not answer.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def hear(signum: int, frame: FrameType | None) -> None:
        stop.set()
        silence.stop_asked()
        if callable(before):  # a worker that does not fork: it ends after this job
            before(signum, frame)

    before = signal.signal(signal.SIGTERM, hear)
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        yield stop
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if signal.getsignal(signal.SIGTERM) is hear:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
        silence.stop_over()
