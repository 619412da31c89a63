"""The orphan ledger: unconfirmed creates. What is known of each, and closing an entry with a note.

Rows are added by the engine's own writes. Calls no API.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.db.models.functions import Now

from migration_app.audit.trail import audit_event
from migration_app.contracts import Actor
from migration_app.conversion.metadata import THREAD_ID_KEY
from migration_app.models import OrphanConversation
from migration_app.threads.plans import PlanLostError, thread_plan

CLOSED = frozenset({OrphanConversation.State.DELETED, OrphanConversation.State.ACCEPTED})
_COUNTED_UP_TO = 10_000


class OrphanRefusedError(ValueError):
    """The entry can't be changed like this; the text says why."""


def orphan_close(*, pk: int, state: str, note: str, actor: Actor) -> OrphanConversation:
    """Close an open entry: *deleted* (found at the target, and deleted there) or *accepted* (left where it is).

    Raises OrphanRefusedError for an entry that is closed, another state, or an empty note.
    """
    if state not in CLOSED:
        raise OrphanRefusedError("Say whether it was found and deleted, or is accepted.")
    if not note.strip():
        raise OrphanRefusedError("Say in the note how you know: it is kept in the audit trail.")
    return _change(pk, before=OrphanConversation.State.OPEN, after=state, note=note.strip(), actor=actor)


def orphan_reopen(*, pk: int, note: str, actor: Actor) -> OrphanConversation:
    """Open an entry again that was closed by mistake. Raises OrphanRefusedError for one that is open."""
    with transaction.atomic():
        found = OrphanConversation.objects.select_for_update(of=("self",)).filter(pk=pk).first()
        if found is None or found.state not in CLOSED:
            raise OrphanRefusedError("This entry is not closed.")
        return _change(pk, before=found.state, after=OrphanConversation.State.OPEN, note=note, actor=actor)


def orphan_counts() -> dict[str, str]:
    """Entries by state, each counted up to 10,000."""
    counts = {}
    for state in OrphanConversation.State.values:
        rows = OrphanConversation.objects.filter(state=state).order_by()
        count = rows[: _COUNTED_UP_TO + 1].count()
        counts[state] = f"more than {_COUNTED_UP_TO:,}" if count > _COUNTED_UP_TO else f"{count:,}"
    return counts


def orphan_metadata(orphan: OrphanConversation) -> Mapping[str, str] | None:
    """The metadata pairs that a create for this thread carries today: by them the conversation is recognised.

    Private content: chosen by an application. None if the thread can't be planned any more.
    """
    try:
        pairs = thread_plan(orphan.thread).plan.metadata
    except PlanLostError:
        return None
    return {key: pairs[key] for key in orphan.metadata_keys if key in pairs}


def orphan_mark(orphan: OrphanConversation) -> str:
    """The one pair that names the thread itself, where the create carried it; it is no content."""
    return f"{THREAD_ID_KEY} = {orphan.thread.thread_id}" if THREAD_ID_KEY in orphan.metadata_keys else ""


def _change(pk: int, *, before: str, after: str, note: str, actor: Actor) -> OrphanConversation:
    closing = after != OrphanConversation.State.OPEN
    with transaction.atomic():
        changed = OrphanConversation.objects.filter(pk=pk, state=before).update(
            state=after,
            note=note,
            closed_by_name=actor.name if closing else "",
            closed_at=Now() if closing else None,
        )
        if changed != 1:
            raise OrphanRefusedError("This entry is closed already, or it is gone.")
        orphan = OrphanConversation.objects.select_related("thread").get(pk=pk)
        audit_event(
            actor=actor,
            verb="orphan.closed" if closing else "orphan.reopened",
            subject_kind="thread",
            subject_id=orphan.thread.thread_id,
            before=before,
            after=after,
            reason=f"Unconfirmed create of {orphan.intended_at:%Y-%m-%d %H:%M:%S} UTC: {note}".strip(": "),
        ).save(force_insert=True)
    return orphan
