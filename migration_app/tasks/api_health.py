"""How the two APIs answer, as this process sees it: kept in memory call by call, written every ten seconds.

Web requests call no API; what they show of target and source is what the work met. Written where work pauses anyhow,
outside of its transactions: beside a batch's turn, and at the end of each job. Must not import jobs or rq.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import logging
import threading
import time
from collections.abc import Callable, Mapping

from django.db import Error, connection, transaction
from django.utils import timezone

from migration_app.statements import statements_of
from migration_app.tasks.breaker import LASTING, PASSING

logger = logging.getLogger(__name__)

WRITE_SECONDS = 10.0
_SQL = statements_of(__name__)
_SPEAKS_OF_THE_API = LASTING | PASSING
_KEY_REFUSED = frozenset({401, 403, 407})


@dataclasses.dataclass(slots=True)
class _Seen:
    """What one API did since the last write."""

    answered_at: dt.datetime | None = None
    accepted_at: dt.datetime | None = None
    failed_at: dt.datetime | None = None
    failed_code: str = ""
    minutes: dict[dt.datetime, collections.Counter[str]] = dataclasses.field(
        default_factory=lambda: collections.defaultdict(collections.Counter)
    )


class ApiHealthLog:
    """What the calls of one process met. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], _Seen] = collections.defaultdict(_Seen)
        self._written_at = 0.0

    def observer(self, api: str, address: str) -> Callable[[int, str], None]:
        """What a connection calls with the status of each answer (0: none) and the code of a failure (empty: none)."""

        def observe(status: int, code: str) -> None:
            self.met(api, address, status, code)

        return observe

    def met(self, api: str, address: str, status: int, code: str) -> None:
        """Keep one call's end."""
        now = timezone.now()
        bad = code in _SPEAKS_OF_THE_API
        with self._lock:
            seen = self._seen[api, address]
            counts = seen.minutes[now.replace(second=0, microsecond=0)]
            counts["calls"] += 1
            counts["throttled"] += status == 429 and not bad
            counts["failed"] += bad
            if status:
                seen.answered_at = now
            if bad:
                seen.failed_at, seen.failed_code = now, code
            elif status and status not in _KEY_REFUSED:
                seen.accepted_at = now

    def due(self) -> bool:
        """Whether there is something to write, and the last write is long enough ago."""
        return bool(self._seen) and time.monotonic() - self._written_at >= WRITE_SECONDS

    def write(self) -> None:
        """Write what was seen since the last time. A database that refuses it costs the figures, never the work."""
        with self._lock:
            seen, self._seen = self._seen, collections.defaultdict(_Seen)
            self._written_at = time.monotonic()
        if not seen:
            return
        try:
            _write(seen)
        except Error as error:
            logger.warning("how the APIs answered was not written: %s", type(error).__name__)


def _write(seen: Mapping[tuple[str, str], _Seen]) -> None:
    # In one order everywhere: two processes that write the same rows must not wait for each other in a circle.
    with transaction.atomic(), connection.cursor() as cursor:
        for (api, address), one in sorted(seen.items()):
            cursor.execute(
                _SQL["health"],
                [api, address, one.answered_at, one.accepted_at, one.failed_at, one.failed_code],
            )
            for minute, counts in sorted(one.minutes.items()):
                cursor.execute(
                    _SQL["minute"], [api, minute, counts["calls"], counts["throttled"], counts["failed"]]
                )


API_HEALTH = ApiHealthLog()
"""Of this process."""
