"""Threads with a snapshot, seen through as a worker does it, and the truth that the sandbox keeps.

The engine speaks to the database from threads of its own, so these tests commit what they write.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx2
import pytest

from migration_app.batches.batches import batch_create
from migration_app.batches.claims import threads_claim
from migration_app.contracts import Actor
from migration_app.conversion.threads import convert_thread
from migration_app.engine import outcomes
from migration_app.engine.behaviour import Behaviour
from migration_app.engine.converting.converter import Converter
from migration_app.engine.database import DatabaseThread
from migration_app.engine.journal.commits import Commits
from migration_app.engine.journal.entries import Entry
from migration_app.engine.loading import threads_load
from migration_app.engine.places import Places
from migration_app.engine.steps.protocol import thread_backfill, thread_verify
from migration_app.engine.work import HandBackError, Work
from migration_app.gateways.configured import target_connection
from migration_app.gateways.errors import GatewayError
from migration_app.models import Batch, Thread
from migration_app.snapshots.pages import load_source_thread
from migration_app.threads.assessments import thread_assess
from migration_app.threads.selections import selection_of_pks
from migration_app.threads.snapshots import snapshot_pages_append
from tests.migration_app.conversion.support import compare_items
from tests.prepared import batch_prepare
from tests.sandbox import RunningSandbox

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
    [thread] = threads_claim(batch_pk=batch.pk, lease=LEASE, count=1)
    return thread


def see_through(
    step: Callable[[Work], Awaitable[None]],
    thread: Thread,
    *,
    stopping: Callable[[], bool] = lambda: False,
    repeats_refused: bool = False,
) -> Thread:
    """Take a claimed thread through one step of its work, as a turn does; errors of calls are recorded and raised."""

    async def go() -> None:
        async with (
            target_connection(timeout_seconds=5) as connection,
            Commits(ACTOR) as commits,
            DatabaseThread() as database,
            Converter(database, lambda: False) as converter,
        ):
            (loaded,) = await database.run(threads_load, [thread])
            await converter.convert(loaded)
            loaded.convert()
            work = Work(
                thread=thread,
                planned=loaded.plan,
                conversation=loaded.conversation,
                chunks=loaded.chunks,
                connection=connection,
                commits=commits,
                database=database,
                stopping=stopping,
                entry=Entry(thread),
                actor=ACTOR,
                places=Places().of_thread(),
                trouble=loaded.trouble,
                snapshot_seen=loaded.snapshot_seen,
                behaviour=Behaviour(repeats_refused=repeats_refused),
            )
            try:
                await step(work)
            except GatewayError as error:
                outcomes.call_failed(work.entry, error)
                await work.write()
                raise
            except HandBackError:
                outcomes.hand_back(work.entry)
                await work.write()

    asyncio.run(go())
    thread.refresh_from_db()
    return thread


def backfilled(thread: Thread, *, repeats_refused: bool = False) -> Thread:
    return see_through(thread_backfill, thread, repeats_refused=repeats_refused)


def verified(thread: Thread) -> Thread:
    return see_through(thread_verify, thread)


def resumed(thread: Thread, *, repeats_refused: bool = False) -> Thread:
    """Seen through by the next worker, once the lease has run out and its time has come."""
    expire_leases()
    Thread.objects.update(not_before=None)
    assert thread.batch is not None
    return backfilled(claim(thread.batch), repeats_refused=repeats_refused)


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


def call(
    sandbox: RunningSandbox, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Call the target as another program does, and return its answer."""
    headers = {"Authorization": "Bearer sk-test-target"}
    answer = httpx2.request(method, f"{sandbox.base_url}{path}", json=body, headers=headers)
    answer.raise_for_status()
    value: dict[str, Any] = answer.json()
    return value


def continued_by_its_application(sandbox: RunningSandbox, conversation_id: str, *texts: str) -> None:
    """Append to a conversation, one call each, as its application does."""
    for text in texts or ("and another thing",):
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        call(sandbox, "POST", f"/conversations/{conversation_id}/items", {"items": [item]})
