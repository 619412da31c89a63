"""Stored pages and objects against their digests, and the counts of a thread against its pages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from migration_app.archive.sequence import SequenceDamagedError, payload_decompress, payload_sha256
from migration_app.contracts import SourceThread
from migration_app.models import SnapshotPage, SourceImport, SourceObject, Thread
from migration_app.reconciliation.kinds import Examined, Found
from migration_app.snapshots.pages import load_source_thread

_DAMAGED = "what is stored can't be decompressed"


def snapshots_check(pks: Sequence[int]) -> Examined:
    """Read every page of these threads, one at a time, and recount each thread from its pages."""
    found: list[Found] = []
    skipped = 0
    for thread in Thread.objects.filter(pk__in=pks).order_by("pk"):
        faults = list(_page_faults(thread))
        # Damaged or missing pages would be counted as a difference once more.
        counted = faults or list(_count_faults(thread))
        if counted and _at_work(thread):
            skipped += 1
        else:
            found += counted
    return Examined(len(pks) - skipped, tuple(found), skipped)


def objects_check(pks: Sequence[int]) -> Examined:
    """Hold these stored assistants, files and vector stores against their digests."""
    found = []
    for row in SourceObject.objects.filter(pk__in=pks).order_by("pk").iterator(chunk_size=16):
        fault = _payload_fault(bytes(row.payload), row.sha256, None)
        if fault is not None:
            subject = f"{row.kind} {row.object_id}"[:300]
            found.append(dataclasses.replace(fault, code="object_damaged", subject=subject))
    return Examined(len(pks), tuple(found))


def _page_faults(thread: Thread) -> Iterator[Found]:
    expected = 0
    pages = thread.pages.order_by("sequence").only("sequence", "payload", "sha256", "raw_bytes")
    for page in pages.iterator(chunk_size=1):
        if page.sequence != expected:
            yield Found(
                "snapshot_gap",
                thread.pk,
                claimed=f"page {expected + 1}",
                found=f"page {page.sequence + 1} follows",
            )
        expected = page.sequence + 1
        fault = _payload_fault(bytes(page.payload), page.sha256, page.raw_bytes)
        if fault is not None:
            yield dataclasses.replace(
                fault, thread_pk=thread.pk, found=f"page {page.sequence + 1}: {fault.found}"
            )
    if not expected:
        yield Found("snapshot_missing", thread.pk, claimed=f"thread {thread.status}", found="no page")


def _payload_fault(payload: bytes, sha256: str, raw_bytes: int | None) -> Found | None:
    try:
        raw = payload_decompress(payload)
    except SequenceDamagedError:
        return Found("snapshot_damaged", claimed=f"sha256 {sha256}", found=_DAMAGED)
    actual = payload_sha256(raw)
    if actual != sha256:
        return Found("snapshot_damaged", claimed=f"sha256 {sha256}", found=f"sha256 {actual}")
    if raw_bytes is not None and len(raw) != raw_bytes:
        return Found("snapshot_damaged", claimed=f"{raw_bytes} bytes", found=f"{len(raw)} bytes")
    return None


def _count_faults(thread: Thread) -> Iterator[Found]:
    late = (
        thread.pages.filter(sequence__gt=thread.snapshot_sequence).count()
        if thread.snapshot_sequence is not None
        else 0
    )
    if late:
        yield Found(
            "snapshot_unassessed",
            thread.pk,
            claimed=f"assessed with its pages up to {(thread.snapshot_sequence or 0) + 1}",
            found=f"{late} pages are newer",
        )
        return
    source = load_source_thread(thread)
    claimed, found = _counts(thread.message_count, thread.run_count), _counts(*_counted(source))
    if claimed != found:
        yield Found("counts_differ", thread.pk, claimed=claimed, found=found)


def _counted(source: SourceThread) -> tuple[int, int]:
    return len(source.messages), len(source.runs)


def _counts(messages: int, runs: int) -> str:
    return f"{messages} messages, {runs} runs"


def _at_work(thread: Thread) -> bool:
    """Whether pages of the thread may have come in, or be about to be assessed, while it was checked."""
    now = Thread.objects.filter(pk=thread.pk).values("pending_work", "snapshot_sequence", "updated_at").get()
    return (
        now["pending_work"] == Thread.Work.SNAPSHOT
        or (now["snapshot_sequence"], now["updated_at"]) != (thread.snapshot_sequence, thread.updated_at)
        or SnapshotPage.objects.filter(
            thread_id=thread.pk, source_import__state=SourceImport.State.RUNNING
        ).exists()
    )
