from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models.functions import Now

from migration_app.contracts import Actor
from migration_app.engine.journal.entries import (
    EntriesRefusedError,
    Entry,
    applied_to,
    entries_apply,
)
from migration_app.models import AuditEvent, Batch, Chunk, Conversation, OrphanConversation, Thread
from migration_app.threads.statuses import EdgeRefusedError

pytestmark = pytest.mark.django_db
S = Thread.Status
ACTOR = Actor("ada", user_id=None, job_id="job-1")


@pytest.fixture
def batch() -> Batch:
    return Batch.objects.create(
        kind="backfill", filter={"ids": []}, max_thread_pk=0, reason="a test", state="running"
    )


def held(batch: Batch, number: int = 1, status: str = S.BACKFILLING) -> Thread:
    """A thread in a worker's hands."""
    return Thread.objects.create(
        thread_id=f"thread_{number}",
        status=status,
        batch=batch,
        pending_work="backfill",
        lease_token=uuid.uuid4(),
        lease_until=Now(),
    )


def apply(*entries: Entry) -> frozenset[int]:
    return entries_apply(entries, ACTOR)


def test_a_transition_changes_the_row_and_stands_in_the_audit_trail_with_job_and_batch(batch: Batch) -> None:
    thread = held(batch)
    entry = Entry(thread)
    entry.transition(S.QUEUED, "thread.try_later", reason="It was late.", request_id="req_1", attempts=2)
    assert apply(entry) == {thread.pk}
    thread.refresh_from_db()
    assert (thread.status, thread.attempts) == (S.QUEUED, 2)
    event = AuditEvent.objects.get()
    assert (event.verb, event.before, event.after) == ("thread.try_later", "backfilling", "queued")
    assert (event.subject_id, event.batch_pk, event.job_id) == ("thread_1", batch.pk, "job-1")
    assert (event.actor, event.reason, event.request_id) == ("ada", "It was late.", "req_1")


def test_several_transitions_of_one_entry_are_told_in_their_order(batch: Batch) -> None:
    thread = held(batch, status=S.QUEUED)
    entry = Entry(thread)
    entry.transition(S.BACKFILLING, "thread.backfill_started")
    entry.transition(S.QUEUED, "thread.handed_back")
    apply(entry)
    assert list(AuditEvent.objects.order_by("pk").values_list("verb", "after")) == [
        ("thread.backfill_started", "backfilling"),
        ("thread.handed_back", "queued"),
    ]


def test_an_edge_that_the_table_does_not_have_is_refused_before_anything_is_written(batch: Batch) -> None:
    with pytest.raises(EdgeRefusedError):
        Entry(held(batch)).transition(S.VERIFIED, "thread.verified")


@pytest.mark.parametrize("change", [{"lease_token": uuid.uuid4()}, {"status": S.QUEUED}])
def test_an_entry_of_a_thread_that_somebody_else_holds_changes_nothing_and_the_others_are_written(
    batch: Batch, change: dict[str, Any]
) -> None:
    lost, kept = held(batch, 1), held(batch, 2)
    entries = [Entry(lost), Entry(kept)]
    for entry in entries:
        entry.parts["intent"] = {"policies": {}, "policies_version": 1, "replacements": []}
        entry.event("thread.resumed")
    Thread.objects.filter(pk=lost.pk).update(**change)
    assert apply(*entries) == {kept.pk}
    assert list(Conversation.objects.values_list("thread_id", flat=True)) == [kept.pk]
    assert list(AuditEvent.objects.values_list("subject_id", flat=True)) == ["thread_2"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "bad_columns",
    [{"attempts": -1}, {"error_text": "a\x00b"}, {"error_text": "\ud800"}, {"attempts": float("nan")}],
)
def test_an_entry_that_the_database_refuses_never_costs_the_others(
    batch: Batch, bad_columns: dict[str, Any]
) -> None:
    good, bad = held(batch, 1), held(batch, 2)
    entries = [Entry(good), Entry(bad)]
    entries[0].set(attempts=1)
    entries[1].set(**bad_columns)
    with pytest.raises(EntriesRefusedError) as caught:
        apply(*entries)
    assert (caught.value.held, list(caught.value.refused)) == (frozenset({good.pk}), [bad.pk])
    assert dict(Thread.objects.values_list("thread_id", "attempts")) == {"thread_1": 1, "thread_2": 0}


