"""Memory of large threads: the most that a worker's processes hold together, above the same worker when it is idle.

Must not import Django.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import NamedTuple

import psutil

from bench.figures import Figure, Goal, Table
from bench.place import Place, Scale, WrongWorkError
from bench.threads.workers import workers

SIZES = (100_000, 400_000)
_SMALL = 40
_ROUNDS = 2
_PATIENCE_SECONDS = 1800.0
_EVERY_SECONDS = 0.05
_MB = 1_000_000
_MOST_MB = 40


def measure(place: Place, scale: Scale) -> Table:
    """A batch of one thread, by a real worker: backfilled, read back and compared."""
    rows: list[tuple[Figure | str, ...]] = []
    small = [_round(place, _SMALL) for _ in range(min(scale.rounds, _ROUNDS))]
    for messages in (round(size * scale.size) for size in SIZES):
        rounds = [_round(place, messages) for _ in range(min(scale.rounds, _ROUNDS))]
        grown = Figure(
            tuple(one.grown for one in rounds),
            unit=" MB",
            goal=Goal(
                f"worker's memory above an idle one, a thread of {messages:,} messages", _MOST_MB, "at most"
            ),
        )
        rows.append(
            (
                f"{messages:,} messages",
                grown,
                grown.verdict(),
                Figure(tuple(one.seconds / messages * 1000 for one in rounds), unit=" ms"),
            )
        )
        place.say(f"large: {messages:,} messages done")
    rows.append((f"{_SMALL} messages", Figure(tuple(one.grown for one in small), unit=" MB"), "", ""))
    return Table(
        "Large threads, one at a time by a worker",
        ("a thread of", "memory above the idle worker", "goal", "time a message"),
        tuple(rows),
        (
            "Memory: proportional set size of the worker and all its processes, at its highest (every 50 ms).",
            f"{_SMALL} messages: what any job takes. Time on the clock, without latency: no ratio.",
        ),
    )


class _Round(NamedTuple):
    """What one batch took: MB above the idle worker, and seconds on the clock."""

    grown: float
    seconds: float


def _round(place: Place, messages: int) -> _Round:
    place.server_reset(0)
    place.console.ask("clear")
    place.console.ask("seed", messages=messages, first=place.numbers(1), count=1, snapshots=True)
    with workers(place, 1) as (pid,):
        idle = _held(pid)
        with _watched(pid) as most:
            batch = place.console.ask("enqueue", kind="backfill", window=64)["batch"]
            done = place.console.ask("wait", batch=batch, seconds=_PATIENCE_SECONDS)
    if done["verified"] != {"threads": 1, "items": messages}:
        raise WrongWorkError(f"a thread of {messages} messages went in; came out: {done['verified']}")
    return _Round((max(most) - idle) / _MB, done["wall"])


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[list[int]]:
    """Measure what the processes hold while the block runs."""
    found = [_held(pid)]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_EVERY_SECONDS):
            found.append(_held(pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


def _held(pid: int) -> int:
    """Bytes that a process and its children hold, shared pages once; where the system does not tell, all their own."""
    held = 0
    worker = psutil.Process(pid)
    for process in (worker, *worker.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            memory = process.memory_full_info()
            held += getattr(memory, "pss", 0) or memory.uss
    return held
