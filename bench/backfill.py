"""Backfill against the guide's script, over messages a thread and latency; and against what could be had at all.

Both sides copy threads of the same messages to the same server, in turns. Must not import Django.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bench import estate
from bench.figures import Figure, Goal, Table, ratios
from bench.place import Place, Scale, WrongWorkError

Case = tuple[int, int]
"""Messages a thread, latency in milliseconds."""

CASES: Sequence[Case] = [(messages, latency) for messages in (10, 40, 400) for latency in (0, 20, 100)]
QUICK_CASES: Sequence[Case] = [(40, 20), (40, 100), (400, 20)]
LIVE_CASES: Sequence[Case] = [(40, 0), (40, 20), (40, 100)]
QUICK_LIVE_CASES: Sequence[Case] = [(40, 20)]

_THROUGHPUT: Mapping[Case, float] = {(40, 20): 20, (40, 100): 50, (400, 20): 30}
_CPU: Mapping[int, float] = {40: 0.20, 400: 0.14}
_IDEAL_CASE: Case = (40, 100)
_IDEAL_WINDOW = 64

# Threads a round, so that it lasts about two seconds: by messages; many more than the window, or its running
# empty at the end would be most of what is seen.
_CONSOLE_THREADS: Mapping[int, int] = {10: 960, 40: 640, 400: 192}
MESSAGES = tuple(_CONSOLE_THREADS)
_GUIDE_SECONDS = 2.0
_GUIDE_CALL_SECONDS = 0.006


@dataclasses.dataclass(frozen=True, slots=True)
class Round:
    """What one round of one side cost, in seconds a thread; ``calls`` a thread, as the server counted them."""

    wall: float
    cpu: float
    calls: float
    postgres: float = 0.0
    server: float = 0.0


def guide_calls(messages: int) -> int:
    """Calls of the guide's script for one thread: pages of 20 messages, then chunks of 20 items."""
    return 2 * -(-messages // 20)


def guide_round(place: Place, case: Case, size: float) -> Round:
    """Let the guide's script copy some threads."""
    messages, latency = case
    one = guide_calls(messages) * (latency / 1000 + _GUIDE_CALL_SECONDS)
    count = max(1, round(size * _GUIDE_SECONDS / one))
    place.server_reset(latency / 1000)
    ids = estate.thread_ids(messages, place.numbers(count), count)
    spent = place.guide.ask("backfill", ids=ids)
    return _round(place, spent, count, messages)


def console_round(place: Place, case: Case, scale: Scale, *, live: bool = False, others: int = 0) -> Round:
    """Let the console copy some threads: from snapshots, or with ``live`` from the source as well.

    ``others``: so many threads stand in the database besides, verified long ago.
    """
    messages, latency = case
    count = max(1, round(scale.size * _CONSOLE_THREADS[messages]))
    place.server_reset(0)
    place.console.ask("clear")
    if others:
        place.console.ask("crowd", count=others)
    place.console.ask("seed", messages=messages, first=place.numbers(count), count=count, snapshots=not live)
    place.server_reset(latency / 1000)
    before = place.postgres_cpu()
    kinds = ["snapshot", "backfill"] if live else ["backfill"]
    spent = place.console.ask("work", kinds=kinds, window=scale.window)
    postgres = place.postgres_cpu() - before
    if spent["verified"] != {"threads": count, "items": count * messages}:
        raise WrongWorkError(f"{count} threads of {messages} messages went in; came out: {spent['verified']}")
    return _round(place, spent, count, messages, postgres)


def _round(place: Place, spent: Any, count: int, messages: int, postgres: float = 0.0) -> Round:
    state = place.server("state")
    if (state["conversations"], state["items"]) != (count, count * messages):
        raise WrongWorkError(f"{count} threads of {messages} messages went in; the server holds {state}")
    return Round(
        wall=spent["wall"] / count,
        cpu=spent["cpu"] / count,
        calls=state["requests"] / count,
        postgres=postgres / count,
        server=state["cpu"] / spent["wall"],
    )


def measure(place: Place, scale: Scale, *, live: bool) -> Table:
    """Both sides in turns, case by case; the goals stand where the project has set one."""
    cases = scale.cases or _cases(scale, live=live)
    warm = dataclasses.replace(scale, size=0.02)
    guide_round(place, (40, 0), 0.1)
    console_round(place, (40, 0), warm, live=live)
    rows = []
    for case in cases:
        pairs = []
        for _ in range(scale.rounds):
            guide = guide_round(place, case, scale.size)
            pairs.append((guide, console_round(place, case, scale, live=live)))
        rows.append(_row(case, pairs, scale, live=live))
        place.say(f"{'live' if live else 'backfill'}: {rows[-1][0]} done")
    source = "source read live, then backfilled" if live else "from snapshots"
    return Table(
        f"Backfill vs. the guide's script ({source}; {scale.window} threads in flight)",
        (
            "messages, latency",
            "throughput",
            "goal",
            "client CPU a thread",
            "goal",
            "PostgreSQL's CPU",
            "share of latency ideal",
            "goal",
            "client busy",
            "server busy",
        ),
        tuple(rows),
        (
            "throughput: the script's = 1; CPU: its client's = 1. The script neither verifies nor keeps a record.",
            "share of latency ideal: threads × calls × latency / threads in flight, over the time taken.",
            "client busy, server busy: CPU over time; at 1 the client's one process, or the server, is the limit.",
        ),
    )


def _cases(scale: Scale, *, live: bool) -> Sequence[Case]:
    if live:
        return QUICK_LIVE_CASES if scale.quick else LIVE_CASES
    return QUICK_CASES if scale.quick else CASES


def _row(
    case: Case, pairs: Sequence[tuple[Round, Round]], scale: Scale, *, live: bool
) -> tuple[Figure | str, ...]:
    messages, latency = case
    guides = [guide for guide, _ in pairs]
    consoles = [console for _, console in pairs]
    name = f"{messages} messages, {latency} ms"
    faster = Figure(
        ratios([g.wall for g in guides], [c.wall for c in consoles]),
        goal=None
        if live or case not in _THROUGHPUT
        else Goal(f"throughput vs. the guide's script, {name}", _THROUGHPUT[case], "at least"),
    )
    cpu = Figure(
        ratios([c.cpu for c in consoles], [g.cpu for g in guides]),
        goal=None
        if live or messages not in _CPU
        else Goal(f"client CPU a thread vs. the guide's script, {name}", _CPU[messages], "at most"),
    )
    postgres = Figure(ratios([c.postgres for c in consoles], [g.cpu for g in guides]))
    is_goal = case == _IDEAL_CASE and scale.window == _IDEAL_WINDOW and not live
    ideal = Figure(
        tuple(c.calls * latency / 1000 / scale.window / c.wall for c in consoles),
        unit="",
        goal=Goal("share of the latency ideal at 100 ms, 64 in flight", 0.88, "at least")
        if is_goal
        else None,
    )
    busy = Figure(tuple(c.cpu / c.wall for c in consoles), unit="")
    server = Figure(tuple(c.server for c in consoles), unit="")
    return (
        name,
        faster,
        faster.verdict(),
        cpu,
        cpu.verdict(),
        postgres if any(c.postgres for c in consoles) else "not on this machine",
        ideal if latency else "",
        ideal.verdict(),
        busy,
        server,
    )
