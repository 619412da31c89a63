"""Rows to test with: the plainest valid one of each model, to be varied by keyword."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from migration_app.models import Assistant, Batch, SnapshotPage, SourceImport, Thread
from migration_app.services.pages import pages_made

_numbers = itertools.count(1)


def assistant_made(**fields: Any) -> Assistant:
    return Assistant.objects.create(**{"assistant_id": f"asst_{next(_numbers):06d}", **fields})


def batch_made(**fields: Any) -> Batch:
    plain = {
        "kind": Batch.Kind.BACKFILL,
        "filter": {},
        "max_thread_pk": 0,
        "reason": "test",
        "created_by_name": "ada",
    }
    return Batch.objects.create(**{**plain, **fields})


def thread_made(**fields: Any) -> Thread:
    return Thread.objects.create(**{"thread_id": f"thread_{next(_numbers):06d}", **fields})


def source_import_made(**fields: Any) -> SourceImport:
    now = timezone.now()
    plain = {
        "kind": SourceImport.Kind.ARCHIVE,
        "state": SourceImport.State.RUNNING,
        "file_name": "archive.jsonl",
        "created_by_name": "ada",
        "started_at": now,
        "heartbeat_at": now,
    }
    return SourceImport.objects.create(**{**plain, **fields})


def page_made(thread: Thread, documents: Sequence[bytes], **fields: Any) -> SnapshotPage:
    """A page of raw JSON texts, behind the thread's other pages."""
    plain = {"kind": SnapshotPage.Kind.ARCHIVE, "origin": "import-0", "order": "unknown"}
    (page,) = pages_made(
        thread=thread,
        first_sequence=thread.pages.count(),
        documents=[(document, False) for document in documents],
        **{**plain, **fields},
    )
    page.save()
    return page
