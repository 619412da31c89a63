"""A list as CSV: the rows that its filters leave, to the last one, times in UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.contrib.admin.views.main import SEARCH_VAR
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.downloads import csv_response
from migration_app.admin.base.paging import BoundedChangeList
from migration_app.admin.lists.sheet import chips
from migration_app.audit.trail import audit_record

Columns = Mapping[str, str | Callable[[Any], object]]
"""Titles in the file, each with a field of the row or a function of it. Moments say (UTC) in their title."""

_AT_ONCE = 2_000


def list_csv(
    request: HttpRequest, changes: BoundedChangeList, columns: Columns, *, name: str
) -> StreamingHttpResponse:
    """Stream the rows of a list as it is narrowed, oldest first; the audit trail has what was downloaded."""
    # Without the text of a search: it may be what an application calls its user.
    narrowed = "; ".join(
        f"{chip.title}: {chip.value}" if chip.name != SEARCH_VAR else "a search" for chip in chips(changes)
    )
    audit_record(
        actor=actor_of(request),
        verb="list.exported",
        subject_kind="list",
        subject_id=name,
        reason=narrowed[:2_000] or "all rows",
    )
    found = changes.apply_select_related(changes.queryset)
    return csv_response(f"{name.replace(' ', '-')}.csv", columns, _lines(found, columns))


def _lines(found: QuerySet[Any], columns: Columns) -> Iterator[list[object]]:
    """Page by page along the primary key: no cursor is held open while a browser takes its time."""
    after = 0
    while page := list(found.filter(pk__gt=after).order_by("pk")[:_AT_ONCE]):
        for row in page:
            yield [_plain(show(row) if callable(show) else getattr(row, show)) for show in columns.values()]
        after = page[-1].pk


def _plain(value: object) -> object:
    """A cell's value; a moment in UTC."""
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S}"
    return "" if value is None else value
