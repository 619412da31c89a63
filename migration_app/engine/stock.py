"""Threads of a batch that a turn has claimed and loaded ahead, so that its window never runs dry.

Must not import jobs or rq.
"""

from __future__ import annotations

import collections
import datetime as dt
from collections.abc import Sequence

from migration_app.batches.claims import leases_give_back, threads_claim
from migration_app.engine.database import DatabaseThread
from migration_app.engine.leases import LeaseKeeper, now
from migration_app.engine.loading import Loaded, threads_load
from migration_app.models import Thread

_FIRST_CLAIM = 8
_LOADED_BYTES = 64 << 20
"""Threads are claimed while those in hand hold less than this, in bytes of JSON: in memory it is several times that."""


class Stock:
    """What one turn has claimed and not begun; and what the threads that it has begun weigh, until they ``left``."""

    def __init__(
        self, batch_pk: int, database: DatabaseThread, keeper: LeaseKeeper, *, lease: dt.timedelta
    ) -> None:
        self._batch_pk = batch_pk
        self._database = database
        self._keeper = keeper
        self._lease = lease
        self._ready: collections.deque[Loaded] = collections.deque()
        self._loaded_bytes = 0
        self._claim_at_most = _FIRST_CLAIM

    def __len__(self) -> int:
        return len(self._ready)

    def take(self) -> Loaded:
        """Take the next thread out, to begin it. IndexError if there is none."""
        return self._ready.popleft()

    def left(self, loaded: Loaded) -> None:
        """Know that a thread has ended: its memory is free."""
        self._loaded_bytes -= loaded.weight

    def wanted(self, *, places: int, in_hand: int) -> int:
        """How many threads to claim now: by the group, and some ahead.

        The first groups are small, and larger each time: the first calls need not wait for the rest to be loaded.
        """
        if self._loaded_bytes >= _LOADED_BYTES:
            return 0
        group = max(1, places // 2)
        want = max(0, places - in_hand) + 2 * group - len(self._ready)
        return min(want, self._claim_at_most) if want >= group else 0

    async def load(self, count: int) -> bool:
        """Claim up to so many threads, and load them. Returns whether there were any."""
        asked_at = now()
        self._claim_at_most *= 2
        claimed = await self._database.run(
            threads_claim, batch_pk=self._batch_pk, lease=self._lease, count=count
        )
        if not claimed:
            return False
        # Before they are loaded: a large thread may take longer than its lease to convert.
        self._keeper.keep(claimed, asked_at=asked_at)
        loaded = await self._database.run(threads_load, claimed, room=_LOADED_BYTES - self._loaded_bytes)
        self._loaded_bytes += sum(entry.weight for entry in loaded)
        self._ready += loaded
        await self._hand_back(claimed[len(loaded) :])
        return True

    async def give_back(self) -> None:
        """Hand back what was not begun."""
        await self._hand_back([entry.thread for entry in self._ready])
        self._ready.clear()

    async def _hand_back(self, threads: Sequence[Thread]) -> None:
        held = {thread.pk: thread.lease_token for thread in threads if thread.lease_token}
        for thread in threads:
            self._keeper.drop(thread.pk, thread.lease_token)
        if held:
            await self._database.run(leases_give_back, held=held)
