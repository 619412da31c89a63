"""Backfill against the guide's script, over messages a thread and latency; and against what could be had at all.

Both sides copy threads of the same messages to the same server, in turns. Must not import Django.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from bench.figures import Figure, Goal, Side, Table, ratios
from bench.place import Case, Place, Scale, WrongWorkError
from bench.threads import estate

CASES: Sequence[Case] = [
    *(Case(messages, latency) for messages in (10, 40) for latency in (0, 20, 100)),
    Case(40, 100, 128),
    Case(400, 0),
    Case(400, 20),
]
QUICK_CASES: Sequence[Case] = [Case(40, 20), Case(40, 100), Case(400, 20)]
LIVE_CASES: Sequence[Case] = [Case(40, 0), Case(40, 20), Case(40, 100)]
QUICK_LIVE_CASES: Sequence[Case] = [Case(40, 20)]

_THROUGHPUT: Mapping[Case, float] = {
    Case(40, 20): 25,
    Case(40, 100): 58,
    Case(40, 100, 128): 85,
    Case(400, 20): 33,
}
_CPU: Mapping[Case, float] = {Case(40, 20): 0.14, Case(40, 100): 0.16, Case(400, 20): 0.11}
_POSTGRES: Mapping[Case, float] = {Case(40, 20): 0.04, Case(40, 100): 0.06}
_IDEAL: Mapping[Case, float] = {Case(40, 100): 0.90}
_GOAL_WINDOW = 64

# Threads a round for a window of 64, by messages: ten to twenty seconds, of which filling the window and its running
# empty at the end, less than a second, hardly show.
_CONSOLE_THREADS: Mapping[int, int] = {10: 2560, 40: 2560, 400: 512}
MESSAGES = tuple(_CONSOLE_THREADS)
_WINDOW = 64
_GUIDE_THREADS = 20
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


def threads_a_round(case: Case, scale: Scale) -> int:
    """How many threads the console copies in a round: as many waves of them whatever the window."""
    waves = scale.window_of(case) / _WINDOW
    return max(1, round(scale.size * waves * _CONSOLE_THREADS[case.messages]))


def guide_round(place: Place, case: Case, size: float) -> Round:
    """Let the guide's script copy some threads: for about two seconds, but no fewer than tell its usual pace."""
    messages, latency, _window = case
    one = guide_calls(messages) * (latency / 1000 + _GUIDE_CALL_SECONDS)
    count = max(_GUIDE_THREADS, round(size * _GUIDE_SECONDS / one))
    place.server_reset(latency / 1000)
    ids = estate.thread_ids(messages, place.numbers(count), count)
    spent = place.guide.ask("backfill", ids=ids)
    return _round(place, spent, count, messages)


def console_round(place: Place, case: Case, scale: Scale, *, live: bool = False, others: int = 0) -> Round:
    """Let the console copy some threads: from snapshots, or with ``live`` from the source as well.

    ``others``: so many threads stand in the database besides, verified long ago.
    """
    messages, latency, _window = case
    count = threads_a_round(case, scale)
    place.server_reset(0)
    place.console.ask("clear")
    if others:
        place.console.ask("crowd", count=others)
    place.console.ask(
        "seed",
        messages=messages,
        first=place.numbers(count),
        count=count,
        snapshots=not live,
        repeated=not live and not others,
    )
    place.server_reset(latency / 1000)
    before = place.postgres_cpu()
    kinds = ["snapshot", "backfill"] if live else ["backfill"]
    spent = place.console.ask("work", kinds=kinds, window=scale.window_of(case))
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
    warm = dataclasses.replace(scale, size=0.02)
    guide_round(place, Case(40, 0), 0.1)
    console_round(place, Case(40, 0), warm, live=live)
    rows = []
    for case in scale.cases or _cases(scale, live=live):
        pairs = []
        for _ in range(scale.rounds):
            guide = guide_round(place, case, scale.size)
            pairs.append((guide, console_round(place, case, scale, live=live)))
        rows.append(_row(case, pairs, scale, live=live))
        place.say(f"{'live' if live else 'backfill'}: {rows[-1][0]} done")
    source = "source read live, then backfilled" if live else "from snapshots"
    return Table(
        f"Backfill vs. the guide's script ({source}; {scale.window} calls in flight)",
        (
            "messages, latency",
            "throughput",
            "goal",
            "client CPU a thread",
            "goal",
            "PostgreSQL's CPU",
            "goal",
            "share of latency ideal",
            "goal",
            "client busy",
            "server busy",
        ),
        tuple(rows),
        (
            "throughput: the script's = 1; CPU: its client's = 1. The script neither verifies nor keeps a record.",
            "share of latency ideal: threads × calls × latency / calls in flight, over the time taken.",
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
    guides = [guide for guide, _ in pairs]
    consoles = [console for _, console in pairs]
    window = scale.window_of(case)
    judged = not live and (case.window or scale.window == _GOAL_WINDOW)

    def goal(what: str, bounds: Mapping[Case, float], side: Side) -> Goal | None:
        return Goal(f"{what}, {case.name()}", bounds[case], side) if judged and case in bounds else None

    faster = Figure(
        ratios([g.wall for g in guides], [c.wall for c in consoles]),
        goal=goal("throughput vs. the guide's script", _THROUGHPUT, "at least"),
    )
    cpu = Figure(
        ratios([c.cpu for c in consoles], [g.cpu for g in guides]),
        goal=goal("client CPU a thread vs. the guide's script", _CPU, "at most"),
    )
    seen = any(c.postgres for c in consoles)
    postgres = Figure(
        ratios([c.postgres for c in consoles], [g.cpu for g in guides]),
        goal=goal("PostgreSQL's CPU a thread vs. the script's client", _POSTGRES, "at most")
        if seen
        else None,
    )
    ideal = Figure(
        tuple(c.calls * case.latency / 1000 / window / c.wall for c in consoles),
        unit="",
        goal=goal(f"share of the latency ideal, {window} in flight", _IDEAL, "at least"),
    )
    busy = Figure(tuple(c.cpu / c.wall for c in consoles), unit="")
    server = Figure(tuple(c.server for c in consoles), unit="")
    return (
        case.name(),
        faster,
        faster.verdict(),
        cpu,
        cpu.verdict(),
        postgres if seen else "not on this machine",
        postgres.verdict(),
        ideal if case.latency else "",
        ideal.verdict(),
        busy,
        server,
    )
