"""Which rows a check examines: all by primary key, or an even sample of them, page by page.

A sample of N cuts the range of keys into N equal pieces and takes one row of each, the first from a place that
the seed decides. So it is spread evenly over the years of an estate, is the same for the same seed and rows, and
costs N index lookups at any size of the table. A piece without rows gives none: where keys have large
gaps, fewer rows than requested are checked, and the report says how many.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.models import Max, Min, Model, QuerySet

from migration_app.models import SourceObject, Thread

S = Thread.Status


@dataclasses.dataclass(frozen=True, slots=True)
class Population:
    """Rows of one table: ``where`` is SQL about ``t``; ``groups`` hold the same rows, so that an index gives bounds."""

    model: type[Model]
    where: str
    groups: tuple[Mapping[str, Any], ...] = ({},)

    def rows(self) -> list[QuerySet[Any]]:
        """The groups as queries; together they hold at least every row of the population."""
        manager = self.model._default_manager  # noqa: SLF001 - Django's own name for it
        return [manager.filter(**group) for group in self.groups]


POPULATIONS: Mapping[str, Population] = {
    "records": Population(Thread, "true"),
    "snapshots": Population(Thread, "t.snapshot_at IS NOT NULL"),
    "live": Population(Thread, "t.snapshot_at IS NOT NULL"),
    "objects": Population(SourceObject, "true"),
    "target": Population(
        Thread,
        "t.status IN ('backfilled', 'verified')",
        ({"status": S.BACKFILLED}, {"status": S.VERIFIED}),
    ),
}


def bounds(population: Population) -> tuple[int, int]:
    """The smallest and the largest primary key, or (1, 0) without rows. Index lookups only."""
    found = [rows.order_by().aggregate(first=Min("pk"), last=Max("pk")) for rows in population.rows()]
    firsts = [row["first"] for row in found if row["first"] is not None]
    lasts = [row["last"] for row in found if row["last"] is not None]
    return (min(firsts), max(lasts)) if firsts else (1, 0)


def next_pks(population: Population, *, after: int, upto: int, size: int) -> list[int]:
    """The next ``size`` primary keys of the whole population."""
    return _fetch(
        f"SELECT t.id FROM {_table(population)} AS t WHERE {population.where} AND t.id > %s AND t.id <= %s"  # noqa: S608 - constants of this module
        " ORDER BY t.id LIMIT %s",
        [after, upto, size],
    )


def sample_pks(
    population: Population, *, within: tuple[int, int], size: int, seed: int, pieces: range
) -> list[int]:
    """Primary keys out of these pieces (numbers below ``size``) of a sample of ``size`` rows."""
    first, last = within
    count = last - first + 1
    starts, points, stops = [], [], []
    for number in pieces:
        start, stop = (first + count * place // size for place in (number, number + 1))
        if stop > start:
            starts.append(start)
            points.append(start + _offset(seed, number) % (stop - start))
            stops.append(stop)
    if not starts:
        return []
    one = f"SELECT t.id FROM {_table(population)} AS t WHERE {population.where} AND t.id >="  # noqa: S608 - constants of this module
    return _fetch(
        f"""
        SELECT id FROM (
            SELECT coalesce(({one} s.point AND t.id < s.stop ORDER BY t.id LIMIT 1),
                            ({one} s.start AND t.id < s.point ORDER BY t.id LIMIT 1)) AS id
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS s(start, point, stop)
        ) AS chosen WHERE id IS NOT NULL ORDER BY id
        """,  # noqa: S608 - constants of this module
        [starts, points, stops],
    )


def _table(population: Population) -> str:
    return population.model._meta.db_table  # noqa: SLF001 - Django's documented Model._meta


def _offset(seed: int, number: int) -> int:
    """A deterministic pseudo-random number."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:8])


def _fetch(sql: str, parameters: list[Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [row[0] for row in cursor.fetchall()]
