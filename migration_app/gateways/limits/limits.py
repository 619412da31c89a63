"""The limit that all workers on all machines share when they call one target.

Limits: requests and items a minute of the target, requests a minute of a batch, never more in any minute;
fair shares between batches, urgent ones first; a refusal (429) or a header of the target slows all of them. When
nothing limits, a call costs no more than a comparison, and Redis is read once a second.

When Redis is down, nothing fails: each worker keeps to the set rate divided by the number of workers last seen.

Must not import Django, models or services.
"""

from __future__ import annotations

import asyncio
import collections
import hashlib
import logging
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Self

from migration_app.gateways.errors import StoppedError, retry_after_seconds
from migration_app.gateways.limits.pacing import LONGEST_HOLD, Bucket, Demand, Lowered, group_size, told
from migration_app.gateways.limits.rates import Rates, Usage
from migration_app.gateways.limits.store import AwayError, LimitStore, Shared, local_buckets

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_LOOK_SECONDS_WHEN_LIMITED = 0.5
_LONGEST_NAP = 0.25  # rates change while a call waits; and each refresh must see that it waits
_SHORTEST_HOLD = 0.25
_LONGEST_HOLD_UNTOLD = 60.0  # a 429 that names no time: 1, 2, 4 … seconds
_TELL_SECONDS = 0.2  # a worker passes headers on no more often
_AHEAD_SECONDS = 0.1  # permits taken ahead are thrown away when they are this old
_CLOSE_SECONDS = 3.0


