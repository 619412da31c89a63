"""How a batch gives its threads their work; the table of kinds says which kind uses which.

Each runs inside ``batches.batches``' transaction, on threads whose rows are locked, and returns how many it took.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db.models import F, Max
from django.utils import timezone

from migration_app.contracts import Actor
from migration_app.models import Batch, BatchResult, Conversation, Thread
from migration_app.threads.results import results_put
from migration_app.threads.statuses import TERMINAL_FIELDS, threads_transition

S = Thread.Status
R = BatchResult.Result

_FRESH: Mapping[str, Any] = {"attempts": 0, "retries": 0, "work_started_at": None, "not_before": None}
"""What a thread brings along from earlier batches does not count in this one."""

HandOut = Callable[[Batch, list[Thread], Actor], int]


def hand_out_work(work: str) -> HandOut:
    """Make the step for kinds that leave the status alone until a worker has done something."""

    def hand_out(batch: Batch, threads: list[Thread], actor: Actor) -> int:  # noqa: ARG001 - same shape for all
        return Thread.objects.filter(pk__in=[thread.pk for thread in threads]).update(
            pending_work=work, batch=batch, **_FRESH, updated_at=timezone.now()
        )

    return hand_out


def queue(batch: Batch, threads: list[Thread], actor: Actor) -> int:
    """An earlier error stays on the thread until the work ends, so that cancelling the batch restores it."""
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
            **_FRESH,
        },
    )


def retry(batch: Batch, threads: list[Thread], actor: Actor) -> int:
    """Without a snapshot: fetch it. With one: backfill. What was excluded only comes back into the estate."""
    _replacements_forget([thread.pk for thread in threads if thread.status == S.BLOCKED])
    excluded = [thread for thread in threads if thread.status == S.EXCLUDED]
    rest = [thread for thread in threads if thread.status != S.EXCLUDED]
    taken = hand_out_work(Thread.Work.SNAPSHOT)(batch, [t for t in rest if t.snapshot_at is None], actor)
    taken += queue(batch, [t for t in rest if t.snapshot_at is not None], actor)
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
            fields={"batch": batch, **_FRESH, **TERMINAL_FIELDS},
        )
    results_put([thread.pk for thread in excluded], result=R.INCLUDED, batch_pk=batch.pk)
    return taken


def exclude(batch: Batch, threads: list[Thread], actor: Actor) -> int:
    """Take the threads out of the migration: there is nothing for a worker to do."""
    taken = threads_transition(
        threads=threads,
        to=S.EXCLUDED,
        actor=actor,
        verb="thread.excluded",
        reason=batch.reason,
        batch_pk=batch.pk,
        fields={"batch": batch, **_FRESH, **TERMINAL_FIELDS},
    )
    results_put([thread.pk for thread in threads], result=R.EXCLUDED, batch_pk=batch.pk)
    return taken


def _replacements_forget(thread_pks: list[int]) -> None:
    """Let blocked threads try their own items again; fallbacks that are in the conversation stay."""
    conversations = Conversation.objects.filter(thread_id__in=thread_pks).exclude(replacements=[])
    for conversation in conversations.annotate(end=Max(F("chunks__first_item") + F("chunks__item_count"))):
        sent = conversation.end or 0
        conversation.replacements = [entry for entry in conversation.replacements if entry["position"] < sent]
        conversation.save(update_fields=["replacements"])
