"""What a batch keeps of each of its threads, for every way in which a worker's hands let go of one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from migration_app.contracts import Policies
from migration_app.conversion.threads import convert_thread
from migration_app.engine import outcomes
from migration_app.engine.journal.entries import Entry, entries_apply
from migration_app.engine.outcomes import Trouble
from migration_app.engine.steps import records
from migration_app.engine.steps.records import NeedsReviewError
from migration_app.engine.steps.resources import thread_check_resources
from migration_app.engine.steps.undo import thread_rollback
from migration_app.gateways.errors import GatewayError
from migration_app.models import Batch, BatchResult, Conversation, Thread
from migration_app.snapshots.pages import load_source_thread
from tests.migration_app.engine.conftest import (
    ACTOR,
    backfilled,
    claim,
    expire_leases,
    see_through,
    start,
    verified,
)
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
MakeThread = Callable[..., Thread]


def kept(batch: Batch) -> list[tuple[str, str, int]]:
    return list(
        BatchResult.objects.filter(batch=batch)
        .order_by("thread_id")
        .values_list("result", "error_code", "retries")
    )


def applied(entry: Entry) -> None:
    assert entries_apply([entry], ACTOR) == {entry.thread.pk}


def test_a_verified_thread_is_kept_with_its_messages_and_times(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    batch = start("backfill", make_thread(messages=7))
    thread = backfilled(claim(batch))
    row = BatchResult.objects.get()
    assert (row.batch_id, row.thread_id, row.result, row.error_code) == (
        batch.pk,
        thread.pk,
        "verified",
        "",
    )
    assert (row.messages, row.retries, row.continued_in) == (7, 0, None)
    assert row.started_at is not None
    assert row.started_at < row.finished_at


def test_nothing_is_kept_of_a_thread_whose_work_is_not_over(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    batch = start("backfill", make_thread())
    sandbox.control.add_fault("error_503", "POST .*/items", times=1)
    with pytest.raises(GatewayError):
        backfilled(claim(batch))
    assert kept(batch) == []


def test_tries_are_counted_until_the_end_although_progress_sets_them_back(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    batch = start("backfill", make_thread(messages=25))
    for _ in range(2):
        sandbox.control.add_fault("error_503", "POST .*/items", times=1)
        with pytest.raises(GatewayError):
            backfilled(claim(batch))
        Thread.objects.update(not_before=None)
    began = Thread.objects.get().work_started_at
    backfilled(claim(batch))
    assert kept(batch) == [("verified", "", 2)]
    assert BatchResult.objects.get().started_at == began


def test_a_thread_that_is_given_up_is_kept_as_failed_with_its_code(make_thread: MakeThread) -> None:
    batch = start("backfill", make_thread())
    entry = Entry(claim(batch))
    outcomes.give_up(entry, Trouble("server_error", "The server failed."))
    applied(entry)
    assert kept(batch) == [("failed", "server_error", 0)]


def test_a_verification_that_fails_is_kept_as_failed_although_the_thread_stays_verified(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread())))
    batch = start("verify", thread)
    entry = Entry(claim(batch))
    outcomes.give_up(entry, Trouble("timeout", "No answer."))
    applied(entry)
    thread.refresh_from_db()
    assert (thread.status, kept(batch)) == ("verified", [("failed", "timeout", 0)])


def test_a_bug_is_kept_as_failed(make_thread: MakeThread) -> None:
    batch = start("backfill", make_thread())
    entry = Entry(claim(batch))
    outcomes.met_bug(entry, ValueError("boom"))
    applied(entry)
    assert kept(batch) == [("failed", "internal_error", 0)]


def test_a_source_that_does_not_know_the_thread_is_kept(make_thread: MakeThread) -> None:
    batch = start("snapshot", Thread.objects.create(thread_id="thread_gone"))
    entry = Entry(claim(batch))
    outcomes.give_up(entry, Trouble("not_found", "There is none."))
    applied(entry)
    assert kept(batch) == [("source_missing", "not_found", 0)]


def test_a_thread_for_a_person_is_kept_with_the_reason(make_thread: MakeThread) -> None:
    batch = start("backfill", make_thread())
    entry = Entry(claim(batch))
    records.thread_to_review(entry, None, NeedsReviewError("difference", "It differs."))
    applied(entry)
    assert kept(batch) == [("needs_review", "difference", 0)]


def test_a_blocked_thread_is_kept(make_thread: MakeThread) -> None:
    batch = start("backfill", make_thread())
    thread = claim(batch)
    entry = Entry(thread)
    records.backfill_begun(entry)
    records.thread_blocked(entry, convert_thread(load_source_thread(thread), Policies()))
    applied(entry)
    assert kept(batch) == [("blocked", "blocked_by_findings", 0)]


def test_checked_files_are_kept_without_the_error_that_the_thread_had_before(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    Thread.objects.update(status="failed", error_code="timeout")
    batch = start("resources", thread)
    see_through(thread_check_resources, claim(batch))
    assert kept(batch) == [("checked", "", 0)]


def test_an_accepted_thread_is_kept(make_thread: MakeThread, sandbox: RunningSandbox) -> None:
    thread = backfilled(claim(start("backfill", make_thread())))
    Thread.objects.update(status="needs_review", error_code="conversation_continued")
    batch = start("accept", thread)
    entry = Entry(claim(batch))
    records.thread_accepted(entry, Conversation.objects.get(), None, foreign=1)
    applied(entry)
    assert kept(batch) == [("accepted", "", 0)]


def test_a_rolled_back_thread_is_kept(make_thread: MakeThread, sandbox: RunningSandbox) -> None:
    thread = backfilled(claim(start("backfill", make_thread())))
    batch = start("rollback", thread)
    see_through(thread_rollback, claim(batch))
    assert kept(batch) == [("rolled_back", "", 0)]


def test_a_later_batch_leaves_the_earlier_result_as_it_is(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    first = start("backfill", make_thread())
    thread = backfilled(claim(first))
    before = BatchResult.objects.get()
    second = start("verify", thread)
    verified(claim(second))
    assert kept(first) == [("verified", "", 0)]
    assert kept(second) == [("verified", "", 0)]
    assert BatchResult.objects.get(batch=first).finished_at == before.finished_at


def test_a_retry_in_a_later_batch_does_not_change_what_failed_in_the_first(make_thread: MakeThread) -> None:
    thread = make_thread()
    first = start("backfill", thread)
    entry = Entry(claim(first))
    outcomes.give_up(entry, Trouble("server_error", "The server failed."))
    applied(entry)
    second = start("retry", thread)
    assert kept(first) == [("failed", "server_error", 0)]
    assert kept(second) == []


def test_an_entry_that_is_applied_twice_leaves_one_row(make_thread: MakeThread) -> None:
    batch = start("backfill", make_thread())
    entry = Entry(claim(batch))
    outcomes.give_up(entry, Trouble("server_error", "The server failed."))
    applied(entry)
    assert entries_apply([entry], ACTOR) == frozenset()  # the lease went with the first
    assert kept(batch) == [("failed", "server_error", 0)]


def test_a_worker_that_lost_its_thread_keeps_nothing_of_it(make_thread: MakeThread) -> None:
    batch = start("backfill", make_thread())
    entry = Entry(claim(batch))
    expire_leases()
    other = Entry(claim(batch))
    outcomes.give_up(entry, Trouble("server_error", "The server failed."))
    assert entries_apply([entry], ACTOR) == frozenset()
    assert kept(batch) == []
    outcomes.give_up(other, Trouble("timeout", "No answer."))
    applied(other)
    assert kept(batch) == [("failed", "timeout", 0)]


def test_a_thread_that_comes_back_to_the_same_batch_has_one_row_the_last(make_thread: MakeThread) -> None:
    batch = start("backfill", make_thread())
    for code in ("timeout", "server_error"):
        entry = Entry(claim(batch))
        outcomes.give_up(entry, Trouble(code, "It failed."))
        applied(entry)
        Thread.objects.update(status="queued", pending_work="backfill")
    assert kept(batch) == [("failed", "server_error", 0)]
