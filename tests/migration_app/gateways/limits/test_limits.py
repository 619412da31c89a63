"""The shared limit, on the real Valkey of the tests. Redis' clock can't be turned, so rates here are high."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from migration_app.gateways.configured import target_connection
from migration_app.gateways.errors import StoppedError
from migration_app.gateways.limits.limits import Limiter
from migration_app.gateways.limits.pacing import Lowered, bucket
from migration_app.gateways.limits.store import LimitStore
from migration_app.gateways.target import Created, conversation_create
from tests.migration_app.conftest import Run
from tests.sandbox import RunningSandbox

TARGET = "http://target.example/v1"
AWAY = "redis://127.0.0.1:9/0"

Make = Callable[..., Limiter]


@pytest.fixture
def server() -> Iterator[redis.Redis]:
    """The Redis of the tests, without what an earlier test left there."""
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    for key in client.scan_iter("limit:*"):
        client.delete(key)
    yield client
    client.close()


@pytest.fixture
def make(server: redis.Redis, run: Run) -> Iterator[Make]:
    made: list[Limiter] = []

    def limiter(**options: Any) -> Limiter:
        made.append(Limiter(**{"redis_url": os.environ["REDIS_URL"], "target": TARGET, **options}))
        return made[-1]

    yield limiter
    for one in made:
        run(one.close())


@asynccontextmanager
async def calling(limiters: Mapping[str, Limiter], *, at_once: int = 8) -> AsyncIterator[Counter[str]]:
    """Make calls as fast as each limiter lets them, and count them by name."""
    counts: Counter[str] = Counter()

    async def call(name: str) -> None:
        while True:
            await limiters[name].acquire()
            counts[name] += 1
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(call(name)) for name in limiters for _ in range(at_once)]
    try:
        yield counts
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Door:
    """Forwards connections to a server, and can be shut."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self, port: int = 0) -> int:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    async def shut(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.close()
        self._writers.clear()
        await asyncio.sleep(0.05)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._to)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


async def until(counts: Counter[str], calls: int) -> None:
    while counts.total() < calls:  # noqa: ASYNC110 (a Counter sets no event)
        await asyncio.sleep(0.01)


async def met(*limiters: Limiter) -> None:
    """Let each know of all."""
    for _ in range(2):
        for limiter in limiters:
            await limiter.look()


def is_free(run: Run, limiter: Limiter) -> bool:
    """Tell whether a call may be made now; nothing but a hold of minutes makes it wait for seconds."""

    async def attempt() -> bool:
        try:
            await asyncio.wait_for(limiter.acquire(), 1)
        except TimeoutError:
            return False
        return True

    return run(attempt())


def assert_within_the_limit(run: Run, limiters: dict[str, Limiter], *, calls: int) -> None:
    """So many calls through all of these together, at 3,000 requests a minute, take as long as they must."""

    async def called() -> tuple[int, float]:
        began = time.monotonic()
        async with calling(limiters) as counts:
            await until(counts, calls)
        return counts.total(), time.monotonic() - began

    total, seconds = run(called())
    size = bucket(3000)
    assert total <= size.burst + seconds * size.rate / 60


def test_two_workers_together_never_exceed_the_limit(make: Make, run: Run) -> None:
    limiters = {"a": make(requests_per_minute=3000, batch=1), "b": make(requests_per_minute=3000, batch=1)}

    assert_within_the_limit(run, limiters, calls=150)


def test_items_count_against_their_own_limit(make: Make, run: Run) -> None:
    limiters = [make(items_per_minute=12_000, batch=1), make(items_per_minute=12_000, batch=1)]

    async def calls() -> float:
        began = time.monotonic()
        await asyncio.gather(*(limiters[number % 2].acquire(items=20) for number in range(30)))
        return time.monotonic() - began

    size = bucket(12_000, largest=20)
    assert size.burst + run(calls()) * size.rate / 60 >= 30 * 20


def test_calls_without_items_do_not_wait_for_the_limit_of_items(make: Make, run: Run) -> None:
    limiter = make(items_per_minute=20, batch=1)

    async def calls() -> None:
        await limiter.acquire(items=20)
        for _ in range(1000):
            await limiter.acquire()

    run(calls())
    assert is_free(run, limiter)


