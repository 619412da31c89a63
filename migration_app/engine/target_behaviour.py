"""What was found out about the target: kept with the time it was seen, shared by all workers. Calls no API."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now

from migration_app.archive.ids import storable_text
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import TargetBehaviour

_PROBE_SECONDS = 600
"""As long as one worker's probe may take, before another worker makes one."""
_AFTER_FAILURE_SECONDS = 3600


def target_behaviour(target: str) -> TargetBehaviour:
    """What is known of this target; a row that says nothing yet for a new one."""
    return TargetBehaviour.objects.get_or_create(target=target)[0]


def repeats_are_refused(row: TargetBehaviour, *, now: dt.datetime) -> bool:
    """Whether a repeated append is known to be refused: a result older than two probes does not count."""
    if row.repeats != TargetBehaviour.Repeats.REFUSED or row.repeats_seen_at is None:
        return False
    return now - row.repeats_seen_at < 2 * dt.timedelta(hours=settings.TARGET_PROBE_HOURS)


def probe_claim(target: str) -> bool:
    """Whether a probe is due and this worker makes it: the worker that moves ``probe_after``."""
    if not settings.TARGET_PROBE_HOURS:
        return False
    due = Q(probe_after__isnull=True) | Q(probe_after__lte=Now())
    return (
        TargetBehaviour.objects.filter(due, target=target).update(
            probe_after=Now() + dt.timedelta(seconds=_PROBE_SECONDS)
        )
        == 1
    )


def probe_scratch(target: str, conversation_id: str) -> None:
    """Keep the id of the probe's scratch conversation before anything is sent to it; empty once it is deleted."""
    TargetBehaviour.objects.filter(target=target).update(scratch_id=storable_text(conversation_id, 255))


def probe_record(target: str, repeats: str, note: str, *, actor: Actor) -> None:
    """Keep what a probe found. One that found nothing out leaves what is known, and is made again in an hour."""
    seconds = settings.TARGET_PROBE_HOURS * 3600
    row = TargetBehaviour.objects.filter(target=target)
    if repeats == TargetBehaviour.Repeats.UNKNOWN:
        row.update(
            repeats_note=note[:255],
            probe_after=Now() + dt.timedelta(seconds=min(_AFTER_FAILURE_SECONDS, seconds)),
        )
    else:
        row.update(
            repeats=repeats,
            repeats_note=note[:255],
            repeats_seen_at=Now(),
            probe_after=Now() + dt.timedelta(seconds=seconds),
        )
    audit_record(
        actor=actor,
        verb="target.probed",
        subject_kind="target",
        subject_id=target,
        reason=f"{repeats}: {note}",
    )


def list_lag_record(target: str, seconds: float) -> None:
    """Keep the longest time that a list was seen to be behind what the target had acknowledged."""
    TargetBehaviour.objects.filter(target=target, list_lag_seconds__lt=seconds).update(
        list_lag_seconds=Greatest(F("list_lag_seconds"), seconds), list_lag_seen_at=Now()
    )
