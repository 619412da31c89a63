from __future__ import annotations

import dataclasses
import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone
from pytest_django.fixtures import Settings

from migration_app.batches import batches, control
from migration_app.batches.batches import (
    batch_create,
    batch_finish,
    batch_prepare_piece,
)
from migration_app.batches.control import (
    BatchRefusedError,
    Control,
    batch_approve,
    batch_cancel,
    batch_change,
    batch_hold,
    batch_pause,
    batch_resume,
    urgent_work_waits,
)
from migration_app.batches.kinds import BATCH_KINDS
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, Batch, Thread
from migration_app.threads.selections import selection_of_filters
from tests.factories import BatchFactory, ThreadFactory
from tests.prepared import batch_prepare

pytestmark = pytest.mark.django_db
ADA, BOB = Actor("ada"), Actor("bob")
STATES = Batch.State.values

ACTS: dict[str, tuple[Callable[[int], object], set[str]]] = {
    "pause": (lambda pk: batch_pause(batch_pk=pk, actor=ADA, reason="why"), {"preparing", "running"}),
    "resume": (lambda pk: batch_resume(batch_pk=pk, actor=ADA), {"paused"}),
    "cancel": (
        lambda pk: batch_cancel(batch_pk=pk, actor=ADA, reason="why"),
        {"waiting", "preparing", "running", "paused"},
    ),
    "change": (
        lambda pk: batch_change(batch_pk=pk, actor=ADA, window=7),
        {"waiting", "preparing", "running", "paused"},
    ),
    "approve": (lambda pk: batch_approve(batch_pk=pk, actor=BOB), {"waiting"}),
}


def batch_in(state: str, **fields: Any) -> Batch:
    batch: Batch = BatchFactory.create(state=state, **fields)
    return batch


def snapshotted(count: int, status: str = "snapshotted") -> list[Thread]:
    return ThreadFactory.create_batch(count, status=status, snapshot_at=timezone.now())


@pytest.mark.parametrize(
    ("act", "state"), [(act, state) for act, (_, allowed) in ACTS.items() for state in sorted(allowed)]
)
def test_each_act_changes_a_batch_that_it_knows_and_says_who(act: str, state: str) -> None:
    batch = batch_in(state)
    ACTS[act][0](batch.pk)
    event = AuditEvent.objects.get()
    assert (event.subject_id, event.batch_pk, event.before) == (str(batch.pk), batch.pk, state)
    assert event.actor == ("bob" if act == "approve" else "ada")
    assert event.after == Batch.objects.get().state


@pytest.mark.parametrize(
    ("act", "state"),
    [(act, state) for act, (_, allowed) in ACTS.items() for state in sorted(set(STATES) - allowed)],
)
def test_each_act_refuses_every_other_state_and_changes_nothing(act: str, state: str) -> None:
    batch = batch_in(state)
    before = Batch.objects.values().get()
    with pytest.raises(BatchRefusedError, match=f"Batch {batch.pk} is "):
        ACTS[act][0](batch.pk)
    assert Batch.objects.values().get() == before
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("act", ACTS)
def test_a_batch_that_is_not_there_is_said(act: str) -> None:
    with pytest.raises(BatchRefusedError, match="There is no batch 987654"):
        ACTS[act][0](987654)


def test_a_pause_says_who_and_why() -> None:
    batch = batch_in("running")
    batch_pause(batch_pk=batch.pk, actor=ADA, reason="lunch")
    batch.refresh_from_db()
    assert (batch.state, batch.held_text) == ("paused", "Paused by ada: lunch")
    assert AuditEvent.objects.get().reason == "lunch"


def test_a_batch_that_had_been_handed_out_resumes_running() -> None:
    batch = batch_in("paused", started_at=timezone.now(), held_text="Paused by ada: lunch")
    batch_resume(batch_pk=batch.pk, actor=ADA)
    batch.refresh_from_db()
    assert (batch.state, batch.held_text) == ("running", "")


def test_a_batch_paused_while_it_is_prepared_resumes_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_PIECE", 2)
    snapshotted(5)
    batch = batch_create(kind="backfill", selection=selection_of_filters({}), actor=ADA, reason="a test")
    assert batch_prepare_piece(batch_pk=batch.pk, actor=ADA)
    batch_pause(batch_pk=batch.pk, actor=ADA, reason="lunch")
    assert not batch_prepare_piece(batch_pk=batch.pk, actor=ADA)
    assert Thread.objects.filter(status="queued").count() == 2
    batch_resume(batch_pk=batch.pk, actor=ADA)
    batch_prepare(batch_pk=batch.pk, actor=ADA)
    batch.refresh_from_db()
    assert (batch.state, batch.taken_count) == ("running", 5)
    assert AuditEvent.objects.filter(verb="thread.queued").count() == 5


