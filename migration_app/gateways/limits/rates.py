"""What rate holds for one worker's calls just now, and how much it uses of it.

Plain bookkeeping without waiting: ``limits`` asks it before each group of calls, and reports the results to it.
"""

from __future__ import annotations

import collections
import time

from migration_app.contracts import MAX_ITEMS_PER_CALL
from migration_app.gateways.limits.pacing import Bucket, Demand, Lowered, bucket, fair_share, lowered
from migration_app.gateways.limits.store import Shared

SHORTEST_PERIOD = 1.0
"""Seconds. Of a shorter time it can't be said what a worker uses a minute."""
_PEAKS = 60
# RQ needs Redis too, so a worker that never saw it is rare. A guess on the safe side.
_WORKERS_UNSEEN = 4


class Rates:
    """The target's rate as it was set, as lowered by refusals and headers; the batch's own, and its fair share.

    ``rate``, ``batch_rate`` and ``share`` are requests a minute, None for no limit; ``items`` is the bucket of items.
    While ``away`` this worker keeps to its part of them.
    """

    def __init__(self, *, batch: str, requests_per_minute: int, items_per_minute: int) -> None:
        self._batch = batch
        self._set_rate = float(requests_per_minute) or None
        self.items = bucket(items_per_minute, largest=MAX_ITEMS_PER_CALL) if items_per_minute else None
        self.batch_rate: float | None = None
        self.rate = self._set_rate
        self.share: float | None = None
        self.workers = _WORKERS_UNSEEN
        self.away = False
        self._lowered: Lowered | None = None
        self._pace: tuple[float, float] | None = None  # rate, until when
        self._demands: tuple[Demand, ...] = ()
        self._clock_offset = 0.0

    def limits(self, items: int) -> bool:
        """Whether a call with so many items is limited by anything."""
        return (
            self.rate is not None or self.batch_rate is not None or (self.items is not None and bool(items))
        )

    @property
    def least(self) -> float | None:
        """The lowest rate that holds."""
        rates = [rate for rate in (self.rate, self.batch_rate, self.share) if rate is not None]
        return min(rates, default=None)

    @property
    def share_binds(self) -> bool:
        """Whether the batch's fair share holds it back; what its own limit holds back is no need for more."""
        return self.share is not None and (self.batch_rate is None or self.share < self.batch_rate)

    def size(self, name: str) -> Bucket | None:
        """Return the current bucket, or None; while Redis is down, this worker's part of it."""
        if name == "items":
            size = self.items
        elif name == "requests":
            size = bucket(self.rate) if self.rate is not None else None
        else:
            share = None if self.away else self.share
            rates = [rate for rate in (self.batch_rate, share) if rate is not None]
            size = bucket(min(rates)) if rates else None
        if size is None or not self.away:
            return size
        least = MAX_ITEMS_PER_CALL if name == "items" else 1
        return Bucket(size.rate / self.workers, max(least, size.burst // self.workers))

    def told(self, pace: float, seconds: float) -> None:
        """Keep to a header's pace for so long."""
        self._pace = pace, time.monotonic() + seconds
        self._reckon()

    def learned(self, shared: Shared, *, pace_seconds: float) -> None:
        """Take over what all workers know."""
        self.away = False
        now = time.monotonic()
        self._clock_offset = shared.now - now
        self.workers = max(1, len(shared.demands))
        self._demands = shared.demands
        self._lowered = shared.lowered
        self._pace = (shared.pace, now + pace_seconds) if shared.pace is not None else None
        self._reckon()

    def lost(self) -> None:
        """Redis is away."""
        self.away = True
        self._reckon()

    def lowered_from(self, known: Lowered | None, *, peak: float, now: float) -> Lowered:
        """What a refusal lowers the rate to, from what was lowered before."""
        return lowered(limit=self._set_rate, known=known, peak=peak, now=now)

    def lower(self, made: Lowered | None = None, *, peak: float = 0.0) -> None:
        """Go down to what all workers agreed on; without that, to what this one alone makes of the refusal."""
        now = time.monotonic() + self._clock_offset
        self._lowered = made or self.lowered_from(self._lowered, peak=peak, now=now)
        self._reckon()

    def _reckon(self) -> None:
        now = time.monotonic()
        rates = [
            self._set_rate,
            self._lowered.rate_at(now + self._clock_offset) if self._lowered else None,
            self._pace[0] if self._pace and now < self._pace[1] else None,
        ]
        self.rate = min((rate for rate in rates if rate is not None), default=None)
        self.share = (
            fair_share(bucket(self.rate).rate, self._demands, self._batch) if self.rate is not None else None
        )


class Usage:
    """How many calls a worker makes a minute, and whether it could make more."""

    def __init__(self) -> None:
        self.granted = 0
        self.waited = False
        """Whether calls have had to wait since it was last counted."""
        self.used = 0.0
        self.hungry = False
        """Whether they had to in the period that was counted last."""
        self._counted_at = time.monotonic()
        self._peaks: collections.deque[float] = collections.deque(maxlen=_PEAKS)

    def count(self) -> None:
        """Note how much was used since the last time."""
        now = time.monotonic()
        seconds = now - self._counted_at
        if seconds < SHORTEST_PERIOD / 4:
            return
        self.used = self.granted * 60 / max(seconds, SHORTEST_PERIOD)
        self.hungry = self.waited
        self.granted, self.waited, self._counted_at = 0, False, now
        self._peaks.append(self.used)

    def saw(self, demands: tuple[Demand, ...]) -> None:
        """Note what all workers use together."""
        self._peaks.append(sum(demand.used for demand in demands))

    @property
    def peak(self) -> float:
        """The most that was lately used a minute."""
        # In the first second nothing has been counted yet.
        seconds = max(time.monotonic() - self._counted_at, SHORTEST_PERIOD)
        return max(*self._peaks, self.granted * 60 / seconds, 0.0)
