"""What keeping a result of each thread in each batch costs: the journal with that row and without it, in turns.

Must not import Django.
"""

from __future__ import annotations

from bench.children import Child
from bench.figures import Figure, Goal, Table, ratios
from bench.place import Place, Scale

_THREADS = 3_000
_QUICK_THREADS = 600
_WHOLE = Goal("the journal's time with results vs. without, over a whole thread", 1.1, "at most")


def results(place: Place, scale: Scale) -> Table:
    """Both ways with threads of their own, in one process, each first in every other round."""
    threads = round((_QUICK_THREADS if scale.quick else _THREADS) * scale.size)
    times: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    with Child("bench.journal_console", place.environment) as child:
        for turn in range(1 + scale.rounds):
            for kept in (True, False) if turn % 2 else (False, True):
                batch: int = child.ask("claimed", threads=threads)["batch"]
                took: dict[str, float] = child.ask("write", batch=batch, results=kept)
                if turn:  # the first warms up
                    times[kept].append(took)
    rows = tuple(
        (
            text,
            Figure(
                ratios([took[part] for took in times[True]], [took[part] for took in times[False]]), goal=goal
            ),
        )
        for text, part, goal in (
            ("all four entries of a thread of one chunk", "whole", _WHOLE),
            ("the last of them, which writes the result", "last", None),
        )
    )
    return Table(f"Journal, {threads:,} threads a round: with a result ÷ without", ("entries", "time"), rows)
