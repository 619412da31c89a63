"""Batches: made from a selection, given to the threads piece by piece, finished when no work is left."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django.conf import settings as django_settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Max, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from migration_app.audit.trail import audit_event, audit_record
from migration_app.batches.approvals import approval_lock, approval_needed
from migration_app.batches.claims import threads_pending
from migration_app.batches.duplicates import StartedBeforeError, selection_key, start_token
from migration_app.batches.kinds import BATCH_KINDS, FOREIGN_TOO, batch_eligible
from migration_app.batches.rates import estimated_duration
from migration_app.contracts import POLICIES_VERSION, Actor, policies_as_dict, policies_from
from migration_app.models import Batch, Thread
from migration_app.models.batch import DEFAULT_WINDOW, MAX_WINDOW
from migration_app.threads.plans import policies_summary
from migration_app.threads.results import results_leave
from migration_app.threads.selections import selection_threads

_PIECE = 1000
MAX_RATE = 1_000_000
"""Requests a minute that a batch may be given: more than any target takes, less than the column holds."""

_PREPARING_LOCK = 0x6D63
"""First key of the advisory lock that says who prepares a batch; the second is the batch's own."""


def batch_create(
    *,
    kind: str,
    selection: Mapping[str, Any],
    actor: Actor,
    reason: str,
    settings: Mapping[str, Any] | None = None,
    window: int = DEFAULT_WINDOW,
    requests_per_minute: int | None = None,
    urgent: bool = False,
    estimated_calls: int | None = None,
    known: int | None = None,
) -> Batch:
    """Write down what an operator started. A job then hands the work out (``batch_prepare_piece``).

    ``settings["policies"]`` names policies and their choices; a batch that converts keeps every one of them.
    ``window``: calls in flight in each worker; ``requests_per_minute``: over all workers, None for no limit
    but the target's. ``estimated_calls``: the preflight's, kept with the time that they take at today's rate or the
    throttle.
    ``known``: the newest batch of this kind and selection that the person had seen, or 0; None where nobody saw a
    page. A roll back of many threads waits for a second person. Raises SelectionError, ValueError for a policy or
    choice that there is not and for a speed out of bounds, and StartedBeforeError if the same was started since
    ``known``.
    """
    token = None if known is None else start_token(kind, selection, known=known)
    throttle_check(window=window, requests_per_minute=requests_per_minute)
    selected = selection_threads(selection)  # refuses what is not a selection
    kept, said = _settings(kind, settings or {})
    duration = (
        None
        if estimated_calls is None
        else estimated_duration(estimated_calls, requests_per_minute=requests_per_minute)
    )
    newest = Thread.objects.aggregate(newest=Max("pk"))["newest"] or 0
    try:
        with transaction.atomic():
            approval_lock(kind)
            waits = approval_needed(
                kind=kind, chosen=kept, threads=_threads_up_to_limit(kind, selected), actor=actor
            )
            batch = Batch.objects.create(
                kind=kind,
                state=Batch.State.WAITING if waits else Batch.State.PREPARING,
                filter=dict(selection),
                selection_key=selection_key(kind, selection),
                start_token=token,
                max_thread_pk=newest,
                reason=reason,
                settings=kept,
                window=window,
                requests_per_minute=requests_per_minute,
                urgent=urgent,
                held_text=waits,
                estimated_calls=estimated_calls,
                estimated_seconds=None if duration is None else math.ceil(duration.total_seconds()),
                created_by_id=actor.user_id,
                created_by_name=actor.name,
            )
            audit_record(
                actor=actor,
                verb=f"batch.{kind}_{'asked' if waits else 'started'}",
                subject_kind="batch",
                subject_id=str(batch.pk),
                reason=f"{reason}{said}",
                batch_pk=batch.pk,
            )
    except IntegrityError:
        first = Batch.objects.filter(start_token=token).first() if token else None
        if first is None:
            raise
        raise StartedBeforeError(first) from None
    return batch


def _threads_up_to_limit(kind: str, selected: QuerySet[Thread]) -> int:
    """How many threads it takes, counted no further than it matters: a selection may hold millions."""
    if not BATCH_KINDS[kind].approved:
        return 0
    return batch_eligible(kind, selected)[: django_settings.APPROVAL_ABOVE_THREADS + 1].count()


