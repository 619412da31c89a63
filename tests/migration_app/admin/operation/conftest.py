"""The heartbeats of workers, as the dashboard reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from redis import Redis

from migration_app.jobs import queue_named
from migration_app.operation import heartbeats


@pytest.fixture
def redis() -> Iterator[Redis]:
    connection = queue_named().connection
    connection.delete(heartbeats._KEY)
    yield connection
    connection.delete(heartbeats._KEY)


def heard(redis: Redis, name: str, *, ago: float = 0) -> None:
    seconds, micros = redis.time()  # type: ignore[misc]  # redis-py types answers as if they were awaited
    entry = {"host": "machine-1", "pid": 42, "doing": "batch-7", "at": seconds + micros / 1e6 - ago}
    redis.hset(heartbeats._KEY, name, json.dumps(entry))
