"""Assistants, files and vector stores as the source described them, and conflicting versions of them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from migration_app.admin.badges import badge_html, object_badge
from migration_app.admin.bodies import pretty_json
from migration_app.admin.filters import choice_filter, distinct_values, values_filter
from migration_app.admin.skin import ReadOnlyAdmin
from migration_app.models import SourceObject
from migration_app.services.snapshots import source_object_value


@admin.register(SourceObject)
class SourceObjectAdmin(ReadOnlyAdmin[SourceObject]):
    """What is known of the estate besides threads."""

    list_display = ("object_id", "kind", "show_state", "show_import", "show_received")
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
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[SourceObject]:
        """Leave the payloads of a list's rows in the database."""
        rows = super().get_queryset(request)
        match = request.resolver_match
        return rows.defer("payload") if match and str(match.url_name).endswith("_changelist") else rows

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Search by exact id."""
        words = search_term.strip().replace("\x00", "")
        if not words:
            return queryset, False
        # The index on ids begins with the kind, of which there are a few.
        return queryset.filter(kind__in=distinct_values(SourceObject, "kind"), object_id=words), False

    @admin.display(description="state")
    def show_state(self, row: SourceObject) -> str:
        """Coloured state."""
        return badge_html(object_badge(row.state))

    @admin.display(description="import")
    def show_import(self, row: SourceObject) -> str:
        """Link to the import that brought it."""
        if row.source_import_id is None:
            return "live source"
        url = reverse("admin:migration_app_sourceimport_change", args=[row.source_import_id])
        return format_html('<a class="mc-link" href="{}">import {}</a>', url, row.source_import_id)

    @admin.display(description="secrets taken out")
    def show_redacted(self, row: SourceObject) -> str:
        """Whether something was taken out before storing."""
        return "yes" if row.redacted else "no"

    @admin.display(description="received (UTC)")
    def show_received(self, row: SourceObject) -> str:
        """When it came in, UTC."""
        return f"{row.received_at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="object")
    def show_payload(self, row: SourceObject) -> str:
        """The object as JSON, keys in their own order."""
        return format_html('<pre class="mc-pre" dir="auto">{}</pre>', pretty_json(source_object_value(row)))
