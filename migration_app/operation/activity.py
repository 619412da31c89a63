"""What people did lately, and what happened to what they started: a line a batch, and none a thread."""

from __future__ import annotations

import dataclasses
import datetime as dt

from django.db import connection

from migration_app.audit.actions import ACTIONS, action_label
from migration_app.models import AuditEvent, Batch
from migration_app.statements import statements_of

_SQL = statements_of(__name__)
_READ = 60
_LEFT_OUT = (
    *("thread.", "conversation.", "item.", "target."),  # a line a thread, and what workers do by themselves
    *("user.signed", "user.sign_in", "assistant.", "readiness.models", "prompt.unchanged"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One thing that somebody did. ``subject_kind`` and ``subject_id``: what it was done to."""

    at: dt.datetime
    actor: str
    text: str
    reason: str
    subject_kind: str
    subject_id: str


def latest(most: int) -> list[Line]:
    """The newest lines. Of a batch only what happened to it last, under the name of who started it."""
    events = _events()
    batches = Batch.objects.in_bulk({event.batch_pk for event in events if event.batch_pk})
    lines: list[Line] = []
    seen: set[int] = set()
    for event in events:
        if event.batch_pk and event.subject_kind == "batch":
            if event.batch_pk in seen:
                continue
            seen.add(event.batch_pk)
        lines.append(_line(event, batches.get(event.batch_pk or 0)))
        if len(lines) == most:
            break
    return lines


def _line(event: AuditEvent, batch: Batch | None) -> Line:
    label = action_label(event.verb)
    if batch is None or event.subject_kind != "batch":
        return Line(event.at, event.actor, label, event.reason, event.subject_kind, event.subject_id)
    by_person = event.actor_user_id is not None
    return Line(
        at=event.at,
        actor=event.actor if by_person else batch.created_by_name,
        text=f"{batch.get_kind_display().capitalize()}{_size(batch)}: {_ended(event, batch)}",
        reason=event.reason or batch.reason,
        subject_kind="batch",
        subject_id=str(batch.pk),
    )


def _size(batch: Batch) -> str:
    if not batch.taken_count:
        return ""  # nothing is handed out yet
    return f" of {batch.taken_count:,} thread{'' if batch.taken_count == 1 else 's'}"


def _ended(event: AuditEvent, batch: Batch) -> str:
    if event.verb == "batch.held":
        return "paused itself"
    if event.verb.endswith(("_started", "_asked")):
        return "started" if event.verb.endswith("_started") else "waits for approval"
    return event.after.replace("_", " ") or action_label(event.verb).removeprefix("Batch ") or batch.state


def _events() -> list[AuditEvent]:
    with connection.cursor() as cursor:
        cursor.execute(_SQL["newest"], {"verbs": shown_verbs(), "most": _READ})
        pks = [pk for (pk,) in cursor.fetchall()]
    found = AuditEvent.objects.in_bulk(pks)
    return [found[pk] for pk in pks]


def shown_verbs() -> list[str]:
    """Actions that make a line: neither of single threads nor of somebody who only read something."""
    return [verb for verb in ACTIONS if not verb.startswith(_LEFT_OUT) and not verb.endswith("_viewed")]
