"""Which threads an operator means: explicit ones, or all that match the list's filters.

A selection is kept as JSON on the batch and turned into a query where it is used, so that "all 100,000
matching" never loads an id into a web request.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Ceil, Greatest

from migration_app.gateways.target import ITEMS_PER_PAGE
from migration_app.models import Conversation, Thread

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
"""List filters that a selection may carry: query parameter → field (or its look-up)."""


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
    """Select all threads that match. SelectionError names a parameter that is not a known filter."""
    unknown = sorted(set(params) - set(FILTERS))
    if unknown:
        raise SelectionError(
            f"The list is narrowed by {', '.join(unknown)}, which can't be carried to a batch. Clear that filter."
        )
    return {"filters": dict(params), "search": search.strip()}


def thread_search(threads: QuerySet[Thread], words: str) -> QuerySet[Thread]:
    """Find by exact thread id, conversation id or user reference: one index look-up each.

    The conversation's thread is looked up by a query of its own: an OR across the join would read both tables.
    """
    words = words.strip().replace("\x00", "")
    if not words:
        return threads
    found = Conversation.objects.filter(conversation_id=words).values_list("thread_id", flat=True)
    return threads.filter(Q(thread_id=words) | Q(user_ref=words) | Q(pk__in=list(found)))


def selection_threads(selection: Mapping[str, Any]) -> QuerySet[Thread]:
    """Turn a kept selection into a query. SelectionError if it is not one."""
    threads = Thread.objects.all()
    if isinstance(selection.get("ids"), list):
        return threads.filter(pk__in=selection["ids"])
    filters = selection.get("filters")
    if not isinstance(filters, dict) or set(filters) - set(FILTERS):
        raise SelectionError("This is not a selection of threads.")
    for name, value in filters.items():
        threads = threads.filter(**{FILTERS[name]: value})
    return thread_search(threads, str(selection.get("search", "")))


def verification_reads() -> Greatest:
    """Calls that reading back a conversation takes: pages of 100 items, at least one."""
    return Greatest(Ceil(F("item_count") / float(ITEMS_PER_PAGE)), 1.0)


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
