"""How the cost of a backfill grows: with messages, with the batch, with the estate around it, with the window.

Only the console is measured, each variant against the plain one of the same round. Must not import Django.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from bench.figures import Figure, Table, ratios
from bench.place import Case, Place, Scale
from bench.threads.backfill import Round, console_round

_ROUNDS = 3
_OTHERS = 200_000
_LONGER = 4
_FEW_MS, _MANY_MS = 20, 100
_WINDOWS = (16, 128, 256)


def measure(place: Place, scale: Scale) -> Table:
    """Measure every variant in turns, and compare it with the plain round of its latency."""
    rounds = []
    for number in range(min(scale.rounds, _ROUNDS)):
        rounds.append(_round(place, scale))
        place.say(f"growth: round {number + 1} done")

    def cpu(variant: str, plain: str = "plain") -> Figure:
        return Figure(ratios([r[variant].cpu for r in rounds], [r[plain].cpu for r in rounds]))

    def wall(variant: str, plain: str = "plain") -> Figure:
        return Figure(ratios([r[variant].wall for r in rounds], [r[plain].wall for r in rounds]))

    def postgres(variant: str, plain: str = "plain") -> Figure | str:
        if not place.postmaster:
            return "not on this machine"
        return Figure(ratios([r[variant].postgres for r in rounds], [r[plain].postgres for r in rounds]))

    rows: list[tuple[Figure | str, ...]] = [
        (name, wall(variant), cpu(variant), postgres(variant))
        for name, variant in (
            ("10 messages, against 40", "short"),
            ("400 messages, against 40", "long"),
            (f"a batch of {_LONGER} times as many threads", "batch"),
            (f"{_OTHERS:,} other threads in the database", "crowd"),
        )
    ]
    rows += [
        (
            f"{window} in flight, against 64, {_MANY_MS} ms",
            wall(name, "slow"),
            cpu(name, "slow"),
            postgres(name, "slow"),
        )
        for window, name in ((window, f"window {window}") for window in _WINDOWS)
    ]
    return Table(
        "How the cost of a thread grows (40 messages, 20 ms, 64 in flight, unless said otherwise)",
        ("what is different", "time a thread", "client CPU a thread", "PostgreSQL's CPU a thread"),
        tuple(rows),
        ("Each against the console's own plain round: 1 is no difference.",),
    )


def _round(place: Place, scale: Scale) -> Mapping[str, Round]:
    plain = dataclasses.replace(scale, window=64, size=scale.size / 2)
    longer = dataclasses.replace(plain, size=plain.size * _LONGER)
    found = {
        "plain": console_round(place, Case(40, _FEW_MS), plain),
        "short": console_round(place, Case(10, _FEW_MS), plain),
        "long": console_round(place, Case(400, _FEW_MS), plain),
        "batch": console_round(place, Case(40, _FEW_MS), longer),
        "crowd": console_round(place, Case(40, _FEW_MS), plain, others=round(_OTHERS * scale.size)),
        "slow": console_round(place, Case(40, _MANY_MS), plain),
    }
    for window in _WINDOWS:
        found[f"window {window}"] = console_round(place, Case(40, _MANY_MS, window), plain)
    return found
