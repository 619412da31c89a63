"""Snapshot writing, mapping export and id import against psql; admin pages at two sizes of the estate.

The measuring itself is bench.files and bench.admin_pages. Must not import Django.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import bench.admin_pages
import bench.files
from bench.figures import Figure, Goal, Table
from bench.place import Place, Scale

_ROWS = 1_000_000
_QUICK_ROWS = 100_000
_THREADS = (1_000_000, 5_000_000)
_ANY_PAGE = Goal("any admin page, 5,000,000 threads vs. 1,000,000", 1.25, "at most")

# How the lines that have a goal begin.
_GOALS: Mapping[str, Goal] = {
    "mapping export": Goal("mapping export through the web server vs. psql \\copy", 1.5, "at most"),
    "memory that the web server": Goal("memory of the web server over a mapping export, MB", 10, "at most"),
    "id import": Goal("id import, validated, vs. psql \\copy + ON CONFLICT", 1.2, "at most"),
}


def files(place: Place, scale: Scale) -> Table:
    """Mapping export, id import and snapshot writing, each against the plainest way to do it."""
    rows = round((_QUICK_ROWS if scale.quick else _ROWS) * scale.size)
    os.environ.update(place.environment)  # its own processes are started from here
    return _table("Files (console ÷ plain way)", bench.files.measure(rows))


def admin_pages(place: Place, scale: Scale) -> Table:
    """Every page with five times as many threads; the page that grows most is the one that counts."""
    base, large = (round(threads * scale.size) for threads in _THREADS)
    os.environ.update(place.environment)
    pages = bench.admin_pages.measure(base, large)
    rows: list[tuple[Figure | str, ...]] = [
        (page, Figure((many / few,)), "", f"{few:.0f} → {many:.0f} ms") for page, few, many in pages
    ]
    worst = Figure((max(many / few for _, few, many in pages),), goal=_ANY_PAGE)
    rows.append(("the page that grows most", worst, worst.verdict(), ""))
    title = f"Admin pages with {large:,} threads against {base:,}"
    return Table(title, ("page", "time", "goal", "both sizes"), tuple(rows))


def _table(title: str, lines: Sequence[tuple[str, float, str]]) -> Table:
    rows: list[tuple[Figure | str, ...]] = []
    for name, value, note in lines:
        goal = next((goal for start, goal in _GOALS.items() if name.startswith(start)), None)
        figure = Figure((value,), unit=" MB" if name.endswith("MB") else "×", goal=goal)
        rows.append((name, figure, figure.verdict(), note))
    return Table(title, ("what", "median", "goal", "both sides"), tuple(rows))