def test_a_chunk_is_announced_recorded_and_followed_by_the_next_in_one_step(batch: Batch) -> None:
    thread = held(batch)
    conversation = Conversation.objects.create(
        thread=thread, conversation_id="conv_1", state="open", intended_at=Now()
    )
    first, second = Entry(thread), Entry(thread)
    first.parts["sending"] = chunk(0)
    apply(first)
    second.parts["appended"] = {"sequence": 0, "item_ids": ["msg_1", "msg_2"], "request_id": "req_2"}
    second.parts["sending"] = chunk(1)
    apply(second)
    rows = Chunk.objects.filter(conversation=conversation).order_by("sequence")
    assert list(rows.values_list("state", "item_ids", "source_ids")) == [
        ("appended", ["msg_1", "msg_2"], ["a", "b"]),
        ("sending", [], ["a", "b"]),
    ]


def chunk(sequence: int) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "first_item": 2 * sequence,
        "item_count": 2,
        "digest": "0" * 64,
        "source_ids": ["a", "b"],
    }


def test_a_chunk_in_doubt_may_be_announced_anew_but_never_one_that_is_there(batch: Batch) -> None:
    thread = held(batch)
    Conversation.objects.create(thread=thread, conversation_id="conv_1", state="open", intended_at=Now())
    for _ in range(2):
        entry = Entry(thread)
        entry.parts["sending"] = chunk(0)
        apply(entry)
    Chunk.objects.update(state="appended")
    entry = Entry(thread)
    entry.parts["sending"] = chunk(0)
    with pytest.raises(IntegrityError):
        apply(entry)


def test_a_chunk_announced_anew_is_what_was_announced_last(batch: Batch) -> None:
    thread = held(batch)
    Conversation.objects.create(thread=thread, conversation_id="conv_1", state="open", intended_at=Now())
    first, second = Entry(thread), Entry(thread)
    first.parts["sending"] = chunk(0)
    apply(first)
    long_ago = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    Chunk.objects.update(sent_at=long_ago)
    second.parts["sending"] = chunk(0) | {
        "first_item": 1,
        "item_count": 1,
        "digest": "1" * 64,
        "source_ids": ["c"],
    }
    apply(second)
    row = Chunk.objects.get()
    assert (row.first_item, row.item_count, row.digest, row.source_ids) == (1, 1, "1" * 64, ["c"])
    assert row.sent_at is not None
    assert row.sent_at > long_ago


@pytest.mark.parametrize(("part", "state"), [("withdrawn", "sending"), ("deleted", "deleting")])
def test_one_chunk_goes_and_no_other_of_its_conversation_or_of_anothers(
    batch: Batch, part: str, state: str
) -> None:
    threads = [held(batch, number) for number in (1, 2)]
    for thread in threads:
        conversation = Conversation.objects.create(
            thread=thread, conversation_id=f"conv_{thread.pk}", state="open", intended_at=Now()
        )
        for sequence in (0, 1):
            Chunk.objects.create(
                conversation=conversation, **(chunk(sequence) | {"item_ids": [], "state": state})
            )
    entry = Entry(threads[0])
    entry.parts[part] = 1
    apply(entry)
    left = Chunk.objects.order_by("pk").values_list("conversation__thread__thread_id", "sequence")
    assert list(left) == [("thread_1", 0), ("thread_2", 0), ("thread_2", 1)]


@pytest.mark.parametrize("part", ["withdrawn", "deleted"])
def test_a_chunk_that_the_target_has_acknowledged_is_neither_withdrawn_nor_taken_for_deleted(
    batch: Batch, part: str
) -> None:
    thread = held(batch)
    conversation = Conversation.objects.create(
        thread=thread, conversation_id="conv_1", state="open", intended_at=Now()
    )
    Chunk.objects.create(
        conversation=conversation, **(chunk(0) | {"item_ids": ["msg_1"], "state": "appended"})
    )
    entry = Entry(thread)
    entry.parts[part] = 0
    apply(entry)
    assert Chunk.objects.get().state == "appended"