def throttle_check(*, window: int, requests_per_minute: int | None) -> None:
    """Raise ValueError, with a text for operators, unless this throttle is valid."""
    if not 1 <= window <= MAX_WINDOW:
        raise ValueError(f"Calls in flight must be a whole number from 1 to {MAX_WINDOW}, not {window}.")
    if requests_per_minute is not None and not 1 <= requests_per_minute <= MAX_RATE:
        raise ValueError(
            f"Requests a minute must be a whole number from 1 to {MAX_RATE:,}, not {requests_per_minute}. "
            "Leave it empty for no limit but the target's."
        )


def _settings(kind: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The settings as they are kept, and what the audit trail says of them."""
    policies = policies_from(settings.get("policies", {}))
    if not BATCH_KINDS[kind].converts:
        if settings.get("policies"):
            raise ValueError(f"A batch of kind {kind} converts nothing, so it has no policies.")
        return dict(settings), " [what is not ours too]" if settings.get(FOREIGN_TOO) else ""
    chosen = {"policies": policies_as_dict(policies), "policies_version": POLICIES_VERSION}
    return {**settings, **chosen}, f" [{policies_summary(policies)}]"


def batch_prepare_piece(*, batch_pk: int, actor: Actor) -> bool:
    """Give the next thousand threads of the selection their work. Returns whether the caller should continue.

    After a crash it resumes where it was. False too while another worker is at it: one prepares, the others
    may already work on what was handed out. Raises SelectionError if the selection can't be read.
    """
    with transaction.atomic():
        if not _preparing_lock(batch_pk):
            return False
        kind = Batch.objects.values_list("kind", flat=True).get(pk=batch_pk)
        approval_lock(kind)
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
        waits = _needs_approval(batch, batch.taken_count + len(threads))
        if waits:
            _wait_for_approval(batch, actor, waits)
            return False
        batch.selected_count += len(pks)
        results_leave([thread.pk for thread in threads], batch_pk=batch.pk)
        batch.taken_count += BATCH_KINDS[batch.kind].hand_out(batch, threads, actor)
        batch.heartbeat_at = timezone.now()
        if len(pks) < _PIECE:
            batch.state = Batch.State.RUNNING
            batch.started_at = timezone.now()
        else:
            batch.prepared_up_to = pks[-1]
        batch.save()
        return batch.state == Batch.State.PREPARING


def _preparing_lock(batch_pk: int) -> bool:
    """Become the one that prepares, until the transaction ends. Not the row's own lock: a pause takes that too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_PREPARING_LOCK, batch_pk & 0x7FFF_FFFF])
        row = cursor.fetchone()
    return bool(row and row[0])


def _needs_approval(batch: Batch, threads: int) -> str:
    if batch.approved_at is not None:
        return ""
    asked_by = Actor(batch.created_by_name, batch.created_by_id)
    return approval_needed(
        kind=batch.kind, chosen=batch.settings, threads=threads, actor=asked_by, batch_pk=batch.pk
    )


def _wait_for_approval(batch: Batch, actor: Actor, reason: str) -> None:
    """More threads match than when it was asked for: what one person alone may start is used up."""
    before, batch.state = batch.state, Batch.State.WAITING
    batch.held_text = reason
    batch.save(update_fields=["state", "held_text"])
    audit_event(
        actor=actor,
        verb="batch.approval_needed",
        subject_kind="batch",
        subject_id=str(batch.pk),
        before=before,
        after=batch.state,
        reason=reason,
        batch_pk=batch.pk,
    ).save(force_insert=True)


def batch_finish(*, batch_pk: int, actor: Actor) -> bool:
    """Close the batch if no thread of it has work left. Returns whether this call closed it."""
    pending = threads_pending(batch_pk)
    if pending.exists():
        return False
    with transaction.atomic():
        # Threads are counted again under the batch's lock: another worker may just have handed them out.
        running = Batch.objects.select_for_update(no_key=True).filter(pk=batch_pk, state=Batch.State.RUNNING)
        if running.first() is None or pending.exists():
            return False
        Batch.objects.filter(pk=batch_pk).update(state=Batch.State.FINISHED, finished_at=Now())
        audit_record(
            actor=actor,
            verb="batch.finished",
            subject_kind="batch",
            subject_id=str(batch_pk),
            batch_pk=batch_pk,
        )
    return True


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
