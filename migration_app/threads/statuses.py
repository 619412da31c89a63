"""The only function that changes a thread's status, with its audit row in the same transaction."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from migration_app.audit.trail import audit_changes, audit_event
from migration_app.contracts import Actor
from migration_app.models import Thread

S = Thread.Status

# From → to. What is not here is refused. Two edges lead from a status to itself: a snapshot that was taken
# again, and a verified thread that was verified again. From queued and backfilling some lead back to where the
# thread was before: its batch was cancelled (services.batch_cancel). None leads back to verified.
# A roll back goes over rolling_back before its first delete: from there on the conversation is not whole, and where the
# roll back ends otherwise than by its end, a person must decide.
EDGES: Mapping[str, frozenset[str]] = {
    S.REGISTERED: frozenset({S.SNAPSHOTTED, S.BLOCKED, S.SOURCE_MISSING, S.FAILED, S.EXCLUDED}),
    S.SNAPSHOTTED: frozenset(
        {
            S.SNAPSHOTTED,
            S.BLOCKED,
            S.QUEUED,
            S.FAILED,
            S.EXCLUDED,
            S.NEEDS_REVIEW,
            S.ROLLING_BACK,
            S.ROLLED_BACK,
        }
    ),
    S.BLOCKED: frozenset(
        {
            S.BLOCKED,
            S.SNAPSHOTTED,
            S.QUEUED,
            S.EXCLUDED,
            S.NEEDS_REVIEW,
            S.ROLLING_BACK,
            S.ROLLED_BACK,
        }
    ),
    S.QUEUED: frozenset(
        {
            S.BACKFILLING,
            S.SNAPSHOTTED,
            S.BLOCKED,
            S.EXCLUDED,
            S.FAILED,
            S.NEEDS_REVIEW,
            S.BACKFILLED,
            S.ROLLED_BACK,
        }
    ),
    S.BACKFILLING: frozenset(
        {S.QUEUED, S.BACKFILLED, S.BLOCKED, S.NEEDS_REVIEW, S.FAILED, S.SNAPSHOTTED, S.ROLLED_BACK}
    ),
    S.BACKFILLED: frozenset(
        {S.VERIFIED, S.NEEDS_REVIEW, S.QUEUED, S.EXCLUDED, S.ROLLING_BACK, S.ROLLED_BACK}
    ),
    S.VERIFIED: frozenset({S.VERIFIED, S.NEEDS_REVIEW, S.QUEUED, S.ROLLING_BACK, S.ROLLED_BACK}),
    S.NEEDS_REVIEW: frozenset(
        {S.NEEDS_REVIEW, S.QUEUED, S.VERIFIED, S.EXCLUDED, S.ROLLING_BACK, S.ROLLED_BACK}
    ),
    S.FAILED: frozenset(
        {
            S.QUEUED,
            S.SNAPSHOTTED,
            S.BLOCKED,
            S.SOURCE_MISSING,
            S.FAILED,
            S.EXCLUDED,
            S.NEEDS_REVIEW,
            S.ROLLING_BACK,
            S.ROLLED_BACK,
        }
    ),
    S.SOURCE_MISSING: frozenset({S.SNAPSHOTTED, S.BLOCKED, S.SOURCE_MISSING, S.EXCLUDED, S.FAILED}),
    S.EXCLUDED: frozenset({S.REGISTERED, S.SNAPSHOTTED, S.BLOCKED}),
    S.ROLLING_BACK: frozenset({S.ROLLED_BACK, S.NEEDS_REVIEW}),
    S.ROLLED_BACK: frozenset({S.SNAPSHOTTED, S.QUEUED, S.EXCLUDED}),
}

TERMINAL_FIELDS: Mapping[str, Any] = {
    "pending_work": "",
    "lease_token": None,
    "lease_until": None,
    "not_before": None,
}
"""Fields that are reset when a thread's work ends."""


ROLLBACK_BEGUN_CODE = "rollback_begun"
ROLLBACK_BEGUN_TEXT = (
    "A roll back has started and is not finished: its conversation is incomplete. "
    "Roll it back, or re-migrate."
)
"""What a thread says whose roll back ended half way."""


class EdgeRefusedError(Exception):
    """The table of edges does not allow this change of status."""


class LeaseLostError(Exception):
    """Another worker holds the thread, or its status is no longer the one this worker saw."""


def edge_check(before: str, after: str) -> None:
    """Raise EdgeRefusedError unless the table allows this edge."""
    if after not in EDGES.get(before, frozenset()):
        raise EdgeRefusedError(f"A thread that is {before} can't become {after}.")


def thread_transition(
    *,
    thread: Thread,
    to: str,
    actor: Actor,
    verb: str,
    reason: str = "",
    request_id: str = "",
    lease_token: uuid.UUID | None = None,
    fields: Mapping[str, Any] | None = None,
) -> None:
    """Change the status and ``fields``, and write the audit row, or do neither.

    ``thread`` has the status the caller saw. The row is changed only if it still has it (and, with
    ``lease_token``, that lease): otherwise LeaseLostError. EdgeRefusedError if the table has no such edge.
    """
    before = thread.status
    edge_check(before, to)
    changes = {"status": to, "updated_at": timezone.now(), **(fields or {})}
    with transaction.atomic():
        rows = Thread.objects.filter(pk=thread.pk, status=before)
        if lease_token is not None:
            rows = rows.filter(lease_token=lease_token)
        if rows.update(**changes) != 1:
            raise LeaseLostError(f"Thread {thread.thread_id} is no longer {before} with this worker's lease.")
        audit_event(
            actor=actor,
            verb=verb,
            subject_kind="thread",
            subject_id=thread.thread_id,
            before=before,
            after=to,
            reason=reason,
            batch_pk=thread.batch_id,
            request_id=request_id,
        ).save(force_insert=True)
    for name, value in changes.items():
        setattr(thread, name, value)


def threads_transition(
    *,
    threads: Iterable[Thread],
    to: str,
    actor: Actor,
    verb: str,
    reason: str,
    batch_pk: int | None,
    fields: Mapping[str, Any],
) -> int:
    """Take one edge for many threads in one transaction: rows locked by the caller, statuses as loaded.

    Returns how many changed. Threads for which the table has no such edge are left alone.
    """
    takers = [thread for thread in threads if to in EDGES.get(thread.status, frozenset())]
    now = timezone.now()
    with transaction.atomic():
        Thread.objects.filter(pk__in=[thread.pk for thread in takers]).update(
            status=to, updated_at=now, **fields
        )
        audit_changes(
            actor=actor,
            verb=verb,
            subject_kind="thread",
            changed=[(thread.thread_id, thread.status) for thread in takers],
            after=to,
            reason=reason,
            batch_pk=batch_pk,
        )
    return len(takers)
