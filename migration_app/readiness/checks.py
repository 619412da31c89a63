"""A readiness check's own row: asked for, and ended. Must not import jobs. Calls no API.

Its lifecycle is that of every task (``tasks.lifecycle``).
"""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.db.models.functions import Now

from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import ReadinessCheck
from migration_app.tasks.lifecycle import Lifecycle

S = ReadinessCheck.State

CHECKS = Lifecycle(
    model=ReadinessCheck,
    subject="target",
    subject_id=lambda row: row.kind,
    stale=dt.timedelta(minutes=10),  # longer than a wave of checks or a group of threads takes
    verbs={S.FINISHED: "readiness.looked"},
)


def check_request(*, kind: str, actor: Actor) -> ReadinessCheck:
    """Ask for a check; one that is under way is left alone, and answers for this request too."""
    with transaction.atomic():
        row, _made = ReadinessCheck.objects.select_for_update().get_or_create(
            kind=kind,
            defaults={
                "state": S.FINISHED,
                "created_by_name": actor.name[:255],
            },
        )
        if row.state in (S.QUEUED, S.RUNNING):
            return row
        row.state, row.error_text = S.QUEUED, ""
        row.created_by_name, row.created_by_id, row.created_at = actor.name[:255], actor.user_id, Now()
        row.started_at = row.heartbeat_at = row.finished_at = None
        row.cursor = row.done = row.total = 0
        row.pass_number += 1
        row.save()
        audit_record(actor=actor, verb="readiness.asked_for", subject_kind="target", subject_id=kind)
    row.refresh_from_db()
    return row


def check_finish(row: ReadinessCheck, *, actor: Actor, text: str) -> None:
    """End it well: what it found is what is shown from now on. TaskLostError if it is not ours."""
    CHECKS.finish(row, actor=actor, reason=text, good_at=Now(), good_pass=row.pass_number)
