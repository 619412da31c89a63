"""The dashboard's first line: whether the operation is healthy, and why not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from migration_app.admin.base.workers import START_COMMAND
from migration_app.jobs import QueueState
from migration_app.operation.health import (
    Signal,
    overall,
    queue_signal,
    reconciliation_signal,
    source_signal,
    target_signal,
    throttling_signal,
    workers_signal,
)
from migration_app.operation.heartbeats import WorkerHeartbeat

DISMISS = "migration_app.backfill_thread"

_ICONS: Mapping[str, str] = {
    "good": "check_circle",
    "idle": "pending",
    "warning": "warning",
    "bad": "error",
}


@dataclasses.dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker of the list. ``dismiss_url``: for a dead one, for those who may take it off the list."""

    heartbeat: WorkerHeartbeat
    age: str
    dismiss_url: str


def health_context(request: HttpRequest, queue: QueueState | None) -> dict[str, Any]:
    """What the line shows; ``queue``: None if its server can't be reached."""
    workers = None if queue is None else queue.workers
    signals = [
        target_signal(),
        source_signal(),
        queue_signal(None if queue is None else queue.waiting),
        workers_signal(workers),
        throttling_signal(),
        reconciliation_signal(),
    ]
    whole = overall(signals)
    return {
        "health": whole,
        "health_icon": _ICONS[whole.state],
        "signals": [
            {"signal": signal, "icon": _ICONS[signal.state], "url": _url(signal)} for signal in signals
        ],
        "workers": _rows(request, workers or ()),
        "worker_command": START_COMMAND,
    }


def _url(signal: Signal) -> str:
    if signal.name == "reconciliation":
        return reverse("admin:migration_app_reconciliation_changelist")
    return ""


def _rows(request: HttpRequest, workers: Sequence[WorkerHeartbeat]) -> list[WorkerRow]:
    may_dismiss = request.user.has_perm(DISMISS)
    return [
        WorkerRow(
            heartbeat,
            age_text(heartbeat.age),
            reverse("operation:dismiss", args=[heartbeat.name])
            if may_dismiss and not heartbeat.is_alive
            else "",
        )
        for heartbeat in workers
    ]


def age_text(seconds: float) -> str:
    """A time that has passed, in its two largest units at most."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    return f"{hours // 24} d"
