"""Reconciliations: start one with its calls counted first, follow it, read and download what it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    QueryDict,
)
from django.urls import URLPattern, path, reverse

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.acts import Act, ActRefusedError
from migration_app.admin.base.addresses import back_of_address
from migration_app.admin.base.badges import Badge
from migration_app.admin.base.columns import badge_column, column, moment_column, text_column
from migration_app.admin.base.downloads import csv_response
from migration_app.admin.base.filters import choice_filter
from migration_app.admin.base.forms import ConsoleForm, ReasonForm
from migration_app.admin.base.model_admin import ListButton
from migration_app.admin.base.pagination import slice_of
from migration_app.admin.base.task_pages import TaskPageAdmin, TaskProgress
from migration_app.admin.base.workers import workers_state
from migration_app.admin.reconciliation.forms import StartForm
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.counters import counters_rebuild
from migration_app.jobs import enqueue
from migration_app.models import Discrepancy, Reconciliation
from migration_app.reconciliation.estimate import calls_estimate
from migration_app.reconciliation.kinds import KINDS
from migration_app.reconciliation.records import (
    KEPT_PER_KIND,
    ReconciliationRefusedError,
    checked_summary,
    discrepancies,
    reconciliation_create,
    reconciliation_resume,
    reconciliation_stop,
    scope_summary,
    totals,
)
from migration_app.reconciliation.report import (
    HEADER,
    check_rows,
    csv_rows,
    kind_rows,
)
from migration_app.reconciliation.review import review_ask, review_count
from migration_app.reconciliation.tasks import RECONCILIATION_TASK

RUN = "migration_app.run_reconciliation"
VERIFY = "migration_app.verify_thread"
_S = Reconciliation.State
OPEN_STATES = (_S.QUEUED, _S.RUNNING)
_STATE_COLOURS: Mapping[str, str] = {
    _S.QUEUED: "",
    _S.RUNNING: "primary",
    _S.STOPPED: "warning",
    _S.FINISHED: "success",
    _S.FAILED: "danger",
}
_COLOURS: Mapping[str, str] = {"error": "danger", "warning": "warning", "information": "info"}


def state_badge(row: Reconciliation) -> Badge:
    """Coloured state; green only where it came to its end and found nothing wrong."""
    if row.state == _S.FINISHED:
        found = totals(row)
        for severity in ("error", "warning"):
            if found[severity]:
                return Badge(f"found {severity}s", _COLOURS[severity])
    return Badge(row.get_state_display(), _STATE_COLOURS.get(row.state, ""))


def reconciliation_percent(row: Reconciliation) -> int:
    """Share that is done: checks count equally, and the current one by its progress in the keys."""
    if row.state == _S.FINISHED:
        return 100
    if row.check_name not in row.checks:
        return 0
    within = row.counts.get(row.check_name, {}).get("within")
    share = 0.0
    if row.sample_size and within:
        share = row.cursor / row.sample_size
    elif within and within[1] >= within[0]:
        share = (row.cursor - within[0] + 1) / (within[1] - within[0] + 1)
    done = row.checks.index(row.check_name) + min(max(share, 0.0), 1.0)
    return min(99, int(done * 100 / len(row.checks)))


def reconciliation_summary(row: Reconciliation) -> str:
    """Say how far it is."""
    if row.state == _S.QUEUED and not row.check_name:
        return "Waiting for a worker."
    text = checked_summary(row)
    return f"{text}; now: {row.check_name}." if row.state in OPEN_STATES else f"{text}."


def nothing_found_text(row: Reconciliation) -> str:
    """What it means that nothing was found: of how much, and whether that was all."""
    if row.state in OPEN_STATES:
        return "Nothing so far."
    if row.state != _S.FINISHED:
        ended = "failed" if row.state == _S.FAILED else "was stopped"
        return f"Nothing so far: it {ended} before its end. {checked_summary(row)}."
    skipped = totals(row)["skipped"]
    if not skipped:
        return "Nothing differs."
    return f"Nothing differs among what was checked: {checked_summary(row)}. Reconcile again once that work is done."


class ReviewForm(ReasonForm):
    """Why threads are sent to review."""

    ids = "review-%s"


class RebuildForm(ReasonForm):
    """Why the counters are rebuilt."""

    ids = "rebuild-%s"


def _stop(row: Reconciliation, actor: Actor, _data: Mapping[str, Any]) -> str:
    if not reconciliation_stop(pk=row.pk, actor=actor):
        raise ActRefusedError("It was over already.")
    return "It is stopped, and can be resumed."


def _resume(row: Reconciliation, actor: Actor, _data: Mapping[str, Any]) -> str:
    if not reconciliation_resume(pk=row.pk, actor=actor):
        raise ActRefusedError("There is nothing to resume.")
    enqueue(RECONCILIATION_TASK, row.pk)
    return "It is resumed."


def _review(row: Reconciliation, actor: Actor, data: Mapping[str, Any]) -> str:
    if not review_ask(pk=row.pk, reason=data["reason"], actor=actor):
        raise ActRefusedError("That was asked for before.")
    enqueue(RECONCILIATION_TASK, row.pk)
    return "A worker sends the threads to review."


def _rebuild(_row: Reconciliation, actor: Actor, data: Mapping[str, Any]) -> str:
    counters_rebuild(actor=actor, reason=data["reason"])
    return "The counters were rebuilt. Reconcile again to see that none is off."


@admin.register(Reconciliation)
class ReconciliationAdmin(TaskPageAdmin[Reconciliation]):
    """Compares the database with the target and the snapshots."""

    list_display = (
        "show_name",
        "show_state",
        "show_scope",
        "show_found",
        "show_by",
        "show_created",
        "show_finished",
    )
    list_filter = (choice_filter("state", "state", list(_S.choices)),)
    ordering = ("-id",)
    open_states = OPEN_STATES
    acts: ClassVar[Mapping[str, Act]] = {
        "stop": Act(_stop, permissions=(RUN,)),
        "resume": Act(_resume, permissions=(RUN,)),
        "review": Act(_review, ReviewForm, (RUN, VERIFY)),
        "rebuild": Act(_rebuild, RebuildForm, (RUN,)),
    }
    list_buttons = (
        ListButton("Reconcile", "migration_app_reconciliation_start", "balance", RUN, is_main=True),
    )

    def get_urls(self) -> list[URLPattern]:
        """Add starting and the download."""
        wrap, name = self.admin_site.admin_view, "migration_app_reconciliation"
        return [
            path("start/", wrap(self.start_view), name=f"{name}_start"),
            path("<int:pk>/discrepancies.csv", wrap(self.csv_view), name=f"{name}_csv"),
            *super().get_urls(),
        ]

    show_name = text_column("reconciliation", "pk", order="id")
    show_state = badge_column("state", state_badge, order="state")
    show_scope = column("scope", scope_summary)
    show_created = moment_column("requested", "created_at", order="created_at")
    show_finished = moment_column("finished", "finished_at", order="finished_at")

    @admin.display(description="found")
    def show_found(self, row: Reconciliation) -> str:
        """Errors and warnings, and how many rows it says nothing about."""
        found = totals(row)
        if not found["looked"] and not found["skipped"]:
            return "–"
        skipped = f", {found['skipped']:,} skipped" if found["skipped"] else ""
        return f"{found['error']:,} errors, {found['warning']:,} warnings{skipped}"

    @admin.display(description="by")
    def show_by(self, row: Reconciliation) -> str:
        """Who asked for it."""
        return f"{row.created_by_name} (regular)" if row.scheduled else row.created_by_name

    # --- starting ---------------------------------------------------------------------------------

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """GET: count the calls of what the address asks for. POST: start it, or lead to its estimate."""
        if not (request.user.has_perm(RUN) and self.has_view_permission(request)):
            raise PermissionDenied
        if "estimate" in request.POST:
            return HttpResponseRedirect(f"{request.path}?{_choices(request.POST)}")
        data = request.POST if request.method == "POST" else request.GET
        form = StartForm(data if "scope" in data or request.method == "POST" else None)
        if request.method != "POST" or not form.is_valid():
            return self._start_page(request, form)
        try:
            with transaction.atomic():
                row = reconciliation_create(
                    **form.asked(), reason=form.cleaned_data["reason"], actor=actor_of(request)
                )
                enqueue(RECONCILIATION_TASK, row.pk)
        except ReconciliationRefusedError as error:
            form.add_error(None, str(error))
            return self._start_page(request, form)
        messages.success(request, f"Reconciliation {row.pk} is in the queue; a worker will run it.")
        return HttpResponseRedirect(self.row_url(row))

    def _start_page(self, request: HttpRequest, form: StartForm) -> HttpResponse:
        return self.page(
            request,
            "reconciliation/start.html",
            http_status=400 if form.errors and request.method == "POST" else 200,
            title="Reconcile",
            workers=workers_state(),
            back_url=back_of_address(request, self.list_url()),
            every_hours=settings.RECONCILE_EVERY_HOURS,
            form=form,
            figures=[] if form.errors else _figures(form),
        )

    # --- one reconciliation -----------------------------------------------------------------------

    def task_progress(self, row: Reconciliation) -> TaskProgress:
        """How far its checks are, and what they have found."""
        return TaskProgress(reconciliation_percent(row), reconciliation_summary(row), totals(row))

    def row_page(self, request: HttpRequest, row: Reconciliation, /, **refused: ConsoleForm) -> HttpResponse:
        """Show what was checked and what was found."""
        severity, code = _narrowed(request)
        kinds = kind_rows(row)
        kept = [
            min(kind.count, KEPT_PER_KIND)
            for kind in kinds
            if severity in ("", kind.severity) and code in ("", kind.code)
        ]
        rows = slice_of(
            request, "page", discrepancies(row, severity=severity, code=code), size=50, total=sum(kept)
        )
        is_open, may_run = row.state in OPEN_STATES, request.user.has_perm(RUN)
        reviewable = review_count(row) if row.state == _S.FINISHED and not row.review_asked_at else 0
        return self.page(
            request,
            "reconciliation/reconciliation.html",
            title=str(row),
            obj=row,
            http_status=400 if refused else 200,
            row=row,
            review_form=refused.get("review") or ReviewForm(),
            rebuild_form=refused.get("rebuild") or RebuildForm(),
            state=state_badge(row),
            scope=scope_summary(row),
            **self.progress_context(request, row),
            totals=totals(row),
            checks=check_rows(row),
            kinds=[{"kind": kind, "badge": severity_badge(kind.severity)} for kind in kinds],
            found=[
                {"row": entry, "badge": severity_badge(entry.severity), "kind": KINDS.get(entry.code)}
                for entry in rows.rows
            ],
            rows=rows,
            severity=severity,
            code=code,
            nothing_found="No discrepancy of this kind." if severity or code else nothing_found_text(row),
            not_kept=any(kind.count > KEPT_PER_KIND for kind in kinds),
            may_stop=may_run and is_open,
            may_go_on=may_run and row.state in (_S.STOPPED, _S.FAILED),
            may_review=may_run and request.user.has_perm(VERIFY) and reviewable > 0,
            reviewable=reviewable,
            may_rebuild=may_run and not is_open and any(kind.code == "tally_differs" for kind in kinds),
            act_urls=self.act_urls(row),
            csv_url=reverse("admin:migration_app_reconciliation_csv", args=[row.pk]),
        )

    def csv_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """POST: download every discrepancy that was kept."""
        row = self.row_for(request, pk)
        if request.method != "POST":
            return HttpResponseRedirect(self.row_url(row))
        audit_record(
            actor=actor_of(request),
            verb="reconciliation.exported",
            subject_kind="reconciliation",
            subject_id=str(row.pk),
        )
        return csv_response(f"reconciliation-{row.pk}.csv", HEADER, csv_rows(row))


def _choices(posted: QueryDict) -> str:
    """What was chosen in the form, for an address: neither its token nor the reason."""
    chosen = posted.copy()
    for name in ("csrfmiddlewaretoken", "estimate", "reason"):
        chosen.pop(name, None)
    return chosen.urlencode()


def _figures(form: StartForm) -> list[tuple[str, str]]:
    """The calls that it would take."""
    asked = form.asked()
    estimate = calls_estimate(**asked)
    about = "" if estimate.exact else "about "
    figures = [
        ("Conversations read", f"{about}{estimate.threads:,}"),
        ("Calls to the target", f"{about}{estimate.target_calls:,}"),
    ]
    if "live" in asked["checks"]:
        figures.append(("Calls to the live source", f"{estimate.live_calls:,}"))
    return figures


def severity_badge(severity: str) -> Badge:
    """Coloured severity of a discrepancy."""
    return Badge(severity, _COLOURS.get(severity, ""))


def _narrowed(request: HttpRequest) -> tuple[str, str]:
    severity, code = request.GET.get("severity", ""), request.GET.get("code", "")
    return severity if severity in Discrepancy.Severity.values else "", code if code in KINDS else ""
