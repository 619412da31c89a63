"""What people may do with a batch on its page: pause, resume, cancel, change its speed, approve it.

Users who may start such a batch may also stop it. Each act is a POST with a form; services refuse what its state
forbids.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.acts import Act
from migration_app.admin.base.forms import ConsoleForm, reason_field
from migration_app.admin.base.people import people_text
from migration_app.admin.batches.approval import ApproveForm, batch_selected
from migration_app.admin.batches.confirm import APPROVE
from migration_app.admin.batches.forms import ThrottleForm, throttle_of_batch
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
from migration_app.batches.kinds import BATCH_KINDS
from migration_app.contracts import Actor
from migration_app.engine.tasks import BATCH_TASK
from migration_app.jobs import enqueue
from migration_app.models import Batch

_STRICTEST = "migration_app.rollback_thread"

S = Batch.State


class StopForm(ConsoleForm):
    """Why a batch is paused or cancelled."""

    reason = reason_field(
        label="Reason to pause or cancel",
        help_text="Kept in the audit trail. Either takes effect after the current chunk. Cancel removes the work "
        "from threads that are not done; what was sent stays where it is.",
    )


class CancelForm(ConsoleForm):
    """Why a batch that can't be paused is cancelled."""

    reason = reason_field(
        label="Reason to cancel",
        help_text="Kept in the audit trail. Cancel takes the work back from threads that are not done; what was sent "
        "stays where it is.",
    )


class ResumeForm(ConsoleForm):
    """An optional reason."""

    reason = reason_field(required=False)


def may_control(request: HttpRequest, batch: Batch) -> bool:
    """Whether the user may start a batch of this kind, and so stop it too."""
    kind = BATCH_KINDS.get(batch.kind)
    return request.user.has_perm(kind.permission if kind else _STRICTEST)


def may_approve(request: HttpRequest, batch: Batch) -> bool:
    """Whether the user is the second person that the batch waits for."""
    return request.user.has_perm(APPROVE) and not asked_by(batch, actor_of(request))


def _pause(batch: Batch, actor: Actor, data: Mapping[str, Any]) -> str:
    batch_pause(batch_pk=batch.pk, actor=actor, reason=data["reason"])
    return f"Batch {batch.pk} is paused. Workers hand its threads back after the current chunk."


def _resume(batch: Batch, actor: Actor, data: Mapping[str, Any]) -> str:
    batch_resume(batch_pk=batch.pk, actor=actor, reason=data["reason"])
    enqueue(BATCH_TASK, batch.pk)
    return f"Batch {batch.pk} is resumed."


def _cancel(batch: Batch, actor: Actor, data: Mapping[str, Any]) -> str:
    batch_cancel(batch_pk=batch.pk, actor=actor, reason=data["reason"])
    enqueue(BATCH_TASK, batch.pk)
    return f"Batch {batch.pk} is being cancelled."


def _change(batch: Batch, actor: Actor, data: Mapping[str, Any]) -> str:
    changed = batch_change(
        batch_pk=batch.pk,
        actor=actor,
        window=data["window"],
        requests_per_minute=data["requests_per_minute"] or 0,
        urgent=data["urgent"],
    )
    enqueue(BATCH_TASK, batch.pk)
    return f"Batch {batch.pk} has another speed within a second." if changed else "Nothing was changed."


def _approve(batch: Batch, actor: Actor, data: Mapping[str, Any]) -> str:
    batch_approve(batch_pk=batch.pk, actor=actor, reason=data["reason"])
    enqueue(BATCH_TASK, batch.pk)
    return f"Batch {batch.pk} is approved and starts."


ACTS: Mapping[str, Act] = {
    "pause": Act(_pause, StopForm),
    "resume": Act(_resume, ResumeForm),
    "cancel": Act(_cancel, StopForm),
    "change": Act(_change, ThrottleForm),
    "approve": Act(_approve, ApproveForm, permissions=(APPROVE,)),
}
"""Who may start such a batch may do each but approving (``may_control``)."""


def control_context(request: HttpRequest, batch: Batch, forms: Mapping[str, ConsoleForm]) -> dict[str, Any]:
    """What the batch's page offers to this user, and why it is held; ``forms``: an act's that was refused."""
    control = may_control(request, batch)
    may_pause = control and batch.state in PAUSABLE
    return {
        "may_pause": may_pause,
        "may_resume": control and batch.state == S.PAUSED,
        "may_cancel": control and batch.state in CANCELLABLE,
        "may_change": control and batch.state in CHANGEABLE,
        "stop_form": forms.get("pause") or forms.get("cancel") or (StopForm if may_pause else CancelForm)(),
        "throttle_form": forms.get("change") or ThrottleForm(initial=throttle_of_batch(batch)),
        **(_approval_context(request, batch) if batch.state == S.WAITING else {}),
    }


def _approval_context(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    return {
        "approve_url": reverse("admin:migration_app_batch_approve", args=[batch.pk]),
        "selected": batch_selected(batch),
        "approval_limit": settings.APPROVAL_ABOVE_THREADS,
        "may_approve": may_approve(request, batch),
        "asked_it": asked_by(batch, actor_of(request)),
        "approvers": people_text(APPROVE, may=lambda person: not asked_by(batch, person)),
    }
