"""Erasing server messages, which may quote content, and what was read for a review. The audit trail records it."""

from __future__ import annotations

import collections
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from migration_app.audit.trail import audit_event
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, ReviewReading, ServerMessage, Thread
from migration_app.threads.selections import selection_threads

_PIECE = 1000


def server_messages_erase(*, selection: Mapping[str, Any], actor: Actor, reason: str) -> int:
    """Erase the server messages of these threads, and the readings kept for their review. Returns how many had any.

    A thousand threads a transaction. The console's own text, code, status and request id stay. Raises SelectionError.
    """
    threads = selection_threads(selection)
    erased = 0
    while piece := _erase_piece(threads, actor, reason):
        erased += piece
    return erased


def _erase_piece(threads: QuerySet[Thread], actor: Actor, reason: str) -> int:
    with transaction.atomic():
        messages, readings = (
            rows.filter(thread__in=threads).order_by("thread_id").values_list("thread_id", flat=True)
            for rows in (ServerMessage.objects, ReviewReading.objects)
        )
        pks = sorted({*messages.distinct()[:_PIECE], *readings[:_PIECE]})[:_PIECE]
        counts = collections.Counter(messages.filter(thread_id__in=pks))
        read = set(readings.filter(thread_id__in=pks))
        ServerMessage.objects.filter(thread_id__in=pks).delete()
        ReviewReading.objects.filter(thread_id__in=pks).delete()
        names = dict(Thread.objects.filter(pk__in=pks).values_list("pk", "thread_id"))
        too = ", and what was read for the review"
        AuditEvent.objects.bulk_create(
            audit_event(
                actor=actor,
                verb="thread.server_messages_erased",
                subject_kind="thread",
                subject_id=names[pk],
                reason=f"{counts[pk]} of them{too if pk in read else ''}. {reason}".strip(),
            )
            for pk in pks
        )
    return len(pks)
