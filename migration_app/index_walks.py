"""Rows of large tables, newest first, in a time that does not grow with the table: one index is walked, in bounded
windows.

Knows models only by their fields. Must not import services of a subject.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL

M = TypeVar("M", bound=Model)

SCANNED_AT_ONCE = 2_000
"""Rows that are scanned at once where no index covers the whole condition.

A hundredth of a second; half a second if each has to come from a disk.
"""

HAS_KEY = "__has_key"


@dataclasses.dataclass(frozen=True, slots=True)
class Window:
    """The matching rows of a window: primary keys, newest first.

    ``below``: the oldest row scanned, from where to continue; None when there are no older ones.
    """

    pks: list[int]
    below: int | None


def index_for(fields: set[str], indexes: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
    """Find the index that begins with exactly these fields, None if there is none."""
    return next((index for index in indexes if set(index) == fields), None)


def walk(rows: QuerySet[M], values: Mapping[str, Any], order: Sequence[str] = ("id",)) -> QuerySet[M]:
    """Rows with these values, newest first, in the order of the index over these fields and ``order``.

    Each value is written as a span from itself to itself, and the fields stand in the ordering. PostgreSQL would
    otherwise see that a constant needs no ordering, and where many rows have the value might walk the primary
    key instead: past millions of newer rows, if the ones that match are old.
    """
    spans = {f"{name}__{end}": value for name, value in values.items() for end in ("gte", "lte")}
    return rows.filter(**spans).order_by(*(f"-{name}" for name in (*values, *order)))


def keys(pks: Iterable[int]) -> RawSQL:
    """Primary keys for ``pk__in``, as one array: with a parameter each they would cost more than the rows."""
    return RawSQL("SELECT unnest(%s::bigint[])", [f"{{{','.join(map(str, pks))}}}"])


def counted_up_to(rows: QuerySet[Any], limit: int) -> int:
    """Count rows, but no more than one above the limit."""
    return rows.values("pk")[: limit + 1].count()


def estimated(rows: QuerySet[Any]) -> int:
    """How many rows PostgreSQL expects, by its statistics."""
    plan = json.loads(rows.order_by().explain(format="json"))
    return int(plan[0]["Plan"]["Plan Rows"])


def window_of(rows: QuerySet[Any], rest: Mapping[str, Any]) -> Window:
    """Scan the first SCANNED_AT_ONCE of these (ordered) rows for those that match ``rest`` too.

    ``rest`` maps columns of the table to values, or ``column__has_key`` to a key. The inner LIMIT is a fence:
    nothing of ``rest`` can make PostgreSQL scan more.
    """
    meta = rows.model._meta  # noqa: SLF001 - Django's documented Model._meta
    columns = [name.removesuffix(HAS_KEY) for name in rest]
    try:
        looked_at, params = rows.values("id", *columns)[:SCANNED_AT_ONCE].query.sql_with_params()
    except EmptyResultSet:  # no row can match, Django sees: a number too large for its column, for instance
        return Window([], None)
    quote = connection.ops.quote_name
    conditions, values = ["true"], []
    for name, value in rest.items():
        column = name.removesuffix(HAS_KEY)
        is_key = name.endswith(HAS_KEY)
        conditions.append(f"{quote(column)} {'?' if is_key else '='} %s")
        values.append(str(value) if is_key else meta.get_field(column).get_prep_value(value))
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH looked_at AS MATERIALIZED ({looked_at})"  # noqa: S608 - our own ORM query and column names
            f" SELECT ARRAY(SELECT id FROM looked_at WHERE {' AND '.join(conditions)}),"
            " (SELECT id FROM looked_at OFFSET %s LIMIT 1)",
            [*params, *values, SCANNED_AT_ONCE - 1],
        )
        pks, below = cursor.fetchone()
    return Window(pks=list(pks), below=below)
