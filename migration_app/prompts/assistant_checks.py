"""Checks of assistants at the live source: requests, the queue, results.

The check itself is ``prompts.assistant_check_work``; this only keeps its records. Must not import jobs or rq.
"""

from __future__ import annotations

import collections
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from migration_app.archive.expanded import SourceObject as Found
from migration_app.archive.versions import contradicts, digest_of
from migration_app.audit.trail import audit_event
from migration_app.contracts import Actor
from migration_app.models import Assistant, AuditEvent, SourceObject
from migration_app.snapshots.pages import source_object_value
from migration_app.snapshots.source_objects import loose_object, source_objects_store

L = Assistant.SourceCheck


def checks_request(*, assistant_pks: Sequence[int], actor: Actor, reason: str) -> int:
    """Request a check of these assistants at the live source. Returns how many."""
    with transaction.atomic():
        assistants = list(
            Assistant.objects.select_for_update()
            .filter(pk__in=assistant_pks)
            .exclude(source_check=L.ASKED)
            .order_by("pk")
        )
        AuditEvent.objects.bulk_create(
            audit_event(
                actor=actor,
                verb="assistant.check_asked",
                subject_kind="assistant",
                subject_id=assistant.assistant_id,
                reason=reason,
            )
            for assistant in assistants
        )
        return Assistant.objects.filter(pk__in=[assistant.pk for assistant in assistants]).update(
            source_check=L.ASKED,
            source_check_asked_by_name=actor.name[:255],
            source_check_text="",
            updated_at=timezone.now(),
        )


def checks_waiting(limit: int) -> list[str]:
    """Ids of assistants that wait for a check."""
    waiting = Assistant.objects.filter(source_check=L.ASKED).order_by("pk")
    return list(waiting.values_list("assistant_id", flat=True)[:limit])


def check_record(*, assistant_id: str, found: Found, raw: bytes, redacted: bool, actor: Actor) -> None:
    """Store the source's current state. Other content is kept as a conflict: a person decides about it."""
    with transaction.atomic():
        source_objects_store(
            objects=[loose_object(found, raw, redacted=redacted)],
            source_import=None,
            actor=actor,
            counts=collections.Counter(),
        )
        assistant = Assistant.objects.select_related("source").get(assistant_id=assistant_id)
        current = source_object_value(assistant.source) if assistant.source else found.value
        changed = contradicts(current, found.value)
        if changed:
            _open_again(assistant_id, found)
        text = "The source differs from the snapshot." if changed else ""
        outcome = L.CHANGED if changed else L.SAME
        check_end(assistant_id=assistant_id, outcome=outcome, text=text, code="", actor=actor)


def check_end(*, assistant_id: str, outcome: str, text: str, code: str, actor: Actor) -> None:
    """Record the result of a check. ``text`` may quote the source and is shown on the page only; ``code`` is
    audited."""
    with transaction.atomic():
        Assistant.objects.filter(assistant_id=assistant_id).update(
            source_check=outcome,
            source_check_text=text[:255],
            source_checked_at=timezone.now(),
            updated_at=timezone.now(),
        )
        audit_event(
            actor=actor,
            verb="assistant.checked",
            subject_kind="assistant",
            subject_id=assistant_id,
            after=outcome,
            reason=code,
        ).save(force_insert=True)


def _open_again(assistant_id: str, found: Found) -> None:
    """Ask a person again about content that was dismissed before, and that the source shows again."""
    rows = SourceObject.objects.filter(
        kind="assistant", object_id=assistant_id, state=SourceObject.State.SUPERSEDED
    )
    for row in rows:
        if digest_of(source_object_value(row)) == digest_of(found.value):
            SourceObject.objects.filter(pk=row.pk).update(state=SourceObject.State.CONFLICT)
