"""Conversations of the target with their chunks, and those that threads no longer point to."""

from __future__ import annotations

from typing import TypeVar

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.urls import reverse
from django.utils.html import format_html

from migration_app.admin.base.badges import (
    Badge,
    badge_html,
    chunk_badge,
    conversation_badge,
)
from migration_app.admin.base.columns import badge_column, column, moment_column, moment_text
from migration_app.admin.base.filters import choice_filter
from migration_app.admin.base.model_admin import ReadOnlyAdmin, ReadOnlyInline
from migration_app.contracts import policies_from
from migration_app.models import Chunk, Conversation, FormerConversation, Thread
from migration_app.threads.plans import policies_summary

M = TypeVar("M", bound=Model)


def thread_link(thread: Thread) -> str:
    """Link to a thread's page, by its id."""
    url = reverse("admin:migration_app_thread_change", args=[thread.pk])
    return format_html('<a class="mc-link mc-mono" href="{}"><bdi>{}</bdi></a>', url, thread.thread_id)


def _by_id(rows: QuerySet[M], text: str) -> QuerySet[M]:
    # The thread's key first: an OR over two tables would read every row of both.
    thread_pk = Thread.objects.filter(thread_id=text).values_list("pk", flat=True).first()
    return rows.filter(Q(conversation_id=text) | Q(thread_id=thread_pk))


class ChunkInline(ReadOnlyInline):
    """The appends of one conversation."""

    model = Chunk
    per_page = 20
    hide_title = True
    fields = (
        "show_number",
        "show_state",
        "show_first",
        "item_count",
        "request_id",
        "show_sent",
        "show_appended",
    )
    readonly_fields = fields
    ordering = ("sequence",)

    # Chunks and items count from 1 wherever people see them.
    show_number = column("chunk", lambda chunk: str(chunk.sequence + 1))
    show_first = column("first item", lambda chunk: str(chunk.first_item + 1))
    show_state = badge_column("state", lambda chunk: chunk_badge(chunk.state))
    show_sent = moment_column("sent (UTC)", "sent_at", seconds=True)
    show_appended = moment_column("appended (UTC)", "appended_at", seconds=True)


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin[Conversation]):
    """What threads became."""

    list_display = ("show_id", "show_thread", "show_state", "item_count", "show_created", "show_verified")
    list_filter = (choice_filter("state", "state", list(Conversation.State.choices)),)
    list_select_related = ("thread",)
    search_fields = ("conversation_id",)
    search_help_text = "Exact conversation or thread id"
    ordering = ("-id",)
    list_indexes = (("state",), ())
    fields = (
        "show_id",
        "show_thread",
        "show_state",
        "item_count",
        "fingerprint",
        "show_policies",
        "create_request_id",
        "show_intended",
        "show_created",
        "show_completed",
        "show_verified",
    )
    readonly_fields = fields
    inlines = (ChunkInline,)

    def found_by(self, rows: QuerySet[Conversation], text: str) -> QuerySet[Conversation]:
        """Search by exact ids."""
        return _by_id(rows, text)

    show_thread = column("thread", lambda conversation: thread_link(conversation.thread))
    show_state = badge_column("state", lambda conversation: conversation_badge(conversation.state))
    show_intended = moment_column("create sent (UTC)", "intended_at", seconds=True)
    show_created = moment_column("created (UTC)", "created_at", seconds=True)
    show_completed = moment_column("complete (UTC)", "completed_at", seconds=True)
    show_verified = moment_column("verified (UTC)", "verified_at", seconds=True)

    @admin.display(description="conversation id")
    def show_id(self, conversation: Conversation) -> str:
        """The target's id, or that it is awaited."""
        if not conversation.conversation_id:
            return "(create not answered yet)"
        return format_html('<span class="mc-mono">{}</span>', conversation.conversation_id)

    @admin.display(description="policies")
    def show_policies(self, conversation: Conversation) -> str:
        """What it was begun with, where that is not the default."""
        try:
            return policies_summary(policies_from(conversation.policies))
        except ValueError as error:
            return f"can't be read: {error}"


@admin.register(FormerConversation)
class FormerConversationAdmin(ReadOnlyAdmin[FormerConversation]):
    """What threads no longer point to: rolled back, left where it is for a new conversation, or given up in doubt."""

    list_display = (
        "show_id",
        "show_thread",
        "show_outcome",
        "item_count",
        "show_left_behind",
        "actor",
        "show_detached",
    )
    list_filter = (choice_filter("outcome", "outcome", list(FormerConversation.Outcome.choices)),)
    list_select_related = ("thread",)
    search_fields = ("conversation_id",)
    search_help_text = "Exact conversation or thread id"
    ordering = ("-id",)
    fields = (
        "show_id",
        "show_thread",
        "show_outcome",
        "item_count",
        "show_all_left_behind",
        "show_deletion",
        "reason",
        "actor",
        "show_created",
        "show_detached",
    )
    readonly_fields = fields

    def found_by(self, rows: QuerySet[FormerConversation], text: str) -> QuerySet[FormerConversation]:
        """Search by exact ids."""
        return _by_id(rows, text)

    show_thread = column("thread", lambda former: thread_link(former.thread))
    show_created = moment_column("created (UTC)", "created_at", seconds=True)
    show_detached = moment_column("detached (UTC)", "detached_at", seconds=True)

    @admin.display(description="conversation id")
    def show_id(self, former: FormerConversation) -> str:
        """The target's id, which the mapping no longer names."""
        return format_html('<span class="mc-mono">{}</span>', former.conversation_id)

    @admin.display(description="outcome")
    def show_outcome(self, former: FormerConversation) -> str:
        """Result, coloured where something was left behind that should be gone."""
        return badge_html(Badge(former.get_outcome_display(), "warning" if former.left_behind else ""))

    @admin.display(description="left behind")
    def show_left_behind(self, former: FormerConversation) -> str:
        """Whether reading found something left."""
        return "yes" if former.left_behind else "–"

    @admin.display(description="left behind")
    def show_all_left_behind(self, former: FormerConversation) -> str:
        """What reading did not confirm to be gone."""
        return former.left_behind or "nothing: confirmed by reading, or there was nothing to delete"

    @admin.display(description="deletion")
    def show_deletion(self, former: FormerConversation) -> str:
        """Whether one that was given up in doubt is gone, or when that is tried next."""
        if former.deleted_at is not None:
            return f"confirmed deleted on {moment_text(former.deleted_at)} UTC"
        if former.delete_after is not None:
            return f"next on {moment_text(former.delete_after)} UTC, after {former.delete_tries} tries"
        return "none is planned"
