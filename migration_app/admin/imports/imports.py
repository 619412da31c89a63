"""Imports: the upload, its progress, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path, reverse
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.addresses import back_of_address
from migration_app.admin.base.badges import progress_badge
from migration_app.admin.base.body_limit import content_length
from migration_app.admin.base.columns import badge_column, column, moment_column, text_column
from migration_app.admin.base.downloads import csv_response
from migration_app.admin.base.filters import choice_filter
from migration_app.admin.base.forms import ConsoleForm
from migration_app.admin.base.model_admin import ListButton
from migration_app.admin.base.pagination import slice_of
from migration_app.admin.base.rendering import bytes_text
from migration_app.admin.base.task_pages import TaskPageAdmin, TaskProgress
from migration_app.admin.base.workers import workers_state
from migration_app.admin.imports.forms import CancelForm, UploadForm, too_large_text, upload_limit
from migration_app.audit.trail import audit_record
from migration_app.imports.control import (
    import_cancel,
    import_cancellable,
    import_restart,
    import_restartable,
)
from migration_app.imports.disk import DiskFullError, disk_full_text
from migration_app.imports.imports import import_receive
from migration_app.imports.tasks import IMPORT_TASK
from migration_app.jobs import enqueue
from migration_app.models import ImportReject, SourceImport

IMPORT = "migration_app.import_archive"
CONTENT = "migration_app.view_content"
OPEN_STATES = (SourceImport.State.WAITING, SourceImport.State.RUNNING)
_ENDED_EARLY = (SourceImport.State.FAILED, SourceImport.State.CANCELLED)
_PART_BYTES = 1 << 20
_FORM_BYTES = 1 << 16  # what the request holds besides the file
_RAW_SHOWN = 2_000


def import_percent(row: SourceImport) -> int:
    """Share of the file that was read."""
    if row.state == SourceImport.State.FINISHED:
        return 100
    return min(99, row.bytes_read * 100 // row.file_bytes) if row.file_bytes else 0


def import_progress_text(row: SourceImport) -> str:
    """Say how far an import is."""
    if row.state == SourceImport.State.WAITING:
        return "Waiting for a worker."
    text = f"{bytes_text(row.bytes_read)} of {bytes_text(row.file_bytes)} read"
    rejected = f", {row.reject_count:,} rejected" if row.reject_count else ""
    if row.state in _ENDED_EARLY:
        return f"{row.get_state_display().capitalize()}: {text}{rejected}. What was read is stored, the rest is not."
    again = (
        f" Try {row.attempts} of {settings.IMPORT_MAX_ATTEMPTS}: the worker before this one ended early."
        if row.state == SourceImport.State.RUNNING and row.attempts > 1
        else ""
    )
    return f"{text}{rejected}.{again}"


def no_rejects_text(row: SourceImport) -> str:
    """What it means that no rejected line is listed: "every line" is said only of a file that was read to its end."""
    if row.state in OPEN_STATES:
        return "None so far."
    if row.reject_count:
        return f"{row.reject_count:,} were rejected, and none of them is kept here."
    if row.state == SourceImport.State.FINISHED:
        return "Every line was read."
    return f"None in the part that was read before the import {'failed' if row.state == 'failed' else 'was cancelled'}."


@admin.register(SourceImport)
class SourceImportAdmin(TaskPageAdmin[SourceImport]):
    """What came in by file."""

    list_display = (
        "show_name",
        "kind",
        "show_state",
        "show_size",
        "show_threads",
        "show_rejects",
        "show_by",
        "show_created",
    )
    list_filter = (
        choice_filter("state", "state", list(SourceImport.State.choices)),
        choice_filter("kind", "kind", list(SourceImport.Kind.choices)),
    )
    ordering = ("-id",)
    row_name = "import"
    open_states = OPEN_STATES
    list_buttons = (
        ListButton("Import a file", "migration_app_sourceimport_upload", "upload_file", IMPORT, is_main=True),
    )

    def get_urls(self) -> list[URLPattern]:
        """Add the upload, rejects, and what can be done with an import."""
        wrap = self.admin_site.admin_view
        return [
            path("upload/", wrap(self.upload_view), name="migration_app_sourceimport_upload"),
            path("<int:pk>/again/", wrap(self.again_view), name="migration_app_sourceimport_again"),
            path("<int:pk>/cancel/", wrap(self.cancel_view), name="migration_app_sourceimport_cancel"),
            path("<int:pk>/rejects.csv", wrap(self.rejects_view), name="migration_app_sourceimport_rejects"),
            *super().get_urls(),
        ]

    show_state = badge_column("state", lambda row: progress_badge(row.state), order="state")
    show_size = column("size", lambda row: bytes_text(row.file_bytes), order="file_bytes")
    show_by = text_column("by", "created_by_name", order="created_by_name")
    show_created = moment_column("started", "created_at", order="created_at")

    @admin.display(description="import")
    def show_name(self, row: SourceImport) -> str:
        """Number and file name."""
        return f"{row.pk}: {row.file_name}"

    @admin.display(description="threads")
    def show_threads(self, row: SourceImport) -> str:
        """Threads that the file named."""
        threads = row.counts.get("threads") if isinstance(row.counts, dict) else None
        return f"{threads:,}" if isinstance(threads, int) else "–"

    @admin.display(description="rejected")
    def show_rejects(self, row: SourceImport) -> str:
        """Lines that could not be taken."""
        return f"{row.reject_count:,}" if row.reject_count else "–"

    # --- upload -----------------------------------------------------------------------------------

    @csrf_exempt
    def upload_view(self, request: HttpRequest) -> HttpResponseBase:
        """Refuse a body that is too large before it is read; only then check the token, which reads it."""
        if not (request.user.has_perm(IMPORT) and self.has_view_permission(request)):
            raise PermissionDenied
        if request.method == "POST" and content_length(request) > upload_limit() + _FORM_BYTES:
            return self._upload_page(request, UploadForm(), error=too_large_text(), status=413)
        try:
            return csrf_protect(self._upload)(request)
        except (DiskFullError, OSError) as error:
            # Checking the token reads the body into the temporary directory; keeping it fills the database's disk.
            text = str(error) if isinstance(error, DiskFullError) else disk_full_text(error)
            if not text:
                raise
            return self._full_page(text)

    def _upload(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return self._upload_page(request, UploadForm())
        form = UploadForm(request.POST, request.FILES)
        if not form.is_valid():
            return self._upload_page(request, form)
        file: UploadedFile[bytes] = form.cleaned_data["file"]
        with transaction.atomic():
            row = import_receive(
                kind=form.cleaned_data["kind"],
                file_name=(file.name or "upload")[:512],
                chunks=file.chunks(_PART_BYTES),
                actor=actor_of(request),
                reason=form.cleaned_data["reason"],
            )
            enqueue(IMPORT_TASK, row.pk)
        messages.success(request, f"{row.file_name} was uploaded; a worker will read it.")
        return HttpResponseRedirect(reverse("admin:migration_app_sourceimport_change", args=[row.pk]))

    def _full_page(self, cause: str) -> HttpResponse:
        # Without the form: its token would be read from the body, which could not be stored.
        advice = "Nothing of this upload was stored. When there is space, go back and upload the file again."
        text = f"{cause}\n{advice}\n"
        return HttpResponse(text, content_type="text/plain; charset=utf-8", status=507)

    def _upload_page(
        self, request: HttpRequest, form: UploadForm, *, error: str = "", status: int = 200
    ) -> HttpResponse:
        return self.page(
            request,
            "imports/upload.html",
            http_status=status,
            title="Import a file",
            form=form,
            error=error,
            max_bytes=upload_limit(),
            too_large=too_large_text(),
            workers=workers_state(),
            back_url=back_of_address(request, self.list_url()),
        )

    # --- one import -------------------------------------------------------------------------------

    def task_progress(self, row: SourceImport) -> TaskProgress:
        """How much of the file was read, and what was in it."""
        counts = row.counts if isinstance(row.counts, dict) else {}
        return TaskProgress(import_percent(row), import_progress_text(row), counts, not row.reject_count)

    def row_page(self, request: HttpRequest, row: SourceImport, /, **refused: ConsoleForm) -> HttpResponse:
        """Show an import. Rejected lines are content: seeing them writes an audit row."""
        may_see = request.user.has_perm(CONTENT)
        rejects = slice_of(request, "rejects", row.rejects.order_by("pk"), size=50, total=row.rejects.count())
        if may_see and rejects.rows:
            audit_record(
                actor=actor_of(request),
                verb="import.rejects_viewed",
                subject_kind="import",
                subject_id=str(row.pk),
                reason=f"lines {rejects.first}–{rejects.last} of {rejects.total}",
            )
        is_open = row.state in OPEN_STATES
        return self.page(
            request,
            "imports/import.html",
            title=f"import {row.pk}",
            obj=row,
            http_status=400 if refused else 200,
            row=row,
            cancel_form=refused.get("cancel") or CancelForm(),
            state=progress_badge(row.state),
            **self.progress_context(request, row),
            again_url=reverse("admin:migration_app_sourceimport_again", args=[row.pk])
            if request.user.has_perm(IMPORT) and import_restartable(row)
            else "",
            cancel_url=reverse("admin:migration_app_sourceimport_cancel", args=[row.pk])
            if request.user.has_perm(IMPORT) and import_cancellable(row)
            else "",
            rejects_url=reverse("admin:migration_app_sourceimport_rejects", args=[row.pk]),
            size=bytes_text(row.file_bytes),
            counts=[
                {"name": name, "label": name.replace("_", " "), "count": count}
                for name, count in (row.counts if isinstance(row.counts, dict) else {}).items()
            ],
            rejects=rejects,
            no_rejects=no_rejects_text(row),
            rejects_not_kept=max(0, row.reject_count - rejects.total) if not is_open else 0,
            raws=[(reject, _raw_text(reject) if may_see else "") for reject in rejects.rows],
            may_see=may_see,
        )

    def again_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST: let a failed import, whose file is still kept, wait for a worker again."""
        if not request.user.has_perm(IMPORT):
            raise PermissionDenied
        row = self.row_for(request, pk)
        if request.method == "POST":
            with transaction.atomic():
                restarted = import_restart(
                    source_import_pk=row.pk, actor=actor_of(request), reason="Started again from its page."
                )
                if restarted:
                    enqueue(IMPORT_TASK, row.pk)
            if restarted:
                messages.success(request, "The import waits for a worker again.")
            else:
                messages.error(
                    request, "It has not failed, or its file is no longer kept: upload the file again."
                )
        return HttpResponseRedirect(reverse("admin:migration_app_sourceimport_change", args=[row.pk]))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """POST with a reason: end an import that waits or is being read, and delete its upload."""
        if not request.user.has_perm(IMPORT):
            raise PermissionDenied
        row = self.row_for(request, pk)
        page = HttpResponseRedirect(reverse("admin:migration_app_sourceimport_change", args=[row.pk]))
        if request.method != "POST":
            return page
        form = CancelForm(request.POST)
        if not form.is_valid():
            return self.row_page(request, row, cancel=form)
        with transaction.atomic():
            cancelled = import_cancel(
                source_import_pk=row.pk, actor=actor_of(request), reason=form.cleaned_data["reason"]
            )
            if cancelled:
                enqueue(IMPORT_TASK, row.pk)  # to assess what it has stored
        if cancelled:
            messages.success(
                request, "The import is cancelled and its upload deleted. What it has stored stays."
            )
        else:
            messages.error(request, "The import was over already.")
        return page

    def rejects_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """POST: download the reject file; with the lines themselves for users who may see content."""
        row = self.row_for(request, pk)
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:migration_app_sourceimport_change", args=[row.pk]))
        may_see = request.user.has_perm(CONTENT)
        audit_record(
            actor=actor_of(request),
            verb="import.rejects_exported",
            subject_kind="import",
            subject_id=str(row.pk),
            reason="with the lines" if may_see else "without the lines",
        )
        header = ("line_number", "reason", "raw") if may_see else ("line_number", "reason")
        return csv_response(f"import-{row.pk}-rejects.csv", header, _reject_rows(row, may_see=may_see))


def _raw_text(reject: ImportReject) -> str:
    raw = bytes(reject.raw)
    text = raw[:_RAW_SHOWN].decode("utf-8", errors="replace")
    return f"{text}… ({len(raw):,} bytes in all)" if len(raw) > _RAW_SHOWN else text


def _reject_rows(row: SourceImport, *, may_see: bool) -> Iterator[tuple[object, ...]]:
    rejects = row.rejects.order_by("pk")
    for reject in (rejects if may_see else rejects.defer("raw")).iterator(chunk_size=500):
        raw = (bytes(reject.raw).decode("utf-8", errors="replace"),) if may_see else ()
        yield (reject.line_number, reject.reason, *raw)
