"""Kinds of batches: which threads each takes, what it hands them, whether it converts or needs approval.

A new kind is added here and nowhere else in this room. Hand-outs run inside ``batches.batches``' transaction,
on threads whose rows are locked. Must not import services.batches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone

from migration_app.contracts import Actor
from migration_app.models import Batch, Conversation, Thread
from migration_app.threads.statuses import TERMINAL_FIELDS, threads_transition

S = Thread.Status
K = Batch.Kind

FOREIGN_TOO = "foreign_too"
"""Setting of a roll back: delete what is in the conversations and not ours, too."""

HandOut = Callable[[Batch, list[Thread], Actor], int]
"""Gives a piece of a batch's threads their work; returns how many it took."""

ELIGIBLE: Mapping[str, Q] = {
    # What is backfilled too: a live source may have grown, and what is new in it then goes to review.
    K.SNAPSHOT: Q(
        status__in=[
            S.REGISTERED,
            S.SOURCE_MISSING,
            S.SNAPSHOTTED,
            S.BLOCKED,
            S.BACKFILLED,
            S.VERIFIED,
            S.NEEDS_REVIEW,
        ]
    )
    | Q(status=S.FAILED, snapshot_at__isnull=True),
    K.BACKFILL: Q(status__in=[S.SNAPSHOTTED, S.ROLLED_BACK, S.BACKFILLED])
    | Q(status=S.NEEDS_REVIEW, error_code="source_grown"),
    K.VERIFY: Q(
        status__in=[S.BACKFILLED, S.VERIFIED, S.NEEDS_REVIEW],
        conversation__state__in=["complete", "verified"],
    ),
    K.RESOURCES: Q(snapshot_at__isnull=False) & ~Q(status__in=[S.QUEUED, S.BACKFILLING]),
    K.RETRY: Q(status__in=[S.FAILED, S.NEEDS_REVIEW, S.SOURCE_MISSING, S.BLOCKED, S.EXCLUDED]),
    K.EXCLUDE: Q(
        status__in=[
            S.REGISTERED,
            S.SNAPSHOTTED,
            S.BLOCKED,
            S.FAILED,
            S.NEEDS_REVIEW,
            S.SOURCE_MISSING,
            S.ROLLED_BACK,
            S.BACKFILLED,
        ]
    ),
    K.ROLLBACK: Q(status__in=[S.BACKFILLED, S.VERIFIED, S.NEEDS_REVIEW])
    | Q(status__in=[S.SNAPSHOTTED, S.FAILED, S.BLOCKED], conversation__isnull=False),
    # Whether it can be kept is told by reading it, not by the code: a keep that failed has left another one. What
    # has only grown is Backfill's.
    K.KEEP: Q(status=S.NEEDS_REVIEW, conversation__state__in=["open", "complete", "verified"])
    & ~Q(error_code="source_grown"),
    K.ANEW: Q(status=S.NEEDS_REVIEW, conversation__state__in=["open", "complete", "verified", "deleting"]),
}
"""Which threads of a selection a batch takes. Threads with pending work belong to another batch."""

CONVERTING = frozenset({K.BACKFILL, K.RETRY, K.ANEW})
"""Kinds of batches that convert threads, so that policies mean something to them."""

APPROVED = frozenset({K.ROLLBACK})
"""Kinds of batches that a second person approves above settings.APPROVAL_ABOVE_THREADS threads."""


def batch_eligible(kind: str, threads: QuerySet[Thread]) -> QuerySet[Thread]:
    """Narrow threads to those that a batch of this kind takes now."""
    return threads.filter(ELIGIBLE[kind], pending_work="")


def _hand_out_work(work: str) -> HandOut:
    """Make the step for kinds that leave the status alone until a worker has done something."""

    def hand_out(batch: Batch, threads: list[Thread], actor: Actor) -> int:  # noqa: ARG001 - same shape for all
        return Thread.objects.filter(pk__in=[thread.pk for thread in threads]).update(
            pending_work=work, batch=batch, attempts=0, not_before=None, updated_at=timezone.now()
        )

    return hand_out


def _queue(batch: Batch, threads: list[Thread], actor: Actor) -> int:
    """What stopped a thread before stays on it until the work ends: whoever cancels the batch gets it back so."""
    return threads_transition(
        threads=threads,
        to=S.QUEUED,
        actor=actor,
        verb="thread.queued",
        reason=batch.reason,
        batch_pk=batch.pk,
        fields={
            "pending_work": Thread.Work.BACKFILL,
            "batch": batch,
            "attempts": 0,
            "not_before": None,
        },
    )


def _retry(batch: Batch, threads: list[Thread], actor: Actor) -> int:
    """Without a snapshot: fetch it. With one: backfill. What was excluded only comes back into the estate."""
    _replacements_forget([thread.pk for thread in threads if thread.status == S.BLOCKED])
    excluded = [thread for thread in threads if thread.status == S.EXCLUDED]
    rest = [thread for thread in threads if thread.status != S.EXCLUDED]
    taken = _hand_out_work(Thread.Work.SNAPSHOT)(batch, [t for t in rest if t.snapshot_at is None], actor)
    taken += _queue(batch, [t for t in rest if t.snapshot_at is not None], actor)
    for status, back in (
        (S.REGISTERED, [t for t in excluded if t.snapshot_at is None]),
        (S.SNAPSHOTTED, [t for t in excluded if t.snapshot_at is not None]),
    ):
        taken += threads_transition(
            threads=back,
            to=status,
            actor=actor,
            verb="thread.included",
            reason=batch.reason,
            batch_pk=batch.pk,
            fields={"batch": batch, **TERMINAL_FIELDS},
        )
    return taken


def _replacements_forget(thread_pks: list[int]) -> None:
    """Let blocked threads try their own items again; fallbacks that stand in the conversation stay."""
    conversations = Conversation.objects.filter(thread_id__in=thread_pks).exclude(replacements=[])
    for conversation in conversations.annotate(end=Max(F("chunks__first_item") + F("chunks__item_count"))):
        sent = conversation.end or 0
        conversation.replacements = [entry for entry in conversation.replacements if entry["position"] < sent]
        conversation.save(update_fields=["replacements"])


def _exclude(batch: Batch, threads: list[Thread], actor: Actor) -> int:
    return threads_transition(
        threads=threads,
        to=S.EXCLUDED,
        actor=actor,
        verb="thread.excluded",
        reason=batch.reason,
        batch_pk=batch.pk,
        fields={"batch": batch, **TERMINAL_FIELDS},
    )


HAND_OUT: Mapping[str, HandOut] = {
    K.SNAPSHOT: _hand_out_work(Thread.Work.SNAPSHOT),
    K.VERIFY: _hand_out_work(Thread.Work.VERIFY),
    K.RESOURCES: _hand_out_work(Thread.Work.RESOURCES),
    K.ROLLBACK: _hand_out_work(Thread.Work.ROLLBACK),
    K.KEEP: _hand_out_work(Thread.Work.KEEP),
    K.ANEW: _hand_out_work(Thread.Work.ANEW),
    K.BACKFILL: _queue,
    K.RETRY: _retry,
    K.EXCLUDE: _exclude,
}