def test_an_append_larger_than_the_limit_of_items_is_still_let_go(make: Make, run: Run) -> None:
    run(make(items_per_minute=5, batch=1).acquire(items=20))


def test_a_batch_keeps_its_own_limit_over_all_its_workers(make: Make, run: Run) -> None:
    limiters = {"a": make(batch=1), "b": make(batch=1)}
    for limiter in limiters.values():
        limiter.set_batch_rate(3000)

    assert_within_the_limit(run, limiters, calls=100)


def test_a_batch_without_a_limit_is_not_held_by_another_ones(make: Make, run: Run) -> None:
    slow, free = make(batch=1), make(batch=2)
    slow.set_batch_rate(1)

    async def calls() -> None:
        await slow.acquire()
        for _ in range(1000):
            await free.acquire()

    run(calls())


def test_a_batchs_limit_can_be_changed_while_it_waits(make: Make, run: Run) -> None:
    limiter = make(batch=1)
    limiter.set_batch_rate(1)

    async def calls() -> None:
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        limiter.set_batch_rate(None)
        await waiting

    run(calls())


def test_batches_that_run_at_once_get_about_equal_parts(make: Make, run: Run) -> None:
    # The first has three workers, the second one.
    first = {name: make(requests_per_minute=6000, batch=1) for name in ("1a", "1b", "1c")}
    limiters = {**first, "2": make(requests_per_minute=6000, batch=2)}

    async def parts() -> tuple[int, int]:
        async with calling(limiters) as counts:
            await until(counts, 100)
            await met(*limiters.values())
            counts.clear()
            await until(counts, 200)
        return counts["2"], counts.total()

    second, total = run(parts())
    assert 0.35 < second / total < 0.65


def test_urgent_work_goes_first(make: Make, run: Run) -> None:
    limiters = {
        "normal": make(requests_per_minute=6000, batch=1),
        "urgent": make(requests_per_minute=6000, batch=2, urgent=True),
    }

    async def parts() -> tuple[int, int]:
        async with calling(limiters) as counts:
            await until(counts, 100)
            await met(*limiters.values())
            counts.clear()
            await until(counts, 200)
        return counts["urgent"], counts.total()

    urgent, total = run(parts())
    assert urgent / total > 0.7


def test_a_refusal_holds_all_workers(make: Make, run: Run) -> None:
    refused, other = make(batch=1), make(batch=2)

    async def refuse() -> None:
        await met(refused, other)
        refused.answered(429, {"retry-after": "120"})
        await asyncio.sleep(0.1)
        await other.look()

    run(refuse())
    assert not is_free(run, refused)
    assert not is_free(run, other)


def test_a_worker_that_comes_later_holds_too(make: Make, run: Run) -> None:
    refused = make(batch=1)

    async def refuse() -> None:
        await refused.acquire()
        refused.answered(429, {"retry-after": "120"})
        await asyncio.sleep(0.1)

    run(refuse())
    assert not is_free(run, make(batch=1))


def test_another_target_is_not_held(make: Make, run: Run) -> None:
    refused = make(batch=1)

    async def refuse() -> None:
        await refused.acquire()
        refused.answered(429, {"retry-after": "120"})
        await asyncio.sleep(0.1)

    run(refuse())
    assert is_free(run, make(batch=1, target="http://other.example/v1"))


def test_calls_go_on_when_a_hold_is_over(make: Make, run: Run) -> None:
    limiter = make(batch=1)

    async def refuse() -> None:
        await limiter.acquire()
        limiter.answered(429, {"retry-after-ms": "300"})
        await limiter.acquire()

    run(refuse())


def test_a_call_that_was_refused_is_made_again_when_the_hold_is_over(
    make: Make, sandbox: RunningSandbox, run: Run
) -> None:
    sandbox.control.add_fault("rate_limit", "POST /conversations$", times=2, retry_after=0.3)
    limiter = make(batch=1)

    async def create() -> Created:
        async with target_connection(timeout_seconds=5, limiter=limiter) as target:
            return await conversation_create(target, metadata={})

    assert run(create()).conversation_id
    assert [request.status for request in sandbox.control.requests()] == [429, 429, 200]


