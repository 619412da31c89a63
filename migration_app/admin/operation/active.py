"""The dashboard's open batches and imports: how far, how fast, when done, with Pause and Resume in place."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from migration_app.admin.base.badges import Badge, batch_badge, progress_badge
from migration_app.admin.base.people import people_text
from migration_app.admin.batches.acts import StopForm, may_control
from migration_app.admin.batches.confirm import APPROVE
from migration_app.admin.batches.outcome import batch_percent, batch_progress_text
from migration_app.admin.imports.imports import OPEN_STATES as IMPORT_OPEN_STATES
from migration_app.admin.imports.imports import import_percent, import_progress_text
from migration_app.admin.operation.attention import age_of, batch_title, batch_url
from migration_app.admin.operation.progress import left_text, rate_text
from migration_app.batches.control import PAUSABLE, asked_by
from migration_app.batches.progress import Progress
from migration_app.batches.rates import batch_rate
from migration_app.models import Batch, SourceImport

SHOWN = 6
_READ = 100
OPEN = (
    Batch.State.WAITING,
    Batch.State.PREPARING,
    Batch.State.RUNNING,
    Batch.State.CANCELLING,
    Batch.State.PAUSED,
)


@dataclasses.dataclass(frozen=True, slots=True)
class ActiveRow:
    """One batch or import that is not over. Addresses are empty where the person may not, or it makes no sense."""

    key: str
    title: str
    url: str
    badge: Badge
    percent: int
    text: str
    facts: tuple[str, ...]
    by: str
    age: str
    pause_url: str = ""
    resume_url: str = ""


def open_batches() -> list[Batch]:
    """Batches that are not over: worked on, paused, or waiting for approval; the newest first."""
    return list(Batch.objects.filter(state__in=OPEN).order_by("-id")[:_READ])


def active_context(
    request: HttpRequest, batches: Sequence[Batch], progress: Mapping[int, Progress]
) -> dict[str, Any]:
    """What the section shows of the open batches, whose progress is given by primary key."""
    shown = batches[:SHOWN]
    imports = SourceImport.objects.filter(state__in=IMPORT_OPEN_STATES).order_by("-id")[:SHOWN]
    return {
        "active": [
            *(_batch_row(request, batch, progress[batch.pk]) for batch in shown),
            *(_import_row(row) for row in imports),
        ],
        "more_active": len(batches) > SHOWN,
        "pause_form": StopForm(),
    }


def _batch_row(request: HttpRequest, batch: Batch, progress: Progress) -> ActiveRow:
    control = may_control(request, batch)
    return ActiveRow(
        key=f"batch-{batch.pk}",
        title=batch_title(batch),
        url=batch_url(batch),
        badge=batch_badge(batch.state),
        percent=batch_percent(batch, progress),
        text=batch_progress_text(batch, progress),
        facts=_facts(batch, progress),
        by=batch.created_by_name,
        age=age_of(batch.created_at),
        pause_url=_act_url(batch, "pause") if control and batch.state in PAUSABLE else "",
        resume_url=_act_url(batch, "resume") if control and batch.state == Batch.State.PAUSED else "",
    )


def _facts(batch: Batch, progress: Progress) -> tuple[str, ...]:
    """Rate, time left, errors and retries, each in a few words; of one that waits, who may approve it."""
    if batch.state == Batch.State.WAITING:
        names = people_text(APPROVE, may=lambda person: not asked_by(batch, person))
        return (f"may approve: {names}" if names else "nobody else may approve it yet",)
    return (
        *_speed(batch, progress),
        f"{progress.trouble:,} with errors",
        f"{batch.retry_count:,} retries",
        *((f"{batch.throttled_count:,} times 429",) if batch.throttled_count else ()),
    )


def _speed(batch: Batch, progress: Progress) -> tuple[str, ...]:
    if batch.state != Batch.State.RUNNING:
        return ()
    rate = batch_rate(batch)
    left = left_text(progress.pending, rate)
    return (f"{rate_text(rate.threads)} threads a minute", f"time left: {left}") if rate else (left,)


def _import_row(row: SourceImport) -> ActiveRow:
    return ActiveRow(
        key=f"import-{row.pk}",
        title=f"Import {row.pk}: {row.file_name}",
        url=reverse("admin:migration_app_sourceimport_change", args=[row.pk]),
        badge=progress_badge(row.state),
        percent=import_percent(row),
        text=import_progress_text(row),
        facts=(f"{row.reject_count:,} rejected",) if row.reject_count else (),
        by=row.created_by_name,
        age=age_of(row.created_at),
    )


def _act_url(batch: Batch, act: str) -> str:
    return reverse("operation:batch_act", args=[batch.pk, act])