def test_a_paused_batch_is_not_finished_before_it_is_resumed() -> None:
    batch = batch_in("paused", started_at=timezone.now())
    assert not batch_finish(batch_pk=batch.pk, actor=ADA)
    batch_resume(batch_pk=batch.pk, actor=ADA)
    assert batch_finish(batch_pk=batch.pk, actor=ADA)


def test_of_two_workers_that_meet_the_same_trouble_one_holds_the_batch() -> None:
    batch = batch_in("running")
    assert batch_hold(batch_pk=batch.pk, actor=Actor("console"), reason="The key is refused.")
    assert not batch_hold(batch_pk=batch.pk, actor=Actor("console"), reason="The key is refused.")
    batch.refresh_from_db()
    assert (batch.state, batch.held_text) == ("paused", "The key is refused.")
    assert AuditEvent.objects.get().verb == "batch.held"


def test_a_change_takes_effect_on_what_workers_look_at_and_says_from_what_to_what() -> None:
    batch = batch_in("running")
    assert batch_change(batch_pk=batch.pk, actor=ADA, window=64, requests_per_minute=600, urgent=True)
    assert control.batch_control(batch.pk) == Control("running", 64, 600, urgent=True)
    assert AuditEvent.objects.get().reason == (
        "window 32 → 64, requests per minute the target's limit → 600, urgent no → yes"
    )


def test_no_requests_a_minute_means_the_target_s_limit_again() -> None:
    batch = batch_in("running", requests_per_minute=600)
    batch_change(batch_pk=batch.pk, actor=ADA, requests_per_minute=0)
    batch.refresh_from_db()
    assert (batch.requests_per_minute, batch.window) == (None, 32)


def test_a_change_to_what_is_writes_nothing() -> None:
    batch = batch_in("running")
    assert not batch_change(batch_pk=batch.pk, actor=ADA, window=32, requests_per_minute=0, urgent=False)
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    "speed",
    [{"window": 0}, {"window": 257}, {"requests_per_minute": -1}, {"requests_per_minute": 1_000_001}],
)
def test_a_speed_out_of_bounds_is_refused_in_words(speed: dict[str, Any]) -> None:
    batch = batch_in("running")
    with pytest.raises(ValueError, match=r"must be a whole number from 1 to"):
        batch_change(batch_pk=batch.pk, actor=ADA, **speed)
    with pytest.raises(ValueError, match=r"must be a whole number from 1 to"):
        batch_create(kind="verify", selection=selection_of_filters({}), actor=ADA, reason="a test", **speed)


@pytest.mark.parametrize(
    ("state", "continues"), [(state, state in {"preparing", "running"}) for state in STATES]
)
def test_workers_go_on_with_batches_that_are_worked_on_only(state: str, continues: bool) -> None:
    assert control.batch_control(batch_in(state).pk).may_continue is continues


# --- urgent work ----------------------------------------------------------------------------------


def pending(batch: Batch, **fields: Any) -> None:
    ThreadFactory.create(status="queued", pending_work="backfill", batch=batch, **fields)


def test_urgent_work_that_nobody_holds_makes_others_give_way() -> None:
    mine, other = batch_in("running"), batch_in("running", urgent=True)
    pending(other)
    assert urgent_work_waits(mine.pk)
    assert not urgent_work_waits(other.pk)


def test_urgent_work_that_is_still_to_be_handed_out_counts() -> None:
    mine = batch_in("running")
    batch_in("preparing", urgent=True)
    assert urgent_work_waits(mine.pk)


@pytest.mark.parametrize(
    ("batch", "thread"),
    [
        ({"state": "running", "urgent": False}, {}),
        ({"state": "paused", "urgent": True}, {}),
        ({"state": "waiting", "urgent": True}, {}),
        ({"state": "running", "urgent": True}, {"not_before": dt.datetime(2100, 1, 1, tzinfo=dt.UTC)}),
        (
            {"state": "running", "urgent": True},
            {"lease_token": uuid.UUID(int=1), "lease_until": dt.datetime(2100, 1, 1, tzinfo=dt.UTC)},
        ),
    ],
)
def test_what_is_not_urgent_or_can_not_be_taken_makes_nobody_give_way(
    batch: dict[str, Any], thread: dict[str, Any]
) -> None:
    mine = batch_in("running")
    pending(batch_in(**batch), **thread)
    assert not urgent_work_waits(mine.pk)


