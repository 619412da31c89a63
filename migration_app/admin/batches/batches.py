"""Batches: who started what, why, and how far it is, live."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path
from django.utils.html import format_html

from migration_app.admin.base.bars import bar_html
from migration_app.admin.base.columns import badge_column, column, moment_column, text_column
from migration_app.admin.base.durations import duration_text
from migration_app.admin.base.filters import choice_filter
from migration_app.admin.base.forms import ConsoleForm
from migration_app.admin.base.live import Live
from migration_app.admin.base.model_admin import RowPageAdmin
from migration_app.admin.base.paging import BoundedChangeList
from migration_app.admin.base.selections import selection_summary
from migration_app.admin.base.workers import workers_state
from migration_app.admin.batches.acts import ACTS, control_context, may_approve, may_control
from migration_app.admin.batches.approval import (
    ApproveForm,
    approve_context,
    selected_context,
    selected_url,
)
from migration_app.admin.batches.confirm import APPROVE
from migration_app.admin.batches.errors import error_rows
from migration_app.admin.batches.history import history_context
from migration_app.admin.batches.outcome import (
    RETRYABLE,
    batch_bar,
    batch_elapsed,
    batch_figures,
    batch_outcome,
    batch_percent,
    batch_progress_text,
    batch_threads_url,
    result_rows,
    results_url,
    retry_url,
)
from migration_app.admin.batches.results import results_context
from migration_app.batches.control import BatchRefusedError
from migration_app.batches.kinds import BATCH_KINDS
from migration_app.batches.progress import Progress, batch_progress, batches_progress
from migration_app.models import Batch
from migration_app.threads.plans import batch_policies, policies_summary
from migration_app.threads.selections import SelectionError

S = Batch.State
OPEN_STATES = (S.WAITING, S.PREPARING, S.RUNNING, S.PAUSED, S.CANCELLING)
"""States of a batch that is not over: its page follows it."""

_NEEDS_WORKERS = (S.PREPARING, S.RUNNING, S.CANCELLING)


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


class _BatchList(BoundedChangeList):
    """The list of batches, each with its progress: two queries for all rows of a page."""

    def get_results(self, request: HttpRequest) -> None:
        """Find the page's batches, and how far they are."""
        super().get_results(request)
        found = batches_progress(self.result_list)
        for batch in self.result_list:
            batch.progress = found[batch.pk]


