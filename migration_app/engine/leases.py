"""Keeping leases alive while calls are on their way, and knowing until when each is certainly held.

Must not import jobs or rq.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
import time
import uuid
from collections.abc import Iterable, Iterator

from django.db import Error, connection

from migration_app.batches.claims import leases_renew
from migration_app.models import Thread

logger = logging.getLogger(__name__)

_MARGIN = 0.1
"""Part of a lease that is not counted on: for clocks that run apart, and for the way of a request to its socket."""

# Linux: counts while the machine is suspended. Elsewhere the monotonic clock, which on macOS does too.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Seconds on a clock that never jumps, and that also counts while the process is stopped or the machine sleeps."""
    return time.clock_gettime(_CLOCK)


class LeaseKeeper:
    """Renews leases from a thread of its own: a slow answer must not cost a worker what it works on.

    A killed process takes this thread with it, so its leases expire and other workers continue. A process that is
    stopped keeps it, and may not know for how long it was stopped: so nothing is sent unless ``holds`` says so. The
    lease was given by the database at some moment after we asked for it, so it is certainly held for its length from
    the moment of asking on, less a margin, whatever the two clocks show.
    """

    def __init__(self, lease: dt.timedelta) -> None:
        self._lease = lease
        self._sure = lease.total_seconds() * (1 - _MARGIN)
        self._held: dict[int, uuid.UUID] = {}
        self._certain_until: dict[int, float] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()

    @contextlib.contextmanager
    def running(self) -> Iterator[LeaseKeeper]:
        """Renew every third of the lease's length until the block ends."""
        keeper = threading.Thread(target=self._run, name="lease-keeper", daemon=True)
        keeper.start()
        try:
            yield self
        finally:
            self._stop.set()
            keeper.join()

    def keep(self, threads: Iterable[Thread], *, asked_at: float) -> None:
        """Renew these threads' leases from now on. ``asked_at``: ``now()`` before they were claimed."""
        with self._lock:
            for thread in threads:
                if thread.lease_token is None:
                    raise ValueError(f"thread {thread.thread_id} is not claimed")
                self._held[thread.pk] = thread.lease_token
                self._certain_until[thread.pk] = asked_at + self._sure

    def drop(self, thread_pk: int, token: uuid.UUID | None) -> None:
        """Renew this lease of the thread no longer.

        A later one stays: the thread may have been claimed again before its earlier holder comes to its end.
        """
        with self._lock:
            if self._held.get(thread_pk) == token:
                self._held.pop(thread_pk, None)
                self._certain_until.pop(thread_pk, None)

    def holds(self, thread_pk: int, token: uuid.UUID | None) -> bool:
        """Whether the thread is certainly this worker's now."""
        with self._lock:
            return (
                token is not None
                and self._held.get(thread_pk) == token
                and now() < self._certain_until[thread_pk]
            )

    def _run(self) -> None:
        try:
            while not self._stop.wait(self._lease.total_seconds() / 3):
                with self._lock:
                    held = dict(self._held)
                if held:
                    self._renew(held)
        finally:
            connection.close()

    def _renew(self, held: dict[int, uuid.UUID]) -> None:
        asked_at = now()
        try:
            still = leases_renew(held=held, lease=self._lease)
        except Error:
            # The next turn tries again on a new connection. Until then nothing is sent for which the lease may have
            # run out; and the next write notices (LeaseLostError), and another worker continues.
            logger.warning("leases could not be renewed; trying again", exc_info=True)
            connection.close()
            return
        with self._lock:
            for pk in still:
                if self._held.get(pk) == held[pk]:
                    self._certain_until[pk] = asked_at + self._sure
