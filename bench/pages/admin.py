"""The pages of the admin at two sizes of the estate: milliseconds each, in rounds that take turns.

Two databases are filled beside the one that DATABASE_URL names, and dropped at the end. A process a database asks
the pages through Django's test client: all of the console, without a web server. Must not import Django.
"""

from __future__ import annotations

import contextlib
import os
import statistics
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from bench.children import Child
from bench.figures import Figure, Goal, Table, ratios
from bench.place import Place, Scale

_THREADS = (1_000_000, 5_000_000)
_ROUNDS = 15
_WARM_UP = 1

Times = Mapping[str, tuple[list[float], list[float]]]
"""Milliseconds of each page, a value a round: in the smaller estate, and in the larger."""


def measure(place: Place, scale: Scale) -> Table:
    """Every page with five times as many threads; the one that grows most is judged, and the slowest."""
    base, large = (round(threads * scale.size) for threads in _THREADS)
    os.environ.update(place.environment)
    return table(times(base, large), base, large)


def table(found: Times, base: int, large: int) -> Table:
    """Show the pages, then what is judged of all of them."""
    sizes = f"{large:,} threads vs. {base:,}"
    grows = max(found, key=lambda page: _growth(*found[page]))
    slowest = max(found, key=lambda page: statistics.median(found[page][1]))
    growth = Figure((_growth(*found[grows]),), goal=Goal(f"any admin page, {sizes}", 1.1, "at most"))
    pace = Goal(f"slowest admin page, {large:,} threads", 60, "at most")
    slow = Figure(tuple(found[slowest][1]), unit=" ms", goal=pace)
    rows: list[tuple[Figure | str, ...]] = [
        (page, Figure(ratios(many, few)), _milliseconds(few), _milliseconds(many), "")
        for page, (few, many) in found.items()
    ]
    rows += [
        ("the page that grows most", growth, "", "", f"{growth.verdict()} ({grows})"),
        ("the slowest page", "", "", slow, f"{slow.verdict()} ({slowest})"),
    ]
    return Table(
        f"Admin pages, {sizes}, each with two runs and four audit rows a thread",
        ("page", "time", f"with {base:,}", f"with {large:,}", "goal"),
        tuple(rows),
        (
            "the page that grows most: ratio of the medians of its rounds.",
            "Milliseconds are of this machine, and a page's share of them is its query and its template.",
        ),
    )


def _milliseconds(values: list[float]) -> Figure:
    return Figure(tuple(values), unit=" ms")


def _growth(few: list[float], many: list[float]) -> float:
    return statistics.median(many) / statistics.median(few)


def times(base: int, large: int) -> Times:
    """Ask every page in both estates, in turns.

    DATABASE_URL and REDIS_URL name the servers. ``base`` is 20,000 or more: smaller estates lack some of the pages.
    """
    with (
        _database("console_bench_base") as one,
        _database("console_bench_large") as other,
        Child("bench.pages.console", one) as few,
        Child("bench.pages.console", other) as many,
    ):
        for child, threads in ((few, base), (many, large)):
            child.ask("fill", threads=threads)
        pages: list[str] = few.ask("pages")
        many.ask("pages")
        found: dict[str, tuple[list[float], list[float]]] = {page: ([], []) for page in pages}
        for turn in range(_WARM_UP + _ROUNDS):
            for page in pages:
                # Who goes first changes from round to round.
                for child, side in ((few, 0), (many, 1)) if turn % 2 else ((many, 1), (few, 0)):
                    milliseconds: float = child.ask("page", name=page)
                    if turn >= _WARM_UP:
                        found[page][side].append(milliseconds)
    return found


@contextlib.contextmanager
def _database(name: str) -> Iterator[dict[str, str]]:
    """Create the database, yield the environment that names it, drop it. One of a killed run is replaced."""
    url = os.environ["DATABASE_URL"]
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(drop)
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield {"DATABASE_URL": urlunsplit(urlsplit(url)._replace(path=f"/{name}"))}
    finally:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(drop)
