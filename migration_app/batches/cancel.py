"""Taking a cancelled batch's work back from its threads, a thousand a transaction.

What a worker holds is left to it: it hands the thread back after its chunk, and the next pass finds it free.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from migration_app.audit.trail import audit_event
from migration_app.batches.claims import threads_pending
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, Batch, BatchResult, Conversation, Thread
from migration_app.threads.results import results_put
from migration_app.threads.statuses import (
    ROLLBACK_BEGUN_CODE,
    ROLLBACK_BEGUN_TEXT,
    TERMINAL_FIELDS,
    threads_transition,
)

S = Thread.Status

_PIECE = 1000
CANCELLED_CODE = "cancelled"
_PARTLY = (
    "Its batch was cancelled when part of its conversation had been sent. The part stays; Backfill continues "
    "from there."
)
_UNVERIFIED = "Its batch was cancelled before its conversation was read back: use Verify."
# Their own texts stay true: what stopped the thread before still does.
_STOPPED = frozenset({S.FAILED, S.NEEDS_REVIEW, S.BLOCKED})


@dataclasses.dataclass(frozen=True, slots=True)
class TakenBack:
    """How many threads lost their work by a cancelled batch, and how many of them were partly sent."""

    threads: int = 0
    partly_sent: int = 0


def taken_back(batch: Batch) -> TakenBack:
    """Read what was counted so far."""
    return TakenBack(**batch.settings.get("taken_back", {}))


def batch_take_back(*, batch_pk: int, actor: Actor) -> bool:
    """Take back all the work of a batch in state cancelling that no worker holds, and close it when none is left.

    Returns whether the batch is cancelled now. After a crash it resumes where it was; two workers take turns.
    """
    while _take_back_piece(batch_pk=batch_pk, actor=actor):
        pass
    return _close(batch_pk=batch_pk, actor=actor)


def _take_back_piece(*, batch_pk: int, actor: Actor) -> bool:
    with transaction.atomic():
        batch = Batch.objects.select_for_update().get(pk=batch_pk)
        if batch.state != Batch.State.CANCELLING:
            return False
        threads = list(
            threads_pending(batch_pk)
            .filter(Q(lease_until__isnull=True) | Q(lease_until__lt=Now()))
            .select_for_update(skip_locked=True, no_key=True)
            .order_by("pk")[:_PIECE]
        )
        if not threads:
            return False
        partly = _take_back(batch, threads, actor)
        so_far = taken_back(batch)
        counted = TakenBack(so_far.threads + len(threads), so_far.partly_sent + partly)
        batch.settings["taken_back"] = dataclasses.asdict(counted)
        batch.heartbeat_at = timezone.now()
        batch.save(update_fields=["settings", "heartbeat_at"])
    return True


def _take_back(batch: Batch, threads: list[Thread], actor: Actor) -> int:
    """Take the work away, and lead queued threads back. Returns how many are left with part of a conversation."""
    pks = [thread.pk for thread in threads]
    states = dict(Conversation.objects.filter(thread_id__in=pks).values_list("thread_id", "state"))
    unfinished = {Conversation.State.CREATING, Conversation.State.OPEN}
    underway = [thread for thread in threads if thread.status in {S.QUEUED, S.BACKFILLING}]
    before = _statuses_before(batch, underway)
    goals: dict[tuple[str, bool], list[Thread]] = defaultdict(list)
    for thread in underway:
        partly = states.get(thread.pk) in unfinished
        goals[_goal(before.get(thread.thread_id, ""), partly=partly), partly].append(thread)
    for (status, partly), group in goals.items():
        fields = {**TERMINAL_FIELDS, "attempts": 0}
        if status not in _STOPPED:
            fields |= {
                "error_code": CANCELLED_CODE if partly else "",
                "error_text": _PARTLY if partly else "",
            }
        threads_transition(
            threads=group,
            to=status,
            actor=actor,
            verb="thread.work_taken_back",
            reason=_PARTLY if partly else batch.held_text,
            batch_pk=batch.pk,
            fields=fields,
        )
    threads_transition(
        threads=[thread for thread in threads if thread.status == S.ROLLING_BACK],
        to=S.NEEDS_REVIEW,
        actor=actor,
        verb="thread.work_taken_back",
        reason=batch.held_text,
        batch_pk=batch.pk,
        fields={
            **TERMINAL_FIELDS,
            "attempts": 0,
            "error_code": ROLLBACK_BEGUN_CODE,
            "error_text": ROLLBACK_BEGUN_TEXT,
        },
    )
    # Everything else keeps the status that it has: nothing was done to it, or what was done is on record.
    moved = {S.QUEUED, S.BACKFILLING, S.ROLLING_BACK}
    rest = [thread for thread in threads if thread.status not in moved]
    Thread.objects.filter(pk__in=[thread.pk for thread in rest]).update(
        **TERMINAL_FIELDS, attempts=0, updated_at=timezone.now()
    )
    unverified = [
        thread.pk
        for thread in rest
        if thread.status == S.BACKFILLED and thread.pending_work == Thread.Work.BACKFILL
    ]
    Thread.objects.filter(pk__in=unverified).update(error_code=CANCELLED_CODE, error_text=_UNVERIFIED)
    results_put(pks, result=BatchResult.Result.CANCELLED)
    return sum(len(group) for (_, partly), group in goals.items() if partly)


def _statuses_before(batch: Batch, threads: Iterable[Thread]) -> dict[str, str]:
    """What each thread was when this batch queued it: only the audit trail knows."""
    events = (
        AuditEvent.objects.filter(
            subject_kind="thread",
            subject_id__in=[thread.thread_id for thread in threads],
            batch_pk=batch.pk,
            verb="thread.queued",
        )
        .exclude(before__in=[S.QUEUED, S.BACKFILLING])
        .order_by("pk")
    )
    return dict(events.values_list("subject_id", "before"))


def _goal(before: str, *, partly: bool) -> str:
    """The thread's true status now that no work on it continues."""
    if before in _STOPPED:
        return before
    if partly or not before:
        return S.SNAPSHOTTED
    # Its conversation is whole, but more was to come: nobody calls it verified without reading it again.
    return S.BACKFILLED if before == S.VERIFIED else before


def _close(*, batch_pk: int, actor: Actor) -> bool:
    with transaction.atomic():
        batch = Batch.objects.select_for_update().get(pk=batch_pk)
        if batch.state != Batch.State.CANCELLING or threads_pending(batch_pk).exists():
            return False
        Batch.objects.filter(pk=batch_pk).update(state=Batch.State.CANCELLED, finished_at=Now())
        counted = taken_back(batch)
        audit_event(
            actor=actor,
            verb="batch.cancelled",
            subject_kind="batch",
            subject_id=str(batch_pk),
            before=batch.state,
            after=Batch.State.CANCELLED,
            reason=f"{batch.held_text} Work taken back from {counted.threads} of {batch.taken_count} threads, "
            f"{counted.partly_sent} of them partly sent.",
            batch_pk=batch_pk,
        ).save(force_insert=True)
    return True
