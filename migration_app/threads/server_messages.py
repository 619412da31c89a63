"""Erasing server messages, which may quote content. The audit trail records the erasure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Count

from migration_app.audit.trail import audit_event
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, ServerMessage
from migration_app.threads.selections import selection_threads

_PIECE = 1000


def server_messages_erase(*, selection: Mapping[str, Any], actor: Actor, reason: str) -> int:
    """Erase the server messages of these threads, a thousand threads a transaction. Returns how many threads had any.

    The console's own text, code, status and request id stay. Raises SelectionError.
    """
    threads = selection_threads(selection)
    erased = 0
    while piece := _erase_piece(ServerMessage.objects.filter(thread__in=threads), actor, reason):
        erased += piece
    return erased


def _erase_piece(text: Any, actor: Actor, reason: str) -> int:
    with transaction.atomic():
        counted = list(
            text.values("thread_id", "thread__thread_id")
            .annotate(number=Count("pk"))
            .order_by("thread_id")[:_PIECE]
        )
        ServerMessage.objects.filter(thread_id__in=[row["thread_id"] for row in counted]).delete()
        AuditEvent.objects.bulk_create(
            audit_event(
                actor=actor,
                verb="thread.server_messages_erased",
                subject_kind="thread",
                subject_id=row["thread__thread_id"],
                reason=f"{row['number']} of them. {reason}".strip(),
            )
            for row in counted
        )
    return len(counted)
