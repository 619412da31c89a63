"""The pages of the admin at two sizes of the estate: milliseconds each, medians of rounds that take turns.

Two databases are filled beside the one that DATABASE_URL names, and dropped at the end. A process a database asks
the pages through Django's test client: all of the console, without a web server. Must not import Django.
"""

from __future__ import annotations

import contextlib
import os
import statistics
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from bench.children import Child

ROUNDS = 7
_WARM_UP = 1


def measure(base: int, large: int) -> list[tuple[str, float, float]]:
    """Each page's name, and its milliseconds with ``base`` threads and with ``large``.

    DATABASE_URL and REDIS_URL name the servers; there are as many conversations as threads, and four audit rows
    for each. ``base`` is 20,000 or more: smaller estates lack some of the pages.
    """
    with (
        _database("console_bench_base") as one,
        _database("console_bench_large") as other,
        Child("bench.admin_pages_console", one) as few,
        Child("bench.admin_pages_console", other) as many,
    ):
        for child, threads in ((few, base), (many, large)):
            child.ask("fill", threads=threads)
        pages: list[str] = few.ask("pages")
        many.ask("pages")
        times: dict[str, tuple[list[float], list[float]]] = {page: ([], []) for page in pages}
        for turn in range(_WARM_UP + ROUNDS):
            for page in pages:
                # Who goes first changes from round to round.
                for child, side in ((few, 0), (many, 1)) if turn % 2 else ((many, 1), (few, 0)):
                    milliseconds: float = child.ask("page", name=page)
                    if turn >= _WARM_UP:
                        times[page][side].append(milliseconds)
    return [
        (page, statistics.median(few_ms), statistics.median(many_ms))
        for page, (few_ms, many_ms) in times.items()
    ]


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
