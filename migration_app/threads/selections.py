"""Which threads an operator means: explicit ones, or all that match the list's filters.

A selection is stored as JSON on the batch and turned into a query where it is used, so that "all 100,000
matching" never loads an id into a web request.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Ceil, Greatest

from migration_app import index_walks
from migration_app.counters import TallyLine, tally_condition, tally_lines
from migration_app.gateways.paging import ITEMS_PER_PAGE
from migration_app.gateways.target import CONVERSATION_READS
from migration_app.index_walks import (
    HAS_KEY,
    Window,
    counted_up_to,
    estimated,
    walk,
    window_of,
)
from migration_app.models import Thread
from migration_app.threads.search import (
    FOUND_UP_TO,
    search_text,
    thread_search,
    threads_by_part,
    threads_exactly,
)

FILTERS: Mapping[str, str] = {
    "status__exact": "status",
    "fidelity__exact": "fidelity",
    "error_code__exact": "error_code",
    "assistant__id__exact": "assistant_id",
    "batch__id__exact": "batch_id",
    "user_ref__exact": "user_ref",
    "thread_id__exact": "thread_id",
    "finding__exact": "finding_counts__has_key",
}
"""List filters that a selection may carry: query parameter → field (or its lookup)."""

THREAD_INDEXES: tuple[tuple[str, ...], ...] = (
    (),
    ("status",),
    ("fidelity",),
    ("error_code",),
    ("assistant_id",),
    ("batch_id",),
    ("batch_id", "status"),
    ("user_ref",),
    ("thread_id",),
)
"""Filters, by field, for which an index of threads holds the list in its order; the last two name few threads."""

_FEW = frozenset({"user_ref", "thread_id"})
_COUNTED = frozenset({"status", "fidelity", "error_code"})
_FINDING = f"finding_counts{HAS_KEY}"


class SelectionError(Exception):
    """The list was narrowed by something that a selection can't carry."""


@dataclasses.dataclass(frozen=True, slots=True)
class Totals:
    """What a selection holds, from the last assessments: exact for a backfill that starts from nothing."""

    threads: int
    messages: int
    items: int
    chunks: int
    calls: int
    payload_bytes: int


def selection_of_pks(pks: list[int]) -> dict[str, Any]:
    """Select these threads, by primary key."""
    return {"ids": sorted(pks)}


def selection_of_filters(params: Mapping[str, str], *, search: str = "") -> dict[str, Any]:
    """Select all threads that match. SelectionError names a parameter that is not a known filter.

    What a search for a part of an id or user finds is selected one by one: another thread may contain it tomorrow.
    """
    unknown = sorted(set(params) - set(FILTERS))
    if unknown:
        raise SelectionError(
            f"The list is narrowed by {', '.join(unknown)}, which can't be carried to a batch. Clear that filter."
        )
    text = search_text(search)
    if not text or Thread.objects.filter(threads_exactly(text)).exists():
        return {"filters": dict(params), "search": text}
    parts = threads_by_part(text)
    if parts.more:
        raise SelectionError(
            f"More than {FOUND_UP_TO:,} threads contain “{text}”, and a search selects no more. Type more of it, or use"
            " filters."
        )
    try:
        found = _filtered(Thread.objects.filter(pk__in=parts.pks), params)
        return selection_of_pks(list(found.values_list("pk", flat=True)))
    except (ValueError, TypeError) as error:
        raise SelectionError("A filter's value can't be read.") from error


def selection_threads(selection: Mapping[str, Any]) -> QuerySet[Thread]:
    """Turn a kept selection into a query. SelectionError if it is not one."""
    threads = Thread.objects.all()
    if isinstance(selection.get("ids"), list):
        return threads.filter(pk__in=selection["ids"])
    filters = selection.get("filters")
    if not isinstance(filters, dict) or set(filters) - set(FILTERS):
        raise SelectionError("This is not a selection of threads.")
    return thread_search(_filtered(threads, filters), str(selection.get("search", "")))


