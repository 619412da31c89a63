"""Writing the audit trail. Called inside the transaction of the change it records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.utils import timezone

from migration_app.audit.actions import action_of, subject_of
from migration_app.contracts import Actor
from migration_app.models import AuditEvent
from migration_app.statements import statements_of

_SQL = statements_of(__name__)


def audit_event(
    *,
    actor: Actor,
    verb: str,
    subject_kind: str,
    subject_id: str,
    before: str = "",
    after: str = "",
    reason: str = "",
    batch_pk: int | None = None,
    request_id: str = "",
) -> AuditEvent:
    """Make an unsaved audit row. ``reason`` must hold neither message content nor secrets.

    Raises UnregisteredActionError unless verb and kind of subject are in ``audit.actions``.
    """
    return AuditEvent(
        actor=actor.name,
        actor_user_id=actor.user_id,
        verb=action_of(verb).verb,
        subject_kind=subject_of(subject_kind),
        subject_id=subject_id,
        before=before,
        after=after,
        reason=reason,
        batch_pk=batch_pk,
        job_id=actor.job_id,
        request_id=request_id,
    )


def audit_record(
    *,
    actor: Actor,
    verb: str,
    subject_kind: str,
    subject_id: str,
    reason: str = "",
    batch_pk: int | None = None,
) -> None:
    """Write one audit row for an act that changes no status, such as viewing content or exporting."""
    audit_event(
        actor=actor,
        verb=verb,
        subject_kind=subject_kind,
        subject_id=subject_id,
        reason=reason,
        batch_pk=batch_pk,
    ).save(force_insert=True)


def audit_changes(
    *,
    actor: Actor,
    verb: str,
    subject_kind: str,
    changed: Sequence[tuple[str, str]],
    after: str,
    reason: str,
    batch_pk: int | None,
) -> None:
    """Write the audit rows of one change to many subjects: ``changed`` are their ids and statuses before it.

    As many calls of ``audit_event`` in one statement: a row object for each would cost more than the rest.
    """
    if not changed:
        return
    columns: dict[str, Any] = {
        "at": timezone.now(),
        "actor": actor.name,
        "actor_user_id": actor.user_id,
        "verb": action_of(verb).verb,
        "subject_kind": subject_of(subject_kind),
        "ids": [subject_id for subject_id, _before in changed],
        "before": [before for _subject_id, before in changed],
        "after": after,
        "reason": reason,
        "batch_pk": batch_pk,
        "job_id": actor.job_id,
    }
    with connection.cursor() as cursor:
        cursor.execute(_SQL["changes"], columns)
