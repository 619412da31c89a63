"""What the second person of a roll back sees before it begins: how many threads, which ones, and the confirmation.

A batch that waits has taken nothing, so all of it is read from its selection. Reads only.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from migration_app.admin.base.badges import thread_badge
from migration_app.admin.base.forms import ConsoleForm, reason_field
from migration_app.admin.base.model_admin import row_key
from migration_app.admin.base.selections import selection_summary
from migration_app.admin.batches.confirm import left_out_rows, preflight_figures
from migration_app.batches.kinds import BATCH_KINDS, FOREIGN_TOO, batch_eligible
from migration_app.batches.preflight_large import matching_text, page_preflight
from migration_app.models import Batch, Thread
from migration_app.threads.selections import SelectionError, selection_threads

SHOWN = 50
"""Threads on one page."""

_COUNTED_UP_TO = 10_000
_UNREADABLE = (SelectionError, KeyError, ValueError, TypeError)


class ApproveForm(ConsoleForm):
    """An optional reason of the second person."""

    reason = reason_field(label="Reason (optional)", required=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Selected:
    """How many threads a waiting batch matches and would take, for people; counted no further than a page can wait."""

    threads: str
    matched: str


def batch_selected(batch: Batch) -> Selected:
    """Count what a waiting batch selects."""
    try:
        takes = batch_eligible(
            batch.kind, selection_threads(batch.filter).filter(pk__lte=batch.max_thread_pk)
        )
        count = takes[: _COUNTED_UP_TO + 1].count()
        threads = f"{count:,}" if count <= _COUNTED_UP_TO else f"more than {_COUNTED_UP_TO:,}"
        return Selected(threads, matching_text(batch.filter))
    except _UNREADABLE:
        return Selected("an unknown number of", "?")


def selected_url(batch: Batch) -> str:
    """Address of the threads that the batch's selection names: the list with its filters, or a page for chosen ones."""
    filters = batch.filter.get("filters")
    if not isinstance(filters, dict):
        return reverse("admin:migration_app_batch_selected", args=[batch.pk])
    query = {**filters, **({"q": batch.filter["search"]} if batch.filter.get("search") else {})}
    url = reverse("admin:migration_app_thread_changelist")
    return f"{url}?{urlencode(query)}" if query else url


def selected_context(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    """One page of the threads that were chosen one by one, newest first; what a batch can't read has none."""
    try:
        threads = selection_threads(batch.filter).filter(pk__lte=batch.max_thread_pk)
    except _UNREADABLE:
        threads = Thread.objects.none()
    below = row_key(request.GET.get("below", ""))
    if below is not None:
        threads = threads.filter(pk__lt=below)
    found = list(threads.order_by("-pk")[: SHOWN + 1])
    shown = found[:SHOWN]
    page = Thread.objects.filter(pk__in=[thread.pk for thread in shown])
    taken = set(batch_eligible(batch.kind, page).values_list("pk", flat=True))
    here = reverse("admin:migration_app_batch_selected", args=[batch.pk])
    return {
        "rows": [_row(batch, thread, is_taken=thread.pk in taken) for thread in shown],
        "first_url": here if below is not None else "",
        "further_url": f"{here}?{urlencode({'below': shown[-1].pk})}" if len(found) > SHOWN else "",
    }


def _row(batch: Batch, thread: Thread, *, is_taken: bool) -> dict[str, Any]:
    return {
        "thread_id": thread.thread_id,
        "url": reverse("admin:migration_app_thread_change", args=[thread.pk]),
        "now": thread_badge(thread.status),
        "skipped": "" if is_taken else BATCH_KINDS[batch.kind].skip_reason(thread.status),
    }


def approve_context(batch: Batch, form: ConsoleForm) -> dict[str, Any]:
    """The confirmation: number, calls, what is skipped, and the consequence. SelectionError if it can't be read."""
    kind = BATCH_KINDS[batch.kind]
    preflight, selected = page_preflight(batch.filter, batch.kind), batch_selected(batch)
    return {
        "action": kind,
        "form": form,
        "selected": selected,
        "selected_url": selected_url(batch),
        "selection_summary": selection_summary(batch.filter),
        "figures": [("Included", selected.threads), *preflight_figures(kind, preflight)[1:]],
        "left_out": left_out_rows(kind, preflight),
        "foreign_too": next(
            (option.warning for option in kind.options if batch.settings.get(FOREIGN_TOO)), ""
        ),
    }
