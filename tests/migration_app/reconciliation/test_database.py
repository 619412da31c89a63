from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable

import pytest
from django.utils import timezone

from migration_app.models import (
    Batch,
    Chunk,
    Conversation,
    FormerConversation,
    OrphanConversation,
    SourceImport,
    Thread,
)
from migration_app.reconciliation.database import orphans_check, records_check, work_check
from tests.factories import BatchFactory, ConversationFactory, SourceImportFactory, ThreadFactory

pytestmark = pytest.mark.django_db

LONG_AGO = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


def conversation(status: str, state: str = "verified", *chunks: int, **fields: object) -> Conversation:
    """A thread and its conversation with chunks of so many items, all in order."""
    verified = {"verified_at": timezone.now()} if state == "verified" else {}
    conversation_id = {"conversation_id": ""} if state == "creating" else {}
    made = ConversationFactory.create(
        thread=ThreadFactory.create(status=status),
        state=state,
        **{"item_count": sum(chunks), **verified, **conversation_id, **fields},
    )
    first = 0
    for sequence, count in enumerate(chunks):
        Chunk.objects.create(
            conversation=made,
            sequence=sequence,
            first_item=first,
            item_count=count,
            digest="d",
            source_ids=[],
            item_ids=[f"msg_{made.pk}_{first + number}" for number in range(count)],
            state="appended",
        )
        first += count
    return made


def codes() -> list[str]:
    looked = records_check(list(Thread.objects.order_by("pk").values_list("pk", flat=True)))
    assert looked.looked == Thread.objects.count()
    return [found.code for found in looked.found]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("verified", "verified"),
        ("backfilled", "complete"),
        ("needs_review", "complete"),
        ("needs_review", "verified"),
        ("failed", "verified"),
    ],
)
def test_a_conversation_that_fits_its_thread_is_no_discrepancy(status: str, state: str) -> None:
    conversation(status, state, 20, 5)
    assert codes() == []


@pytest.mark.parametrize(
    "status", ["registered", "snapshotted", "blocked", "failed", "rolled_back", "excluded"]
)
def test_a_thread_without_a_conversation_that_claims_none_is_no_discrepancy(status: str) -> None:
    ThreadFactory.create(status=status)
    assert codes() == []


@pytest.mark.parametrize("state", ["creating", "open"])
def test_a_conversation_in_a_workers_hands_is_no_discrepancy(state: str) -> None:
    made = conversation("backfilling" if state == "never" else "snapshotted", state)
    Thread.objects.filter(pk=made.thread_id).update(
        status="backfilling", pending_work="backfill", batch=BatchFactory.create()
    )
    assert codes() == []


@pytest.mark.parametrize("status", ["verified", "backfilled"])
def test_a_finished_thread_without_a_conversation_contradicts_itself(status: str) -> None:
    ThreadFactory.create(status=status)
    assert codes() == ["status_contradicts"]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("verified", "complete"),
        ("verified", "open"),
        ("backfilled", "open"),
        ("registered", "complete"),
        ("source_missing", "open"),
        ("rolled_back", "complete"),
    ],
)
def test_a_status_that_its_conversation_contradicts_is_found(status: str, state: str) -> None:
    conversation(status, state)
    assert codes() == ["status_contradicts"]


def test_a_create_that_nobody_resolves_is_found() -> None:
    conversation("failed", "creating")
    assert codes() == ["create_unresolved"]


def test_a_conversation_that_was_begun_and_left_is_found() -> None:
    conversation("failed", "open", 20)
    assert codes() == ["conversation_unfinished"]


def test_a_roll_back_that_was_left_is_found_and_its_chunks_are_not_held_against_it() -> None:
    conversation("needs_review", "deleting", 20, 5)
    Chunk.objects.filter(sequence=0).delete()
    assert codes() == ["rollback_unfinished"]
    Thread.objects.update(pending_work="rollback", batch=BatchFactory.create())
    assert codes() == []


def test_a_lease_without_work_is_found() -> None:
    ThreadFactory.create(status="snapshotted", lease_token=uuid.uuid4(), lease_until=timezone.now())
    assert codes() == ["lease_without_work"]


def test_a_chunk_in_doubt_of_a_thread_at_rest_is_found() -> None:
    conversation("failed", "open", 20, 5)
    Chunk.objects.filter(sequence=1).update(state="sending", item_ids=[])
    assert codes() == ["conversation_unfinished", "chunk_in_doubt"]


def test_a_chunk_that_is_missing_between_others_is_found() -> None:
    conversation("verified", "verified", 20, 20, 5)
    Chunk.objects.filter(sequence=1).delete()
    assert codes() == ["chunk_gap", "item_count_differs"]


def test_a_chunk_that_begins_where_the_one_before_does_not_end_is_found() -> None:
    conversation("verified", "verified", 20, 5)
    Chunk.objects.filter(sequence=1).update(first_item=19)
    assert codes() == ["chunk_gap"]


def test_a_chunk_without_the_ids_of_its_items_is_found() -> None:
    conversation("verified", "verified", 20)
    Chunk.objects.update(item_ids=["msg_1"])
    assert codes() == ["chunk_ids_missing"]


def test_another_number_of_items_than_claimed_is_found() -> None:
    conversation("verified", "verified", 20, item_count=21)
    assert codes() == ["item_count_differs"]


def test_the_items_of_a_continued_conversation_are_not_counted() -> None:
    conversation("verified", "verified", 20, item_count=3, continued_after=3)
    assert codes() == []


def test_an_item_id_that_stands_twice_is_found_inside_a_conversation_and_between_two() -> None:
    for name in ("first", "second"):
        conversation("verified", "verified", 2)
        assert name
    one, other = Chunk.objects.order_by("pk")
    Chunk.objects.filter(pk=other.pk).update(item_ids=["msg_x", one.item_ids[0]])
    assert codes() == ["item_id_twice", "item_id_twice"]
    Chunk.objects.filter(pk=other.pk).update(item_ids=["msg_x", "msg_x"])
    assert codes() == ["item_id_twice"]


