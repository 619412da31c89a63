from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from migration_app.batches import batches
from migration_app.batches.batches import (
    batch_create,
    batch_fail,
    batch_finish,
    batch_prepare_piece,
)
from migration_app.batches.kinds import BATCH_KINDS, batch_eligible
from migration_app.batches.progress import batch_progress
from migration_app.contracts import POLICIES_VERSION, Actor, Policies, policies_as_dict
from migration_app.models import AuditEvent, Batch, Thread
from migration_app.threads.selections import SelectionError, selection_of_filters, selection_of_pks
from tests.factories import ConversationFactory
from tests.prepared import batch_prepare

pytestmark = pytest.mark.django_db
ACTOR = Actor("ada", user_id=None)
S = Thread.Status


def threads(count: int, status: str = S.SNAPSHOTTED, **fields: object) -> list[Thread]:
    start = Thread.objects.count()
    return Thread.objects.bulk_create(
        Thread(thread_id=f"thread_{start + number}", status=status, snapshot_at=timezone.now(), **fields)
        for number in range(count)
    )


def started(kind: str, selection: dict[str, object] | None = None) -> Batch:
    batch = batch_create(
        kind=kind, selection=selection or selection_of_filters({}), actor=ACTOR, reason="a test"
    )
    batch_prepare(batch_pk=batch.pk, actor=ACTOR)
    batch.refresh_from_db()
    return batch


def test_backfill_queues_every_matching_thread_with_an_audit_row_each() -> None:
    threads(3)
    batch = started("backfill")
    assert (batch.state, batch.selected_count, batch.taken_count) == ("running", 3, 3)
    assert Thread.objects.filter(status=S.QUEUED, pending_work="backfill", batch=batch).count() == 3
    assert AuditEvent.objects.filter(verb="thread.queued", reason="a test", batch_pk=batch.pk).count() == 3


def test_preparing_goes_piece_by_piece_over_more_threads_than_one_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "_PIECE", 4)
    threads(10)
    assert started("backfill").taken_count == 10


def test_preparing_again_after_a_crash_gives_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_PIECE", 4)
    threads(10)
    batch = batch_create(kind="backfill", selection=selection_of_filters({}), actor=ACTOR, reason="a test")
    assert batches.batch_prepare_piece(batch_pk=batch.pk, actor=ACTOR)  # then the worker died
    batch_prepare(batch_pk=batch.pk, actor=ACTOR)
    batch.refresh_from_db()
    assert batch.taken_count == 10
    assert AuditEvent.objects.filter(verb="thread.queued").count() == 10


def test_threads_registered_after_the_operator_confirmed_are_not_taken() -> None:
    threads(2)
    batch = batch_create(kind="backfill", selection=selection_of_filters({}), actor=ACTOR, reason="a test")
    threads(2)
    batch_prepare(batch_pk=batch.pk, actor=ACTOR)
    assert Thread.objects.filter(batch=batch).count() == 2


def test_threads_that_another_batch_works_on_are_left_to_it() -> None:
    threads(2)
    first, second = started("backfill"), started("backfill")
    assert (first.taken_count, second.taken_count) == (2, 0)
    assert second.state == "finished"


def test_an_explicit_selection_takes_just_these() -> None:
    rows = threads(3)
    assert started("backfill", selection_of_pks([rows[1].pk])).taken_count == 1


def test_snapshot_and_verify_leave_the_status_alone_until_a_worker_has_acted() -> None:
    threads(1, S.REGISTERED)
    started("snapshot")
    thread = Thread.objects.get()
    assert (thread.status, thread.pending_work) == (S.REGISTERED, "snapshot")


def test_retry_fetches_what_has_no_snapshot_and_backfills_what_has_one() -> None:
    threads(1, S.FAILED)
    Thread.objects.create(thread_id="thread_without", status=S.SOURCE_MISSING)
    started("retry")
    works = dict(Thread.objects.values_list("thread_id", "pending_work"))
    assert works == {"thread_0": "backfill", "thread_without": "snapshot"}


def test_retry_brings_excluded_threads_back_without_sending_anything() -> None:
    threads(1, S.EXCLUDED)
    started("retry")
    thread = Thread.objects.get()
    assert (thread.status, thread.pending_work) == (S.SNAPSHOTTED, "")


def test_exclude_takes_effect_at_once_and_closes_the_batch() -> None:
    threads(2)
    batch = started("exclude")
    assert batch.state == "finished"
    assert Thread.objects.filter(status=S.EXCLUDED).count() == 2


@pytest.mark.parametrize("kind", BATCH_KINDS)
def test_no_kind_takes_a_thread_that_has_work_already(kind: str) -> None:
    batch = started("exclude")
    for status in S.values:
        Thread.objects.create(
            thread_id=f"thread_{status}",
            status=status,
            pending_work="rollback" if status == S.ROLLING_BACK else "backfill",
            batch=batch,
            snapshot_at=timezone.now(),
        )
    assert not batch_eligible(kind, Thread.objects.all()).exists()