def _filtered(threads: QuerySet[Thread], filters: Mapping[str, str]) -> QuerySet[Thread]:
    for name, value in filters.items():
        threads = threads.filter(**{FILTERS[name]: value})
    return threads


# --- what is known without reading every thread -----------------------------------------------------


def threads_lines(fields: Mapping[str, Any], condition: Q | None = None) -> list[TallyLine] | None:
    """The counters of threads with these values that meet a condition; None if they don't count by one of them."""
    rest = {name: value for name, value in fields.items() if name != "batch_id"}
    counted = tally_condition(condition) if condition is not None else Q()
    if counted is None or not rest.keys() <= _COUNTED:
        return None
    return tally_lines(
        counted & Q(**rest), batch_pk=int(fields["batch_id"]) if "batch_id" in fields else None
    )


def threads_count(fields: Mapping[str, Any]) -> int | None:
    """How many threads have these values, by the counters; None if they don't count by one of them."""
    lines = threads_lines(fields)
    return None if lines is None else sum(line.threads for line in lines)


def selection_fields(selection: Mapping[str, Any]) -> dict[str, Any] | None:
    """The values that a selection's threads have; None if it is made of ids, or of a search."""
    filters = selection.get("filters")
    if not isinstance(filters, dict) or selection.get("search"):
        return None
    return {FILTERS[name]: value for name, value in filters.items()}


def threads_window(fields: Mapping[str, Any], *, below: int | None = None) -> Window:
    """Find threads with these values where no index holds them all: among the newest that the best one holds.

    The best index is the one whose filters leave the fewest threads; where those fit into one
    window, every match is found. ``below``: only threads older than this one.
    """
    older = Thread.objects.filter(pk__lt=below) if below else Thread.objects.all()
    sizes = {index: _size(index, fields) for index in THREAD_INDEXES if fields.keys() >= set(index)}
    best = min(sizes, key=lambda index: (sizes[index], -len(index)))
    if sizes[best] > index_walks.SCANNED_AT_ONCE and _FINDING in fields:
        found = older.filter(**{_FINDING: fields[_FINDING]}).order_by("-pk")
        if estimated(found) <= index_walks.SCANNED_AT_ONCE:
            # Asked by the index of findings, all that have it come at once and are sorted then.
            return window_of(found, {name: fields[name] for name in fields.keys() - {_FINDING}})
    rest = {name: value for name, value in fields.items() if name not in best}
    return window_of(walk(older, {name: fields[name] for name in best}), rest)


def _size(index: tuple[str, ...], fields: Mapping[str, Any]) -> float:
    if not index:
        return float("inf")
    if _FEW & set(index):
        return 0
    if "assistant_id" in index:
        return counted_up_to(
            walk(Thread.objects.all(), {"assistant_id": fields["assistant_id"]}), index_walks.SCANNED_AT_ONCE
        )
    return threads_count({name: fields[name] for name in index}) or 0


def verification_reads() -> CombinedExpression:
    """Calls that reading back a conversation takes: pages of 100 items, at least one, and the conversation itself."""
    return Greatest(Ceil(F("item_count") / float(ITEMS_PER_PAGE)), 1.0) + float(CONVERSATION_READS)


def selection_totals(threads: QuerySet[Thread]) -> Totals:
    """Add up what a backfill of these threads would send: one create, the chunks, the reading back."""
    sums = threads.order_by().aggregate(
        threads=Count("pk"),
        messages=Sum("message_count", default=0),
        items=Sum("item_count", default=0),
        chunks=Sum("chunk_count", default=0),
        reads=Sum(verification_reads(), default=0.0),
        payload_bytes=Sum("payload_bytes", default=0),
    )
    return Totals(
        threads=sums["threads"],
        messages=sums["messages"],
        items=sums["items"],
        chunks=sums["chunks"],
        calls=sums["threads"] + sums["chunks"] + int(sums["reads"]),
        payload_bytes=sums["payload_bytes"],
    )
