from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.utils import timezone

from migration_app.batches import cancel as cancelling
from migration_app.batches.batches import batch_create, batch_prepare_piece
from migration_app.batches.cancel import TakenBack, batch_take_back, taken_back
from migration_app.batches.control import batch_cancel
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, Batch, Conversation, Thread
from migration_app.threads.selections import selection_of_filters
from migration_app.threads.statuses import thread_transition
from tests.factories import ConversationFactory, ThreadFactory
from tests.prepared import batch_prepare

pytestmark = pytest.mark.django_db
ADA = Actor("ada")
FUTURE = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
HELD: dict[str, Any] = {"lease_token": uuid.UUID(int=1), "lease_until": FUTURE}


def thread_in(status: str = "snapshotted", **fields: Any) -> Thread:
    thread: Thread = ThreadFactory.create(**{"status": status, "snapshot_at": timezone.now(), **fields})
    return thread


def started(kind: str = "backfill") -> Batch:
    batch = batch_create(kind=kind, selection=selection_of_filters({}), actor=ADA, reason="a test")
    batch_prepare(batch_pk=batch.pk, actor=ADA)
    return batch


def cancelled(batch: Batch) -> bool:
    batch_cancel(batch_pk=batch.pk, actor=ADA, reason="wrong ones")
    done = batch_take_back(batch_pk=batch.pk, actor=ADA)
    batch.refresh_from_db()
    return done


def seen(thread: Thread) -> tuple[str, str, str]:
    thread.refresh_from_db()
    return thread.status, thread.pending_work, thread.error_code


def test_queued_threads_are_snapshotted_again_and_the_batch_is_over() -> None:
    threads = [thread_in() for _ in range(3)]
    batch = started()
    assert cancelled(batch)
    assert {seen(thread) for thread in threads} == {("snapshotted", "", "")}
    assert (batch.state, taken_back(batch)) == ("cancelled", TakenBack(3, 0))
    assert batch.finished_at is not None
    assert AuditEvent.objects.filter(verb="thread.work_taken_back", batch_pk=batch.pk).count() == 3
    assert (
        "from 3 of 3 threads, 0 of them partly sent" in AuditEvent.objects.get(verb="batch.cancelled").reason
    )


def test_more_threads_than_one_piece_are_taken_back_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "_PIECE", 2)
    for _ in range(5):
        thread_in()
    batch = started()
    assert cancelled(batch)
    assert taken_back(batch) == TakenBack(5, 0)


def test_after_a_crash_the_rest_is_taken_back_and_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "_PIECE", 2)
    for _ in range(5):
        thread_in()
    batch = started()
    batch_cancel(batch_pk=batch.pk, actor=ADA, reason="wrong ones")
    assert cancelling._take_back_piece(batch_pk=batch.pk, actor=ADA)  # then the worker died
    assert batch_take_back(batch_pk=batch.pk, actor=ADA)
    batch.refresh_from_db()
    assert taken_back(batch) == TakenBack(5, 0)


@pytest.mark.parametrize(
    ("status", "code"),
    [("failed", "rate_limited"), ("needs_review", "other_items"), ("blocked", "item_refused")],
)
def test_a_thread_that_had_stopped_is_stopped_again_for_the_same_reason(status: str, code: str) -> None:
    thread = thread_in(status, error_code=code, error_text="why")
    assert cancelled(started("retry"))
    assert seen(thread) == (status, "", code)
    assert thread.error_text == "why"


@pytest.mark.parametrize(
    ("status", "state"), [("rolled_back", None), ("backfilled", "complete"), ("backfilled", "verified")]
)
def test_a_thread_becomes_again_what_it_was(status: str, state: str | None) -> None:
    thread = thread_in(status)
    if state:
        verified_at = timezone.now() if state == "verified" else None
        ConversationFactory.create(thread=thread, state=state, verified_at=verified_at)
    assert cancelled(started())
    assert seen(thread) == (status, "", "")


@pytest.mark.parametrize("status", ["queued", "backfilling"])
@pytest.mark.parametrize("state", ["open", "creating"])
def test_a_thread_that_is_partly_sent_keeps_its_conversation_and_says_so(status: str, state: str) -> None:
    thread = thread_in()
    batch = started()
    Thread.objects.update(status=status)
    conversation_id = "conv_1" if state == "open" else ""
    ConversationFactory.create(thread=thread, state=state, conversation_id=conversation_id)
    assert cancelled(batch)
    assert seen(thread) == ("snapshotted", "", "cancelled")
    assert "continues from there" in thread.error_text
    assert Conversation.objects.get(thread=thread).state == state
    assert taken_back(batch) == TakenBack(1, 1)


