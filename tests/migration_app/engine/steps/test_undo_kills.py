"""A worker killed at every step of a roll back: enumerated, as ``test_kills`` does it for a backfill."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from migration_app.engine.steps.undo import thread_rollback
from migration_app.gateways.connection import Connection
from migration_app.models import AuditEvent, Chunk, Conversation, FormerConversation, Thread
from tests.migration_app.engine.conftest import (
    backfilled,
    claim,
    continued_by_its_application,
    expire_leases,
    see_through,
    start,
)
from tests.migration_app.engine.test_kills import Bomb, KilledError, arm
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
ITEMS = 23
BOUNDARIES = 91
"""One more than a roll back of 23 items passes: 5 writes, 5 reads, 24 deletes, and a question for each item, before and
after each; but what is gone has no boundary behind the question: it is answered with a 404, as it should."""
# Deletes and questions for items come in long rows of the same kind: of these, some.
FUSES = [*range(14), *range(14, 80, 5), *range(80, BOUNDARIES)]


def arm_deletes(monkeypatch: pytest.MonkeyPatch, bomb: Bomb) -> None:
    arm(monkeypatch, bomb)
    delete = Connection.delete

    async def passing(self: Connection, path: str, *args: Any, **options: Any) -> Any:
        bomb.passing("before delete")
        answer = await delete(self, path, *args, **options)
        bomb.passing("after delete")
        return answer

    monkeypatch.setattr(Connection, "delete", passing)


@pytest.mark.parametrize("fuse", FUSES)
def test_a_worker_killed_at_any_boundary_leaves_a_roll_back_that_the_next_one_completes(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, fuse: int
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=ITEMS))))
    conversation_id = thread.conversation.conversation_id
    other = backfilled(claim(start("backfill", make_thread("thread_2", messages=3))))
    batch = start("rollback", thread)
    bomb = Bomb(fuse)
    with monkeypatch.context() as patched:
        arm_deletes(patched, bomb)
        with contextlib.suppress(KilledError):
            see_through(thread_rollback, claim(batch))
    thread.refresh_from_db()
    items = sandbox.control.conversation(conversation_id).items
    if thread.status == "verified":
        assert len(items) == ITEMS  # nobody is told that it is whole once a delete was sent
    if bomb.at:
        expire_leases()
    if thread.pending_work:
        see_through(thread_rollback, claim(batch))

    thread.refresh_from_db()
    assert (thread.status, thread.pending_work, thread.lease_token) == ("rolled_back", "", None)
    stored = sandbox.control.conversation(conversation_id)
    assert (stored.deleted, stored.items) == (True, [])
    former = FormerConversation.objects.get()
    assert (former.conversation_id, former.item_count, former.left_behind) == (conversation_id, ITEMS, "")
    assert Conversation.objects.get().thread_id == other.pk
    assert Chunk.objects.count() == 1
    assert sandbox.control.state().items == {other.conversation.conversation_id: 3}
    assert AuditEvent.objects.filter(verb="thread.rolled_back").count() == 1
    assert AuditEvent.objects.filter(verb="thread.rollback_started").count() == 1


@pytest.mark.parametrize("fuse", range(4, BOUNDARIES, 9))
def test_what_the_application_adds_after_a_kill_is_never_deleted(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, fuse: int
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=ITEMS))))
    conversation_id = thread.conversation.conversation_id
    batch = start("rollback", thread)
    with monkeypatch.context() as patched:
        arm_deletes(patched, Bomb(fuse))
        with contextlib.suppress(KilledError):
            see_through(thread_rollback, claim(batch))
    stored = sandbox.control.conversation(conversation_id)
    if stored.deleted:
        return
    continued_by_its_application(sandbox, conversation_id, "is anybody there?")
    expire_leases()
    see_through(thread_rollback, claim(batch))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == ("needs_review", "conversation_continued")
    texts = [
        part["text"]
        for item in sandbox.control.conversation(conversation_id).items
        for part in item["content"]
    ]
    assert texts[-1] == "is anybody there?"
    assert len(texts) == len(stored.items) + 1


def test_the_enumeration_reaches_past_the_last_boundary_and_not_much_further(
    make_thread: Callable[..., Thread], sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=ITEMS))))
    batch = start("rollback", thread)
    bomb = Bomb(BOUNDARIES)
    arm_deletes(monkeypatch, bomb)
    see_through(thread_rollback, claim(batch))
    assert bomb.left == 1
