"""Writing the audit trail. Called inside the transaction of the change it records."""

from __future__ import annotations

from migration_app.audit.actions import action_of, subject_of
from migration_app.contracts import Actor
from migration_app.models import AuditEvent


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
