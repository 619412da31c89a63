"""Which workers are alive: each says so every few seconds, in one hash in Redis that names all workers known.

RQ's own heartbeat comes once a minute while a job runs. A worker that ends properly takes its entry away; one that was
killed leaves it, and is shown as dead until a person dismisses it or it is some hours old. All times are Redis's own,
so that clocks of machines don't matter. Must not import rq.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

BEAT_SECONDS = 3.0
DEAD_AFTER_SECONDS = 10.0
"""Three beats missed."""
FORGOTTEN_AFTER_SECONDS = 6 * 3600
HEARTBEAT_THREAD = "heartbeat"
"""The name of the thread that beats."""

_KEY = "migration:workers"


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerHeartbeat:
    """One worker as it was last heard. ``doing``: the job's kind and number, empty while it waits for one."""

    name: str
    host: str
    pid: int
    doing: str
    age: float

    @property
    def is_alive(self) -> bool:
        """Whether it was heard a moment ago."""
        return self.age < DEAD_AFTER_SECONDS


def worker_heartbeats(redis: Redis) -> list[WorkerHeartbeat]:
    """All workers known, the living first. Raises RedisError."""
    now = _now(redis)
    beats = [beat for name, raw in _entries(redis).items() if (beat := _read(name, raw, now)) is not None]
    return sorted(
        (beat for beat in beats if beat.age < FORGOTTEN_AFTER_SECONDS),
        key=lambda beat: (not beat.is_alive, beat.host, beat.name),
    )


def worker_dismiss(redis: Redis, name: str) -> bool:
    """Forget a dead worker; False if there is none of that name, or it is alive. Raises RedisError."""
    dead = any(beat.name == name and not beat.is_alive for beat in worker_heartbeats(redis))
    return bool(dead and redis.hdel(_KEY, name))


class Heartbeat:
    """A worker's heartbeat: a thread of its own, so that it comes while a job runs and while the database is away."""

    def __init__(self, redis: Redis, *, name: str, host: str, pid: int) -> None:
        self._redis = redis
        self._name = name
        self._facts: dict[str, Any] = {"host": host, "pid": pid}
        self._doing = ""
        self._ended = threading.Event()
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to beat; does nothing where it has begun."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat_on, name=HEARTBEAT_THREAD, daemon=True)
            self._thread.start()

    def does(self, doing: str) -> None:
        """Say what the worker does from now on; empty: it waits for a job."""
        self._doing = doing
        self._changed.set()

    def end(self) -> None:
        """Take the worker out of the list: it ends properly."""
        self._ended.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join(BEAT_SECONDS)
        try:
            self._redis.hdel(_KEY, self._name)
        except RedisError:
            logger.warning("the queue can't be reached; this worker will be shown as dead")

    def _beat_on(self) -> None:
        while not self._ended.is_set():
            self._changed.clear()
            try:
                self._beat()
            except RedisError:
                logger.debug("the queue can't be reached; trying again")
            self._changed.wait(BEAT_SECONDS)

    def _beat(self) -> None:
        now = _now(self._redis)
        entry = json.dumps({**self._facts, "doing": self._doing, "at": now})
        old = [
            name
            for name, raw in _entries(self._redis).items()
            if (beat := _read(name, raw, now)) is None or beat.age >= FORGOTTEN_AFTER_SECONDS
        ]
        if old:
            self._redis.hdel(_KEY, *old)
        self._redis.hset(_KEY, self._name, entry)
        self._redis.expire(_KEY, 4 * FORGOTTEN_AFTER_SECONDS)


def _entries(redis: Redis) -> Mapping[Any, Any]:
    found: Any = redis.hgetall(_KEY)
    return dict(found)


def _now(redis: Redis) -> float:
    seconds, micros = redis.time()  # type: ignore[misc]  # redis-py types every answer as one that may be awaited
    return float(seconds) + float(micros) / 1e6


def _read(name: Any, raw: Any, now: float) -> WorkerHeartbeat | None:
    """One entry; None for what is no heartbeat: others may write to this server too."""
    try:
        found = json.loads(raw)
        return WorkerHeartbeat(
            name=name.decode() if isinstance(name, bytes) else str(name),
            host=str(found["host"]),
            pid=int(found["pid"]),
            doing=str(found["doing"]),
            age=max(0.0, now - float(found["at"])),
        )
    except (ValueError, KeyError, TypeError):
        return None
