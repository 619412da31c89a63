"""Assistants, files and vector stores as the source described them, and conflicting versions of them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.badges import object_badge
from migration_app.admin.base.columns import badge_column, id_column, moment_column, text_column
from migration_app.admin.base.filters import choice_filter, distinct_values, values_filter
from migration_app.admin.base.links import row_address
from migration_app.admin.base.model_admin import ReadOnlyAdmin, row_key
from migration_app.admin.base.rendering import pretty_json
from migration_app.audit.trail import audit_record
from migration_app.models import SourceObject
from migration_app.snapshots.pages import source_object_value

CONTENT = "migration_app.view_content"
_PLAIN = frozenset(
    {
        *("id", "object", "created_at", "bytes", "usage_bytes", "purpose", "status", "file_counts"),
        *("expires_at", "last_active_at", "vector_store_id"),
    }
)
"""The source's own texts and numbers of a file or vector store."""


@admin.register(SourceObject)
class SourceObjectAdmin(ReadOnlyAdmin[SourceObject]):
    """What is known of the estate besides threads."""

    list_display = ("show_id", "show_kind", "show_state", "show_import", "show_received")
    list_filter = (
        values_filter("kind", SourceObject, "kind"),
        choice_filter("state", "state", list(SourceObject.State.choices)),
    )
    search_fields = ("object_id",)
    search_help_text = "Exact object id"
    ordering = ("-id",)
    list_indexes = (("kind",), ("state",), ())
    fields = (
        "object_id",
        "kind",
        "show_state",
        "sha256",
        "show_redacted",
        "show_import",
        "show_received",
        "show_payload",
    )
    readonly_fields = (*fields, "show_plain")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SourceObject]:
        """Leave the payloads of a list's rows in the database."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        return rows.defer("payload") if match and str(match.url_name).endswith("_changelist") else rows

    def found_by(self, rows: QuerySet[SourceObject], text: str) -> QuerySet[SourceObject]:
        """Search by exact id. The index on ids begins with the kind, of which there are a few."""
        return rows.filter(kind__in=distinct_values(SourceObject, "kind"), object_id=text)

    show_id = id_column("object id", "object_id", order="object_id")
    show_kind = text_column("kind", "kind", order="kind")
    show_state = badge_column("state", lambda row: object_badge(row.state), order="state")
    show_received = moment_column("received", "received_at", seconds=True, order="received_at")

    @admin.display(description="import")
    def show_import(self, row: SourceObject) -> str:
        """Link to the import that brought it."""
        if row.source_import_id is None:
            return "live source"
        url = row_address("sourceimport", row.source_import_id)
        return format_html('<a class="mc-link" href="{}">import {}</a>', url, row.source_import_id)

    @admin.display(description="secrets taken out")
    def show_redacted(self, row: SourceObject) -> str:
        """Whether something was taken out before storing."""
        return "yes" if row.redacted else "no"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show one. Names and metadata that users gave are content: seeing them writes an audit row."""
        key = row_key(object_id)
        row = self.model.objects.filter(pk=key).exclude(kind="assistant").first() if key else None
        if row is not None and self.has_view_permission(request, row) and request.user.has_perm(CONTENT):
            audit_record(
                actor=actor_of(request),
                verb="object.content_viewed",
                subject_kind=row.kind,
                subject_id=row.object_id,
            )
        return super().change_view(request, object_id, form_url, extra_context)

    def get_fields(self, request: HttpRequest, obj: SourceObject | None = None) -> list[Any]:
        """Show the whole object to users who may see content, to others only fields without users' text."""
        may_see = request.user.has_perm(CONTENT) or (obj is not None and obj.kind == "assistant")
        return [*self.fields[:-1], "show_payload" if may_see else "show_plain"]

    @admin.display(description="object")
    def show_payload(self, row: SourceObject) -> str:
        """The object as JSON, keys in their own order."""
        return format_html('<pre class="mc-pre" dir="auto">{}</pre>', pretty_json(source_object_value(row)))

    @admin.display(description="object")
    def show_plain(self, row: SourceObject) -> str:
        """The object without what users may have written."""
        value = source_object_value(row)
        plain = {name: part for name, part in value.items() if name in _PLAIN and _is_plain(part)}
        return format_html(
            '<pre class="mc-pre" dir="auto">{}</pre><p class="mc-soft">Names, metadata and {} are content: '
            "your role does not show them.</p>",
            pretty_json(plain),
            "whatever else the source says",
        )


def _is_plain(part: object) -> bool:
    """Whether a part is a number, a word of the API's own, or counts of such."""
    if isinstance(part, dict):
        return all(isinstance(count, int) for count in part.values())
    return part is None or isinstance(part, str | int | float)