# --- approval -------------------------------------------------------------------------------------


@pytest.fixture
def rollback_of_two(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than two threads need a second person; rolling back is handing out its work."""
    settings.APPROVAL_ABOVE_THREADS = 2
    rule = dataclasses.replace(
        BATCH_KINDS["rollback"], takes=Q(status="verified"), hand_out=BATCH_KINDS["verify"].hand_out
    )
    monkeypatch.setitem(BATCH_KINDS, "rollback", rule)


def asked(kind: str = "rollback", actor: Actor = ADA) -> Batch:
    return batch_create(kind=kind, selection=selection_of_filters({}), actor=actor, reason="a test")


@pytest.mark.parametrize(
    ("kind", "threads", "state"),
    [("rollback", 2, "preparing"), ("rollback", 3, "waiting"), ("verify", 3, "preparing")],
)
def test_a_roll_back_of_more_threads_than_the_setting_says_waits(
    kind: str, threads: int, state: str, rollback_of_two: None
) -> None:
    snapshotted(threads, "verified")
    assert asked(kind).state == state


def test_a_waiting_batch_hands_nothing_out(rollback_of_two: None) -> None:
    snapshotted(3, "verified")
    batch = asked()
    batch_prepare(batch_pk=batch.pk, actor=ADA)
    assert not Thread.objects.exclude(pending_work="").exists()
    assert AuditEvent.objects.get().verb == "batch.rollback_asked"


def test_a_batch_that_a_second_person_approved_is_handed_out(rollback_of_two: None) -> None:
    snapshotted(3, "verified")
    batch = asked()
    batch_approve(batch_pk=batch.pk, actor=BOB)
    batch_prepare(batch_pk=batch.pk, actor=BOB)
    batch.refresh_from_db()
    assert (batch.state, batch.taken_count, batch.approved_by_name) == ("running", 3, "bob")
    assert batch.approved_at is not None
    assert AuditEvent.objects.get(verb="batch.approved").actor == "bob"


@pytest.mark.parametrize(
    ("asker", "approver"),
    [
        (Actor("ada", user_id=1), Actor("ada", user_id=1)),
        (Actor("ada (command line)"), Actor("ada", user_id=1)),
        (Actor("ada", user_id=1), Actor("ada (command line)")),
        (Actor("ada", user_id=1), Actor("ada renamed", user_id=1)),
    ],
)
def test_nobody_approves_their_own_batch(asker: Actor, approver: Actor, rollback_of_two: None) -> None:
    if asker.user_id:
        User.objects.create_user("ada", pk=1)
    snapshotted(3, "verified")
    batch = asked(actor=asker)
    with pytest.raises(BatchRefusedError, match="a second person"):
        batch_approve(batch_pk=batch.pk, actor=approver)
    batch.refresh_from_db()
    assert (batch.state, batch.approved_at) == ("waiting", None)


def test_a_roll_back_that_grew_after_it_was_asked_for_waits_before_it_takes_more(
    rollback_of_two: None,
) -> None:
    threads = snapshotted(4, "snapshotted")
    batch = asked()
    Thread.objects.filter(pk__in=[thread.pk for thread in threads]).update(status="verified")
    batch_prepare(batch_pk=batch.pk, actor=ADA)
    batch.refresh_from_db()
    assert (batch.state, batch.taken_count) == ("waiting", 0)
    assert not Thread.objects.exclude(pending_work="").exists()
    event = AuditEvent.objects.get(verb="batch.approval_needed")
    assert (event.subject_kind, event.subject_id, event.batch_pk) == ("batch", str(batch.pk), batch.pk)
    assert (event.actor, event.before, event.after) == ("ada", "preparing", "waiting")
    assert event.reason == "More than 2 threads match."


def test_a_batch_that_waits_for_approval_is_cancelled_at_once(rollback_of_two: None) -> None:
    snapshotted(3, "verified")
    batch = asked()
    batch_cancel(batch_pk=batch.pk, actor=BOB, reason="not these")
    batch.refresh_from_db()
    assert (batch.state, batch.held_text) == ("cancelled", "Cancelled by bob: not these")
    assert batch.finished_at is not None
