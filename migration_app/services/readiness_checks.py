"""A readiness check's own row: asked for, claimed, written on, ended. Must not import jobs. Calls no API."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from migration_app.contracts import Actor
from migration_app.models import ReadinessCheck
from migration_app.services.audit import audit_record

S = ReadinessCheck.State

STALE = dt.timedelta(minutes=10)
"""Longer than a wave of look-ups or a group of threads takes: a check that is silent for so long lost its worker."""


def check_request(*, kind: str, actor: Actor) -> ReadinessCheck:
    """Ask for a check; one that is under way is left alone, and answers for this request too."""
    with transaction.atomic():
        row, _made = ReadinessCheck.objects.select_for_update().get_or_create(
            kind=kind,
            defaults={
                "state": S.FINISHED,
                "requested_by_name": actor.name[:255],
                "requested_at": Now(),
            },
        )
        if row.state in (S.QUEUED, S.RUNNING):
            return row
        row.state, row.error_text, row.requested_by_name = S.QUEUED, "", actor.name[:255]
        row.requested_at, row.heartbeat_at, row.finished_at = Now(), None, None
        row.cursor = row.done = row.total = 0
        row.pass_number += 1
        row.save()
        audit_record(actor=actor, verb="readiness.asked_for", subject_kind="target", subject_id=kind)
    row.refresh_from_db()
    return row


def check_claim(kind: str) -> ReadinessCheck | None:
    """Take a check that waits, or whose worker is gone; None if there is nothing to do or somebody else is at it.

    One conditional UPDATE: of two workers only one sees it change.
    """
    free = Q(state=S.QUEUED) | Q(state=S.RUNNING, heartbeat_at__lt=Now() - STALE)
    taken = ReadinessCheck.objects.filter(free, kind=kind).update(state=S.RUNNING, heartbeat_at=Now())
    return ReadinessCheck.objects.get(kind=kind) if taken else None


class CheckLostError(Exception):
    """The check is in other hands: this worker was taken for dead."""


def check_progress(row: ReadinessCheck, *, done: int, total: int, cursor: int = 0) -> None:
    """Write down how far it is, which is also its sign of life. CheckLostError if another has moved it on."""
    moved = ReadinessCheck.objects.filter(
        pk=row.pk, state=S.RUNNING, pass_number=row.pass_number, cursor=row.cursor
    ).update(done=done, total=total, cursor=cursor, heartbeat_at=Now())
    if not moved:
        raise CheckLostError
    row.done, row.total, row.cursor = done, total, cursor


def check_put_down(row: ReadinessCheck) -> None:
    """Leave it for whoever comes next: it goes on where it is."""
    ReadinessCheck.objects.filter(pk=row.pk, state=S.RUNNING).update(state=S.QUEUED)


def check_finish(row: ReadinessCheck, *, actor: Actor, words: str) -> None:
    """End it well: what it found is what is shown from now on."""
    with transaction.atomic():
        ReadinessCheck.objects.filter(pk=row.pk).update(
            state=S.FINISHED, finished_at=Now(), good_at=Now(), good_pass=row.pass_number, error_text=""
        )
        audit_record(
            actor=actor, verb="readiness.looked", subject_kind="target", subject_id=row.kind, reason=words
        )


def check_fail(row: ReadinessCheck, *, text: str) -> None:
    """End it with the reason, for operators."""
    ReadinessCheck.objects.filter(pk=row.pk).update(
        state=S.FAILED, finished_at=Now(), error_text=text.replace("\x00", "")[:2_000]
    )


def checks_waiting() -> list[str]:
    """Kinds of checks that a worker should take."""
    free = Q(state=S.QUEUED) | Q(state=S.RUNNING, heartbeat_at__lt=Now() - STALE)
    return list(ReadinessCheck.objects.filter(free).order_by("pk").values_list("kind", flat=True))
