"""Conversations of the target with their chunks, and those that threads no longer point to."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from migration_app.admin.base.badges import (
    Badge,
    badge_html,
    chunk_badge,
    conversation_badge,
)
from migration_app.admin.base.filters import choice_filter
from migration_app.admin.base.model_admin import ReadOnlyAdmin, ReadOnlyInline
from migration_app.contracts import policies_from
from migration_app.models import Chunk, Conversation, FormerConversation, Thread
from migration_app.threads.plans import policies_words


def _moment(moment: dt.datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "–"


def thread_link(thread: Thread) -> str:
    """Link to a thread's page, by its id."""
    url = reverse("admin:migration_app_thread_change", args=[thread.pk])
    return format_html('<a class="mc-link mc-mono" href="{}"><bdi>{}</bdi></a>', url, thread.thread_id)


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

    @admin.display(description="chunk")
    def show_number(self, chunk: Chunk) -> int:
        """Chunks count from 1 wherever people see them."""
        return chunk.sequence + 1

    @admin.display(description="first item")
    def show_first(self, chunk: Chunk) -> int:
        """Items count from 1 too."""
        return chunk.first_item + 1

    @admin.display(description="state")
    def show_state(self, chunk: Chunk) -> str:
        """Coloured state."""
        return badge_html(chunk_badge(chunk.state))

    @admin.display(description="sent (UTC)")
    def show_sent(self, chunk: Chunk) -> str:
        """When the append was sent."""
        return _moment(chunk.sent_at)

    @admin.display(description="appended (UTC)")
    def show_appended(self, chunk: Chunk) -> str:
        """When the target answered."""
        return _moment(chunk.appended_at)


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

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Search by exact ids."""
        words = search_term.strip().replace("\x00", "")
        if not words:
            return queryset, False
        # The thread's key first: an OR over two tables would read every row of both.
        thread_pk = Thread.objects.filter(thread_id=words).values_list("pk", flat=True).first()
        return queryset.filter(Q(conversation_id=words) | Q(thread_id=thread_pk)), False

    @admin.display(description="conversation id")
    def show_id(self, conversation: Conversation) -> str:
        """The target's id, or that it is awaited."""
        if not conversation.conversation_id:
            return "(create not answered yet)"
        return format_html('<span class="mc-mono">{}</span>', conversation.conversation_id)

    @admin.display(description="thread")
    def show_thread(self, conversation: Conversation) -> str:
        """Link to the thread."""
        return thread_link(conversation.thread)

    @admin.display(description="state")
    def show_state(self, conversation: Conversation) -> str:
        """Coloured state."""
        return badge_html(conversation_badge(conversation.state))

    @admin.display(description="policies")
    def show_policies(self, conversation: Conversation) -> str:
        """What it was begun with, where that is not the default."""
        try:
            return policies_words(policies_from(conversation.policies))
        except ValueError as error:
            return f"can't be read: {error}"

    @admin.display(description="create sent (UTC)")
    def show_intended(self, conversation: Conversation) -> str:
        """When the create was sent."""
        return _moment(conversation.intended_at)

    @admin.display(description="created (UTC)")
    def show_created(self, conversation: Conversation) -> str:
        """When the target answered."""
        return _moment(conversation.created_at)

    @admin.display(description="complete (UTC)")
    def show_completed(self, conversation: Conversation) -> str:
        """When the last chunk was appended."""
        return _moment(conversation.completed_at)

    @admin.display(description="verified (UTC)")
    def show_verified(self, conversation: Conversation) -> str:
        """When it was last read back and found equal."""
        return _moment(conversation.verified_at)


@admin.register(FormerConversation)
class FormerConversationAdmin(ReadOnlyAdmin[FormerConversation]):
    """What threads no longer point to: rolled back, left where it is for a new conversation, or given up in doubt."""

    list_display = (
        "show_id",
        "show_thread",
        "show_fate",
        "item_count",
        "show_residue",
        "actor",
        "show_parted",
    )
    list_filter = (choice_filter("fate", "fate", list(FormerConversation.Fate.choices)),)
    list_select_related = ("thread",)
    search_fields = ("conversation_id",)
    search_help_text = "Exact conversation or thread id"
    ordering = ("-id",)
    fields = (
        "show_id",
        "show_thread",
        "show_fate",
        "item_count",
        "show_whole_residue",
        "show_deletion",
        "reason",
        "actor",
        "show_created",
        "show_parted",
    )
    readonly_fields = fields

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 - Django's signature
        queryset: QuerySet[Any],
        search_term: str,
    ) -> tuple[QuerySet[Any], bool]:
        """Search by exact ids."""
        words = search_term.strip().replace("\x00", "")
        if not words:
            return queryset, False
        thread_pk = Thread.objects.filter(thread_id=words).values_list("pk", flat=True).first()
        return queryset.filter(Q(conversation_id=words) | Q(thread_id=thread_pk)), False

    @admin.display(description="conversation id")
    def show_id(self, former: FormerConversation) -> str:
        """The target's id, which the mapping no longer names."""
        return format_html('<span class="mc-mono">{}</span>', former.conversation_id)

    @admin.display(description="thread")
    def show_thread(self, former: FormerConversation) -> str:
        """Link to the thread."""
        return thread_link(former.thread)

    @admin.display(description="fate")
    def show_fate(self, former: FormerConversation) -> str:
        """What became of it, coloured where something was left behind that should be gone."""
        return badge_html(Badge(former.get_fate_display(), "warning" if former.residue else ""))

    @admin.display(description="residue")
    def show_residue(self, former: FormerConversation) -> str:
        """Whether reading found something left."""
        return "yes" if former.residue else "–"

    @admin.display(description="residue")
    def show_whole_residue(self, former: FormerConversation) -> str:
        """What reading did not confirm to be gone."""
        return former.residue or "none: reading confirmed it, or nothing was to be deleted"

    @admin.display(description="deletion")
    def show_deletion(self, former: FormerConversation) -> str:
        """Whether one that was given up in doubt is gone, or when that is tried next."""
        if former.deleted_at is not None:
            return f"found gone on {_moment(former.deleted_at)} UTC"
        if former.delete_after is not None:
            return f"next on {_moment(former.delete_after)} UTC, after {former.delete_tries} tries"
        return "none is planned"

    @admin.display(description="created (UTC)")
    def show_created(self, former: FormerConversation) -> str:
        """When the target answered its create."""
        return _moment(former.created_at)

    @admin.display(description="parted (UTC)")
    def show_parted(self, former: FormerConversation) -> str:
        """When the thread left it."""
        return _moment(former.parted_at)
