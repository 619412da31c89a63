"""Batches: who started what, why, and how far it is, live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import (
    HttpRequest,
    HttpResponse,
    JsonResponse,
)
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from migration_app.admin.base.addresses import BACK
from migration_app.admin.base.badges import batch_badge, thread_badge
from migration_app.admin.base.columns import badge_column, moment_column, text_column
from migration_app.admin.base.filters import choice_filter
from migration_app.admin.base.forms import ConsoleForm
from migration_app.admin.base.model_admin import RowPageAdmin, progress_json
from migration_app.admin.base.selections import selection_summary
from migration_app.admin.base.workers import workers_state
from migration_app.admin.batches.acts import ACTS, control_context, may_control
from migration_app.batches.cancel import taken_back
from migration_app.batches.control import BatchRefusedError
from migration_app.batches.kinds import BATCH_KINDS
from migration_app.batches.progress import Progress, batch_progress
from migration_app.counters import tally_lines
from migration_app.models import Batch, Thread
from migration_app.threads.plans import batch_policies, policies_summary
from migration_app.threads.selections import SelectionError

S = Batch.State
OPEN_STATES = (S.WAITING, S.PREPARING, S.RUNNING, S.PAUSED, S.CANCELLING)
"""States of a batch that is not over: its page follows it."""

_NEEDS_WORKERS = (S.PREPARING, S.RUNNING, S.CANCELLING)
_ERRORS_SHOWN = 50
_RETRYABLE = {
    "failed": "failed",
    "needs_review": "in review",
    "source_missing": "missing at the source",
    "blocked": "blocked",
}


def batch_threads_url(batch: Batch, **filters: str) -> str:
    """Address of the thread list narrowed to a batch."""
    return f"{reverse('admin:migration_app_thread_changelist')}?{_narrowed(batch, filters)}"


def _retry_url(batch: Batch, **filters: str) -> str:
    """Address of Retry's confirm page for threads of a batch; Cancel leads back to the batch."""
    page = reverse("admin:migration_app_batch_change", args=[batch.pk])
    url = reverse("admin:migration_app_thread_act", args=["retry"])
    return f"{url}?{_narrowed(batch, filters)}&{urlencode({BACK: page})}"


def _narrowed(batch: Batch, filters: Mapping[str, str]) -> str:
    return urlencode(
        {"batch__id__exact": str(batch.pk), **{f"{name}__exact": value for name, value in filters.items()}}
    )


def batch_percent(batch: Batch, progress: Progress) -> int:
    """Share that is done. A batch that is still being prepared is never shown as complete."""
    if batch.state in {S.CANCELLING, S.CANCELLED}:
        return _done(batch, progress) * 100 // batch.taken_count if batch.taken_count else 0
    if batch.state == S.WAITING:
        return 0
    if _half_prepared(batch):
        return min(progress.percent, 99) if progress.taken else 0
    return progress.percent


def batch_progress_text(batch: Batch, progress: Progress) -> str:
    """Say how far a batch is."""
    if batch.state == S.WAITING:
        return "Nothing is done before a second person has approved it."
    if batch.state in {S.CANCELLING, S.CANCELLED}:
        back = taken_back(batch)
        text = f"{_done(batch, progress):,} of {batch.taken_count:,} threads done"
        text = f"{text}; work removed from {back.threads:,}"
        partly = f", {back.partly_sent:,} of them partly sent" if back.partly_sent else ""
        left = f", {progress.pending:,} to go" if batch.state == S.CANCELLING and progress.pending else ""
        return f"{text}{partly}{left}."
    paused = "Paused. " if batch.state == S.PAUSED else ""
    if _half_prepared(batch):
        looked_at = f"{batch.selected_count:,} threads matched, {batch.taken_count:,} included."
        return f"{paused}Handing out work: {looked_at}"
    if batch.taken_count == 0:
        return "No thread was taken."
    done = progress.taken - progress.pending
    moved = batch.taken_count - progress.taken
    text = f"{paused}{done:,} of {progress.taken:,} threads done."
    return f"{text} {moved:,} continued in a later batch." if moved > 0 else text


def _half_prepared(batch: Batch) -> bool:
    return batch.state == S.PREPARING or (batch.state == S.PAUSED and batch.started_at is None)


def _done(batch: Batch, progress: Progress) -> int:
    """Threads that a cancelled batch had finished: they may have continued in a later batch since."""
    return max(0, batch.taken_count - progress.pending - taken_back(batch).threads)


def batch_errors(batch: Batch) -> list[dict[str, Any]]:
    """Error codes of the batch's threads: how many stopped, how many of these Retry includes, how many are retried."""
    rows: dict[str, dict[str, Any]] = {}
    for line in tally_lines(batch_pk=batch.pk):
        if line.error_code:
            row = rows.setdefault(line.error_code, {"stopped": 0, "retryable": 0, "going_on": 0})
            row["going_on" if line.pending_work else "stopped"] += line.threads
            if not line.pending_work and line.status in _RETRYABLE:
                row["retryable"] += line.threads
    return [
        {"error_code": code, **row}
        for code, row in sorted(rows.items(), key=lambda entry: (-entry[1]["stopped"], entry[0]))
    ][:_ERRORS_SHOWN]


