"""What looks whether an estate is whole sees each way in which it is not."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.utils import timezone

from migration_app.models import AuditEvent, BatchResult, Chunk, Thread
from tests.chaos.invariants import estate_troubles
from tests.migration_app.engine.conftest import (
    backfilled,
    call,
    claim,
    continued_by_its_application,
    make_thread,
    start,
)
from tests.sandbox import RunningSandbox

__all__ = ["make_thread"]  # fixtures, used by name
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def whole(make_thread: Callable[..., Thread], sandbox: RunningSandbox) -> Thread:
    """A verified thread, with which nothing is wrong."""
    thread = backfilled(claim(start("backfill", make_thread(messages=25))))
    assert estate_troubles(sandbox.control, [thread]) == []
    return thread


def test_an_item_too_many_and_one_too_few_are_seen(whole: Thread, sandbox: RunningSandbox) -> None:
    conversation_id = whole.conversation.conversation_id
    continued_by_its_application(sandbox, conversation_id)
    assert any("was not planned" in trouble for trouble in estate_troubles(sandbox.control, [whole]))
    for item in sandbox.control.conversation(conversation_id).items[-2:]:
        call(sandbox, "DELETE", f"/conversations/{conversation_id}/items/{item['id']}")
    assert any("is missing" in trouble for trouble in estate_troubles(sandbox.control, [whole]))


def test_a_status_that_no_audit_row_leads_to_is_seen(whole: Thread, sandbox: RunningSandbox) -> None:
    Thread.objects.update(status="failed")
    troubles = " ".join(estate_troubles(sandbox.control, [whole]))
    assert "thread_1 is failed and not verified" in troubles
    assert "the trail ends at verified, but it is failed" in troubles


def test_work_that_is_over_without_a_result_is_seen(whole: Thread, sandbox: RunningSandbox) -> None:
    assert whole.batch_id is not None
    BatchResult.objects.update(result="rolled_back")
    troubles = estate_troubles(sandbox.control, [whole])
    assert troubles == ["thread_1 is verified, and its batch says rolled_back"]
    BatchResult.objects.all().delete()
    troubles = estate_troubles(sandbox.control, [whole])
    assert troubles == [f"thread_1 has no result in batch {whole.batch_id}"]


def test_a_gap_and_a_forbidden_edge_in_the_trail_are_seen(whole: Thread, sandbox: RunningSandbox) -> None:
    for before, after in (("queued", "verified"), ("verified", "verified")):
        AuditEvent.objects.create(
            actor="x",
            verb="thread.x",
            subject_kind="thread",
            subject_id="thread_1",
            before=before,
            after=after,
        )
    troubles = estate_troubles(sandbox.control, [whole])
    assert "thread_1: thread.x begins at queued, but it was verified" in troubles
    assert "thread_1: thread.x leads from queued to verified, which no edge does" in troubles


def test_a_lease_a_chunk_in_doubt_and_a_conversation_of_nobody_are_seen(
    whole: Thread, sandbox: RunningSandbox
) -> None:
    Thread.objects.update(lease_token=uuid.uuid4(), lease_until=timezone.now())
    Chunk.objects.filter(sequence=1).update(state="sending")
    call(sandbox, "POST", "/conversations", {})
    troubles = estate_troubles(sandbox.control, [whole])
    assert "thread_1 is still held" in troubles
    assert "thread_1: chunk 1 is still sending" in troubles
    assert "1 conversations are nobody's, and the ledger knows of 0" in troubles
