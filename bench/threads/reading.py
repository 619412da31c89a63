"""Live snapshots against reading alone: the same lists from the same server, as many at once, and nothing stored.

Must not import Django.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.children import Child
from bench.figures import Figure, Table, ratios
from bench.place import Case, Place, Scale, WrongWorkError
from bench.threads import estate
from bench.threads.backfill import Round, threads_a_round

CASES: Sequence[Case] = [Case(40, 0), Case(40, 20), Case(40, 100), Case(400, 20)]
QUICK_CASES: Sequence[Case] = [Case(40, 20)]
_THREADS_A_ROUND = 2.0
"""Times as many as a backfill has: a thread takes fewer calls here."""


def measure(place: Place, scale: Scale) -> Table:
    """Both in turns, case by case."""
    rows = []
    with Child("bench.threads.reader", place.environment) as reader:
        _reader_round(place, reader, Case(40, 0), scale, 100)
        _console_round(place, Case(40, 0), scale, 100)
        for case in scale.cases or (QUICK_CASES if scale.quick else CASES):
            count = round(_THREADS_A_ROUND * threads_a_round(case, scale))
            pairs = [
                (_reader_round(place, reader, case, scale, count), _console_round(place, case, scale, count))
                for _ in range(scale.rounds)
            ]
            rows.append(_row(case, pairs))
            place.say(f"reading: {case.name()} done")
    return Table(
        f"Live snapshots ÷ reading alone ({scale.window} calls in flight)",
        ("messages, latency", "time a thread", "client CPU a thread", "PostgreSQL's CPU", "calls a thread"),
        tuple(rows),
        (
            "Reading alone: the same lists, decoded and thrown away. PostgreSQL's CPU: against the reader's.",
            "The console stores, hashes and converts each thread, so that its grade is known, and audits it.",
        ),
    )


def _reader_round(place: Place, reader: Child, case: Case, scale: Scale, count: int) -> Round:
    place.server_reset(case.latency / 1000)
    ids = estate.thread_ids(case.messages, place.numbers(count), count)
    spent = reader.ask("read", ids=ids, window=scale.window_of(case))
    if spent["messages"] != count * case.messages:
        raise WrongWorkError(f"{spent['messages']} messages were read of {count * case.messages}")
    return _round(place, spent, count, 0.0)


def _console_round(place: Place, case: Case, scale: Scale, count: int) -> Round:
    place.server_reset(0)
    place.console.ask("clear")
    first = place.numbers(count)
    place.console.ask("seed", messages=case.messages, first=first, count=count, snapshots=False)
    place.server_reset(case.latency / 1000)
    before = place.postgres_cpu()
    spent = place.console.ask("work", kinds=["snapshot"], window=scale.window_of(case))
    postgres = place.postgres_cpu() - before
    if (stored := place.console.ask("stored")) != {"threads": count, "messages": count * case.messages}:
        raise WrongWorkError(
            f"{count} threads of {case.messages} messages were to be stored; stored: {stored}"
        )
    return _round(place, spent, count, postgres)


def _round(place: Place, spent: dict[str, float], count: int, postgres: float) -> Round:
    state = place.server("state")
    return Round(
        wall=spent["wall"] / count,
        cpu=spent["cpu"] / count,
        calls=state["requests"] / count,
        postgres=postgres / count,
        server=state["cpu"] / spent["wall"],
    )


def _row(case: Case, pairs: Sequence[tuple[Round, Round]]) -> tuple[Figure | str, ...]:
    alone = [reader for reader, _ in pairs]
    ours = [console for _, console in pairs]
    seen = any(one.postgres for one in ours)
    return (
        case.name(),
        Figure(ratios([one.wall for one in ours], [one.wall for one in alone])),
        Figure(ratios([one.cpu for one in ours], [one.cpu for one in alone])),
        Figure(ratios([one.postgres for one in ours], [one.cpu for one in alone]))
        if seen
        else "not on this machine",
        f"{ours[-1].calls:.1f} against {alone[-1].calls:.1f}",
    )
