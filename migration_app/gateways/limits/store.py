"""What workers share about a target's limits, in Redis: buckets, holds, lowered rates, active workers.

Buckets are the library's (throttled-py: GCRA, by Redis' own clock). The rest are a few keys that expire by
themselves, so nothing is left behind by a worker that was killed. Must not import Django, models or services.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis.exceptions import RedisError
from throttled.asyncio import BaseStore, MemoryStore, RedisStore, Throttled, per_duration
from throttled.exceptions import StoreUnavailableError

from migration_app.gateways.limits.pacing import (
    LONGEST_HOLD,
    Bucket,
    Demand,
    Lowered,
)

_ALIVE_SECONDS = 5.0
_FORGOTTEN_SECONDS = 60
_TIMEOUT = 1.0


class AwayError(Exception):
    """Redis does not answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Shared:
    """What all workers know of a target. ``now`` is Redis' time, ``hold`` what is left of a hold in seconds."""

    now: float
    demands: tuple[Demand, ...]
    hold: float
    lowered: Lowered | None
    pace: float | None


class Buckets:
    """Leaking buckets by name, in Redis or in this process."""

    def __init__(self, store: BaseStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self._made: dict[str, tuple[Bucket, Throttled]] = {}

    async def take(self, name: str, size: Bucket, cost: int) -> float:
        """Take ``cost``, at most the burst, from a bucket: 0 if available, else the seconds until it may be."""
        made = self._made.get(name)
        if made is None or made[0] != size:
            # Calls an hour: the library's rates are whole numbers. A bucket keeps its level when its rate changes.
            quota = per_duration(datetime.timedelta(hours=1), max(1, round(size.rate * 60)), burst=size.burst)
            made = size, Throttled(using="gcra", quota=quota, store=self._store, key_prefix=self._prefix)
            self._made[name] = made
        result = await made[1].limit(name, cost)
        return max(0.001, result.state.retry_after) if result.limited else 0.0

    def key(self, name: str) -> str:
        """Return the key under which the library keeps a bucket."""
        return f"{self._prefix}:v1:gcra:{name}"


def local_buckets() -> Buckets:
    """Make buckets of this process only, for when Redis is down."""
    return Buckets(MemoryStore(), "limit")


class LimitStore:
    """The shared side of one target's limits. Every method raises AwayError when Redis does not answer."""

    def __init__(self, redis_url: str, *, target: str, worker: str) -> None:
        self._prefix = f"limit:{target}"
        self._worker = worker
        store = RedisStore(
            server=redis_url,
            options={
                "SOCKET_TIMEOUT": _TIMEOUT,
                "SOCKET_CONNECT_TIMEOUT": _TIMEOUT,
                # The client's own three tries with growing pauses would hold every call that long.
                "CONNECTION_POOL_KWARGS": {"retry": None},
            },
        )
        # One connection pool for both, which has to be closed; the library has no public way to it.
        self._client: Any = store._backend.get_client()  # noqa: SLF001
        self._buckets = Buckets(store, self._prefix)

    async def close(self) -> None:
        """Take this worker off the list, and close the connections."""
        try:
            with _away():
                await self._client.hdel(f"{self._prefix}:workers", self._worker)
        finally:
            with _away():
                await self._client.aclose(close_connection_pool=True)

    async def take(self, name: str, size: Bucket, cost: int) -> float:
        """Take out of a shared bucket, as ``Buckets.take``."""
        with _away():
            wait = await self._buckets.take(name, size, cost)
            if wait > max(180.0, 2 * size.burst * 60 / size.rate):
                # No bucket is ever that full: Redis' clock was set back. Reset it.
                await self._client.delete(self._buckets.key(name))
                return 0.001
            return wait

    async def meet(self, demand: Demand) -> Shared:
        """Publish this worker's report, and read the others'."""
        with _away():
            seconds, micros = await self._client.time()
            now = seconds + micros / 1e6
            workers = f"{self._prefix}:workers"
            entry = json.dumps([now, demand.batch, demand.urgent, round(demand.used, 1), demand.hungry])
            async with self._client.pipeline(transaction=False) as pipeline:
                pipeline.hset(workers, self._worker, entry)
                pipeline.expire(workers, _FORGOTTEN_SECONDS)
                pipeline.hgetall(workers)
                pipeline.pttl(f"{self._prefix}:hold")
                pipeline.get(f"{self._prefix}:lowered")
                pipeline.get(f"{self._prefix}:pace")
                _, _, entries, hold, raw_lowered, pace = await pipeline.execute()
            demands = []
            for worker, raw in entries.items():
                at, batch, urgent, used, hungry = json.loads(raw)
                if abs(now - at) < _ALIVE_SECONDS:
                    demands.append(Demand(batch, urgent, used, hungry))
                elif abs(now - at) > _FORGOTTEN_SECONDS:
                    await self._client.hdel(workers, worker)
        return Shared(
            now=now,
            demands=tuple(demands),
            hold=min(max(0, hold) / 1000, LONGEST_HOLD),
            lowered=_lowered(raw_lowered),
            pace=float(pace) if pace else None,
        )

    async def refused(self, hold: float, lower: Callable[[Lowered | None, float], Lowered]) -> Lowered | None:
        """Make all workers hold, and lower the rate once for each hold, however many calls were refused.

        ``lower`` gets the rate that was lowered before and Redis' time. Returns None if another worker did it.
        """
        key = f"{self._prefix}:hold"
        with _away():
            # The worker that sets the hold lowers the rate; calls in flight then only extend it.
            if not await self._client.set(key, 1, px=_ms(hold), nx=True):
                if await self._client.pttl(key) < _ms(hold):
                    await self._client.set(key, 1, px=_ms(hold))
                return None
            seconds, micros = await self._client.time()
            made = lower(_lowered(await self._client.get(f"{self._prefix}:lowered")), seconds + micros / 1e6)
            if made.lasts() > 0:
                raw = json.dumps(dataclasses.astuple(made))
                await self._client.set(f"{self._prefix}:lowered", raw, px=_ms(hold + made.lasts()))
        return made

    async def told(self, *, hold: float, pace: float | None, pace_seconds: float) -> None:
        """Pass on what the target's headers ask for."""
        with _away():
            key = f"{self._prefix}:hold"
            if hold and await self._client.pttl(key) < _ms(hold):
                await self._client.set(key, 1, px=_ms(hold))
            if pace is not None:
                await self._client.set(f"{self._prefix}:pace", round(pace, 1), px=_ms(pace_seconds))


def _lowered(raw: bytes | str | None) -> Lowered | None:
    return Lowered(*json.loads(raw)) if raw else None


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


@contextmanager
def _away() -> Iterator[None]:
    try:
        yield
    except (RedisError, StoreUnavailableError, OSError) as error:
        # The text of some of these holds the address with its password.
        raise AwayError(type(error).__name__) from None
