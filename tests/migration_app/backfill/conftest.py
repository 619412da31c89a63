"""Threads with a snapshot, claimed as a worker claims them, and the truth that the sandbox keeps."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from console.sandbox.testing import RunningSandbox
from migration_app.contracts import Actor
from migration_app.conversion.canonical import compare_items
from migration_app.conversion.threads import convert_thread
from migration_app.models import Batch, Thread
from migration_app.services.assessments import thread_assess
from migration_app.services.batches import batch_create, batch_prepare
from migration_app.services.claims import thread_claim
from migration_app.services.selections import selection_of_pks
from migration_app.services.snapshots import load_source_thread, snapshot_pages_append

ACTOR = Actor("ada", job_id="job-1")
LEASE = dt.timedelta(seconds=60)


def message(thread_id: str, number: int, text: str | None = None, **extra: Any) -> dict[str, Any]:
    role = "user" if number % 2 == 0 else "assistant"
    part = {"type": "text", "text": {"value": text or f"{role} says {number}", "annotations": []}}
    return {
        "id": f"msg_{thread_id}_{number}",
        "object": "thread.message",
        "created_at": 1_700_000_000 + number,
        "thread_id": thread_id,
        "role": role,
        "content": [part],
        "attachments": [],
        "metadata": {},
        **extra,
    }


def objects_of(thread_id: str, messages: int) -> list[dict[str, Any]]:
    thread = {
        "id": thread_id,
        "object": "thread",
        "created_at": 1_700_000_000,
        "metadata": {"user_id": "u1"},
        "tool_resources": {},
    }
    return [thread, *(message(thread_id, number) for number in range(messages))]


def add_page(thread: Thread, objects: Sequence[dict[str, Any]], origin: str = "import-1") -> None:
    received = [(json.dumps({"object": "list", "data": list(objects)}).encode(), "req_1")]
    snapshot_pages_append(thread=thread, kind="archive", origin=origin, order="asc", received=received)


@pytest.fixture
def make_thread() -> Callable[..., Thread]:
    """A snapshotted thread of that many messages."""

    def make(thread_id: str = "thread_1", messages: int = 3) -> Thread:
        thread = Thread.objects.create(thread_id=thread_id)
        add_page(thread, objects_of(thread_id, messages))
        thread_assess(thread=thread, actor=ACTOR)
        return thread

    return make


def start(kind: str, *threads: Thread) -> Batch:
    selection = selection_of_pks([thread.pk for thread in threads])
    batch = batch_create(kind=kind, selection=selection, actor=ACTOR, reason="a test")
    batch_prepare(batch_pk=batch.pk, actor=ACTOR)
    batch.refresh_from_db()
    return batch


def claim(batch: Batch) -> Thread:
    thread = thread_claim(batch_pk=batch.pk, lease=LEASE)
    assert thread is not None
    return thread


def expire_leases() -> None:
    """As time does when a worker is dead."""
    Thread.objects.exclude(lease_until=None).update(lease_until=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))


def assert_conversation_holds_exactly_the_thread(thread: Thread, sandbox: RunningSandbox) -> None:
    """No item twice, none missing, in order: held against what the sandbox itself has stored."""
    thread.refresh_from_db()
    stored = sandbox.control.conversation(thread.conversation.conversation_id)
    planned = [planned.item for planned in convert_thread(load_source_thread(thread)).items]
    assert compare_items(planned, stored.items) is None
    assert len(stored.items) == len(planned)
