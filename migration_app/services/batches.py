"""Batches: made from a selection, given to the threads piece by piece, finished when no work is left."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from migration_app.contracts import POLICIES_VERSION, Actor, policies_as_dict, policies_from
from migration_app.models import Batch, Conversation, Thread
from migration_app.services.audit import audit_record
from migration_app.services.plans import policies_words
from migration_app.services.selections import selection_threads
from migration_app.services.threads import TERMINAL_FIELDS, threads_transition

_PIECE = 1000
S = Thread.Status
K = Batch.Kind

ELIGIBLE: Mapping[str, Q] = {
    K.SNAPSHOT: Q(status__in=[S.REGISTERED, S.SOURCE_MISSING, S.SNAPSHOTTED, S.BLOCKED])
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
}
"""Which threads of a selection a batch takes. Threads with pending work belong to another batch."""

CONVERTING = frozenset({K.BACKFILL, K.RETRY})
"""Kinds of batches that convert threads, so that policies mean something to them."""


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is: threads by status, how many it took and how many are not done."""

    taken: int
    pending: int
    by_status: Mapping[str, int]

    @property
    def percent(self) -> int:
        """Share of the threads that are done; 100 for a batch that took none."""
        return 100 if not self.taken else (self.taken - self.pending) * 100 // self.taken


def batch_eligible(kind: str, threads: QuerySet[Thread]) -> QuerySet[Thread]:
    """Narrow threads to those that a batch of this kind takes now."""
    return threads.filter(ELIGIBLE[kind], pending_work="")


def batch_create(
    *,
    kind: str,
    selection: Mapping[str, Any],
    actor: Actor,
    reason: str,
    settings: Mapping[str, Any] | None = None,
) -> Batch:
    """Write down what an operator started. A job then hands the work out (``batch_prepare``).

    ``settings["policies"]`` names policies and their choices; a batch that converts keeps every one of them.
    Raises SelectionError, and ValueError for a policy or choice that there is not.
    """
    selection_threads(selection)  # refuses what is not a selection
    kept, said = _settings(kind, settings or {})
    newest = Thread.objects.aggregate(newest=Max("pk"))["newest"] or 0
    with transaction.atomic():
        batch = Batch.objects.create(
            kind=kind,
            filter=dict(selection),
            max_thread_pk=newest,
            reason=reason,
            settings=kept,
            created_by_id=actor.user_id,
            created_by_name=actor.name,
        )
        audit_record(
            actor=actor,
            verb=f"batch.{kind}_started",
            subject_kind="batch",
            subject_id=str(batch.pk),
            reason=f"{reason}{said}",
            batch_pk=batch.pk,
        )
    return batch


def _settings(kind: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The settings as they are kept, and what the audit trail says of them."""
    policies = policies_from(settings.get("policies", {}))
    if kind not in CONVERTING:
        if settings.get("policies"):
            raise ValueError(f"A batch of kind {kind} converts nothing, so it has no policies.")
        return dict(settings), ""
    chosen = {"policies": policies_as_dict(policies), "policies_version": POLICIES_VERSION}
    return {**settings, **chosen}, f" [{policies_words(policies)}]"


def batch_prepare(*, batch_pk: int, actor: Actor) -> None:
    """Give the selection's threads their work, a thousand a transaction; after a crash it goes on where it was.

    The batch's row is locked for each piece, so that two jobs prepare one batch in turn, not twice.
    """
    while _prepare_piece(batch_pk=batch_pk, actor=actor):
        pass
    batch_finish(batch_pk=batch_pk, actor=actor)


def _prepare_piece(*, batch_pk: int, actor: Actor) -> bool:
    with transaction.atomic():
        batch = Batch.objects.select_for_update().get(pk=batch_pk)
        if batch.state != Batch.State.PREPARING:
            return False
        rest = selection_threads(batch.filter).filter(
            pk__gt=batch.prepared_up_to, pk__lte=batch.max_thread_pk
        )
        pks = list(rest.order_by("pk").values_list("pk", flat=True)[:_PIECE])
        threads = list(
            batch_eligible(batch.kind, Thread.objects.filter(pk__in=pks))
            .select_for_update(of=("self",), no_key=True)
            .order_by("pk")
        )
        batch.selected_count += len(pks)
        batch.taken_count += _HAND_OUT[batch.kind](batch, threads, actor)
        batch.heartbeat_at = timezone.now()
        if len(pks) < _PIECE:
            batch.state = Batch.State.RUNNING
            batch.started_at = timezone.now()
        else:
            batch.prepared_up_to = pks[-1]
        batch.save()
        return batch.state == Batch.State.PREPARING


def _hand_out_work(work: str) -> Callable[[Batch, list[Thread], Actor], int]:
    """Make the step for kinds that leave the status alone until a worker has done something."""

    def hand_out(batch: Batch, threads: list[Thread], actor: Actor) -> int:  # noqa: ARG001 - same shape for all
        return Thread.objects.filter(pk__in=[thread.pk for thread in threads]).update(
            pending_work=work, batch=batch, attempts=0, not_before=None, updated_at=timezone.now()
        )

    return hand_out


def _queue(batch: Batch, threads: list[Thread], actor: Actor) -> int:
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
            "error_code": "",
            "error_text": "",
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


_HAND_OUT: Mapping[str, Callable[[Batch, list[Thread], Actor], int]] = {
    K.SNAPSHOT: _hand_out_work(Thread.Work.SNAPSHOT),
    K.VERIFY: _hand_out_work(Thread.Work.VERIFY),
    K.RESOURCES: _hand_out_work(Thread.Work.RESOURCES),
    K.BACKFILL: _queue,
    K.RETRY: _retry,
    K.EXCLUDE: _exclude,
}


def batch_finish(*, batch_pk: int, actor: Actor) -> bool:
    """Close the batch if no thread of it has work left. Returns whether this call closed it."""
    with transaction.atomic():
        pending = Thread.objects.filter(~Q(pending_work=""), batch_id=batch_pk)
        if pending.exists():
            return False
        closed = Batch.objects.filter(pk=batch_pk, state=Batch.State.RUNNING).update(
            state=Batch.State.FINISHED, finished_at=Now()
        )
        if closed:
            audit_record(
                actor=actor,
                verb="batch.finished",
                subject_kind="batch",
                subject_id=str(batch_pk),
                batch_pk=batch_pk,
            )
    return bool(closed)


def batch_fail(*, batch_pk: int, error_text: str, actor: Actor) -> None:
    """Close a batch that could not be prepared, with the reason. Threads it took keep their work."""
    with transaction.atomic():
        closed = Batch.objects.filter(pk=batch_pk, state=Batch.State.PREPARING).update(
            state=Batch.State.FAILED, finished_at=Now(), error_text=error_text
        )
        if closed:
            audit_record(
                actor=actor,
                verb="batch.failed",
                subject_kind="batch",
                subject_id=str(batch_pk),
                reason=error_text,
                batch_pk=batch_pk,
            )


def batch_progress(batch: Batch) -> Progress:
    """Count where the batch's threads are now. A thread that a later batch took is no longer among them."""
    rows = (
        Thread.objects.filter(batch=batch)
        .order_by()
        .values("status")
        .annotate(threads=Count("pk"), pending=Count("pk", filter=~Q(pending_work="")))
    )
    by_status = {row["status"]: row["threads"] for row in rows}
    return Progress(
        taken=sum(by_status.values()), pending=sum(row["pending"] for row in rows), by_status=by_status
    )
