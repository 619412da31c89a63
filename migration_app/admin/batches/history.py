"""What happened to a batch besides its work: held, paused, resumed, changed, approved, cancelled. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from migration_app.models import AuditEvent, Batch

_SHOWN = 5
_MAY_SEE_TRAIL = "migration_app.view_auditevent"

_TEXTS: Mapping[str, str] = {
    "batch.approval_needed": "Held for approval",
    "batch.approved": "Approved",
    "batch.held": "Paused by itself",
    "batch.paused": "Paused",
    "batch.resumed": "Resumed",
    "batch.changed": "Throttle or priority changed",
    "batch.cancelling": "Cancelled",
    "batch.cancelled": "Cancelled",
}
_BY_ITSELF = frozenset({"batch.held", "batch.approval_needed"})


def history_context(request: HttpRequest, batch: Batch) -> dict[str, Any]:
    """The last events of the batch, newest first, and the audit trail of it for those who may see that."""
    # The batch's own rows, by the index of subjects: those of its threads have the same batch, and may be millions.
    events = AuditEvent.objects.filter(
        subject_kind="batch", subject_id=str(batch.pk), verb__in=list(_TEXTS)
    ).order_by("-pk")[:_SHOWN]
    query = urlencode({"batch_pk__exact": batch.pk})
    trail = f"{reverse('admin:migration_app_auditevent_changelist')}?{query}"
    return {
        "history": [
            {
                "at": event.at,
                "text": _TEXTS[event.verb],
                "by": "" if event.verb in _BY_ITSELF else event.actor,
                "reason": event.reason,
            }
            for event in events
        ],
        "trail_url": trail if request.user.has_perm(_MAY_SEE_TRAIL) else "",
    }
