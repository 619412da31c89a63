"""What keeping a result of each thread in each batch costs: the journal with that row and without it, in turns.

Must not import Django.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.children import Child
from bench.figures import Figure, Goal, Table, ratios
from bench.place import Place, Scale

_THREADS = 3_000
_QUICK_THREADS = 600
_FEWEST_THREADS = 240
"""Some groups of each way."""
_NAMES = ("CPU", "log", "clock")
_CPU = Goal("CPU of the journal over a whole thread, with a result vs. without", 1.1, "at most")


def results(place: Place, scale: Scale) -> Table:
    """Both ways in one process, from group to group in turns, each first in every other round."""
    threads = max(_FEWEST_THREADS, round((_QUICK_THREADS if scale.quick else _THREADS) * scale.size))
    kept: list[dict[str, float]] = []
    plain: list[dict[str, float]] = []
    with Child("bench.threads.journal_console", place.environment) as child:
        for turn in range(1 + scale.rounds):
            batch: int = child.ask("claimed", threads=threads)["batch"]
            took = child.ask("write", batch=batch, first=bool(turn % 2))
            if turn:  # the first warms up
                kept.append(took["with"])
                plain.append(took["without"])
    rows: list[tuple[Figure | str, ...]] = [
        (text, *(_ratio(kept, plain, f"{part}{name}", goal if name == "CPU" else None) for name in _NAMES))
        for text, part, goal in (
            ("all four entries of a thread of one chunk", "", _CPU),
            ("the last of them, which writes the result", "last ", None),
        )
    ]
    title = f"Journal, {threads:,} threads a round: with a result ÷ without"
    return Table(
        title, ("entries", "CPU, the database's too", "bytes of its log", "time on the clock"), tuple(rows)
    )


def _ratio(
    kept: Sequence[Mapping[str, float]], plain: Sequence[Mapping[str, float]], name: str, goal: Goal | None
) -> Figure:
    return Figure(ratios([took[name] for took in kept], [took[name] for took in plain]), goal=goal)
