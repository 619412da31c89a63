"""The list of what became of a batch's threads: by result or error, newest threads first. Reads only."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from migration_app.admin.base.badges import result_badge, thread_badge
from migration_app.admin.base.durations import duration_text
from migration_app.admin.base.links import row_address
from migration_app.admin.base.model_admin import row_key
from migration_app.admin.batches.outcome import results_url
from migration_app.models import Batch, BatchResult
from migration_app.moments import moment_text

SHOWN = 50
"""Threads on one page."""

_LONGEST_CODE = 64


def results_context(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    """One page of results: as many rows as an index gives at once, continued below the last thread."""
    chosen = _chosen(request)
    rows = BatchResult.objects.filter(batch_id=batch.pk, **chosen).select_related("thread")
    below = row_key(request.GET.get("below", ""))
    if below is not None:
        rows = rows.filter(thread_id__lt=below)
    found = list(rows.order_by("-thread_id")[: SHOWN + 1])
    shown = found[:SHOWN]
    return {
        "is_narrowed": bool(chosen),
        "chosen_code": chosen.get("error_code", ""),
        "chosen_badge": result_badge(chosen["result"]) if "result" in chosen else None,
        "rows": [_row(row) for row in shown],
        "all_url": results_url(batch) if chosen else "",
        "first_url": results_url(batch, **chosen) if below is not None else "",
        "further_url": results_url(batch, **chosen, below=str(shown[-1].thread_id))
        if len(found) > SHOWN
        else "",
    }


def _chosen(request: HttpRequest) -> dict[str, str]:
    """What the address narrows the list to, as far as there is such a thing."""
    chosen: dict[str, str] = {}
    result, code = request.GET.get("result", ""), request.GET.get("error_code", "")
    if result in BatchResult.Result.values:
        chosen["result"] = result
    if code and "\x00" not in code:
        chosen["error_code"] = code[:_LONGEST_CODE]
    return chosen


def _row(row: BatchResult) -> dict[str, Any]:
    return {
        "thread_id": row.thread.thread_id,
        "url": row_address("thread", row.thread_id),
        "badge": result_badge(row.result),
        "error_code": row.error_code,
        "continued_in": row.continued_in,
        "continued_url": row_address("batch", row.continued_in) if row.continued_in else "",
        "messages": f"{row.messages:,}",
        "retries": f"{row.retries:,}",
        "took": duration_text(row.finished_at - row.started_at if row.started_at else None),
        "finished": moment_text(row.finished_at),
        "now": thread_badge(row.thread.status),
    }
