from __future__ import annotations

import itertools
import uuid

import pytest
from django.utils import timezone

from migration_app.contracts import Actor
from migration_app.models import AuditEvent, Batch, Thread
from migration_app.threads.statuses import (
    EDGES,
    EdgeRefusedError,
    LeaseLostError,
    edge_check,
    thread_transition,
    threads_transition,
)

pytestmark = pytest.mark.django_db
ACTOR = Actor("ada", user_id=7, job_id="job-1")
S = Thread.Status
ALLOWED = [(before, after) for before, afters in EDGES.items() for after in sorted(afters)]
REFUSED = [pair for pair in itertools.product(S.values, S.values) if pair not in set(ALLOWED)]

PENDING: dict[str, str] = {S.QUEUED: "backfill", S.BACKFILLING: "backfill", S.ROLLING_BACK: "rollback"}
"""Statuses that a thread has only as long as a worker has something to do."""


def thread_in(status: str, **fields: object) -> Thread:
    batch = Batch.objects.create(
        kind="backfill", filter={"ids": []}, max_thread_pk=0, reason="test", created_by_name="ada"
    )
    pending = PENDING.get(status, "")
    return Thread.objects.create(
        thread_id=f"thread_{uuid.uuid4().hex}", status=status, batch=batch, pending_work=pending, **fields
    )


@pytest.mark.parametrize(("before", "after"), ALLOWED)
def test_each_allowed_edge_changes_the_status_and_writes_who_what_and_why(before: str, after: str) -> None:
    thread = thread_in(before)
    pending = PENDING.get(after, "")
    thread_transition(
        thread=thread,
        to=after,
        actor=ACTOR,
        verb="thread.content_viewed",
        reason="why",
        fields={"pending_work": pending},
    )
    event = AuditEvent.objects.get(subject_id=thread.thread_id)
    assert Thread.objects.get(pk=thread.pk).status == after
    assert (event.actor, event.actor_user_id, event.job_id, event.before, event.after, event.reason) == (
        "ada",
        7,
        "job-1",
        before,
        after,
        "why",
    )


@pytest.mark.parametrize(("before", "after"), REFUSED)
def test_no_other_edge_is_taken(before: str, after: str) -> None:
    with pytest.raises(EdgeRefusedError):
        edge_check(before, after)


def test_a_refused_edge_changes_nothing_and_leaves_no_audit_row() -> None:
    thread = thread_in(S.VERIFIED)
    with pytest.raises(EdgeRefusedError):
        thread_transition(thread=thread, to=S.REGISTERED, actor=ACTOR, verb="thread.content_viewed")
    assert Thread.objects.get(pk=thread.pk).status == S.VERIFIED
    assert not AuditEvent.objects.exists()


def test_a_status_that_changed_meanwhile_is_not_overwritten() -> None:
    thread = thread_in(S.SNAPSHOTTED)
    Thread.objects.filter(pk=thread.pk).update(status=S.EXCLUDED)
    with pytest.raises(LeaseLostError):
        thread_transition(thread=thread, to=S.BLOCKED, actor=ACTOR, verb="thread.content_viewed")
    assert Thread.objects.get(pk=thread.pk).status == S.EXCLUDED
    assert not AuditEvent.objects.exists()


def test_a_lost_lease_changes_nothing() -> None:
    thread = thread_in(S.SNAPSHOTTED, lease_token=uuid.uuid4(), lease_until=timezone.now())
    with pytest.raises(LeaseLostError):
        thread_transition(
            thread=thread, to=S.BLOCKED, actor=ACTOR, verb="thread.content_viewed", lease_token=uuid.uuid4()
        )
    assert Thread.objects.get(pk=thread.pk).status == S.SNAPSHOTTED


def test_many_threads_take_an_edge_each_with_its_audit_row_and_others_are_left_alone() -> None:
    takers = [thread_in(S.SNAPSHOTTED) for _ in range(3)]
    other = thread_in(S.VERIFIED)
    changed = threads_transition(
        threads=[*takers, other],
        to=S.EXCLUDED,
        actor=ACTOR,
        verb="thread.excluded",
        reason="test data",
        batch_pk=None,
        fields={},
    )
    assert changed == 3
    assert set(AuditEvent.objects.values_list("subject_id", flat=True)) == {t.thread_id for t in takers}
    assert Thread.objects.get(pk=other.pk).status == S.VERIFIED
