"""The audit trail, for reading."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.text import Truncator

from migration_app.admin.base.columns import id_text, moment_column, text_column
from migration_app.admin.base.filters import day_filter, text_filter, values_filter
from migration_app.admin.base.links import row_address
from migration_app.admin.base.model_admin import ReadOnlyAdmin
from migration_app.audit.actions import ACTIONS, action_label
from migration_app.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin[AuditEvent]):
    """Who did what, when, and why."""

    list_display = (
        "show_at",
        "show_actor",
        "show_action",
        "show_subject",
        "show_change",
        "show_batch",
        "show_reason",
    )
    list_filter = (
        values_filter("action", AuditEvent, "verb", action_label),
        day_filter("first day", "at", "gte"),
        day_filter("last day", "at", "lt"),
        text_filter("batch", "batch_pk"),
    )
    search_fields = ("subject_id",)
    search_help_text = "Exact id of a thread, batch, assistant …"
    ordering = ("-at", "-id")
    list_indexes = (("batch_pk",), ("verb",), ())
    list_order = ("at", "id")
    list_sorts: ClassVar = {"show_at": ("at", "id"), "show_action": ("verb", "at", "id")}
    export_columns: ClassVar = {
        "at (UTC)": "at",
        "actor": "actor",
        "verb": "verb",
        "subject_kind": "subject_kind",
        "subject_id": "subject_id",
        "before": "before",
        "after": "after",
        "reason": "reason",
        "batch": "batch_pk",
        "job_id": "job_id",
        "request_id": "request_id",
    }
    list_per_page = 100
    fields = (
        "show_at",
        "actor",
        "show_message",
        "verb",
        "subject_kind",
        "subject_id",
        "before",
        "after",
        "reason",
        "show_batch",
        "job_id",
        "request_id",
    )
    readonly_fields = fields

    def found_by(self, rows: QuerySet[AuditEvent], text: str) -> QuerySet[AuditEvent]:
        """Search by exact subject id."""
        return rows.filter(subject_id=text)

    show_at = moment_column("when", "at", seconds=True, order="at")
    show_actor = text_column("actor", "actor", most=40, order="actor")
    show_reason = text_column("reason", "reason", most=80)

    @admin.display(description="action", ordering="verb")
    def show_action(self, event: AuditEvent) -> str:
        """The action's name; its verb is shown to the pointer."""
        return format_html(
            '<span class="mc-nowrap" title="{}">{}</span>', event.verb, action_label(event.verb)
        )

    @admin.display(description="action")
    def show_message(self, event: AuditEvent) -> str:
        """What the action means."""
        action = ACTIONS.get(event.verb)
        return f"{action.label}. {action.message}" if action else event.verb

    @admin.display(description="subject")
    def show_subject(self, event: AuditEvent) -> str:
        """What it speaks of."""
        return format_html(
            '<span class="mc-nowrap">{} {}</span>', event.subject_kind, id_text(event.subject_id)
        )

    @admin.display(description="change")
    def show_change(self, event: AuditEvent) -> str:
        """Status before and after."""
        if not event.after:
            return "–"
        change = f"{event.before or '–'} → {event.after}"
        shown = Truncator(change).chars(32)
        return format_html('<span class="mc-nowrap" title="{}">{}</span>', change, shown)

    @admin.display(description="batch")
    def show_batch(self, event: AuditEvent) -> str:
        """Link to the batch."""
        if event.batch_pk is None:
            return "–"
        url = row_address("batch", event.batch_pk)
        return format_html('<a class="mc-link" href="{}">{}</a>', url, event.batch_pk)
