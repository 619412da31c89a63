"""What people do with an import that is there: start it again, cancel it. Never imports jobs."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, Q
from django.db.models.functions import Now

from migration_app.archive.ids import storable_text
from migration_app.contracts import Actor
from migration_app.imports.imports import IMPORTS, OPEN, PARTS
from migration_app.models import ImportPart, SourceImport
from migration_app.tasks.lifecycle import TEXT_LENGTH

_S = SourceImport.State


def import_restart(*, source_import_pk: int, actor: Actor, reason: str) -> bool:
    """Let a failed upload wait for a worker again. False if it did not fail, or its file is no longer kept."""
    return IMPORTS.move(
        source_import_pk,
        _S.WAITING,
        among=Q(Exists(PARTS), state=_S.FAILED),
        actor=actor,
        reason=reason,
        error_text="",
        finished_at=None,
        attempts=0,
    )


def import_cancel(*, source_import_pk: int, actor: Actor, reason: str) -> bool:
    """End an import that waits, is being read, or failed with its upload kept. False if it was over already.

    Its upload is deleted. Its reader has lost it with this, and stops within a second. What it has stored stays, and
    is assessed.
    """
    is_kept = Q(Exists(PARTS), state=_S.FAILED)
    with transaction.atomic():
        cancelled = IMPORTS.move(
            source_import_pk,
            _S.CANCELLED,
            among=Q(state__in=OPEN) | is_kept,
            actor=actor,
            reason=reason,
            attempts=0,
            error_text=storable_text(f"Cancelled by {actor.name}: {reason}", TEXT_LENGTH),
            finished_at=Now(),
        )
        if cancelled:
            ImportPart.objects.filter(source_import_id=source_import_pk).delete()
    return cancelled


def import_cancellable(source_import: SourceImport) -> bool:
    """Whether ``import_cancel`` would take it."""
    return source_import.state in OPEN or import_restartable(source_import)


def import_restartable(source_import: SourceImport) -> bool:
    """Whether ``import_restart`` would take it."""
    return source_import.state == _S.FAILED and source_import.parts.exists()
