"""Conversations of the target with their chunks, and those that threads no longer point to."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from django.contrib import admin
from django.db.models import Model, Q, QuerySet

from migration_app.admin.base.badges import (
    Badge,
    badge_html,
    chunk_badge,
    conversation_badge,
)
from migration_app.admin.base.columns import badge_column, column, id_column, id_text, moment_column
from migration_app.admin.base.filters import choice_filter
from migration_app.admin.base.links import row_address
from migration_app.admin.base.model_admin import ReadOnlyAdmin, ReadOnlyInline
from migration_app.contracts import policies_from
from migration_app.models import Chunk, Conversation, FormerConversation, Thread
from migration_app.moments import moment_text
from migration_app.threads.plans import policies_summary
from migration_app.threads.search import FOUND_UP_TO, SEARCHED, thread_search

M = TypeVar("M", bound=Model)


def thread_link(thread: Thread) -> str:
    """Link to a thread's page, by its id."""
    return id_text(thread.thread_id).linked(row_address("thread", thread.pk))


def _by_id(rows: QuerySet[M], text: str) -> QuerySet[M]:
    """By its own id, or by its thread as the list of threads searches it; keys first: an OR would read both tables."""
    found = thread_search(Thread.objects.all(), text).order_by().values_list("pk", flat=True)
    return rows.filter(Q(conversation_id=text) | Q(thread_id__in=list(found[:FOUND_UP_TO])))


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
    show_sent = moment_column("sent", "sent_at", seconds=True)
    show_appended = moment_column("appended", "appended_at", seconds=True)


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin[Conversation]):
    """What threads became."""

    list_display = ("show_id", "show_thread", "show_state", "item_count", "show_created", "show_verified")
    list_filter = (choice_filter("state", "state", list(Conversation.State.choices)),)
    list_select_related = ("thread",)
    search_fields = ("conversation_id",)
    search_help_text = SEARCHED
    ordering = ("-id",)
    list_indexes = (("state",), ())
    list_sorts: ClassVar = {"show_state": ("state", "id")}
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

    show_id = id_column("conversation id", "conversation_id", none="(create not answered yet)")
    show_thread = column("thread", lambda conversation: thread_link(conversation.thread))
    show_state = badge_column(
        "state", lambda conversation: conversation_badge(conversation.state), order="state"
    )
    show_intended = moment_column("create sent", "intended_at", seconds=True)
    show_created = moment_column("created", "created_at", seconds=True, order="created_at")
    show_completed = moment_column("complete", "completed_at", seconds=True)
    show_verified = moment_column("verified", "verified_at", seconds=True, order="verified_at")

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
    search_help_text = SEARCHED
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

    show_id = id_column("conversation id", "conversation_id", order="conversation_id")
    show_thread = column("thread", lambda former: thread_link(former.thread))
    show_created = moment_column("created", "created_at", seconds=True, order="created_at")
    show_detached = moment_column("detached", "detached_at", seconds=True, order="detached_at")

    @admin.display(description="outcome", ordering="outcome")
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
            return f"confirmed deleted on {moment_text(former.deleted_at)}"
        if former.delete_after is not None:
            return f"next on {moment_text(former.delete_after)}, after {former.delete_tries} tries"
        return "none is planned"