@admin.register(Batch)
class BatchAdmin(RowPageAdmin[Batch]):
    """What operators started."""

    list_display = (
        "show_name",
        "show_outcome",
        "show_progress",
        "show_by",
        "show_reason",
        "show_started",
        "show_took",
    )
    list_filter = (
        choice_filter("kind", "kind", list(Batch.Kind.choices)),
        choice_filter("state", "state", list(Batch.State.choices)),
    )
    ordering = ("-id",)
    export_columns: ClassVar = {
        "batch": "pk",
        "kind": "kind",
        "state": "state",
        "started_by": "created_by_name",
        "reason": "reason",
        "matched": "selected_count",
        "taken": "taken_count",
        "calls": "call_count",
        "retries": "retry_count",
        "answers_429": "throttled_count",
        "estimated_calls": "estimated_calls",
        "estimated_seconds": "estimated_seconds",
        "started (UTC)": "created_at",
        "handed_out (UTC)": "started_at",
        "finished (UTC)": "finished_at",
        "approved_by": "approved_by_name",
        "approved (UTC)": "approved_at",
    }
    changelist_class = _BatchList
    acts = ACTS
    act_refusals = (BatchRefusedError,)

    def get_urls(self) -> list[URLPattern]:
        """Add the list of results, and what the second person sees before a batch begins."""
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/results/", view(self.results_view), name="migration_app_batch_results"),
            path("<int:pk>/selected/", view(self.selected_view), name="migration_app_batch_selected"),
            path("<int:pk>/approve/", view(self.approve_view), name="migration_app_batch_approve"),
            *super().get_urls(),
        ]

    show_outcome = badge_column("state", lambda batch: batch_outcome(batch, batch.progress))
    show_by = text_column("by", "created_by_name", order="created_by_name")
    show_reason = text_column("reason", "reason", most=60)
    show_started = moment_column("started", "created_at", order="created_at")
    show_took = column("took", lambda batch: duration_text(batch_elapsed(batch)))

    @admin.display(description="batch")
    def show_name(self, batch: Batch) -> str:
        """Number and kind, and whether it has high priority."""
        return f"{batch.pk}: {batch.get_kind_display()}{', high priority' if batch.urgent else ''}"

    @admin.display(description="progress")
    def show_progress(self, batch: Any) -> str:
        """What became of its threads: a bar, and as text."""
        said = batch.progress.results_text
        if batch.progress.pending or not said:
            said = batch_progress_text(batch, batch.progress)
        return format_html(
            '<div class="mc-cell-bar">{}<span class="mc-small">{}</span></div>',
            bar_html(batch_bar(batch.progress)),
            said,
        )

    def may_act(self, request: HttpRequest, row: Batch, act: str) -> bool:
        """Who may start such a batch may control it; approving is a permission of its own."""
        return may_control(request, row) if act != "approve" else super().may_act(request, row, act)

    def results_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """List what became of the batch's threads."""
        batch = self.row_for(request, pk)
        return self._page_of(
            request,
            batch,
            "batches/results.html",
            title=f"{batch}: results",
            **results_context(request, batch),
        )

    def selected_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """List the threads that were chosen one by one."""
        batch = self.row_for(request, pk)
        return self._page_of(
            request,
            batch,
            "batches/selected.html",
            title=f"{batch}: selected threads",
            **selected_context(request, batch),
        )

    def approve_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what an approval does; one that this person can't give, or not any more, leads to the batch."""
        batch = self.row_for(request, pk, APPROVE)
        if batch.state != S.WAITING or not may_approve(request, batch):
            return HttpResponseRedirect(self.row_url(batch))
        return self._approve_page(request, batch, ApproveForm())

    def _approve_page(self, request: HttpRequest, batch: Batch, form: ConsoleForm) -> HttpResponse:
        try:
            context = approve_context(batch, form)
        except (SelectionError, KeyError, ValueError) as error:
            messages.error(request, f"The batch's selection can't be read, so it can't be approved: {error}")
            return HttpResponseRedirect(self.row_url(batch))
        return self._page_of(
            request,
            batch,
            "batches/approve.html",
            title=f"Approve {batch}",
            act_url=self.act_urls(batch)["approve"],
            http_status=400 if form.errors else 200,
            **context,
        )

    def _page_of(
        self, request: HttpRequest, batch: Batch, template: str, *, title: str, **context: Any
    ) -> HttpResponse:
        """Show a page beside the batch's own, which leads back to that."""
        return self.page(
            request,
            template,
            title=title,
            obj=batch,
            batch=batch,
            batch_url=self.row_url(batch),
            **context,
        )

    def row_page(self, request: HttpRequest, batch: Batch, /, **refused: ConsoleForm) -> HttpResponse:
        """Show a batch, or the confirmation of an approval that is to be corrected."""
        if "approve" in refused and refused["approve"].errors:
            return self._approve_page(request, batch, refused["approve"])
        control = control_context(request, batch, refused)
        progress = batch_progress(batch)
        is_open = batch.state in OPEN_STATES
        may_retry = request.user.has_perm(BATCH_KINDS[Batch.Kind.RETRY].permission)
        return self.page(
            request,
            "batches/batch.html",
            title=str(batch),
            obj=batch,
            batch=batch,
            is_open=is_open,
            live_status=Live("batch-status", self.row_url(batch), is_open=is_open, seconds=2),
            live_about=Live("batch-about", self.row_url(batch), is_open=is_open, seconds=5),
            live_control=Live("batch-control", self.row_url(batch), is_open=is_open, seconds=3),
            workers=workers_state() if batch.state in _NEEDS_WORKERS else None,
            outcome=batch_outcome(batch, progress),
            bar=batch_bar(progress),
            percent=batch_percent(batch, progress),
            progress_text=batch_progress_text(batch, progress),
            figures=batch_figures(batch, progress, selected=control.get("selected")),
            results=result_rows(batch, progress),
            errors=error_rows(batch, progress, may_retry=may_retry),
            retries=_retries(batch, progress) if may_retry and not is_open else [],
            selection_summary=_selection(batch),
            taken=f"{batch.taken_count:,}",
            threads_link=_threads_link(batch),
            act_urls=self.act_urls(batch),
            http_status=400 if refused else 200,
            **_policies(batch),
            **history_context(request, batch),
            **control,
        )


def _threads_link(batch: Batch) -> tuple[str, str]:
    """Label and address of the batch's threads: before it begins those that it selects, then what became of them."""
    if batch.state == S.WAITING:
        return "Selected threads", selected_url(batch)
    if batch.state not in OPEN_STATES:  # later batches may have taken its threads since
        return "All results", results_url(batch)
    return "Its threads", batch_threads_url(batch)


def _retries(batch: Batch, progress: Progress) -> list[dict[str, str]]:
    """Buttons that retry what the batch still has, by status."""
    return [
        {
            "text": text,
            "count": f"{progress.by_status[status]:,}",
            "url": retry_url(batch, status=status),
        }
        for status, text in RETRYABLE.items()
        if progress.by_status.get(status)
    ]


def _selection(batch: Batch) -> list[tuple[str, str]]:
    try:
        return selection_summary(batch.filter)
    except (SelectionError, KeyError, ValueError) as error:
        return [("Selection", f"can't be read: {error}")]
