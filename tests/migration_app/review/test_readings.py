"""What is kept of a conversation in review: by the worker that found the difference, and by one that was asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from migration_app.engine import reading as bounds
from migration_app.engine.reading import Reading, reading_unpack
from migration_app.engine.steps.review import thread_accept
from migration_app.engine.steps.undo import thread_rollback
from migration_app.models import AuditEvent, ReviewReading, Thread
from migration_app.review.readings import (
    READINGS,
    ReadingRefusedError,
    reading_content,
    reading_request,
    reading_work,
)
from migration_app.tasks.connections import connections_of_settings
from migration_app.threads.server_messages import server_messages_erase
from tests.migration_app.engine.conftest import (
    ACTOR,
    backfilled,
    call,
    claim,
    continued_by_its_application,
    make_thread,
    see_through,
    start,
    verified,
)
from tests.migration_app.review.conftest import InReview
from tests.migration_app.test_private_words import MARKER, MAY_HOLD, holding
from tests.sandbox import RunningSandbox

__all__ = ["make_thread"]  # a fixture, used by name
Make = Callable[..., Thread]
committed = pytest.mark.django_db(transaction=True)


def items(count: int, text: str = "x") -> list[dict[str, Any]]:
    return [{"id": f"msg_{number}", "type": "message", "content": text} for number in range(count)]


def unpacked(reading: Reading) -> tuple[int, list[int], int]:
    """The first kept place, the places of items that were kept whole, and how many there are in all."""
    columns = reading.packed()
    kept = reading_unpack(columns["payload"], first_item=columns["first_item"])
    assert len(kept.items) == columns["kept_count"]
    return columns["first_item"], [item.place for item in kept.items if item.item], columns["item_count"]


def test_a_reading_begins_a_little_before_the_first_difference() -> None:
    reading = Reading("conv_1")
    reading.see(items(100))
    reading.see(items(100))
    reading.differs()
    reading.see(items(10))
    assert unpacked(reading) == (80, list(range(80, 210)), 210)


def test_a_small_conversation_is_kept_whole() -> None:
    reading = Reading("conv_1")
    reading.see(items(5))
    reading.differs()
    reading.see_metadata({"metadata": {"user": "u1"}})
    assert unpacked(reading) == (0, [0, 1, 2, 3, 4], 5)


def test_no_more_items_are_kept_than_the_bound_and_all_are_counted() -> None:
    reading = Reading("conv_1")
    for _ in range(10):
        reading.see(items(100))
        reading.differs()
    first, kept, total = unpacked(reading)
    assert (first, len(kept), total) == (0, bounds.MOST_ITEMS, 1000)


def test_no_more_bytes_are_kept_than_the_bound() -> None:
    reading = Reading("conv_1")
    reading.see(items(20, "y" * 100_000))
    reading.differs()
    assert len(unpacked(reading)[1]) == bounds.MOST_BYTES // 100_100


def test_an_item_that_is_too_large_is_left_out_with_its_size() -> None:
    reading = Reading("conv_1")
    reading.see([*items(1), *items(1, "z" * bounds.ITEM_BYTES), *items(1)])
    reading.differs()
    columns = reading.packed()
    kept = reading_unpack(columns["payload"], first_item=0).items
    assert [item.item is None for item in kept] == [False, True, False]
    assert kept[1].size > bounds.ITEM_BYTES


@committed
def test_the_worker_keeps_what_it_read_when_it_finds_a_difference(
    make_thread: Make, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=3))))
    assert not ReviewReading.objects.exists()
    continued_by_its_application(sandbox, thread.conversation.conversation_id, "and another thing")
    assert verified(claim(start("verify", thread))).status == "needs_review"
    row = ReviewReading.objects.get()
    kept = reading_content(row)
    assert kept is not None
    assert (row.state, row.found, row.item_count, row.kept_count) == ("finished", True, 4, 4)
    assert (row.conversation_id, row.created_by_name) == (thread.conversation.conversation_id, "ada")
    last = kept.items[-1].item
    assert last is not None
    assert last["content"][0]["text"] == "and another thing"


@committed
def test_a_conversation_that_is_gone_is_kept_as_gone(make_thread: Make, sandbox: RunningSandbox) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=2))))
    call(sandbox, "DELETE", f"/conversations/{thread.conversation.conversation_id}")
    assert verified(claim(start("verify", thread))).error_code == "conversation_missing"
    row = ReviewReading.objects.get()
    assert (row.found, row.item_count, row.kept_count) == (False, 0, 0)


@committed
def test_read_again_is_done_by_a_worker_and_takes_the_place_of_what_was_kept(
    make_thread: Make, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=2))))
    continued_by_its_application(sandbox, thread.conversation.conversation_id, "one")
    thread = verified(claim(start("verify", thread)))
    continued_by_its_application(sandbox, thread.conversation.conversation_id, "two")
    row = reading_request(thread_pk=thread.pk, actor=ACTOR)
    assert READINGS.waiting() == [row.pk]
    assert ReviewReading.objects.get().item_count == 3  # until the new one is there
    assert reading_request(thread_pk=thread.pk, actor=ACTOR).pk == row.pk
    assert not reading_work(pk=row.pk, actor=ACTOR, apis=connections_of_settings())
    again = ReviewReading.objects.get()
    assert (again.state, again.item_count, again.kept_count) == ("finished", 4, 4)
    assert AuditEvent.objects.filter(verb="thread.reading_asked").count() == 1


@committed
def test_a_reading_that_fails_says_why_and_keeps_the_old_one(
    make_thread: Make, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=2))))
    continued_by_its_application(sandbox, thread.conversation.conversation_id)
    thread = verified(claim(start("verify", thread)))
    reading_request(thread_pk=thread.pk, actor=ACTOR)
    sandbox.control.add_fault("unauthorized")
    reading_work(pk=thread.pk, actor=ACTOR, apis=connections_of_settings())
    row = ReviewReading.objects.get()
    assert row.state == "failed"
    assert row.error_text
    assert reading_content(row) is not None


@committed
def test_a_thread_that_leaves_review_while_it_is_read_gets_no_reading(
    make_thread: Make, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=2))))
    continued_by_its_application(sandbox, thread.conversation.conversation_id)
    thread = verified(claim(start("verify", thread)))
    reading_request(thread_pk=thread.pk, actor=ACTOR)
    row = READINGS.claim(thread.pk)
    Thread.objects.filter(pk=thread.pk).update(status="excluded")
    assert row is not None
    assert not READINGS.held_by(row).exists()
    assert not reading_work(pk=thread.pk, actor=ACTOR, apis=connections_of_settings())
    assert not ReviewReading.objects.exists()


@pytest.mark.django_db
def test_nothing_is_read_where_there_is_no_conversation_or_no_review(in_review: InReview) -> None:
    case = in_review()
    with pytest.raises(ReadingRefusedError, match="no conversation"):
        reading_request(thread_pk=case.pk, actor=ACTOR)
    Thread.objects.filter(pk=case.pk).update(status="excluded")
    with pytest.raises(ReadingRefusedError, match="left review"):
        reading_request(thread_pk=case.pk, actor=ACTOR)


@pytest.mark.django_db
def test_a_kept_reading_is_erased_with_the_messages_of_servers(in_review: InReview) -> None:
    case, other = in_review(), in_review()
    for pk in (case.pk, other.pk):
        ReviewReading.objects.create(thread_id=pk, state="finished", payload=b"x")
    erased = server_messages_erase(selection={"ids": [case.pk]}, actor=ACTOR, reason="asked for")
    assert erased == 1
    assert list(ReviewReading.objects.values_list("pk", flat=True)) == [other.pk]
    assert AuditEvent.objects.get().verb == "thread.server_messages_erased"


@committed
def test_a_refused_acceptance_and_a_refused_roll_back_keep_what_they_read(
    make_thread: Make, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=3))))
    conversation_id = thread.conversation.conversation_id
    continued_by_its_application(sandbox, conversation_id)
    rolled = see_through(thread_rollback, claim(start("rollback", thread)))
    assert (rolled.status, rolled.error_code) == ("needs_review", "conversation_continued")
    assert ReviewReading.objects.get().item_count == 4
    item = call(sandbox, "GET", f"/conversations/{conversation_id}/items?order=asc&limit=1")["data"][0]
    call(sandbox, "DELETE", f"/conversations/{conversation_id}/items/{item['id']}")
    assert see_through(thread_accept, claim(start("accept", thread))).status == "needs_review"
    row = ReviewReading.objects.get()
    assert (row.item_count, row.first_item, row.kept_count) == (3, 0, 3)


@committed
def test_what_was_read_is_kept_in_one_place_only_and_goes_with_the_decision(
    make_thread: Make, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=2))))
    continued_by_its_application(sandbox, thread.conversation.conversation_id, MARKER)
    thread = verified(claim(start("verify", thread)))
    assert holding(MARKER) == {("migration_app_reviewreading", "payload")}
    assert holding(MARKER) <= MAY_HOLD
    accepted = see_through(thread_accept, claim(start("accept", thread)))
    assert accepted.status == "verified"
    assert holding(MARKER) == set()
