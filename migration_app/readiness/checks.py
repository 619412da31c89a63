"""A readiness check's own row: asked for, claimed, written on, ended. Must not import jobs. Calls no API.

Whoever does a check holds a token; a worker that was taken for dead can write nothing more.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import ReadinessCheck

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
    taken = ReadinessCheck.objects.filter(_free(), kind=kind).update(
        state=S.RUNNING, run_token=uuid.uuid4(), heartbeat_at=Now()
    )
    return ReadinessCheck.objects.get(kind=kind) if taken else None


def _free() -> Q:
    return Q(state=S.QUEUED) | Q(state=S.RUNNING, heartbeat_at__lt=Now() - STALE)


class CheckLostError(Exception):
    """The check is in other hands: this worker was taken for dead."""


def check_hold(row: ReadinessCheck) -> None:
    """Lock the check for the transaction at hand, which is a heartbeat too. CheckLostError if it is not ours."""
    _write(row)


def check_progress(row: ReadinessCheck, *, done: int, total: int, cursor: int = 0) -> None:
    """Record how far it is. CheckLostError if it is not ours."""
    _write(row, done=done, total=total, cursor=cursor)
    row.done, row.total, row.cursor = done, total, cursor


def check_put_down(row: ReadinessCheck) -> None:
    """Leave it to whoever comes next, to continue where it is. CheckLostError if it is not ours."""
    _write(row, state=S.QUEUED, run_token=None)


def check_finish(row: ReadinessCheck, *, actor: Actor, words: str) -> None:
    """End it well: what it found is what is shown from now on. CheckLostError if it is not ours."""
    with transaction.atomic():
        _write(
            row,
            state=S.FINISHED,
            run_token=None,
            finished_at=Now(),
            good_at=Now(),
            good_pass=row.pass_number,
            error_text="",
        )
        audit_record(
            actor=actor, verb="readiness.looked", subject_kind="target", subject_id=row.kind, reason=words
        )


def check_fail(row: ReadinessCheck, *, text: str) -> None:
    """End it with the reason, for operators. CheckLostError if it is not ours."""
    error_text = text.replace("\x00", "")[:2_000]
    _write(row, state=S.FAILED, run_token=None, finished_at=Now(), error_text=error_text)


def _write(row: ReadinessCheck, **changes: Any) -> None:
    changed = ReadinessCheck.objects.filter(pk=row.pk, run_token=row.run_token, state=S.RUNNING).update(
        **{"heartbeat_at": Now(), **changes}
    )
    if changed != 1:
        raise CheckLostError(f"The check of {row.kind} is in another worker's hands.")


def checks_waiting() -> list[str]:
    """Kinds of checks that a worker should take."""
    return list(ReadinessCheck.objects.filter(_free()).order_by("pk").values_list("kind", flat=True))
