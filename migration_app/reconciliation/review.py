"""Sending what a reconciliation found to review: the only change that one leads to, and only when asked for."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import Conversation, Discrepancy, Reconciliation, Thread
from migration_app.reconciliation.kinds import KINDS
from migration_app.threads.statuses import TERMINAL_FIELDS, LeaseLostError, thread_transition

_PAGE = 200
_REVIEWABLE = tuple(code for code, kind in KINDS.items() if kind.reviewable)


def review_count(row: Reconciliation) -> int:
    """How many discrepancies lead to review, as far as they are kept (a thread may have more than one)."""
    return Discrepancy.objects.filter(reconciliation=row, code__in=_REVIEWABLE).count()


def review_ask(*, pk: int, reason: str, actor: Actor) -> bool:
    """Write down that the threads shall go to review; a worker sends them. False if that was asked for before."""
    with transaction.atomic():
        changed = Reconciliation.objects.filter(
            pk=pk, state=Reconciliation.State.FINISHED, review_asked_at__isnull=True
        ).update(
            review_asked_at=Now(),
            review_asked_by_name=actor.name,
            review_asked_by_id=actor.user_id,
            review_reason=reason,
        )
        if changed:
            audit_record(
                actor=actor,
                verb="reconciliation.review_asked",
                subject_kind="reconciliation",
                subject_id=str(pk),
                reason=reason,
            )
    return bool(changed)


def reviews_waiting() -> list[int]:
    """Primary keys of reconciliations whose threads are to be sent to review."""
    return list(_asked_for().values_list("pk", flat=True))


def review_send(*, pk: int, actor: Actor) -> int | None:
    """Send the threads to review that still are as they were found. Returns how many in all, None if not asked for.

    A thread that was verified again meanwhile, or that a worker has, is left alone. Doing it twice changes nothing.
    """
    row = _asked_for().filter(pk=pk).first()
    if row is None:
        return None
    asked = Actor(row.review_asked_by_name or actor.name, row.review_asked_by_id, actor.job_id)
    for page in _pages(row):
        sent = sum(_thread_review(found, row, asked) for found in page)
        row.reviewed_count += sent
        row.save(update_fields=["reviewed_count"])
    Reconciliation.objects.filter(pk=pk).update(reviewed_at=Now())
    return row.reviewed_count


def _asked_for() -> QuerySet[Reconciliation]:
    return Reconciliation.objects.filter(
        review_asked_at__isnull=False, reviewed_at__isnull=True, state=Reconciliation.State.FINISHED
    )


def _pages(row: Reconciliation) -> Iterator[list[Discrepancy]]:
    after = 0
    rows = Discrepancy.objects.filter(reconciliation=row, code__in=_REVIEWABLE, thread__isnull=False)
    while page := list(rows.filter(pk__gt=after).order_by("pk")[:_PAGE]):
        yield page
        after = page[-1].pk


def _thread_review(found: Discrepancy, row: Reconciliation, actor: Actor) -> bool:
    """Take the edge to needs_review, if the thread is at rest and unchanged since it was checked."""
    text = f"Reconciliation {row.pk}: {KINDS[found.code].title} {found.found}".strip()
    with transaction.atomic():
        rests = Q(status__in=[Thread.Status.VERIFIED, Thread.Status.BACKFILLED], pending_work="")
        again = Q(conversation__verified_at__gt=found.noticed_at)
        thread = (
            Thread.objects.select_for_update(of=("self",), no_key=True)
            .filter(rests, discrepancies=found)
            .exclude(again)
            .first()
        )
        if thread is None:
            return False
        Conversation.objects.filter(thread=thread, state=Conversation.State.VERIFIED).update(
            state=Conversation.State.COMPLETE, verified_at=None
        )
        try:
            thread_transition(
                thread=thread,
                to=Thread.Status.NEEDS_REVIEW,
                actor=actor,
                verb="thread.needs_review",
                reason=f"{text} {row.review_reason}".strip(),
                fields={**TERMINAL_FIELDS, "error_code": _error_code(found.code), "error_text": text},
            )
        except LeaseLostError:  # can't be while the row is locked
            return False
    return True


def _error_code(code: str) -> str:
    """The code that the thread's page and filters know."""
    return code if code == "conversation_missing" else "difference"