def test_a_page_of_threads_takes_three_statements(
    django_assert_num_queries: Callable[[int], object],
) -> None:
    pks = [conversation("verified", "verified", 20, 5).thread_id for _ in range(20)]
    with django_assert_num_queries(3):  # type: ignore[attr-defined]  # pytest-django's fixture has no type
        records_check(pks)


# --- work


def work_codes() -> list[str]:
    return [found.code for found in work_check().found]


def pending(batch: Batch, **fields: object) -> Thread:
    thread: Thread = ThreadFactory.create(status="snapshotted", pending_work="verify", batch=batch, **fields)
    Thread.objects.filter(pk=thread.pk).update(updated_at=LONG_AGO)
    return thread


def running(**fields: object) -> Batch:
    batch: Batch = BatchFactory.create(**{"state": "running", "started_at": LONG_AGO, **fields})
    return batch


def test_a_lease_that_ran_out_long_ago_is_found() -> None:
    batch = running()
    pending(batch, lease_token=uuid.uuid4(), lease_until=LONG_AGO)
    pending(batch, lease_token=uuid.uuid4(), lease_until=timezone.now() + dt.timedelta(minutes=1))
    (found,) = work_check().found
    assert (found.code, found.found) == ("lease_forgotten", "its lease ran out at 2020-01-01 00:00:00 UTC")


def test_a_lease_of_a_batch_that_a_person_holds_back_is_no_discrepancy() -> None:
    pending(running(state="paused"), lease_token=uuid.uuid4(), lease_until=LONG_AGO)
    assert work_codes() == []


def test_a_batch_that_is_worked_on_is_no_discrepancy() -> None:
    batch = running()
    pending(batch)
    pending(batch, lease_token=uuid.uuid4(), lease_until=timezone.now() + dt.timedelta(minutes=1))
    assert work_codes() == []


def test_a_batch_whose_threads_nobody_takes_is_found() -> None:
    pending(running())
    assert work_codes() == ["batch_idle"]


def test_a_batch_whose_threads_all_wait_for_a_far_time_is_found() -> None:
    pending(running(), not_before=dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    assert work_codes() == ["batch_waits_long"]


def test_a_batch_whose_threads_wait_while_others_were_just_touched_is_no_discrepancy() -> None:
    batch = running()
    pending(batch, not_before=dt.datetime(2100, 1, 1, tzinfo=dt.UTC))
    touched = pending(batch)
    Thread.objects.filter(pk=touched.pk).update(updated_at=timezone.now())
    assert work_codes() == []


def test_a_batch_that_waits_for_its_next_try_is_no_discrepancy() -> None:
    pending(running(), not_before=timezone.now() + dt.timedelta(minutes=2))
    assert work_codes() == []


def test_a_batch_that_is_done_and_not_closed_is_found() -> None:
    running()
    assert work_codes() == ["batch_not_closed"]


def test_a_batch_that_was_only_just_begun_is_no_discrepancy() -> None:
    running(started_at=timezone.now())
    pending(running(started_at=timezone.now()))
    BatchFactory.create(state="preparing")
    assert work_codes() == []


@pytest.mark.parametrize("state", ["preparing", "cancelling"])
def test_a_batch_without_a_sign_of_life_is_found(state: str) -> None:
    BatchFactory.create(state=state, heartbeat_at=LONG_AGO)
    (found,) = work_check().found
    assert found.code == "batch_stalled"
    assert "2020-01-01" in found.found


def test_an_import_without_a_sign_of_life_and_one_that_nobody_takes_are_found() -> None:
    SourceImportFactory.create(heartbeat_at=LONG_AGO)
    SourceImportFactory.create()
    SourceImportFactory.create(state="waiting", heartbeat_at=None, started_at=None)
    assert work_codes() == ["import_stalled"]
    SourceImport.objects.filter(state="waiting").update(created_at=LONG_AGO)
    assert work_codes() == ["import_stalled", "import_waiting"]


def test_open_entries_of_the_orphan_ledger_are_told_in_one_line() -> None:
    assert orphans_check().found == ()
    for state in ("open", "open", "accepted"):
        OrphanConversation.objects.create(
            thread=ThreadFactory.create(), intended_at=timezone.now(), reason="lost", state=state
        )
    (found,) = orphans_check().found
    assert (found.code, found.found) == ("orphans_open", "2 open")


def test_conversations_given_up_that_are_not_gone_when_they_should_be_are_told() -> None:
    now = timezone.now()
    for number, fields in enumerate(
        (
            {"delete_after": now + dt.timedelta(hours=1)},
            {"delete_after": now - dt.timedelta(days=2)},
            {"deleted_at": now},
            {},
        )
    ):
        FormerConversation.objects.create(
            thread=ThreadFactory.create(),
            conversation_id=f"conv_{number}",
            outcome="given_up",
            actor="w",
            **fields,
        )
    assert {(found.code, found.found) for found in orphans_check().found} == {
        ("given_up_stays", "1 that the target does not delete"),
        ("given_up_late", "1 that should have been deleted by now"),
    }


def test_a_conversation_given_up_that_a_thread_points_to_is_an_error() -> None:
    held = conversation("verified")
    FormerConversation.objects.create(
        thread=held.thread,
        conversation_id=held.conversation_id,
        outcome="given_up",
        actor="w",
        delete_after=timezone.now() + dt.timedelta(hours=1),
    )
    (found,) = orphans_check().found
    assert (found.code, found.found) == ("given_up_in_use", "1 that a thread points to")
