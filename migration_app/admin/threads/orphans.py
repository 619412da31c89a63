"""The orphan ledger: creates whose answer was lost, what is known of each, and closing an entry with a note."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.acts import Act
from migration_app.admin.base.badges import Badge
from migration_app.admin.base.columns import badge_column, column, id_column, moment_column, text_column
from migration_app.admin.base.filters import choice_filter
from migration_app.admin.base.forms import ConsoleForm
from migration_app.admin.base.model_admin import RowPageAdmin
from migration_app.admin.threads.conversations import thread_link
from migration_app.admin.threads.forms import CloseOrphanForm, ReopenOrphanForm
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import OrphanConversation, Thread
from migration_app.threads.orphans import (
    OrphanRefusedError,
    orphan_close,
    orphan_counts,
    orphan_mark,
    orphan_metadata,
    orphan_reopen,
)
from migration_app.threads.search import FOUND_UP_TO, SEARCHED, thread_search

CLOSE = "migration_app.close_orphan"
CONTENT = "migration_app.view_content"
_S = OrphanConversation.State
_COLOURS: Mapping[str, str] = {_S.OPEN: "warning", _S.DELETED: "success", _S.ACCEPTED: ""}


def orphan_badge(orphan: OrphanConversation) -> Badge:
    """Coloured state of an entry."""
    return Badge(orphan.get_state_display(), _COLOURS.get(orphan.state, ""))


def _close(orphan: OrphanConversation, actor: Actor, data: Mapping[str, Any]) -> str:
    orphan_close(pk=orphan.pk, actor=actor, **data)
    return "The entry is closed."


def _reopen(orphan: OrphanConversation, actor: Actor, data: Mapping[str, Any]) -> str:
    orphan_reopen(pk=orphan.pk, actor=actor, **data)
    return "The entry is open again."


@admin.register(OrphanConversation)
class OrphanConversationAdmin(RowPageAdmin[OrphanConversation]):
    """Creates whose answer was lost: an empty conversation may exist that nobody can find."""

    list_display = (
        "show_intended",
        "show_thread",
        "show_state",
        "show_mark",
        "reason",
        "show_request",
        "show_note",
    )
    list_select_related = row_related = ("thread",)
    row_name = "entry"
    acts: ClassVar[Mapping[str, Act]] = {
        "close": Act(_close, CloseOrphanForm, (CLOSE,)),
        "reopen": Act(_reopen, ReopenOrphanForm, (CLOSE,)),
    }
    act_refusals = (OrphanRefusedError,)
    list_filter = (choice_filter("state", "state", list(_S.choices)),)
    search_fields = ("thread__thread_id",)
    search_help_text = SEARCHED
    ordering = ("-id",)
    list_indexes = (("state",), ())
    list_sorts: ClassVar = {"show_state": ("state", "id")}
    export_columns: ClassVar = {
        "create sent (UTC)": "intended_at",
        "noticed (UTC)": "noticed_at",
        "thread_id": lambda orphan: orphan.thread.thread_id,
        "state": "state",
        "recognised_by": lambda orphan: orphan_mark(orphan) or ", ".join(orphan.metadata_keys),
        "reason": "reason",
        "request_id": "request_id",
        "note": "note",
        "closed_by": "closed_by_name",
        "closed (UTC)": "closed_at",
    }
    change_list_template = "migration_app/threads/orphan_list.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Add the entries by state."""
        counts = orphan_counts()
        figures = [
            {
                "badge": Badge(label, _COLOURS[value]),
                "count": counts[value],
                "query": f"?state__exact={value}",
            }
            for value, label in _S.choices
        ]
        return super().changelist_view(request, {**(extra_context or {}), "figures": figures})

    def found_by(self, rows: QuerySet[OrphanConversation], text: str) -> QuerySet[OrphanConversation]:
        """Search by the thread, as the list of threads does: its key first, which this table's index holds."""
        found = thread_search(Thread.objects.all(), text).order_by().values_list("pk", flat=True)
        return rows.filter(thread_id__in=list(found[:FOUND_UP_TO]))

    show_intended = moment_column("create sent", "intended_at", seconds=True, order="intended_at")
    show_thread = column("thread", lambda orphan: thread_link(orphan.thread))
    show_state = badge_column("state", orphan_badge, order="state")
    show_request = id_column("request id", "request_id")
    show_note = text_column("note", "note", most=60)

    @admin.display(description="recognised by")
    def show_mark(self, orphan: OrphanConversation) -> str:
        """The pair that names the thread, else the keys that were sent."""
        return orphan_mark(orphan) or ", ".join(orphan.metadata_keys) or "no metadata"

    # --- one entry --------------------------------------------------------------------------------

    def row_page(
        self, request: HttpRequest, orphan: OrphanConversation, /, **refused: ConsoleForm
    ) -> HttpResponse:
        """Show an entry. Metadata values are an application's own: seeing them writes an audit row."""
        may_see = request.user.has_perm(CONTENT)
        pairs = orphan_metadata(orphan) if may_see and orphan.metadata_keys else None
        if pairs:
            audit_record(
                actor=actor_of(request),
                verb="orphan.metadata_viewed",
                subject_kind="thread",
                subject_id=orphan.thread.thread_id,
            )
        return self.page(
            request,
            "threads/orphan.html",
            http_status=400 if refused else 200,
            title=str(orphan),
            obj=orphan,
            orphan=orphan,
            badge=orphan_badge(orphan),
            thread=thread_link(orphan.thread),
            mark=orphan_mark(orphan),
            pairs=[(key, (pairs or {}).get(key)) for key in orphan.metadata_keys],
            may_see=may_see,
            others=OrphanConversation.objects.filter(thread_id=orphan.thread_id).exclude(pk=orphan.pk)[:20],
            may_close=request.user.has_perm(CLOSE),
            is_open=orphan.state == _S.OPEN,
            act_urls=self.act_urls(orphan),
            close_form=refused.get("close") or CloseOrphanForm(),
            reopen_form=refused.get("reopen") or ReopenOrphanForm(),
        )
