"""What a batch keeps of the threads that leave it without a worker."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from migration_app.batches.batches import batch_create, batch_prepare_piece
from migration_app.batches.cancel import batch_take_back
from migration_app.batches.control import batch_cancel
from migration_app.contracts import Actor
from migration_app.counters import RESULTS, counters_differences
from migration_app.models import Batch, BatchResult, Thread
from migration_app.threads.assessments import threads_assess
from migration_app.threads.selections import selection_of_pks
from migration_app.threads.snapshots import live_snapshot_store
from tests.factories import ThreadFactory
from tests.migration_app.engine.conftest import add_page, objects_of
from tests.prepared import batch_prepare

pytestmark = pytest.mark.django_db
ADA = Actor("ada")


def thread_in(status: str, **fields: object) -> Thread:
    thread: Thread = ThreadFactory.create(**{"status": status, "snapshot_at": timezone.now(), **fields})
    return thread


def started(kind: str, *threads: Thread) -> Batch:
    selection = selection_of_pks([thread.pk for thread in threads])
    batch = batch_create(kind=kind, selection=selection, actor=ADA, reason="a test")
    batch_prepare(batch_pk=batch.pk, actor=ADA)
    return batch


def cancelled(batch: Batch) -> None:
    batch_cancel(batch_pk=batch.pk, actor=ADA, reason="wrong ones")
    assert batch_take_back(batch_pk=batch.pk, actor=ADA)


def kept(batch: Batch) -> dict[int, tuple[str, str]]:
    rows = BatchResult.objects.filter(batch=batch).values_list("thread_id", "result", "error_code")
    return {pk: (result, code) for pk, result, code in rows}


def snapshot(thread: Thread, *, messages: int) -> None:
    thread.refresh_from_db()
    page = json.dumps({"object": "list", "data": objects_of(thread.thread_id, messages)}).encode()
    live_snapshot_store(thread=thread, received=[(page, "req_1")], actor=ADA)


def test_excluded_threads_are_kept_with_the_hand_out() -> None:
    thread, verified = thread_in("failed", error_code="timeout"), thread_in("verified")
    assert kept(started("exclude", thread, verified)) == {thread.pk: ("excluded", "")}


def test_threads_that_only_come_back_into_the_estate_are_kept() -> None:
    excluded, failed = thread_in("excluded"), thread_in("failed")
    assert kept(started("retry", excluded, failed)) == {excluded.pk: ("included", "")}


def test_cancelled_work_is_kept_of_queued_and_of_waiting_threads() -> None:
    queued, waiting = thread_in("snapshotted"), thread_in("failed", error_code="timeout")
    for kind, thread in (("backfill", queued), ("resources", waiting)):
        batch = started(kind, thread)
        cancelled(batch)
        assert kept(batch) == {thread.pk: ("cancelled", "")}


def test_a_thread_whose_roll_back_had_begun_goes_to_review_when_its_batch_is_cancelled() -> None:
    thread = thread_in("needs_review")
    batch = started("rollback", thread)
    Thread.objects.update(status="rolling_back")
    cancelled(batch)
    thread.refresh_from_db()
    assert (thread.status, thread.pending_work, thread.error_code) == ("needs_review", "", "rollback_begun")
    assert kept(batch) == {thread.pk: ("cancelled", "")}


def test_what_was_done_before_a_cancel_stays_as_it_was_kept() -> None:
    done, waiting = thread_in("verified"), thread_in("verified")
    batch = started("resources", done, waiting)
    Thread.objects.filter(pk=done.pk).update(pending_work="")
    BatchResult.objects.create(batch=batch, thread=done, result="checked", finished_at=timezone.now())
    cancelled(batch)
    assert kept(batch) == {done.pk: ("checked", ""), waiting.pk: ("cancelled", "")}


def test_a_snapshot_is_kept_and_one_that_brought_nothing_new_as_unchanged() -> None:
    thread: Thread = ThreadFactory.create()
    batch = started("snapshot", thread)
    snapshot(thread, messages=2)
    assert kept(batch) == {thread.pk: ("snapshotted", "")}
    Thread.objects.update(status="verified")
    batch = started("snapshot", thread)
    snapshot(thread, messages=2)
    assert kept(batch) == {thread.pk: ("unchanged", "")}
    batch = started("snapshot", thread)
    snapshot(thread, messages=3)
    assert kept(batch) == {thread.pk: ("needs_review", "source_grown")}


def test_an_import_that_takes_a_thread_s_work_away_is_kept_by_its_batch() -> None:
    thread: Thread = ThreadFactory.create(thread_id="thread_1")
    add_page(thread, objects_of("thread_1", 2))
    threads_assess(thread_pks=[thread.pk], actor=ADA, reason="a test")
    Thread.objects.update(status="verified")
    batch = started("resources", thread)
    add_page(thread, objects_of("thread_1", 3), origin="import-2")
    threads_assess(thread_pks=[thread.pk], actor=ADA, reason="a test")
    assert kept(batch) == {thread.pk: ("needs_review", "source_grown")}


def test_an_import_keeps_nothing_for_batches_that_are_over() -> None:
    thread: Thread = ThreadFactory.create(thread_id="thread_1")
    add_page(thread, objects_of("thread_1", 2))
    threads_assess(thread_pks=[thread.pk], actor=ADA, reason="a test")
    batch = started("resources", thread)
    Thread.objects.update(status="verified", pending_work="")
    add_page(thread, objects_of("thread_1", 3), origin="import-2")
    threads_assess(thread_pks=[thread.pk], actor=ADA, reason="a test")
    assert kept(batch) == {}


def test_a_thread_that_left_without_a_result_says_which_batch_took_it() -> None:
    with_result, without = thread_in("failed"), thread_in("failed")
    first = started("resources", with_result, without)
    Thread.objects.update(pending_work="")
    BatchResult.objects.create(
        batch=first, thread=with_result, result="failed", error_code="timeout", finished_at=timezone.now()
    )
    second = started("retry", with_result, without)
    assert kept(first) == {with_result.pk: ("failed", "timeout"), without.pk: ("continued", "")}
    assert BatchResult.objects.get(result="continued").continued_in == second.pk
    assert kept(second) == {}


def test_a_hand_out_that_is_repeated_after_a_crash_keeps_one_row_a_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thread = thread_in("failed")
    selection = selection_of_pks([thread.pk])
    batch = batch_create(kind="exclude", selection=selection, actor=ADA, reason="a test")
    with monkeypatch.context() as patched:
        patched.setattr(Batch, "save", _killed)
        with pytest.raises(_KilledError):
            batch_prepare_piece(batch_pk=batch.pk, actor=ADA)
    assert kept(batch) == {}  # rolled back together with the hand-out
    batch_prepare(batch_pk=batch.pk, actor=ADA)
    assert kept(batch) == {thread.pk: ("excluded", "")}


class _KilledError(Exception):
    pass


def _killed(*_args: object, **_options: object) -> None:
    raise _KilledError


def test_results_are_counted_and_the_counters_can_be_rebuilt() -> None:
    started("exclude", *(thread_in("failed") for _ in range(3)))
    batch = started("retry", *Thread.objects.all())
    assert counters_differences() == []
    RESULTS.fold()
    assert counters_differences() == []
    BatchResult.objects.filter(batch=batch)[:1].get().delete()
    assert counters_differences() == []
    RESULTS.rebuild()
    assert counters_differences() == []
