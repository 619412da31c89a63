"""What people do with an import that is there: start it again, cancel it. Never imports jobs."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, Q
from django.db.models.functions import Now

from migration_app.archive.ids import storable_text
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.imports.imports import OPEN, PARTS
from migration_app.models import ImportPart, SourceImport

_S = SourceImport.State


def import_restart(*, source_import_pk: int, actor: Actor, reason: str) -> bool:
    """Let a failed upload wait for a worker again. False if it did not fail, or its file is no longer kept."""
    with transaction.atomic():
        rows = SourceImport.objects.filter(Exists(PARTS), pk=source_import_pk, state=_S.FAILED)
        fresh = {"state": _S.WAITING, "error_text": "", "finished_at": None, "run_token": None, "attempts": 0}
        if rows.update(**fresh) != 1:
            return False
        audit_record(
            actor=actor,
            verb="import.restarted",
            subject_kind="import",
            subject_id=str(source_import_pk),
            reason=reason,
        )
    return True


def import_cancel(*, source_import_pk: int, actor: Actor, reason: str) -> bool:
    """End an import that waits, is being read, or failed with its upload kept. False if it was over already.

    Its upload is deleted. Its reader has lost it with this, and stops within a second. What it has stored stays, and
    is assessed.
    """
    is_kept = Q(state=_S.FAILED) & Exists(PARTS)
    with transaction.atomic():
        rows = SourceImport.objects.filter(Q(state__in=OPEN) | is_kept, pk=source_import_pk)
        cancelled = rows.update(
            state=_S.CANCELLED,
            run_token=None,
            attempts=0,
            error_text=storable_text(f"Cancelled by {actor.name}: {reason}", 4000),
            finished_at=Now(),
        )
        if cancelled != 1:
            return False
        ImportPart.objects.filter(source_import_id=source_import_pk).delete()
        audit_record(
            actor=actor,
            verb="import.cancelled",
            subject_kind="import",
            subject_id=str(source_import_pk),
            reason=storable_text(reason, 4000),
        )
    return True


def import_cancellable(source_import: SourceImport) -> bool:
    """Whether ``import_cancel`` would take it."""
    return source_import.state in OPEN or import_restartable(source_import)


def import_restartable(source_import: SourceImport) -> bool:
    """Whether ``import_restart`` would take it."""
    return source_import.state == _S.FAILED and source_import.parts.exists()
