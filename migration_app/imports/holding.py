"""Who reads an import: a token on its row, a heartbeat beside the reading, and a stop from outside.

Whoever reads an import holds the row's token. Every transaction of the reading begins by writing to that row under
the token; who was taken for dead, or whose import was cancelled, can write nothing more and stops at its next step.
All times are the database's. Never imports jobs.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, Error, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import QuerySet
from django.db.models.functions import Now

from migration_app.models import SourceImport

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_HEARTBEAT_SECONDS = 5.0
_CANCEL_SECONDS = 5.0


class ImportStoppedError(Exception):
    """The import is no longer in this reader's hands: cancelled, taken over, or deleted."""


class ImportHandedBackError(Exception):
    """The worker is to stop: the import is left to the next one."""


class Hold:
    """One reader's hold of an import."""

    def __init__(self, source_import: SourceImport, *, stop: Callable[[], bool] = bool) -> None:
        self.source_import = source_import
        self.report: dict[str, Any] = {}
        """What the heartbeat tells: columns of the row that say how far the reading is."""
        self._stop = stop
        self._lost = threading.Event()
        self._over = threading.Event()

    @property
    def is_lost(self) -> bool:
        """Whether it is known that somebody else has the import, or nobody is to have it."""
        return self._lost.is_set()

    @contextlib.contextmanager
    def running(self) -> Iterator[Hold]:
        """Send heartbeats until the block ends, and hear of a cancel or a takeover, whatever the reader is doing.

        A thread of its own: one line may take minutes, and so may one statement. A killed process takes it along.
        """
        reader = connections[DEFAULT_DB_ALIAS]
        keeper = threading.Thread(target=self._run, args=(reader,), name="import-heartbeat", daemon=True)
        keeper.start()
        try:
            yield self
        finally:
            self._over.set()
            keeper.join()

    def check(self) -> None:
        """Raise ImportStoppedError or ImportHandedBackError if the reading is to end. Costs nothing."""
        if self.is_lost:
            raise self._stopped()
        if self._stop():
            raise ImportHandedBackError

    def write(self, **changes: Any) -> None:
        """Write to the import's row, which fences the transaction at hand. ImportStoppedError if it is not ours."""
        if self._own().update(**{"heartbeat_at": Now(), **changes}) != 1:
            self._lost.set()
            raise self._stopped()

    def _own(self) -> QuerySet[SourceImport]:
        return SourceImport.objects.filter(pk=self.source_import.pk, run_token=self.source_import.run_token)

    def _stopped(self) -> ImportStoppedError:
        states = SourceImport.objects.filter(pk=self.source_import.pk).values_list("state", "error_text")
        state, text = states.first() or ("", "")
        if state == SourceImport.State.CANCELLED:
            return ImportStoppedError(text)
        return ImportStoppedError("Another worker has taken over this import, or it was deleted.")

    def _run(self, reader: BaseDatabaseWrapper) -> None:
        next_beat = 0.0
        waited = 0.0
        try:
            while not self._over.wait(_LOOK_SECONDS):
                waited += _LOOK_SECONDS
                try:
                    self._look(reader)
                    if waited >= next_beat and not self.is_lost:
                        self._own().update(heartbeat_at=Now(), **self.report)
                        next_beat = waited + _HEARTBEAT_SECONDS
                except Error:
                    logger.warning(
                        "import %s: no heartbeat; trying again", self.source_import.pk, exc_info=True
                    )
                    connection.close()
        finally:
            connection.close()

    def _look(self, reader: BaseDatabaseWrapper) -> None:
        row = SourceImport.objects.filter(pk=self.source_import.pk).values_list("run_token").first()
        # A row that can't be seen: its transaction is open, or it was deleted, which the reader's next write tells.
        if row is None or row[0] == self.source_import.run_token or self.is_lost:
            return
        self._lost.set()
        running = reader.connection
        if isinstance(running, psycopg.Connection):
            # A long statement of the reader ends now and not when it is done. Where none runs this does nothing.
            running.cancel_safe(timeout=_CANCEL_SECONDS)