def _policies(batch: Batch) -> dict[str, Any]:
    """The policies that the operator chose; nothing for a batch that converts nothing."""
    if "policies" not in batch.settings:
        return {"policies": {}}
    try:
        text = policies_summary(batch_policies(batch))
    except ValueError as error:
        text = f"can't be read: {error}"
    return {
        "policies": batch.settings["policies"],
        "policies_summary": text,
        "policies_version": batch.settings.get("policies_version"),
    }


@admin.register(Batch)
class BatchAdmin(RowPageAdmin[Batch]):
    """What operators started."""

    list_display = (
        "show_name",
        "show_state",
        "show_by",
        "show_reason",
        "show_taken",
        "show_started",
        "show_finished",
    )
    list_filter = (
        choice_filter("kind", "kind", list(Batch.Kind.choices)),
        choice_filter("state", "state", list(Batch.State.choices)),
    )
    ordering = ("-id",)
    acts = ACTS
    act_refusals = (BatchRefusedError,)

    def get_urls(self) -> list[URLPattern]:
        """Add the progress endpoint."""
        view = self.admin_site.admin_view(self.progress_view)
        return [
            path("<int:pk>/progress.json", view, name="migration_app_batch_progress"),
            *super().get_urls(),
        ]

    show_state = badge_column("state", lambda batch: batch_badge(batch.state))
    show_by = text_column("by", "created_by_name")
    show_reason = text_column("reason", "reason", most=60)
    show_started = moment_column("started", "created_at")
    show_finished = moment_column("finished", "finished_at")

    @admin.display(description="batch")
    def show_name(self, batch: Batch) -> str:
        """Number and kind, and whether it goes before others."""
        return f"{batch.pk}: {batch.get_kind_display()}{', urgent' if batch.urgent else ''}"

    @admin.display(description="threads taken")
    def show_taken(self, batch: Batch) -> str:
        """Included of matched."""
        return f"{batch.taken_count:,} of {batch.selected_count:,}"

    def progress_view(self, request: HttpRequest, pk: int) -> JsonResponse:
        """Report the batch's progress to the page's script."""
        batch = self.row_for(request, pk)
        progress = batch_progress(batch)
        return progress_json(
            is_open=batch.state in OPEN_STATES,
            state=batch.state,
            percent=batch_percent(batch, progress),
            text=batch_progress_text(batch, progress),
            selected=batch.selected_count,
            taken=batch.taken_count,
            counts=dict(progress.by_status),
        )

    def may_act(self, request: HttpRequest, row: Batch, act: str) -> bool:
        """Who may start such a batch may control it; approving is a permission of its own."""
        return may_control(request, row) if act != "approve" else super().may_act(request, row, act)

    def row_page(self, request: HttpRequest, batch: Batch, /, **refused: ConsoleForm) -> HttpResponse:
        """Show a batch."""
        progress = batch_progress(batch)
        is_open = batch.state in OPEN_STATES
        try:
            text = selection_summary(batch.filter)
        except (SelectionError, KeyError, ValueError) as error:
            text = [("Selection", f"can't be read: {error}")]
        may_retry = request.user.has_perm(BATCH_KINDS[Batch.Kind.RETRY].permission)
        return self.page(
            request,
            "batches/batch.html",
            title=str(batch),
            obj=batch,
            batch=batch,
            state=batch_badge(batch.state),
            is_open=is_open,
            workers=workers_state() if batch.state in _NEEDS_WORKERS else None,
            percent=batch_percent(batch, progress),
            progress_text=batch_progress_text(batch, progress),
            progress_url=reverse("admin:migration_app_batch_progress", args=[batch.pk]),
            selection_summary=text,
            selected=f"{batch.selected_count:,}",
            taken=f"{batch.taken_count:,}",
            **_policies(batch),
            counts=[
                {
                    "status": status,
                    "badge": thread_badge(status),
                    "count": progress.by_status.get(status, 0),
                    "url": batch_threads_url(batch, status=status),
                }
                for status in Thread.Status.values
            ],
            errors=[
                {
                    **row,
                    **{f"{name}_text": f"{row[name]:,}" for name in ("stopped", "going_on", "retryable")},
                    "url": batch_threads_url(batch, error_code=row["error_code"]),
                    "retry_url": _retry_url(batch, error_code=row["error_code"])
                    if may_retry and row["retryable"]
                    else "",
                }
                for row in batch_errors(batch)
            ],
            act_urls=self.act_urls(batch),
            **control_context(request, batch, refused),
            http_status=400 if refused else 200,
            threads_url=batch_threads_url(batch),
            retries=[
                {
                    "text": text,
                    "count": f"{progress.by_status[status]:,}",
                    "url": _retry_url(batch, status=status),
                }
                for status, text in _RETRYABLE.items()
                if may_retry and not is_open and progress.by_status.get(status)
            ],
        )
