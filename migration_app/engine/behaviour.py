"""What is known of the target while a turn lasts: whether it refuses repeats, and how far its lists lag behind.

Shared by all threads of the turn; what they find out is kept for other workers. Must not import jobs or rq.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine

from django.utils import timezone

from migration_app.contracts import Actor
from migration_app.engine.database import DatabaseThread
from migration_app.engine.repeats import repeats_probe
from migration_app.engine.target_behaviour import (
    list_lag_record,
    probe_claim,
    probe_record,
    probe_scratch,
    repeats_are_refused,
    target_behaviour,
)
from migration_app.gateways.connection import Connection
from migration_app.models import TargetBehaviour

_LEAST_PAUSE = 0.5


class Behaviour:
    """One target's behaviour as far as it is known. Without ``target`` nothing is known, and nothing is kept."""

    def __init__(
        self, target: str = "", database: DatabaseThread | None = None, *, repeats_refused: bool = False
    ) -> None:
        self.repeats_refused = repeats_refused
        self.list_lag = 0.0
        self._target = target
        self._database = database

    @property
    def apart(self) -> float:
        """How many seconds two reads must be apart, so that both missing an item says something."""
        return max(_LEAST_PAUSE, 2 * self.list_lag)

    async def load(self) -> None:
        """Read what other turns and workers have found out."""
        if self._database is not None:
            self._take(await self._database.run(target_behaviour, self._target))

    async def lagged(self, seconds: float) -> None:
        """A list showed only now what was acknowledged so long ago."""
        if seconds > self.list_lag:
            self.list_lag = seconds
            if self._database is not None:
                await self._database.run(list_lag_record, self._target, seconds)

    async def probe(self, connect: Callable[[], Connection], actor: Actor) -> None:
        """Find out what the target does with a repeated append, if that is due and no other worker does."""
        database = self._database
        if database is None or not await database.run(probe_claim, self._target):
            return
        row = await database.run(target_behaviour, self._target)

        def scratch(conversation_id: str) -> Coroutine[None, None, None]:
            return database.run(probe_scratch, self._target, conversation_id)

        found = await repeats_probe(connect, left=row.scratch_id, scratch=scratch)
        await database.run(probe_record, self._target, found.repeats, found.note, actor=actor)
        await self.load()

    def _take(self, row: TargetBehaviour) -> None:
        self.repeats_refused = repeats_are_refused(row, now=timezone.now())
        self.list_lag = max(self.list_lag, row.list_lag_seconds)
