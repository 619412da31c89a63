"""Leases: which worker holds which thread. Conditional updates only; the database's clock, never a worker's.

A lease is a token and an expiry. Whoever holds the token may change the thread; whoever lost it stops.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import uuid
from collections.abc import Iterable, Iterator

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from migration_app.models import Thread
from migration_app.services.threads import LeaseLostError


def _free() -> Q:
    return Q(lease_until__isnull=True) | Q(lease_until__lt=Now())


def _due() -> Q:
    return Q(not_before__isnull=True) | Q(not_before__lte=Now())


def threads_pending(batch_pk: int) -> QuerySet[Thread]:
    """Return the threads of a batch whose work is not over, claimed or not."""
    return Thread.objects.filter(~Q(pending_work=""), batch_id=batch_pk)


def threads_claimable(batch_pk: int) -> QuerySet[Thread]:
    """Return the threads of a batch that a worker may take now."""
    return threads_pending(batch_pk).filter(_free(), _due())


def thread_claim(*, batch_pk: int, lease: dt.timedelta) -> Thread | None:
    """Take one thread of the batch, or None if there is none to take now.

    SKIP LOCKED: workers that claim at once take different rows instead of waiting for each other.
    """
    with transaction.atomic():
        row = (
            threads_claimable(batch_pk)
            .select_for_update(skip_locked=True, no_key=True)
            .order_by("id")
            .values_list("pk", flat=True)
            .first()
        )
        if row is None:
            return None
        Thread.objects.filter(pk=row).update(lease_token=uuid.uuid4(), lease_until=Now() + lease)
    return Thread.objects.select_related("assistant").get(pk=row)


def leases_renew(*, tokens: Iterable[uuid.UUID], lease: dt.timedelta) -> int:
    """Prolong these leases, as far as they are still held. Returns how many are."""
    return Thread.objects.filter(lease_token__in=list(tokens)).update(lease_until=Now() + lease)


@contextlib.contextmanager
def lease_held(thread: Thread) -> Iterator[None]:
    """Open one transaction in which the thread is locked and still ours. LeaseLostError if it is not."""
    with transaction.atomic():
        held = (
            Thread.objects.select_for_update(no_key=True)
            .filter(pk=thread.pk, lease_token=thread.lease_token)
            .values_list("pk", flat=True)
            .first()
        )
        if held is None:
            raise LeaseLostError(f"Another worker holds thread {thread.thread_id} now.")
        yield


def lease_release(
    thread: Thread, *, not_before: dt.timedelta | None = None, used_attempt: bool = True
) -> None:
    """Hand an unfinished thread back, to be taken again after ``not_before``. LeaseLostError if not ours."""
    due = Now() + not_before if not_before else None
    changed = Thread.objects.filter(pk=thread.pk, lease_token=thread.lease_token).update(
        lease_token=None,
        lease_until=None,
        not_before=due,
        attempts=F("attempts") + (1 if used_attempt else 0),
    )
    if changed != 1:
        raise LeaseLostError(f"Another worker holds thread {thread.thread_id} now.")