def test_many_refusals_at_once_lower_the_rate_once(make: Make, server: redis.Redis, run: Run) -> None:
    limiters = [make(requests_per_minute=6000, batch=1) for _ in range(2)]

    async def refuse() -> None:
        await met(*limiters)
        for limiter in limiters:
            for _ in range(20):
                limiter.answered(429, {"retry-after": "60"})
        await asyncio.sleep(0.2)
        await met(*limiters)

    run(refuse())
    assert [limiter.rate for limiter in limiters] == pytest.approx([4200, 4200])


@pytest.mark.parametrize("later", ["refused", "told"])
def test_a_hold_that_is_made_longer_still_ends_by_itself(later: str, server: redis.Redis, run: Run) -> None:
    async def lengthen() -> None:
        store = LimitStore(os.environ["REDIS_URL"], target="t", worker="w")
        try:
            await store.refused(20, lambda _lowered, now: Lowered(60, 120, 10, now))
            if later == "refused":
                await store.refused(90, lambda _lowered, now: Lowered(60, 120, 10, now))
            else:
                await store.told(hold=90, pace=None, pace_seconds=0)
        finally:
            await store.close()

    run(lengthen())
    left = server.pttl("limit:t:hold")
    assert isinstance(left, int)
    assert 80_000 < left <= 90_000


def test_an_answer_that_names_no_time_to_wait_holds_too(make: Make, run: Run) -> None:
    limiter = make(batch=1)

    async def refuse() -> None:
        await limiter.acquire()
        limiter.answered(429, {})

    run(refuse())
    assert not is_free(run, limiter)


def test_headers_hold_all_workers_before_the_target_refuses(make: Make, run: Run) -> None:
    told, other = make(batch=1), make(batch=2)

    async def answer() -> None:
        await met(told, other)
        told.answered(200, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2m"})
        await asyncio.sleep(0.1)
        await other.look()

    run(answer())
    assert not is_free(run, told)
    assert not is_free(run, other)


NEARLY_USED_UP = {
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "10",
    "x-ratelimit-reset-requests": "30s",
}


def test_headers_slow_the_worker_that_read_them_at_once(make: Make, run: Run) -> None:
    limiter = make(batch=1)

    async def answer() -> float | None:
        limiter.answered(200, NEARLY_USED_UP)
        return limiter.rate

    assert run(answer()) == pytest.approx(20)


def test_headers_of_a_target_that_is_nearly_used_up_slow_all_workers(make: Make, run: Run) -> None:
    told, other = make(batch=1), make(batch=2)

    async def answer() -> None:
        await met(told, other)
        told.answered(200, NEARLY_USED_UP)
        await asyncio.sleep(0.1)
        await other.look()

    run(answer())
    assert [told.rate, other.rate] == pytest.approx([20, 20])


def test_without_any_limit_a_call_does_not_even_yield(make: Make, run: Run) -> None:
    limiter = make(batch=1)
    run(limiter.acquire())
    with pytest.raises(StopIteration):
        limiter.acquire().send(None)


def test_stop_lets_those_that_wait_go_with_an_error(make: Make, run: Run) -> None:
    limiter = make(batch=1)
    limiter.set_batch_rate(1)

    async def stop() -> list[BaseException | None]:
        await limiter.acquire()
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
        await asyncio.sleep(0.05)
        limiter.stop()
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(result) for result in run(stop())] == [StoppedError] * 3
    with pytest.raises(StoppedError):
        run(limiter.acquire())


def test_a_call_that_is_cancelled_while_it_waits_does_not_block_the_next(make: Make, run: Run) -> None:
    limiter = make(requests_per_minute=600, batch=1)

    async def cancel() -> None:
        await limiter.acquire()
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0)
        for task in waiting[:4]:
            task.cancel()
        await waiting[4]

    run(cancel())


def test_a_worker_that_leaves_is_forgotten(make: Make, server: redis.Redis, run: Run) -> None:
    limiter = make(batch=1)
    run(limiter.acquire())
    [workers] = server.scan_iter("limit:*:workers")
    assert server.hlen(workers) == 1
    run(limiter.close())
    assert server.hlen(workers) == 0


def test_keys_do_not_hold_the_targets_address(make: Make, server: redis.Redis, run: Run) -> None:
    run(make(requests_per_minute=600, batch=1).acquire())
    assert not [key for key in server.scan_iter("*") if b"target.example" in key]


