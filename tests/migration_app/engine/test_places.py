"""The window: who gets a place, when, and that none is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from migration_app.engine.places import Places
from migration_app.gateways.errors import StoppedError


def nothing() -> None:
    """Need not be told."""


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


def inside(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run the test in an event loop."""

    def run() -> None:
        asyncio.run(test())

    run.__name__ = test.__name__
    return run


@inside
async def test_as_many_calls_as_places_are_under_way_and_the_next_in_the_order_of_asking() -> None:
    places, order = Places(2), list[int]()
    ends = [asyncio.Event() for _ in range(4)]

    async def call(number: int) -> None:
        async with places.of_thread().call():
            order.append(number)
            await ends[number].wait()

    tasks = [asyncio.create_task(call(number)) for number in range(4)]
    await settled()
    assert order == [0, 1]
    ends[1].set()
    await settled()
    assert order == [0, 1, 2]
    for end in ends:
        end.set()
    await asyncio.gather(*tasks)
    assert places.idle == 2


@inside
async def test_a_reserved_place_is_used_by_the_next_call_and_each_further_one_takes_its_own() -> None:
    places, told = Places(3), list[str]()
    thread = places.of_thread()
    thread.reserve(lambda: told.append("granted"), nothing)
    assert told == ["granted"]
    assert places.idle == 2
    thread.reserve(nothing, nothing)  # the first call was never made
    assert places.idle == 2
    async with thread.call():
        assert places.idle == 2
        async with thread.call():
            assert places.idle == 1
    assert places.idle == 3


@inside
async def test_a_place_that_was_reserved_and_not_used_is_free_when_its_thread_ends() -> None:
    places, told = Places(1), list[str]()
    thread, waiting, next_one = (places.of_thread() for _ in range(3))
    thread.reserve(nothing, nothing)
    waiting.reserve(lambda: told.append("too late"), nothing)
    next_one.reserve(lambda: told.append("granted"), nothing)
    waiting.leave()
    thread.leave()
    thread.leave()
    assert told == ["granted"]
    next_one.leave()
    assert places.idle == 1


@inside
async def test_a_window_that_grows_lets_the_waiting_in_and_one_that_shrinks_waits_for_calls_to_end() -> None:
    places, granted = Places(1), list[int]()
    threads = [places.of_thread() for _ in range(3)]
    for number, thread in enumerate(threads):
        thread.reserve(partial(granted.append, number), nothing)
    assert granted == [0]
    places.resize(2)
    assert granted == [0, 1]
    places.resize(1)
    threads[0].leave()
    assert granted == [0, 1]
    threads[1].leave()
    assert granted == [0, 1, 2]
    assert places.size == 1


@inside
async def test_a_stop_ends_the_waiting_and_lets_nobody_in() -> None:
    places, told = Places(1), list[str]()
    holder, waiting, calling = (places.of_thread() for _ in range(3))
    holder.reserve(nothing, nothing)
    waiting.reserve(nothing, lambda: told.append("stopped"))
    places.stop()
    assert told == ["stopped"]
    with pytest.raises(StoppedError):
        async with calling.call():
            raise AssertionError
    waiting.leave()
    holder.leave()
    assert places.idle == 1


@inside
async def test_a_waiting_call_that_is_cancelled_takes_no_place_with_it() -> None:
    places = Places(1)
    holder, waiting = places.of_thread(), places.of_thread()
    holder.reserve(nothing, nothing)

    async def call() -> None:
        async with waiting.call():
            raise AssertionError

    for handed_out in (False, True):
        task = asyncio.create_task(call())
        await settled()
        if handed_out:
            holder.leave()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert places.idle == 1


@inside
async def test_idle_places_are_told_of_when_nobody_waits_and_newcomers_are_expected_to_take_theirs() -> None:
    told = list[int]()
    places = Places(2, on_idle=lambda: told.append(places.idle))
    first, second = places.of_thread(), places.of_thread()
    assert places.idle == 0
    first.reserve(nothing, nothing)
    assert places.idle == 0
    second.leave()  # it ended without a call
    assert places.idle == 1
    first.leave()
    assert told == [2]
