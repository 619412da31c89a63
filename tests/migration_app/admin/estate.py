"""The plainest valid row of each model, to be varied by keyword, for the tests of the console's pages."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from migration_app.archive.sequence import payload_compress, payload_sha256, sequence_pack
from migration_app.models import (
    Assistant,
    Batch,
    BatchResult,
    Conversation,
    SnapshotPage,
    SourceImport,
    SourceObject,
    Thread,
)

_numbers = itertools.count(1)


def thread_made(**fields: Any) -> Thread:
    return Thread.objects.create(**{"thread_id": f"thread_{next(_numbers):06d}", **fields})


def threads_made(count: int, **fields: Any) -> list[Thread]:
    return [thread_made(**fields) for _ in range(count)]


def assistant_made(**fields: Any) -> Assistant:
    return Assistant.objects.create(**{"assistant_id": f"asst_{next(_numbers):06d}", **fields})


def conversation_made(**fields: Any) -> Conversation:
    if "thread" not in fields:
        fields["thread"] = thread_made()
    plain = {"conversation_id": f"conv_{next(_numbers):06d}", "state": "open", "intended_at": timezone.now()}
    return Conversation.objects.create(**{**plain, "mapped_at": fields.get("verified_at"), **fields})


def batch_made(**fields: Any) -> Batch:
    plain = {
        "kind": "backfill",
        "filter": {"filters": {}, "search": ""},
        "max_thread_pk": 0,
        "reason": "test",
        "created_by_name": "ada",
    }
    return Batch.objects.create(**{**plain, **fields})


def result_made(thread: Thread, result: str, **fields: Any) -> BatchResult:
    """What the thread's batch keeps of it."""
    plain = {"batch_id": thread.batch_id, "thread": thread, "finished_at": timezone.now()}
    return BatchResult.objects.create(**{**plain, "result": result, **fields})


def import_made(**fields: Any) -> SourceImport:
    now = timezone.now()
    plain = {
        "kind": "archive",
        "state": "running",
        "file_name": "archive.jsonl",
        "created_by_name": "ada",
        "started_at": now,
        "heartbeat_at": now,
    }
    return SourceImport.objects.create(**{**plain, **fields})


def page_made(thread: Thread, documents: Sequence[bytes]) -> SnapshotPage:
    packed = sequence_pack(documents)
    return SnapshotPage.objects.create(
        thread=thread,
        sequence=0,
        kind="archive",
        origin="import-0",
        order="asc",
        payload=payload_compress(packed),
        sha256=payload_sha256(packed),
        raw_bytes=len(packed),
        document_count=len(documents),
    )


def object_made(raw: bytes = b'{"object": "file"}', **fields: Any) -> SourceObject:
    plain = {
        "kind": "file",
        "object_id": f"file-{next(_numbers):06d}",
        "payload": payload_compress(raw),
        "sha256": payload_sha256(raw),
    }
    return SourceObject.objects.create(**{**plain, **fields})