def test_a_batch_is_finished_when_no_thread_has_work_left_and_only_once() -> None:
    threads(1)
    batch = started("backfill")
    assert not batch_finish(batch_pk=batch.pk, actor=ACTOR)
    Thread.objects.update(status=S.VERIFIED, pending_work="")
    assert batch_finish(batch_pk=batch.pk, actor=ACTOR)
    assert not batch_finish(batch_pk=batch.pk, actor=ACTOR)
    assert AuditEvent.objects.filter(verb="batch.finished").count() == 1


def test_progress_counts_what_is_done_by_status() -> None:
    threads(4)
    batch = started("backfill")
    Thread.objects.filter(thread_id="thread_0").update(status=S.VERIFIED, pending_work="")
    progress = batch_progress(batch)
    assert (progress.taken, progress.pending, progress.percent) == (4, 3, 25)
    assert progress.by_status == {"queued": 3, "verified": 1}


def test_a_filter_that_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(SelectionError, match="created_at__gte"):
        selection_of_filters({"created_at__gte": "2026"})


def test_a_selection_that_is_none_makes_no_batch() -> None:
    with pytest.raises(SelectionError):
        batch_create(
            kind="backfill", selection={"filters": {"lease_token": "x"}}, actor=ACTOR, reason="a test"
        )
    assert not Batch.objects.exists()


def test_a_failed_batch_says_why() -> None:
    batch = batch_create(kind="backfill", selection=selection_of_filters({}), actor=ACTOR, reason="a test")
    batch_fail(batch_pk=batch.pk, error_text="the filter is gone", actor=ACTOR)
    batch.refresh_from_db()
    assert (batch.state, batch.error_text) == ("failed", "the filter is gone")


@pytest.mark.parametrize("kind", ["backfill", "retry"])
def test_a_batch_that_converts_keeps_every_policy_chosen_or_not(kind: str) -> None:
    chosen = {"policies": {"attachments": "note"}}
    batch = batch_create(
        kind=kind, selection=selection_of_filters({}), actor=ACTOR, reason="a test", settings=chosen
    )
    assert batch.settings["policies"] == policies_as_dict(Policies(attachments="note"))
    assert batch.settings["policies_version"] == POLICIES_VERSION
    assert AuditEvent.objects.get().reason == "a test [attachments=note]"


def test_a_batch_under_the_defaults_says_so() -> None:
    batch = batch_create(kind="backfill", selection=selection_of_filters({}), actor=ACTOR, reason="a test")
    assert batch.settings["policies"] == policies_as_dict(Policies())
    assert AuditEvent.objects.get().reason == "a test [default policies]"


@pytest.mark.parametrize(
    ("kind", "policies", "complaint"),
    [
        ("backfill", {"attachments": "shred"}, "it can be: input_file"),
        ("retry", {"colour": "red"}, "there are: assistant_images"),
        ("verify", {"attachments": "note"}, "converts nothing"),
    ],
)
def test_policies_that_cannot_be_make_no_batch(kind: str, policies: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        batch_create(
            kind=kind,
            selection=selection_of_filters({}),
            actor=ACTOR,
            reason="a test",
            settings={"policies": policies},
        )
    assert not Batch.objects.exists()


def test_retrying_a_blocked_thread_lets_it_try_the_items_again_that_were_not_sent() -> None:
    (blocked,) = threads(1, S.BLOCKED)
    (failed,) = threads(1, S.FAILED)
    tried = [{"position": 3, "level": 0}, {"position": 20, "level": 1}]
    for thread in (blocked, failed):
        conversation = ConversationFactory.create(thread=thread, replacements=tried)
        conversation.chunks.create(sequence=0, first_item=0, item_count=20, state="appended", source_ids=[])
    started("retry")
    blocked.refresh_from_db()
    failed.refresh_from_db()
    assert (blocked.status, failed.status) == (S.QUEUED, S.QUEUED)
    assert (blocked.conversation.replacements, failed.conversation.replacements) == (tried[:1], tried)


@pytest.mark.django_db(transaction=True)
def test_a_batch_whose_work_another_worker_is_just_handing_out_is_not_finished() -> None:
    threads(3)
    batch = batch_create(kind="backfill", selection=selection_of_filters({}), actor=ACTOR, reason="a test")
    handed_out: list[bool] = []

    def elsewhere() -> None:
        handed_out.append(batch_prepare_piece(batch_pk=batch.pk, actor=ACTOR))
        connections.close_all()

    def between(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        if not handed_out and 'FROM "migration_app_thread"' in sql:
            other = threading.Thread(target=elsewhere)
            other.start()
            other.join()
        return result

    with connection.execute_wrapper(between):
        assert not batch_finish(batch_pk=batch.pk, actor=ACTOR)
    batch.refresh_from_db()
    assert (handed_out, batch.state) == ([False], "running")
    assert Thread.objects.filter(batch=batch).exclude(pending_work="").count() == 3