def test_a_thread_whose_conversation_is_whole_but_not_read_back_stays_backfilled_and_says_so() -> None:
    thread = thread_in()
    batch = started()
    Thread.objects.update(status="backfilled")
    assert cancelled(batch)
    assert seen(thread) == ("backfilled", "", "cancelled")
    assert "use Verify" in thread.error_text


def test_a_thread_that_was_verified_is_not_called_so_again_unread() -> None:
    thread = thread_in("verified")
    thread_in()
    batch = thread.batch = started()
    thread_transition(
        thread=thread,
        to="queued",
        actor=ADA,
        verb="thread.queued",
        fields={"pending_work": "backfill", "batch": batch},
    )
    assert cancelled(batch)
    assert seen(thread) == ("backfilled", "", "")


@pytest.mark.parametrize(
    ("kind", "status", "fields"),
    [
        ("snapshot", "registered", {"snapshot_at": None}),
        ("resources", "verified", {}),
        ("verify", "verified", {}),
    ],
)
def test_work_that_changes_no_status_is_just_taken_away(
    kind: str, status: str, fields: dict[str, Any]
) -> None:
    thread = thread_in(status, error_code="timeout", **fields)
    ConversationFactory.create(thread=thread, state="complete")
    batch = started(kind)
    assert Thread.objects.get().pending_work == kind
    assert cancelled(batch)
    assert seen(thread) == (status, "", "timeout")
    assert taken_back(batch) == TakenBack(1, 0)


def test_what_a_worker_holds_is_left_to_it_until_its_lease_is_gone() -> None:
    held, free = thread_in(), thread_in()
    batch = started()
    Thread.objects.filter(pk=held.pk).update(status="backfilling", **HELD)
    assert not cancelled(batch)
    assert (seen(held)[0], seen(free)[0], batch.state) == ("backfilling", "snapshotted", "cancelling")
    Thread.objects.filter(pk=held.pk).update(lease_token=None, lease_until=None)
    assert batch_take_back(batch_pk=batch.pk, actor=ADA)
    assert seen(held)[0] == "snapshotted"


def test_a_dead_worker_s_thread_is_taken_back_when_its_lease_has_run_out() -> None:
    thread = thread_in()
    batch = started()
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    Thread.objects.update(status="backfilling", lease_token=uuid.UUID(int=1), lease_until=long_ago)
    assert cancelled(batch)
    thread.refresh_from_db()
    assert (thread.status, thread.lease_token) == ("snapshotted", None)


def test_a_thread_that_waits_for_its_next_try_is_taken_back_too() -> None:
    thread = thread_in()
    batch = started()
    Thread.objects.update(not_before=FUTURE, attempts=3)
    assert cancelled(batch)
    thread.refresh_from_db()
    assert (thread.status, thread.not_before, thread.attempts) == ("snapshotted", None, 0)


def test_what_was_done_stays_done() -> None:
    done, queued = thread_in(), thread_in()
    batch = started()
    Thread.objects.filter(pk=done.pk).update(status="verified", pending_work="")
    assert cancelled(batch)
    assert (seen(done), seen(queued)) == (("verified", "", ""), ("snapshotted", "", ""))
    assert taken_back(batch) == TakenBack(1, 0)


def test_a_batch_cancelled_while_it_is_prepared_hands_nothing_more_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("migration_app.batches.batches._PIECE", 2)
    for _ in range(5):
        thread_in()
    batch = batch_create(kind="backfill", selection=selection_of_filters({}), actor=ADA, reason="a test")
    assert batch_prepare_piece(batch_pk=batch.pk, actor=ADA)
    assert cancelled(batch)
    assert not batch_prepare_piece(batch_pk=batch.pk, actor=ADA)
    assert Thread.objects.filter(status="snapshotted", pending_work="").count() == 5


def test_a_batch_that_is_not_being_cancelled_is_left_alone() -> None:
    thread_in()
    batch = started()
    assert not batch_take_back(batch_pk=batch.pk, actor=ADA)
    batch.refresh_from_db()
    assert batch.state == "running"
    assert Thread.objects.get().pending_work == "backfill"
