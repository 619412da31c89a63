"""Snapshots from a live source, and reading any snapshot. Calls no API: what was received is handed in."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Max

from migration_app.archive.expanded import Refused, SourceObject
from migration_app.archive.files.reader import decode_document
from migration_app.archive.objects import expand
from migration_app.archive.order.unfinished import LIST_CONTINUES
from migration_app.archive.redact import redacted_document
from migration_app.archive.versions import KnownObjects, Verdict, depth_check
from migration_app.contracts import Actor, JsonObject, ListingOrder
from migration_app.models import BatchResult, SnapshotPage, Thread
from migration_app.snapshots.deletions import deletions_are_kept, deletions_put
from migration_app.snapshots.page_writing import snapshot_pages_write
from migration_app.snapshots.pages import (
    MAX_PAGE_BYTES,
    known_objects,
    pages_made,
)
from migration_app.threads.assessments import thread_assess
from migration_app.threads.results import results_put
from migration_app.threads.statuses import TERMINAL_FIELDS

_PAGES_A_FETCH = 16
_PAGES_A_WRITE = 64


def live_snapshot_store(
    *, thread: Thread, received: Iterable[tuple[bytes, str]], actor: Actor, order: ListingOrder = "asc"
) -> None:
    """Store what a live source answered about a thread, assess it, and end the thread's work.

    ``received``: each answer's bytes and its request id, oldest first as ``order`` says. Answers without
    anything new are not stored again. The caller holds the lease; all happens in one transaction, so ``received``,
    which is gone through once, must not ask the source while it is.
    """
    with transaction.atomic():
        snapshot_pages_append(
            thread=thread,
            kind=SnapshotPage.Kind.LIVE,
            origin=f"live-{uuid.uuid4().hex}",
            order=order,
            received=received,
        )
        changed = thread_assess(
            thread=thread, actor=actor, reason="Read from the live source.", fields=TERMINAL_FIELDS
        )
        results_put([thread.pk], result="" if changed else BatchResult.Result.UNCHANGED)


def snapshot_pages_append(
    *, thread: Thread, kind: str, origin: str, order: ListingOrder, received: Iterable[tuple[bytes, str]]
) -> int:
    """Store JSON documents about a thread as its next pages, secrets redacted; returns the number of pages.

    ``received``: documents in the order in which they came, each with its request id; ``order`` is the
    direction of the lists in them. Raises DocumentUnreadableError if one is no JSON object.
    """
    with transaction.atomic():
        # Two writers must not take one sequence number.
        locked = Thread.objects.select_for_update(of=("self",), no_key=True).get(pk=thread.pk)
        is_open = LIST_CONTINUES in locked.finding_counts
        known = known_objects(thread, thread.pages.order_by("sequence").iterator(chunk_size=_PAGES_A_FETCH))
        last: int | None = thread.pages.aggregate(last=Max("sequence"))["last"]
        first = sequence = 0 if last is None else last + 1
        pages: list[SnapshotPage] = []
        messages: set[str] | None = set() if deletions_are_kept() else None
        for raw, request_id in received:
            document, value, redacted = redacted_document(raw, decode_document(raw))
            known.grow(len(raw))
            if not _says_more(thread, value, known, messages, is_open=is_open):
                continue
            made = pages_made(
                thread=thread,
                first_sequence=sequence,
                kind=kind,
                origin=origin,
                order=order,
                documents=[(document, redacted)],
                request_id=request_id,
            )
            sequence += len(made)
            pages += made
            if len(pages) >= _PAGES_A_WRITE or sum(page.raw_bytes for page in pages) > MAX_PAGE_BYTES:
                snapshot_pages_write(pages)
                pages = []
        if pages:
            snapshot_pages_write(pages)
        if messages is not None:
            sequence += len(deletions_put(thread=thread, message_ids=messages, first_sequence=sequence))
    return sequence - first


def _says_more(
    thread: Thread, value: JsonObject, known: KnownObjects, messages: set[str] | None, *, is_open: bool
) -> bool:
    """Whether an answer is to be stored; ``messages`` gains the ids of those that were not known.

    A list without anything new may still continue an imported one. What can't be read leaves a mark.
    """
    says_more = False
    for found in expand(value, thread_id=thread.thread_id):
        if isinstance(found, Refused):
            says_more = True
        elif isinstance(found, SourceObject) and found.thread_id == thread.thread_id:
            depth_check(found.value)
            verdict = known.see(found.kind, found.id, found.value)
            says_more |= is_open or verdict is not Verdict.SAME
            if messages is not None and found.kind == "message" and verdict is Verdict.NEW:
                messages.add(found.id)
    return says_more
