"""Real `rqworker` processes: what the queue adds to a batch, and how well a set rate limit is used.

Must not import Django.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from bench.figures import Figure, Goal, Table, ratios
from bench.measure import family_cpu
from bench.place import Case, Place, Scale, WrongWorkError
from bench.threads.backfill import console_round, threads_a_round

_QUEUES = ("default",)
_PATIENCE_SECONDS = 600.0
_START_SECONDS = 60.0

_RQ_CASE = Case(40, 20)

_LIMIT_MESSAGES = 10
_LIMIT_CALLS = 4
_LIMIT_PER_MINUTE = 6000
_LIMIT_MINUTES = 1.5
_QUICK_LIMIT_MINUTES = 0.25
_LIMIT_LATENCY = 0.02
_WORKERS = 2
_REACHED = Goal("share of a set rate limit reached, over 2 workers", 0.95, "at least")
_EXCEEDED = Goal("a set rate limit, in its fullest minute, over 2 workers", 1.0, "at most")


@contextlib.contextmanager
def workers(place: Place, count: int, environment: Mapping[str, str] | None = None) -> Iterator[list[int]]:
    """Start workers as an operator does, yield their pids when all are ready, and end them."""
    started = [
        subprocess.Popen(
            [sys.executable, "manage.py", "rqworker", *_QUEUES, "-v", "0"],
            env={**os.environ, **place.environment, **(environment or {})},
            start_new_session=True,  # a Ctrl-C reaches the harness alone, which then ends its processes
        )
        for _ in range(count)
    ]
    try:
        end = time.monotonic() + _START_SECONDS
        while place.console.ask("workers")["alive"] < count:
            if time.monotonic() > end:
                raise WrongWorkError(f"{count} workers were not ready within {_START_SECONDS:.0f} s")
            time.sleep(0.1)
        yield [process.pid for process in started]
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()


def overhead(place: Place, scale: Scale) -> Table:
    """The same batch by a bare call of the engine and by a worker, from enqueueing to its end."""
    pairs = []
    for _ in range(scale.rounds):
        bare = console_round(place, _RQ_CASE, scale, live=False)
        pairs.append((bare, _worker_round(place, scale)))
        place.say(f"queue: round {len(pairs)} done")
    count = threads_a_round(_RQ_CASE, scale)
    walls = ratios([wall for _, (wall, _) in pairs], [bare.wall * count for bare, _ in pairs])
    cpus = ratios([cpu for _, (_, cpu) in pairs], [bare.cpu * count for bare, _ in pairs])
    return Table(
        f"What RQ adds: {count} threads of {_RQ_CASE.name()}, one worker",
        ("worker vs. a bare call", "median", "goal"),
        (
            ("time from enqueueing to the batch's end", Figure(walls), ""),
            ("CPU of the worker and its job", Figure(cpus), ""),
        ),
        (
            "The bare call is the engine in a process that is warm; the worker forks a job that opens its connections.",
        ),
    )


def _worker_round(place: Place, scale: Scale) -> tuple[float, float]:
    """Wall and CPU seconds of one batch by one worker."""
    messages, latency, _window = _RQ_CASE
    count = threads_a_round(_RQ_CASE, scale)
    place.console.ask("clear")
    place.console.ask("seed", messages=messages, first=place.numbers(count), count=count, snapshots=True)
    place.server_reset(latency / 1000)
    with workers(place, 1) as (pid,):
        before = family_cpu(pid)
        batch = place.console.ask("enqueue", kind="backfill", window=scale.window)["batch"]
        done = place.console.ask("wait", batch=batch, seconds=_PATIENCE_SECONDS)
        time.sleep(0.5)  # the job's process ends, and its seconds are its parent's
        cpu = family_cpu(pid) - before
    if done["verified"]["threads"] != count:
        raise WrongWorkError(f"{count} threads went in; came out: {done['verified']}")
    return float(done["wall"]), cpu


def limit(place: Place, scale: Scale) -> Table:
    """A limit of requests a minute, shared by two workers: how much of it is used, and never more."""
    minutes = (_QUICK_LIMIT_MINUTES if scale.quick else _LIMIT_MINUTES) * scale.size
    count = round(_LIMIT_PER_MINUTE * minutes / _LIMIT_CALLS)
    place.console.ask("clear")
    place.console.ask(
        "seed", messages=_LIMIT_MESSAGES, first=place.numbers(count), count=count, snapshots=True
    )
    place.server_reset(_LIMIT_LATENCY)
    with workers(place, _WORKERS, {"TARGET_REQUESTS_PER_MINUTE": str(_LIMIT_PER_MINUTE)}):
        batch = place.console.ask("enqueue", kind="backfill", window=scale.window)["batch"]
        done = place.console.ask("wait", batch=batch, seconds=_PATIENCE_SECONDS)
    if done["verified"]["threads"] != count:
        raise WrongWorkError(f"{count} threads went in; came out: {done['verified']}")
    arrivals: list[float] = place.server("arrivals")
    lasted = arrivals[-1] - arrivals[0]
    reached = (len(arrivals) - 1) / lasted / (_LIMIT_PER_MINUTE / 60)
    minute = most_within(arrivals, 60.0) / _LIMIT_PER_MINUTE
    second = most_within(arrivals, 1.0) / (_LIMIT_PER_MINUTE / 60)
    shares: list[tuple[Figure | str, ...]] = []
    for what, value, goal in (
        (
            "share of the limit reached, first request to last",
            reached,
            _REACHED if reached <= 1 else _EXCEEDED,
        ),
        (
            "fullest minute, over the limit"
            + ("" if lasted >= 60 else f" (the run lasted {lasted:.0f} s only)"),
            minute,
            _EXCEEDED if lasted >= 60 else None,
        ),
        ("fullest second, over a sixtieth of it", second, None),
    ):
        figure = Figure((value,), unit="", goal=goal)
        shares.append((what, figure, figure.verdict()))
    return Table(
        f"A limit of {_LIMIT_PER_MINUTE} requests a minute, {_WORKERS} workers, as the server counted",
        ("what", "value", "goal"),
        tuple(shares),
        (f"{len(arrivals)} requests in {lasted:.0f} s.",),
    )


def most_within(arrivals: Sequence[float], seconds: float) -> int:
    """The most arrivals in any window of that length, wherever it begins. ``arrivals`` ascend."""
    return max(
        (bisect.bisect_left(arrivals, start + seconds) - number for number, start in enumerate(arrivals)),
        default=0,
    )
