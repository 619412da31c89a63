"""Snapshots from a live source, and reading any snapshot. Calls no API: what was received is handed in."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db import transaction

from migration_app.archive.objects import SourceObject, expand
from migration_app.archive.reader import decode_document
from migration_app.archive.redact import redacted_document
from migration_app.archive.versions import Verdict
from migration_app.contracts import Actor, ListingOrder
from migration_app.models import SnapshotPage, Thread
from migration_app.services.assessments import thread_assess
from migration_app.services.pages import (
    known_objects,
    load_source_thread,
    pages_made,
    source_object_value,
)
from migration_app.services.threads import TERMINAL_FIELDS

__all__ = ["live_snapshot_store", "load_source_thread", "snapshot_pages_append", "source_object_value"]


def live_snapshot_store(
    *, thread: Thread, received: Sequence[tuple[bytes, str]], actor: Actor, order: ListingOrder = "asc"
) -> None:
    """Store what a live source answered about a thread, assess it, and end the thread's work.

    ``received``: each answer's bytes and its request id, oldest first as ``order`` says. Answers that say
    nothing new are not stored again. The caller holds the lease; all happens in one transaction.
    """
    with transaction.atomic():
        snapshot_pages_append(
            thread=thread,
            kind=SnapshotPage.Kind.LIVE,
            origin=f"live-{uuid.uuid4().hex}",
            order=order,
            received=received,
        )
        thread_assess(thread=thread, actor=actor, reason="Read from the live source.", fields=TERMINAL_FIELDS)


def snapshot_pages_append(
    *, thread: Thread, kind: str, origin: str, order: ListingOrder, received: Sequence[tuple[bytes, str]]
) -> int:
    """Store JSON documents about a thread as its next pages, secrets taken out; returns how many pages.

    ``received``: documents in the order in which they came, each with its request id; ``order`` is the
    direction of the lists in them. Raises DocumentUnreadableError if one is no JSON object.
    """
    with transaction.atomic():
        # Two writers must not take one sequence number.
        Thread.objects.select_for_update(of=("self",), no_key=True).get(pk=thread.pk)
        stored = list(thread.pages.order_by("sequence"))
        known = known_objects(thread, stored)
        sequence = stored[-1].sequence + 1 if stored else 0
        pages: list[SnapshotPage] = []
        for raw, request_id in received:
            document, value, redacted = redacted_document(raw, decode_document(raw))
            verdicts = [
                known.see(found.kind, found.id, found.value)
                for found in expand(value, thread_id=thread.thread_id)
                if isinstance(found, SourceObject) and found.thread_id == thread.thread_id
            ]
            if all(verdict is Verdict.SAME for verdict in verdicts):
                continue
            pages += pages_made(
                thread=thread,
                first_sequence=sequence + len(pages),
                kind=kind,
                origin=origin,
                order=order,
                documents=[(document, redacted)],
                request_id=request_id,
            )
        SnapshotPage.objects.bulk_create(pages)
    return len(pages)
