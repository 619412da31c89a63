"""Keeping leases alive while calls are on their way. Must not import jobs or rq."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import threading
import uuid
from collections.abc import Iterable, Iterator

from django.db import Error, connection

from migration_app.models import Thread
from migration_app.services.claims import leases_renew

logger = logging.getLogger(__name__)


class LeaseKeeper:
    """Renews leases from a thread of its own: a slow answer must not cost a worker what it works on.

    A killed process takes this thread with it, so its leases run out and other workers go on.
    """

    def __init__(self, lease: dt.timedelta) -> None:
        self._lease = lease
        self._held: dict[int, uuid.UUID] = {}
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

    def keep(self, threads: Iterable[Thread]) -> None:
        """Renew these threads' leases from now on."""
        with self._lock:
            for thread in threads:
                if thread.lease_token is None:
                    raise ValueError(f"thread {thread.thread_id} is not claimed")
                self._held[thread.pk] = thread.lease_token

    def drop(self, thread_pk: int, token: uuid.UUID | None) -> None:
        """Renew this lease of the thread no longer.

        A later one stays: the thread may have been claimed again before its earlier holder comes to its end.
        """
        with self._lock:
            if self._held.get(thread_pk) == token:
                self._held.pop(thread_pk, None)

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
        try:
            leases_renew(held=held, lease=self._lease)
        except Error:
            # The next turn tries again on a new connection. If the lease runs out first, whoever holds the
            # thread notices when it wants to write (LeaseLostError), and another worker goes on.
            logger.warning("leases could not be renewed; trying again", exc_info=True)
            connection.close()