def test_all_keys_expire(make: Make, server: redis.Redis, run: Run) -> None:
    limiter = make(requests_per_minute=60, batch=1)
    limiter.set_batch_rate(30)

    async def calls() -> None:
        await limiter.acquire()
        limiter.answered(429, {"retry-after": "60"})
        await asyncio.sleep(0.1)

    run(calls())
    assert [key for key in server.scan_iter("limit:*") if server.ttl(key) == -1] == []


def test_a_clock_of_redis_that_was_set_back_does_not_stop_the_work(
    make: Make, server: redis.Redis, run: Run
) -> None:
    limiter = make(requests_per_minute=600, batch=1)
    run(limiter.acquire())
    [full] = server.scan_iter("limit:*:requests")
    level = server.get(full)
    assert isinstance(level, bytes)
    server.set(full, float(level) + 86_400)
    run(limiter.acquire())


def test_without_redis_a_worker_keeps_to_a_part_of_the_limit(make: Make, run: Run) -> None:
    limiter = make(redis_url=AWAY, requests_per_minute=24_000, batch=1)

    async def calls() -> tuple[int, float]:
        began = time.monotonic()
        async with calling({"a": limiter}) as counts:
            await until(counts, 100)
        return counts.total(), time.monotonic() - began

    total, seconds = run(calls())
    size = bucket(24_000)
    assert total <= (size.burst + seconds * size.rate / 60) / 4


def test_without_redis_nothing_fails_and_it_is_said_once(
    make: Make, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    limiter = make(redis_url=AWAY, requests_per_minute=24_000, batch=1)

    async def calls() -> None:
        for _ in range(10):
            await limiter.acquire()
            await limiter.look()

    with caplog.at_level(logging.WARNING, logger="migration_app.gateways.limits.limits"):
        run(calls())
    assert [record.message.split(" (")[0] for record in caplog.records] == ["Redis does not answer"]


def test_when_redis_comes_back_limits_are_shared_again(
    make: Make, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    parts = urlsplit(os.environ["REDIS_URL"])
    door = Door(parts.hostname or "", parts.port or 6379)

    async def go_and_come_back() -> list[int]:
        port = await door.open()
        user, _, _ = parts.netloc.rpartition("@")
        url = parts._replace(netloc=f"{user}@127.0.0.1:{port}").geturl()
        other, limiter = make(batch=2), make(redis_url=url, requests_per_minute=6000, batch=1)
        await met(other, limiter)
        await door.shut()
        await limiter.look()
        await limiter.acquire()
        known_while_away = limiter.workers
        await door.open(port)
        await limiter.look()
        await limiter.acquire()
        await door.shut()
        return [known_while_away, limiter.workers]

    with caplog.at_level(logging.INFO, logger="migration_app.gateways.limits.limits"):
        assert run(go_and_come_back()) == [2, 2]
    assert [record.message[:14] for record in caplog.records] == ["Redis does not", "Redis is back:"]


def test_without_redis_a_refusal_still_holds_the_worker(make: Make, run: Run) -> None:
    limiter = make(redis_url=AWAY, batch=1)

    async def refuse() -> None:
        await limiter.acquire()
        limiter.answered(429, {"retry-after": "120"})

    run(refuse())
    assert not is_free(run, limiter)


def test_without_redis_a_slow_batch_makes_one_call_at_a_time(make: Make, run: Run) -> None:
    limiter = make(redis_url=AWAY, batch=1)
    limiter.set_batch_rate(1)
    run(limiter.acquire())
    assert not is_free(run, limiter)


def test_workers_know_how_many_they_are(make: Make, run: Run) -> None:
    limiters = [make(requests_per_minute=6000, batch=number) for number in (1, 1, 2)]
    run(met(*limiters))
    assert [limiter.workers for limiter in limiters] == [3, 3, 3]


@pytest.mark.parametrize("limits", [{"requests_per_minute": -1}, {"items_per_minute": -1}])
def test_a_negative_limit_is_refused(make: Make, limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="a minute"):
        make(**limits)


def test_a_negative_rate_of_a_batch_is_refused(make: Make) -> None:
    with pytest.raises(ValueError, match="a minute"):
        make(batch=1).set_batch_rate(-1)