def test_a_change_of_a_conversation_keeps_what_it_does_not_name(batch: Batch) -> None:
    thread = held(batch)
    known = {
        "conversation_id": "conv_1",
        "create_request_id": "req_1",
        "state": "open",
        "replacements": [{"position": 3}],
        "item_count": 4,
        "fingerprint": "f" * 64,
        "not_shown": "attachments",
        "continued_after": 2,
    }
    Conversation.objects.create(thread=thread, intended_at=Now(), **known)
    changes: dict[str, Any] = {
        "conversation_id": "conv_2",
        "create_request_id": "req_2",
        "state": "complete",
        "replacements": [{"position": 5}],
        "item_count": 6,
        "fingerprint": "e" * 64,
        "not_shown": "phases",
        "continued_after": 1,
    }
    for name, value in changes.items():
        entry = Entry(thread)
        entry.parts["conversation"] = {name: value}
        apply(entry)
        known[name] = value
        assert Conversation.objects.values(*known).get() == known


def test_times_of_a_conversation_are_set_by_what_happened_and_by_nothing_else(batch: Batch) -> None:
    thread = held(batch)
    long_ago = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    Conversation.objects.create(
        thread=thread, conversation_id="conv_1", state="open", intended_at=long_ago, created_at=long_ago
    )
    completed, verified, undone = Entry(thread), Entry(thread), Entry(thread)
    completed.conversation(state="complete", completed=True, verified=False)
    apply(completed)
    row = Conversation.objects.get()
    at = row.completed_at
    assert at is not None
    assert (row.created_at, row.verified_at) == (long_ago, None)
    Conversation.objects.update(completed_at=long_ago)
    verified.conversation(state="verified", verified=True)
    apply(verified)
    row = Conversation.objects.get()
    assert (row.created_at, row.completed_at) == (long_ago, long_ago)
    assert row.verified_at is not None
    assert row.verified_at >= at
    undone.conversation(state="complete", verified=False)
    apply(undone)
    row = Conversation.objects.get()
    assert (row.completed_at, row.verified_at) == (long_ago, None)


def test_a_lost_create_goes_to_the_ledger_with_the_time_of_the_first_intent(batch: Batch) -> None:
    thread = held(batch)
    entry = Entry(thread)
    entry.parts["intent"] = {"policies": {}, "policies_version": 1, "replacements": []}
    apply(entry)
    Conversation.objects.update(intended_at="2026-01-01T00:00:00Z")
    again = Entry(thread)
    again.parts["intent"] = {"policies": {"attachments": "note"}, "policies_version": 1, "replacements": []}
    again.parts["orphan"] = {"reason": "lost", "metadata_keys": ["thread_id"]}
    apply(again)
    orphan, conversation = OrphanConversation.objects.get(), Conversation.objects.get()
    assert (orphan.intended_at.year, orphan.intended_at.month, orphan.metadata_keys) == (
        2026,
        1,
        ["thread_id"],
    )
    assert conversation.intended_at > orphan.intended_at
    assert conversation.policies == {"attachments": "note"}


def test_texts_that_the_database_can_not_hold_are_cleaned_and_long_ones_cut(batch: Batch) -> None:
    entry = Entry(held(batch))
    entry.event("item.refused", reason="half a pair \ud800 and a NUL \x00" + "x" * 5000)
    apply(entry)
    reason = AuditEvent.objects.get().reason
    assert "\x00" not in reason
    assert len(reason) == 2000


def test_a_released_thread_belongs_to_nobody_and_is_due_later(batch: Batch) -> None:
    thread = held(batch, status=S.QUEUED)
    entry = Entry(thread)
    entry.set(release=True, due_in=60.0)
    apply(entry)
    applied_to(thread, entry.parts)
    row = Thread.objects.get()
    assert (row.lease_token, row.lease_until, thread.lease_token) == (None, None, None)
    assert row.not_before is not None
