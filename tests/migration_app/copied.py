"""Threads that were copied and verified, made through the gateways alone: the truth is the sandbox's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx2
from django.utils import timezone

from migration_app.contracts import Actor, PlannedItem, ThreadPlan
from migration_app.conversion.chunking import chunk_items
from migration_app.conversion.comparison.canonical import fingerprint
from migration_app.conversion.threads import convert_thread
from migration_app.gateways.configured import target_connection
from migration_app.gateways.connection import Connection
from migration_app.gateways.target import conversation_create, items_append
from migration_app.models import Chunk, Conversation, Thread
from migration_app.snapshots.pages import load_source_thread
from migration_app.threads.assessments import thread_assess
from migration_app.threads.snapshots import snapshot_pages_append
from tests.sandbox import RunningSandbox

ACTOR = Actor("ada")


def source_objects(thread_id: str, messages: int, word: str = "says") -> list[dict[str, Any]]:
    """A thread object and its messages, user and assistant in turn."""
    head = {"id": thread_id, "object": "thread", "created_at": 1_700_000_000, "metadata": {}}
    return [head, *(_message(thread_id, number, word) for number in range(messages))]


def snapshotted_thread(thread_id: str = "thread_1", messages: int = 3, word: str = "says") -> Thread:
    """A thread with a snapshot, assessed."""
    thread = Thread.objects.create(thread_id=thread_id)
    document = json.dumps({"object": "list", "data": source_objects(thread_id, messages, word)}).encode()
    snapshot_pages_append(
        thread=thread, kind="archive", origin="import-1", order="asc", received=[(document, "req_1")]
    )
    thread_assess(thread=thread, actor=ACTOR)
    return thread


def copied_thread(thread_id: str = "thread_1", messages: int = 3, word: str = "says") -> Thread:
    """The same, sent to the target that the environment names, and recorded as verified."""
    thread = snapshotted_thread(thread_id, messages, word)
    plan = convert_thread(load_source_thread(thread))
    now = timezone.now()
    conversation_id, chunks = asyncio.run(_send(plan))
    conversation = Conversation.objects.create(
        thread=thread,
        conversation_id=conversation_id,
        state="verified",
        item_count=len(plan.items),
        fingerprint=fingerprint([planned.item for planned in plan.items]),
        intended_at=now,
        created_at=now,
        completed_at=now,
        verified_at=now,
        mapped_at=now,
    )
    for sequence, (first, planned, ids) in enumerate(chunks):
        Chunk.objects.create(
            conversation=conversation,
            sequence=sequence,
            first_item=first,
            item_count=len(planned),
            digest=fingerprint([entry.item for entry in planned]),
            source_ids=[entry.source_id for entry in planned],
            item_ids=list(ids),
            state="appended",
            sent_at=now,
            appended_at=now,
        )
    Thread.objects.filter(pk=thread.pk).update(status="verified")
    thread.refresh_from_db()
    return thread


def append_text(thread: Thread, text: str) -> None:
    """What an application does that goes on with the conversation."""

    conversation = thread.conversation

    async def append() -> None:
        connection = _target()
        body = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        await items_append(
            connection,
            conversation_id=conversation.conversation_id,
            first_position=conversation.item_count,
            items=[body],
        )
        await connection.close()

    asyncio.run(append())


def delete_conversation(sandbox: RunningSandbox, thread: Thread) -> None:
    """Delete it behind the console's back."""
    _delete(f"{sandbox.base_url}/conversations/{thread.conversation.conversation_id}")


def delete_item(sandbox: RunningSandbox, thread: Thread, position: int) -> None:
    """Delete one item behind the console's back."""
    conversation_id = thread.conversation.conversation_id
    item_id = sandbox.control.conversation(conversation_id).items[position]["id"]
    _delete(f"{sandbox.base_url}/conversations/{conversation_id}/items/{item_id}")


def _delete(url: str) -> None:
    httpx2.delete(url, headers={"Authorization": "Bearer sk-test-target"}).raise_for_status()


async def _send(
    plan: ThreadPlan,
) -> tuple[str, list[tuple[int, Sequence[PlannedItem], Sequence[str]]]]:
    connection = _target()
    created = await conversation_create(connection, metadata=plan.metadata)
    chunks: list[tuple[int, Sequence[PlannedItem], Sequence[str]]] = []
    for part in chunk_items(plan.items):
        planned = plan.items[part.start : part.stop]
        appended = await items_append(
            connection,
            conversation_id=created.conversation_id,
            first_position=part.start,
            items=[entry.item for entry in planned],
        )
        chunks.append((part.start, planned, appended.item_ids))
    await connection.close()
    return created.conversation_id, chunks


def _target() -> Connection:
    return target_connection(timeout_seconds=5)


def _message(thread_id: str, number: int, word: str) -> dict[str, Any]:
    role = "user" if number % 2 == 0 else "assistant"
    return {
        "id": f"msg_{thread_id}_{number}",
        "object": "thread.message",
        "created_at": 1_700_000_000 + number,
        "thread_id": thread_id,
        "role": role,
        "content": [{"type": "text", "text": {"value": f"{role} {word} {number}", "annotations": []}}],
        "attachments": [],
        "metadata": {},
    }
