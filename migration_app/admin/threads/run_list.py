"""Runs of the source: the list, a page a run with the request that does the same now, and totals of tokens.

A run's own text is content: viewing it writes an audit row, as on the thread's page.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.text import Truncator

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.badges import badge_html, run_badge, severity_badge
from migration_app.admin.base.columns import column, moment_column
from migration_app.admin.base.downloads import csv_response
from migration_app.admin.base.filters import text_filter, values_filter
from migration_app.admin.base.forms import ConsoleForm
from migration_app.admin.base.model_admin import ListButton, RowPageAdmin
from migration_app.admin.base.pagination import slice_of
from migration_app.admin.base.rendering import Sight, pretty_json
from migration_app.admin.threads.conversations import thread_link
from migration_app.admin.threads.forms import RunTotalsForm
from migration_app.audit.trail import audit_record
from migration_app.models import Assistant, Prompt, Run
from migration_app.prompts.run_requests import RunRequest, run_request
from migration_app.snapshots.run_totals import (
    HEADER,
    RunTotal,
    run_totals,
    run_totals_rows,
    run_totals_sum,
)

_TOTALS_SHOWN = 5_000
_TOTALS_A_PAGE = 100
_ID_SHOWN = 24


@admin.register(Run)
class RunAdmin(RowPageAdmin[Run]):
    """What is known of each run besides what it said."""

    list_display = (
        "show_run",
        "show_status",
        "show_assistant",
        "show_model",
        "show_created",
        "show_tokens",
        "show_calls",
        "show_thread",
    )
    list_filter = (
        values_filter("status", Run, "status"),
        values_filter("error code", Run, "error_code"),
        text_filter("assistant id", "assistant_id"),
        text_filter("number of the thread", "thread_id"),
    )
    list_select_related = ("thread",)
    list_indexes = (("thread_id",), ("error_code",), ("assistant_id",), ("status",), ())
    search_fields = ("run_id",)
    search_help_text = "Exact run id"
    ordering = ("-id",)
    list_buttons = (ListButton("Tokens by month", "migration_app_run_totals", "toll"),)

    def get_urls(self) -> list[URLPattern]:
        """Add the totals and their download."""
        wrap, name = self.admin_site.admin_view, "migration_app_run"
        return [
            path("totals/", wrap(self.totals_view), name=f"{name}_totals"),
            path("totals.csv", wrap(self.totals_csv_view), name=f"{name}_totals_csv"),
            *super().get_urls(),
        ]

    def found_by(self, rows: QuerySet[Run], text: str) -> QuerySet[Run]:
        """Search by exact id."""
        return rows.filter(run_id=text)

    show_created = moment_column("created", "created_at", seconds=True, order="created_at")
    show_thread = column("thread", lambda run: thread_link(run.thread))

    @admin.display(description="run")
    def show_run(self, run: Run) -> str:
        """Its id, cut where it is long."""
        return format_html(
            '<bdi class="mc-mono mc-nowrap mc-link" title="{}">{}</bdi>',
            run.run_id,
            Truncator(run.run_id).chars(_ID_SHOWN),
        )

    @admin.display(description="status")
    def show_status(self, run: Run) -> str:
        """Coloured status; below it why it did not end well."""
        badge = badge_html(run_badge(run.status))
        why = run.error_code or run.incomplete_reason
        return format_html('{}<div class="mc-small mc-soft mc-break">{}</div>', badge, why) if why else badge

    @admin.display(description="assistant")
    def show_assistant(self, run: Run) -> str:
        """Link to its other runs."""
        if not run.assistant_id:
            return "–"
        url = self.list_url(urlencode({"assistant_id__exact": run.assistant_id}))
        return format_html(
            '<a class="mc-link mc-mono" href="{}" title="{}"><bdi>{}</bdi></a>',
            url,
            run.assistant_id,
            Truncator(run.assistant_id).chars(_ID_SHOWN),
        )

    @admin.display(description="model")
    def show_model(self, run: Run) -> str:
        """The model that answered."""
        return format_html("<bdi>{}</bdi>", Truncator(run.model).chars(_ID_SHOWN)) if run.model else "–"

    @admin.display(description="tokens")
    def show_tokens(self, run: Run) -> str:
        """All it used, with what was read and written."""
        if run.total_tokens is None:
            return "–"
        parts = f"{_number(run.prompt_tokens)} in, {_number(run.completion_tokens)} out"
        return format_html('<span class="mc-nowrap" title="{}">{}</span>', parts, f"{run.total_tokens:,}")

    @admin.display(description="tool calls")
    def show_calls(self, run: Run) -> str:
        """Calls by kind."""
        return _calls(run) or "–"

    # --- one run ----------------------------------------------------------------------------------

    def row_page(
        self,
        request: HttpRequest,
        run: Run,
        /,
        **_refused: ConsoleForm,
    ) -> HttpResponse:
        """Show what the run was, and what does the same now."""
        sight = Sight(request.user.has_perm("migration_app.view_content"))
        found = run_request(run)
        if sight.content and found is not None:
            audit_record(
                actor=actor_of(request),
                verb="thread.content_viewed",
                subject_kind="thread",
                subject_id=run.thread.thread_id,
                reason=f"run {run.run_id}",
            )
        assistant = (
            Assistant.objects.filter(assistant_id=run.assistant_id).first() if run.assistant_id else None
        )
        return self.page(
            request,
            "threads/run.html",
            title=run.run_id,
            obj=run,
            run=run,
            badge=run_badge(run.status),
            calls=_calls(run),
            took=_took(run),
            tokens=[
                ("in", _number(run.prompt_tokens)),
                ("out", _number(run.completion_tokens)),
                ("together", _number(run.total_tokens)),
            ],
            assistant=assistant,
            prompt=Prompt.objects.filter(assistant=assistant).first() if assistant else None,
            may_see=sight.content,
            **_request_context(found, sight),
            thread_runs_url=self.list_url(urlencode({"thread_id__exact": run.thread_id})),
            totals_url=f"{reverse('admin:migration_app_run_totals')}?{urlencode({'assistant': run.assistant_id})}",
        )

    # --- totals -----------------------------------------------------------------------------------

    def totals_view(self, request: HttpRequest) -> HttpResponse:
        """Show runs and tokens by month, assistant and model."""
        form = self._totals_form(request)
        totals = run_totals(form.span, limit=_TOTALS_SHOWN + 1) if form.is_valid() else []
        more = len(totals) > _TOTALS_SHOWN
        page = slice_of(request, "page", totals[:_TOTALS_SHOWN], size=_TOTALS_A_PAGE)
        names = dict(
            Assistant.objects.filter(
                assistant_id__in={total.assistant_id for total in page.rows}
            ).values_list("assistant_id", "name")
        )
        return self.page(
            request,
            "threads/run_totals.html",
            http_status=400 if form.errors else 200,
            title="Tokens by month",
            form=form,
            more=f"{_TOTALS_SHOWN:,}" if more else "",
            totals=dataclasses.replace(
                page,
                rows=[(total, names.get(total.assistant_id, ""), _columns(total)) for total in page.rows],
            ),
            sums=_figures(run_totals_sum(totals)) if totals and not more else [],
            csv_url=f"{reverse('admin:migration_app_run_totals_csv')}?{urlencode(form.cleaned_data)}"
            if form.is_valid()
            else "",
            runs_url=self.list_url(),
        )

    def totals_csv_view(self, request: HttpRequest) -> HttpResponseBase:
        """Download the same as CSV, all of it."""
        form = self._totals_form(request)
        if not form.is_valid():
            return HttpResponse(form.error_text(), status=400, content_type="text/plain; charset=utf-8")
        audit_record(
            actor=actor_of(request),
            verb="run.totals_exported",
            subject_kind="run",
            subject_id="csv",
            reason=", ".join(f"{name} {value}" for name, value in form.cleaned_data.items() if value),
        )
        return csv_response("tokens-by-month.csv", HEADER, run_totals_rows(form.span))

    def _totals_form(self, request: HttpRequest) -> RunTotalsForm:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return RunTotalsForm(request.GET)


def _request_context(found: RunRequest | None, sight: Sight) -> dict[str, Any]:
    if found is None:
        return {"found": False}
    record = found.record
    own = record.instructions_override
    return {
        "found": True,
        "version": found.version,
        "code": found.code(content=sight.content),
        "conversation_id": found.conversation_id,
        "findings": [(severity_badge(finding.severity), finding) for finding in record.findings],
        "error_text": sight.part("error", record.reason_text) if record.reason_text else None,
        "instructions": sight.part("own instructions", own) if own else None,
        "raw": pretty_json(found.run) if sight.content else "",
    }


def _figures(total: RunTotal) -> list[tuple[str, str]]:
    return [
        ("runs", f"{total.runs:,}"),
        ("completed", f"{total.completed:,}"),
        ("tokens in", f"{total.prompt_tokens:,}"),
        ("tokens out", f"{total.completion_tokens:,}"),
        ("tokens together", f"{total.total_tokens:,}"),
        ("runs whose tokens are not known", f"{total.runs - total.runs_with_usage:,}"),
    ]


def _columns(total: RunTotal) -> list[str]:
    return [f"{getattr(total, name):,}" for name in HEADER[3:]]


def _number(count: int | None) -> str:
    return "–" if count is None else f"{count:,}"


def _calls(run: Run) -> str:
    return ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in sorted(run.tool_calls.items()))


def _took(run: Run) -> str:
    if run.started_at is None or run.ended_at is None:
        return ""
    return f"{(run.ended_at - run.started_at).total_seconds():,.0f} s"
