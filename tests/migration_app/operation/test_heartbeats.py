"""Heartbeats of workers: alive, dead, forgotten."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from migration_app.jobs import queue_named
from migration_app.operation import heartbeats
from migration_app.operation.heartbeats import Heartbeat, worker_dismiss, worker_heartbeats


@pytest.fixture
def redis() -> Iterator[Redis]:
    connection = queue_named().connection
    connection.delete(heartbeats._KEY)
    yield connection
    connection.delete(heartbeats._KEY)


def heard(redis: Redis, name: str, *, ago: float, **more: Any) -> None:
    seconds, micros = redis.time()  # type: ignore[misc]  # redis-py types answers as if they were awaited
    at = seconds + micros / 1e6 - ago
    redis.hset(heartbeats._KEY, name, json.dumps({"host": "a", "pid": 1, "doing": "", "at": at, **more}))


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_a_worker_is_known_while_it_beats_and_gone_when_it_ends(redis: Redis) -> None:
    heartbeat = Heartbeat(redis, name="w1", host="here", pid=7)
    heartbeat.start()
    until(lambda: len(worker_heartbeats(redis)) == 1)
    heartbeat.does("batch-12")
    until(lambda: worker_heartbeats(redis)[0].doing == "batch-12")
    worker = worker_heartbeats(redis)[0]
    assert (worker.name, worker.host, worker.pid, worker.is_alive) == ("w1", "here", 7, True)
    heartbeat.end()
    assert worker_heartbeats(redis) == []


def test_a_silent_worker_is_dead_and_listed_after_the_living(redis: Redis) -> None:
    heard(redis, "dead", ago=heartbeats.DEAD_AFTER_SECONDS + 1)
    heard(redis, "alive", ago=heartbeats.DEAD_AFTER_SECONDS - 5, host="z")
    assert [(worker.name, worker.is_alive) for worker in worker_heartbeats(redis)] == [
        ("alive", True),
        ("dead", False),
    ]


def test_a_worker_counts_as_dead_within_a_quarter_of_a_minute_of_its_last_beat() -> None:
    assert heartbeats.BEAT_SECONDS + heartbeats.DEAD_AFTER_SECONDS < 15


def test_only_a_dead_worker_is_dismissed(redis: Redis) -> None:
    heard(redis, "alive", ago=0)
    heard(redis, "dead", ago=60)
    assert not worker_dismiss(redis, "alive")
    assert not worker_dismiss(redis, "unknown")
    assert worker_dismiss(redis, "dead")
    assert [worker.name for worker in worker_heartbeats(redis)] == ["alive"]


def test_a_dead_worker_is_forgotten_after_hours_and_what_is_no_heartbeat_is_ignored(redis: Redis) -> None:
    heard(redis, "old", ago=heartbeats.FORGOTTEN_AFTER_SECONDS + 1)
    redis.hset(heartbeats._KEY, "odd", "no json")
    redis.hset(heartbeats._KEY, "list", "[1]")
    assert worker_heartbeats(redis) == []
    heartbeat = Heartbeat(redis, name="w1", host="here", pid=7)
    heartbeat.start()
    until(
        lambda: (
            [redis.hexists(heartbeats._KEY, name) for name in ("old", "odd", "w1")] == [False, False, True]
        )
    )
    heartbeat.end()
