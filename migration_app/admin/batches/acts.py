"""What people may do with a batch on its page: pause, resume, cancel, change its speed, approve it.

Whoever may start such a batch may also stop it. Each act is a POST; the services refuse what its state forbids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from migration_app.admin.base.actors import actor_of
from migration_app.admin.batches.kinds import ACTIONS
from migration_app.admin.batches.throttle import speed_fields, speed_of_batch, speed_of_form
from migration_app.batches.control import (
    CANCELLABLE,
    CHANGEABLE,
    PAUSABLE,
    asked_by,
    batch_approve,
    batch_cancel,
    batch_change,
    batch_pause,
    batch_resume,
)
from migration_app.batches.kinds import batch_eligible
from migration_app.jobs import batch_enqueue
from migration_app.models import Batch
from migration_app.threads.selections import SelectionError, selection_threads

APPROVE = "migration_app.approve_rollback"
_STRICTEST = "migration_app.rollback_thread"
_COUNTED_UP_TO = 10_000

S = Batch.State


class ActRefusedError(Exception):
    """The form is not filled in as it must be; the text says what is missing."""


def may_control(request: HttpRequest, batch: Batch) -> bool:
    """Whether the user may start a batch of this kind, and so stop it too."""
    kind = ACTIONS.get(batch.kind)
    return request.user.has_perm(kind.permission if kind else _STRICTEST)


def may_approve(request: HttpRequest, batch: Batch) -> bool:
    """Whether the user is the second person that the batch waits for."""
    return request.user.has_perm(APPROVE) and not asked_by(batch, actor_of(request))


def act(request: HttpRequest, batch: Batch, name: str) -> str:
    """Do it, and return in words what was done.

    PermissionDenied; ActRefusedError, ValueError and the services' BatchRefusedError say what is wrong.
    """
    allowed = request.user.has_perm(APPROVE) if name == "approve" else may_control(request, batch)
    if not allowed:
        raise PermissionDenied
    with transaction.atomic():
        said = ACTS[name](request, batch)
        if name != "pause":
            batch_enqueue(batch.pk)
    return said


def _pause(request: HttpRequest, batch: Batch) -> str:
    batch_pause(batch_pk=batch.pk, actor=actor_of(request), reason=_reason(request))
    return f"Batch {batch.pk} is paused. Workers put its threads down after the chunk at hand."


def _resume(request: HttpRequest, batch: Batch) -> str:
    batch_resume(batch_pk=batch.pk, actor=actor_of(request), reason=_words(request))
    return f"Batch {batch.pk} goes on."


def _cancel(request: HttpRequest, batch: Batch) -> str:
    batch_cancel(batch_pk=batch.pk, actor=actor_of(request), reason=_reason(request))
    return f"Batch {batch.pk} is being cancelled."


def _change(request: HttpRequest, batch: Batch) -> str:
    speed = speed_of_form(request.POST)
    changed = batch_change(
        batch_pk=batch.pk,
        actor=actor_of(request),
        window=speed.window,
        requests_per_minute=speed.requests_per_minute or 0,
        urgent=speed.urgent,
    )
    return f"Batch {batch.pk} has another speed within a second." if changed else "Nothing was changed."


def _approve(request: HttpRequest, batch: Batch) -> str:
    batch_approve(batch_pk=batch.pk, actor=actor_of(request))
    return f"Batch {batch.pk} is approved and starts."


ACTS: Mapping[str, Callable[[HttpRequest, Batch], str]] = {
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "change": _change,
    "approve": _approve,
}


def _words(request: HttpRequest) -> str:
    return request.POST.get("reason", "").replace("\x00", "").strip()


def _reason(request: HttpRequest) -> str:
    reason = _words(request)
    if not reason:
        raise ActRefusedError("Say why: the reason is kept in the audit trail.")
    return reason


def control_context(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    """What the batch's page offers to this user, and why it is held."""
    control = may_control(request, batch)
    return {
        "act_urls": {name: reverse("admin:migration_app_batch_act", args=[batch.pk, name]) for name in ACTS},
        "may_pause": control and batch.state in PAUSABLE,
        "may_resume": control and batch.state == S.PAUSED,
        "may_cancel": control and batch.state in CANCELLABLE,
        "may_change": control and batch.state in CHANGEABLE,
        "speed": speed_fields(speed_of_batch(batch)),
        **(_approval_context(request, batch) if batch.state == S.WAITING else {}),
    }


def _approval_context(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    try:
        takes = batch_eligible(batch.kind, selection_threads(batch.filter))
        count = takes[: _COUNTED_UP_TO + 1].count()
        threads = f"{count:,}" if count <= _COUNTED_UP_TO else f"more than {_COUNTED_UP_TO:,}"
    except (SelectionError, KeyError, ValueError):
        threads = "an unknown number of"
    return {
        "approval_threads": threads,
        "approval_limit": settings.APPROVAL_ABOVE_THREADS,
        "may_approve": may_approve(request, batch),
        "asked_it": asked_by(batch, actor_of(request)),
    }
