"""The thread list and its actions. Each action leads to a confirm page; only its POST starts anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, path
from django.utils.html import format_html

from migration_app.admin.base.badges import badge_html, fidelity_badge, thread_badge
from migration_app.admin.base.columns import badge_column, id_column, id_text, moment_column
from migration_app.admin.base.filters import (
    AssistantFilter,
    BatchFilter,
    FidelityFilter,
    FindingFilter,
    choice_filter,
    text_filter,
    values_filter,
)
from migration_app.admin.base.forms import ConsoleForm
from migration_app.admin.base.links import row_address
from migration_app.admin.base.model_admin import RowPageAdmin
from migration_app.admin.threads.actions import ACTIONS
from migration_app.admin.threads.confirm_pages import act_view, lead_to_confirm
from migration_app.admin.threads.thread_page import thread_context
from migration_app.index_walks import Window
from migration_app.models import Thread
from migration_app.threads.search import (
    FOUND_UP_TO,
    SEARCHED,
    SHORTEST_PART,
    search_text,
    threads_by_part,
    threads_exactly,
)
from migration_app.threads.selections import (
    THREAD_INDEXES,
    threads_count,
    threads_window,
)


@admin.register(Thread)
class ThreadAdmin(RowPageAdmin[Thread]):
    """Every thread of the estate; its page shows messages and items side by side."""

    list_display = (
        "show_id",
        "show_status",
        "show_fidelity",
        "show_sizes",
        "show_conversation",
        "show_user",
        "show_batch",
        "show_assistant",
        "show_updated",
    )
    list_filter = (
        choice_filter("status", "status", list(Thread.Status.choices)),
        FidelityFilter,
        FindingFilter,
        AssistantFilter,
        BatchFilter,
        values_filter("error code", Thread, "error_code"),
        text_filter("user reference", "user_ref"),
        text_filter("thread id", "thread_id"),
    )
    list_select_related = ("assistant", "conversation")
    search_fields = ("thread_id",)
    search_help_text = SEARCHED
    ordering = ("-id",)
    list_indexes = THREAD_INDEXES
    list_sorts: ClassVar = {"show_id": ("thread_id",), "show_status": ("status", "id")}

    def list_count(self, fields: Mapping[str, Any]) -> int | None:
        """As many as the counters report."""
        return threads_count(fields)

    def list_window(self, rows: QuerySet[Thread], fields: Mapping[str, Any], below: int | None) -> Window:  # noqa: ARG002 - all threads
        """Scan those that the best index holds."""
        return threads_window(fields, below=below)

    def get_urls(self) -> list[URLPattern]:
        """Add the confirm pages."""
        act = path(
            "act/<str:name>/", self.admin_site.admin_view(self.act_view), name="migration_app_thread_act"
        )
        return [act, *super().get_urls()]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Thread], search_term: str
    ) -> tuple[QuerySet[Thread], bool]:
        """Search as a selection does; say so where a part has more matches than are shown."""
        text = search_text(search_term)
        if not text or Thread.objects.filter(threads_exactly(text)).exists():
            return (queryset.filter(threads_exactly(text)) if text else queryset), False
        parts = threads_by_part(text)
        if parts.more:
            messages.info(
                request,
                f"More than {FOUND_UP_TO:,} threads contain “{text}”; not all are shown. Type more of it.",
            )
        elif len(text) < SHORTEST_PART:
            messages.info(
                request,
                f"No thread has exactly “{text}”; a part is searched from {SHORTEST_PART} characters on.",
            )
        return queryset.filter(pk__in=parts.pks), False

    # --- columns ----------------------------------------------------------------------------------

    show_id = id_column("thread", "thread_id", order="thread_id")
    show_fidelity = badge_column("fidelity", lambda thread: fidelity_badge(thread.fidelity), order="fidelity")
    show_user = id_column("user", "user_ref", order="user_ref")
    show_updated = moment_column("changed", "updated_at", order="updated_at")

    @admin.display(description="status", ordering="status")
    def show_status(self, thread: Thread) -> str:
        """Coloured status; below it the stable error code, whose text is on the thread's page."""
        badge = badge_html(thread_badge(thread.status))
        if not thread.error_code:
            return badge
        return format_html('{}<div class="mc-small mc-soft mc-break">{}</div>', badge, thread.error_code)

    @admin.display(description="msgs → items", ordering="message_count")
    def show_sizes(self, thread: Thread) -> str:
        """Messages of the source, and the items that a backfill sends."""
        if not thread.snapshot_at:
            return "–"
        return format_html(
            '<span class="mc-nowrap">{} → {}</span>', f"{thread.message_count:,}", f"{thread.item_count:,}"
        )

    @admin.display(description="assistant", ordering="assistant_id")
    def show_assistant(self, thread: Thread) -> str:
        """The assistant's name or id."""
        if thread.assistant is None:
            return "–"
        return format_html('<bdi class="mc-cut" title="{0}">{0}</bdi>', str(thread.assistant))

    @admin.display(description="conversation")
    def show_conversation(self, thread: Thread) -> str:
        """The conversation's id, once there is one."""
        conversation = getattr(thread, "conversation", None)
        if conversation is None or not conversation.conversation_id:
            return "–"
        return id_text(conversation.conversation_id)

    @admin.display(description="batch", ordering="batch_id")
    def show_batch(self, thread: Thread) -> str:
        """Link to the batch that last took the thread."""
        if thread.batch_id is None:
            return "–"
        url = row_address("batch", thread.batch_id)
        return format_html('<a class="mc-link" href="{}">{}</a>', url, thread.batch_id)

    # --- actions ----------------------------------------------------------------------------------

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer the actions that the user has the permission for."""
        return {
            name: (_list_action(name), name, kind.title)
            for name, kind in ACTIONS.items()
            if request.user.has_perm(kind.permission)
        }

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Refuse an action without its permission aloud, instead of taking it for an unknown one."""
        if request.method == "POST":
            kind = ACTIONS.get(request.POST.get("action", ""))
            if kind is not None and not request.user.has_perm(kind.permission):
                raise PermissionDenied
        return super().changelist_view(request, extra_context)

    def act_view(self, request: HttpRequest, name: str) -> HttpResponseBase:
        """Show the confirm page of an action; POST does it."""
        return act_view(self, request, name)

    # --- the thread's page ------------------------------------------------------------------------

    def row_page(
        self,
        request: HttpRequest,
        thread: Thread,
        /,
        **_refused: ConsoleForm,
    ) -> HttpResponse:
        """Show messages and items side by side. Seeing content writes an audit row, all that a GET here writes."""
        return self.page(
            request,
            "threads/thread.html",
            title=thread.thread_id,
            obj=thread,
            **thread_context(request, thread),
        )


def _list_action(name: str) -> Callable[[ThreadAdmin, HttpRequest, QuerySet[Thread]], HttpResponse | None]:
    def act(_admin: ThreadAdmin, request: HttpRequest, _threads: QuerySet[Thread]) -> HttpResponse | None:
        return lead_to_confirm(request, name)

    act.__name__ = name
    return act
