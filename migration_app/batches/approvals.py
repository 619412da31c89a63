"""What one person may roll back alone: so many threads within a window of hours, over all of their batches.

Counted by person and over time, so that one large roll back can't be had in slices. Deleting what is not ours always
needs a second person. Must not import services.batches.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Coalesce, Greatest, Now

from migration_app.batches.kinds import BATCH_KINDS, FOREIGN_TOO, batch_eligible
from migration_app.contracts import COMMAND_LINE, Actor
from migration_app.models import Batch
from migration_app.threads.selections import SelectionError, selection_threads

_LOCK = 0x6D64
"""Key of the advisory lock under which roll backs are counted: two at once would not see each other's threads."""


def approval_lock(kind: str) -> None:
    """Until the transaction ends nobody else counts, or hands out, work of a kind that may need an approval."""
    if BATCH_KINDS[kind].approved:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [_LOCK])


def approval_needed(
    *, kind: str, chosen: Mapping[str, Any], threads: int, actor: Actor, batch_pk: int | None = None
) -> str:
    """Why a second person must approve a batch of so many threads; empty if nobody must.

    ``batch_pk`` is the batch itself, once it is there: it is not counted among the person's others. The caller
    holds ``approval_lock``.
    """
    if not BATCH_KINDS[kind].approved:
        return ""
    if chosen.get(FOREIGN_TOO):
        return "It deletes what is not ours too."
    limit = settings.APPROVAL_ABOVE_THREADS
    others = taken_alone(actor, but=batch_pk, up_to=limit + 1 - threads)
    if threads + others <= limit:
        return ""
    if not others:
        return f"More than {limit} threads match."
    return (
        f"With the person's other roll backs of the last {settings.APPROVAL_WINDOW_HOURS} hours it is more than "
        f"{limit} threads."
    )


def taken_alone(actor: Actor, *, but: int | None = None, up_to: int) -> int:
    """How many threads this person's roll backs without approval took in the window, or are about to take.

    Stops counting where ``up_to`` is reached.
    """
    since = Now() - dt.timedelta(hours=settings.APPROVAL_WINDOW_HOURS)
    batches = (
        _of(actor)
        .filter(kind__in=_approved(), approved_at__isnull=True)
        .exclude(state=Batch.State.WAITING)
        .exclude(pk=but or 0)
        # One that was held while it was handed out took its threads later than it was asked for.
        .annotate(last=Greatest("created_at", Coalesce("started_at", "heartbeat_at", "created_at")))
        .filter(Q(last__gte=since) | Q(state__in=[Batch.State.PREPARING, Batch.State.PAUSED]))
    )
    total = 0
    for batch in batches.order_by("-pk").iterator():
        total += batch.taken_count + _still_to_take(batch, up_to - total)
        if total >= up_to:
            break
    return total


def _still_to_take(batch: Batch, up_to: int) -> int:
    if batch.started_at is not None or batch.state not in {Batch.State.PREPARING, Batch.State.PAUSED}:
        return 0
    try:
        rest = selection_threads(batch.filter).filter(
            pk__gt=batch.prepared_up_to, pk__lte=batch.max_thread_pk
        )
    except SelectionError:
        return 0  # it takes none: the batch will fail when it is handed out
    return batch_eligible(batch.kind, rest)[: max(up_to, 0)].count()


def _of(actor: Actor) -> QuerySet[Batch]:
    """The batches that may be this person's (``Actor.may_be``)."""
    bare = actor.name.removesuffix(COMMAND_LINE)
    of_name = Q(created_by_name__in=[bare, bare + COMMAND_LINE])
    if actor.user_id is None:
        return Batch.objects.filter(of_name)
    return Batch.objects.filter(Q(created_by_id=actor.user_id) | (of_name & Q(created_by_id__isnull=True)))


def _approved() -> list[str]:
    return [kind.name for kind in BATCH_KINDS.values() if kind.approved]