class Limiter:
    """One worker's part in the limit of one target, for one batch. Belongs to one event loop.

    ``requests_per_minute`` and ``items_per_minute`` are the target's, 0 for none. ``target`` is its base URL.
    """

    def __init__(
        self,
        *,
        redis_url: str,
        target: str,
        requests_per_minute: int = 0,
        items_per_minute: int = 0,
        batch: int | None = None,
        urgent: bool = False,
    ) -> None:
        if requests_per_minute < 0 or items_per_minute < 0:
            raise ValueError("A limit must be 0 (none) or the number of requests or items a minute.")
        # Hashed: a base URL may hold more than an address, and keys are visible in Redis.
        self._target = hashlib.sha256(target.encode()).hexdigest()[:16]
        self._redis_url = redis_url
        self._worker = uuid.uuid4().hex
        self._batch = str(batch)
        self._urgent = urgent
        self._rates = Rates(
            batch=self._batch, requests_per_minute=requests_per_minute, items_per_minute=items_per_minute
        )
        self._usage = Usage()

        self._store: LimitStore | None = None
        self._local = local_buckets()
        self._held_until = 0.0
        self._refusals = 0
        self._told_at = 0.0

        self._queue: collections.deque[tuple[int, asyncio.Future[None]]] = collections.deque()
        self._at_once = False  # whether the last group did not have to wait
        self._ahead = 0
        self._ahead_until = 0.0

        self._begun = False
        self._stopped = False
        self._broken: BaseException | None = None
        self._first_refresh: asyncio.Task[None] | None = None
        self._group: list[tuple[int, asyncio.Future[None]]] = []  # waits for its permits
        self._granting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def rate(self) -> float | None:
        """The target's current requests a minute, after refusals and headers; None: no limit."""
        return self._rates.rate

    @property
    def workers(self) -> int:
        """How many workers were last seen at this target, this one too."""
        return self._rates.workers

    async def acquire(self, items: int = 0) -> None:
        """Wait until one more call, with ``items`` items, may be made. Raises StoppedError after ``stop``."""
        if not self._begun:
            await self._begin()
        if self._stopped:
            raise StoppedError
        if self._broken is not None:
            raise self._bug()
        now = time.monotonic()
        if now >= self._held_until and not self._queue:
            if not self._rates.limits(items):
                self._usage.granted += 1
                return
            if self._ahead and now < self._ahead_until:
                self._ahead -= 1
                self._usage.granted += 1
                return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append((items, turn))
        if self._granting is None or self._granting.done():
            self._granting = self._spawn(self._grant())
        await turn

    def answered(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer. 429 must be of the rate, not of a quota that is used up."""
        asked = told(headers)
        if status == 429:
            hold = retry_after_seconds(headers)
            if hold is None:
                hold = asked.hold or min(_LONGEST_HOLD_UNTOLD, 2.0**self._refusals)
            hold = min(max(hold, _SHORTEST_HOLD), LONGEST_HOLD)
            if time.monotonic() >= self._held_until:
                self._refusals = min(self._refusals + 1, 10)
            if self._hold(hold):
                self._spawn(self._refused(hold))
            return
        if status < 400:
            self._refusals = 0
        if asked.hold or asked.pace is not None:
            self._hold(asked.hold)
            if asked.pace is not None:
                self._rates.told(asked.pace, asked.pace_seconds)
            now = time.monotonic()
            if now - self._told_at >= _TELL_SECONDS:
                self._told_at = now
                self._spawn(self._pass_on(asked.hold, asked.pace, asked.pace_seconds))

    def set_batch_rate(self, requests_per_minute: int | None) -> None:
        """Set what the batch may use by all its workers; None or 0: no limit of its own. Holds from now on."""
        if requests_per_minute is not None and requests_per_minute < 0:
            raise ValueError("A batch's rate must be none, or a number of requests a minute.")
        self._rates.batch_rate = float(requests_per_minute) if requests_per_minute else None

    def stop(self) -> None:
        """Stop all calls: those that wait, and later ones, raise StoppedError."""
        self._stopped = True
        self._fail(StoppedError)

    async def close(self) -> None:
        """Stop, leave the list of workers, and close the connections to Redis."""
        self.stop()
        if self._first_refresh is not None:
            await self._first_refresh
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_SECONDS)
        if self._store is not None:
            try:
                await self._store.close()
            except AwayError:
                log.debug("Redis was down when a worker left; its entry expires by itself.")
            self._store = None

    async def look(self) -> None:
        """Exchange rates with the other workers now; otherwise this happens every second."""
        if self._store is None:
            self._store = LimitStore(self._redis_url, target=self._target, worker=self._worker)
        self._usage.count()
        demand = Demand(self._batch, self._urgent, self._usage.used, self._usage.hungry)
        try:
            shared = await self._store.meet(demand)
        except AwayError as error:
            self._lose(error)
        else:
            self._learn(shared)

    async def _begin(self) -> None:
        if self._first_refresh is None:
            self._first_refresh = asyncio.create_task(self.look())
        await asyncio.shield(self._first_refresh)
        if not self._begun and not self._stopped:
            self._begun = True
            self._spawn(self._keep_refreshing())

    async def _keep_refreshing(self) -> None:
        while not self._stopped:
            limited = self._rates.limits(0)
            await asyncio.sleep(_LOOK_SECONDS_WHEN_LIMITED if limited else _LOOK_SECONDS)
            await self.look()

    async def _grant(self) -> None:
        """Let those that wait go, in groups and in their order."""
        while self._queue:
            await self._hold_over()
            group = self._next_group()
            if not group:
                continue
            items = sum(count for count, _ in group)
            # Far below the limit, calls come one by one: take some more for those that come next.
            extra = min(
                group_size(self._rates.rate or 0) - len(group), int(self._usage.used / 60 * _AHEAD_SECONDS)
            )
            ahead = extra > 0 and self._at_once and self._rates.items is None and not self._queue
            self._group = group
            self._at_once = await self._take(len(group), items)
            if ahead and self._at_once and await self._take_now(extra):
                self._ahead, self._ahead_until = extra, time.monotonic() + _AHEAD_SECONDS
            await self._hold_over()
            self._group = []
            for _, turn in group:
                if not turn.done():
                    self._usage.granted += 1
                    turn.set_result(None)

    def _next_group(self) -> list[tuple[int, asyncio.Future[None]]]:
        least = self._rates.least
        most = len(self._queue) if least is None else group_size(least)
        group: list[tuple[int, asyncio.Future[None]]] = []
        items = 0
        while self._queue and len(group) < most:
            count, turn = self._queue[0]
            if turn.done():  # the waiting call was cancelled
                self._queue.popleft()
                continue
            if group and self._rates.items is not None and items + count > self._rates.items.burst:
                break
            items += count
            group.append(self._queue.popleft())
        return group

    async def _take(self, requests: int, items: int) -> bool:
        """Wait for a group's permits; returns whether they were all available at once.

        The batch's bucket comes first: a batch that is over its share must not hold permits of the target.
        """
        at_once = await self._take_from("batch", requests)
        if self._rates.items is not None and items:
            at_once &= await self._take_from("items", items)
        return await self._take_from("requests", requests) and at_once

    async def _take_from(self, name: str, cost: int) -> bool:
        at_once = True
        while cost:
            size = self._rates.size(name)
            if size is None:
                break
            part = min(cost, size.burst)
            wait = await self._ask(name, size, part)
            if not wait:
                cost -= part
                continue
            at_once = False
            self._usage.waited |= name != "batch" or self._rates.share_binds
            await asyncio.sleep(min(wait, _LONGEST_NAP))
        return at_once

    async def _take_now(self, requests: int) -> bool:
        """Take permits ahead if they are there, of all buckets or of none."""
        sizes = [(name, self._rates.size(name)) for name in ("batch", "requests")]
        for name, size in sizes:
            if size is not None and await self._ask(name, size, min(requests, size.burst)):
                return False
        return True

    async def _ask(self, name: str, size: Bucket, cost: int) -> float:
        key = f"batch:{self._batch}" if name == "batch" else name
        if not self._rates.away and self._store is not None:
            try:
                return await self._store.take(key, size, cost)
            except AwayError as error:
                self._lose(error)
                return 0.001  # asks again, for this worker's part
        return await self._local.take(key, size, cost)

    async def _hold_over(self) -> None:
        while (left := self._held_until - time.monotonic()) > 0:  # noqa: ASYNC110 (time passes; no event)
            await asyncio.sleep(min(left, _LONGEST_NAP))  # it may grow meanwhile

    def _hold(self, seconds: float) -> bool:
        """Hold this worker's calls; returns whether that is longer than before."""
        until = time.monotonic() + seconds
        if not seconds or until <= self._held_until:
            return False
        self._held_until = until
        return True

    async def _refused(self, hold: float) -> None:
        self._usage.count()
        if self._store is not None and not self._rates.away:
            try:
                made = await self._store.refused(hold, self._lower)
            except AwayError as error:
                self._lose(error)
            else:
                if made is not None:
                    self._rates.lower(made)
                    log.warning(
                        "The target refused a call for its rate limit. All workers hold for %.1f s, then resume"
                        " at %.0f requests a minute.",
                        hold,
                        made.rate,
                    )
                return
        self._rates.lower(peak=self._usage.peak)

    def _lower(self, known: Lowered | None, now: float) -> Lowered:
        return self._rates.lowered_from(known, peak=self._usage.peak, now=now)

    async def _pass_on(self, hold: float, pace: float | None, pace_seconds: float) -> None:
        if self._store is None or self._rates.away:
            return
        try:
            await self._store.told(hold=hold, pace=pace, pace_seconds=pace_seconds)
        except AwayError as error:
            self._lose(error)

    def _learn(self, shared: Shared) -> None:
        if self._rates.away:
            log.info("Redis is back: limits are shared between workers again.")
        self._usage.saw(shared.demands)
        self._hold(shared.hold)
        self._rates.learned(shared, pace_seconds=_LOOK_SECONDS)

    def _lose(self, error: AwayError) -> None:
        if not self._rates.away:
            log.warning(
                "Redis does not answer (%s). Until it does, this worker keeps to a part of the limits: one in %d.",
                error,
                self._rates.workers,
            )
        self._rates.lost()

    def _spawn(self, coroutine: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            # A bug. Waiting calls must fail, not wait forever.
            self._broken = error
            self._fail(self._bug)

    def _bug(self) -> RuntimeError:
        error = RuntimeError("The limiter failed.")
        error.__cause__ = self._broken
        return error

    def _fail(self, made: Callable[[], BaseException]) -> None:
        for _, turn in (*self._group, *self._queue):
            if not turn.done():
                turn.set_exception(made())  # one each: raising it adds to its traceback
        self._queue.clear()
