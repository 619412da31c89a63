"""What one person may roll back alone, counted over all of their batches."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from migration_app.batches.batches import batch_create
from migration_app.batches.control import (
    BatchRefusedError,
    batch_approve,
    batch_cancel,
    batch_pause,
    batch_resume,
)
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, Batch, Thread
from migration_app.threads.selections import selection_of_filters, selection_of_pks
from tests.factories import ThreadFactory
from tests.prepared import batch_prepare

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def twenty(settings: Settings) -> None:
    settings.APPROVAL_ABOVE_THREADS = 20
    settings.APPROVAL_WINDOW_HOURS = 24


@pytest.fixture
def ada(db: None) -> Actor:
    return Actor("ada", User.objects.create_user("ada").pk)


@pytest.fixture
def bob(db: None) -> Actor:
    return Actor("bob", User.objects.create_user("bob").pk)


def slice_asked(actor: Actor, size: int, *, prepared: bool = True, **settings: object) -> Batch:
    threads = ThreadFactory.create_batch(size, status="verified")
    batch = batch_create(
        kind="rollback",
        selection=selection_of_pks([thread.pk for thread in threads]),
        actor=actor,
        reason="a test",
        settings=settings,
    )
    if prepared:
        batch_prepare(batch_pk=batch.pk, actor=actor)
    batch.refresh_from_db()
    return batch


@pytest.mark.parametrize("prepared", [True, False])
def test_a_second_slice_waits_whether_or_not_the_first_has_begun(prepared: bool, ada: Actor) -> None:
    assert slice_asked(ada, 20, prepared=prepared).state != "waiting"
    second = slice_asked(ada, 1, prepared=prepared)
    assert second.state == "waiting"
    assert "other roll backs of the last 24 hours" in second.held_text


def test_slices_that_stay_below_the_limit_together_need_nobody(ada: Actor) -> None:
    assert [slice_asked(ada, 10).state, slice_asked(ada, 10).state, slice_asked(ada, 1).state] == [
        "running",
        "running",
        "waiting",
    ]


def test_each_person_has_a_limit_of_their_own(ada: Actor, bob: Actor) -> None:
    assert (slice_asked(ada, 20).state, slice_asked(bob, 20).state) == ("running", "running")


def test_a_renamed_user_is_still_the_same_person(ada: Actor) -> None:
    slice_asked(ada, 20)
    User.objects.filter(username="ada").update(username="zoe")
    assert slice_asked(Actor("zoe", ada.user_id), 1).state == "waiting"


def test_another_user_who_got_the_old_name_is_another_person(ada: Actor, bob: Actor) -> None:
    slice_asked(ada, 20)
    assert slice_asked(Actor("ada", bob.user_id), 20).state == "running"


def test_the_command_line_of_that_name_counts_with_the_user(ada: Actor) -> None:
    slice_asked(Actor("ada (command line)"), 20)
    assert slice_asked(ada, 1).state == "waiting"


def test_what_a_second_person_approved_is_not_counted(ada: Actor, bob: Actor) -> None:
    batch = slice_asked(ada, 21)
    batch_approve(batch_pk=batch.pk, actor=bob)
    batch_prepare(batch_pk=batch.pk, actor=ada)
    batch.refresh_from_db()
    assert (batch.state, batch.approved_by_user_id) == ("running", bob.user_id)
    assert slice_asked(ada, 20).state == "running"


def test_a_batch_that_waits_or_was_cancelled_before_it_took_anything_is_not_counted(ada: Actor) -> None:
    slice_asked(ada, 21)
    unbegun = slice_asked(ada, 20, prepared=False)
    batch_cancel(batch_pk=unbegun.pk, actor=ada, reason="not these")
    Batch.objects.filter(pk=unbegun.pk).update(state="cancelled")
    assert slice_asked(ada, 20).state == "running"


def test_what_a_cancelled_batch_took_is_counted(ada: Actor) -> None:
    taken = slice_asked(ada, 20)
    Batch.objects.filter(pk=taken.pk).update(state="cancelled")
    assert slice_asked(ada, 1).state == "waiting"


def test_a_slice_is_forgotten_when_the_window_is_over(ada: Actor, settings: Settings) -> None:
    taken = slice_asked(ada, 20)
    long_ago = timezone.now() - dt.timedelta(hours=25)
    Batch.objects.filter(pk=taken.pk).update(created_at=long_ago, heartbeat_at=long_ago, started_at=long_ago)
    assert slice_asked(ada, 20).state == "running"
    settings.APPROVAL_WINDOW_HOURS = 26
    assert slice_asked(ada, 1).state == "waiting"


def test_one_asked_for_long_ago_and_handed_out_now_counts_from_now(ada: Actor) -> None:
    late = slice_asked(ada, 20, prepared=False)
    batch_pause(batch_pk=late.pk, actor=ada, reason="for a day")
    Batch.objects.filter(pk=late.pk).update(created_at=timezone.now() - dt.timedelta(hours=40))
    assert slice_asked(ada, 1).state == "waiting"
    batch_resume(batch_pk=late.pk, actor=ada)
    batch_prepare(batch_pk=late.pk, actor=ada)
    assert slice_asked(ada, 1).state == "waiting"


def test_two_that_both_began_below_the_limit_do_not_both_take_their_threads(ada: Actor) -> None:
    """Their selections grew since they were asked for: what counts is what they take."""
    threads = ThreadFactory.create_batch(20, status="snapshotted")
    batches = [
        batch_create(
            kind="rollback", selection=selection_of_pks([t.pk for t in half]), actor=ada, reason="a test"
        )
        for half in (threads[:10], threads)
    ]
    Thread.objects.filter(pk__in=[t.pk for t in threads]).update(status="verified")
    slice_asked(ada, 5)
    for batch in batches:
        batch_prepare(batch_pk=batch.pk, actor=ada)
        batch.refresh_from_db()
    taken = sum(batch.taken_count for batch in Batch.objects.filter(approved_at=None))
    assert taken <= 20
    assert AuditEvent.objects.filter(verb="batch.approval_needed").exists()


def test_deleting_what_is_not_ours_always_waits_for_a_second_person(ada: Actor, bob: Actor) -> None:
    batch = slice_asked(ada, 1, foreign_too=True)
    assert (batch.state, batch.held_text) == ("waiting", "It deletes what is not ours too.")
    with pytest.raises(BatchRefusedError, match="a second person"):
        batch_approve(batch_pk=batch.pk, actor=ada)
    batch_approve(batch_pk=batch.pk, actor=bob)
    batch_prepare(batch_pk=batch.pk, actor=ada)
    batch.refresh_from_db()
    assert (batch.state, batch.taken_count) == ("running", 1)


def test_other_kinds_of_batches_never_wait(ada: Actor) -> None:
    ThreadFactory.create_batch(21, status="verified")
    slice_asked(ada, 20)
    batch = batch_create(kind="verify", selection=selection_of_filters({}), actor=ada, reason="a test")
    assert batch.state == "preparing"


@pytest.mark.django_db(transaction=True)
def test_two_slices_at_the_same_moment_are_not_both_let_through(ada: Actor) -> None:
    pks = [thread.pk for thread in ThreadFactory.create_batch(40, status="verified")]
    together = threading.Barrier(2)

    def ask(part: list[int]) -> None:
        together.wait()
        batch_create(kind="rollback", selection=selection_of_pks(part), actor=ada, reason="a test")
        connection.close()

    askers = [threading.Thread(target=ask, args=(part,)) for part in (pks[:20], pks[20:])]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert sorted(Batch.objects.values_list("state", flat=True)) == ["preparing", "waiting"]
