"""Holding batches back and letting them go: pause, resume, cancel, approve, change their speed.

Each act locks the batch's row, changes it only from a state that the act knows, and writes its audit row in the
same transaction. Workers read the row about once a second, so an action takes effect within one chunk.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from migration_app.audit.trail import audit_event
from migration_app.batches.batches import throttle_check
from migration_app.batches.claims import threads_claimable
from migration_app.contracts import Actor
from migration_app.models import Batch

S = Batch.State

PAUSABLE = frozenset({S.PREPARING, S.RUNNING})
CANCELLABLE = frozenset({S.WAITING, S.PREPARING, S.RUNNING, S.PAUSED})
CHANGEABLE = CANCELLABLE
WORKED_ON = frozenset({S.PREPARING, S.RUNNING})
"""States in which workers take threads of the batch."""


PAUSED_BY = "Paused by "
"""How the text begins that says why a batch is held, where a person paused it and not the console itself."""


class BatchRefusedError(Exception):
    """The batch is in a state that the act does not know, or the person may not do it. The text says which."""


@dataclasses.dataclass(frozen=True, slots=True)
class Control:
    """What a worker at a batch must know, once a second."""

    state: str
    window: int
    requests_per_minute: int | None
    urgent: bool

    @property
    def may_continue(self) -> bool:
        """Whether threads of the batch may be taken."""
        return self.state in WORKED_ON


def batch_control(batch_pk: int) -> Control:
    """Read the batch's state and throttle: one row by its key. Batch.DoesNotExist if there is none."""
    columns = ("state", "window", "requests_per_minute", "urgent")
    return Control(*Batch.objects.values_list(*columns).get(pk=batch_pk))


def urgent_work_waits(batch_pk: int) -> bool:
    """Whether another, urgent, batch has work that nobody does: a worker at a batch that can wait makes room."""
    urgent = Batch.objects.filter(urgent=True, state__in=WORKED_ON).exclude(pk=batch_pk)
    return any(
        state == S.PREPARING or threads_claimable(pk).exists()
        for pk, state in urgent.values_list("pk", "state")
    )


def batch_pause(*, batch_pk: int, actor: Actor, reason: str) -> None:
    """Have workers release the batch after the current chunk. BatchRefusedError unless it is in progress."""
    said = f"{PAUSED_BY}{actor.name}: {reason}" if reason else f"{PAUSED_BY}{actor.name}."
    with transaction.atomic():
        batch = _locked(batch_pk, PAUSABLE, "paused")
        _move(batch, S.PAUSED, actor=actor, verb="batch.paused", reason=reason, fields={"held_text": said})


def batch_hold(*, batch_pk: int, actor: Actor, reason: str) -> bool:
    """Pause the batch for the console itself, ``reason`` saying what happened and what to do.

    Returns whether this call did: of several workers that meet the same trouble the first one pauses it.
    """
    with transaction.atomic():
        batch = Batch.objects.select_for_update().get(pk=batch_pk)
        if batch.state not in PAUSABLE:
            return False
        _move(batch, S.PAUSED, actor=actor, verb="batch.held", reason=reason, fields={"held_text": reason})
    return True


def batch_resume(*, batch_pk: int, actor: Actor, reason: str = "") -> None:
    """Resume the batch; the caller enqueues it. BatchRefusedError unless it is paused."""
    with transaction.atomic():
        batch = _locked(batch_pk, {S.PAUSED}, "resumed")
        to = S.RUNNING if batch.started_at else S.PREPARING
        _move(batch, to, actor=actor, verb="batch.resumed", reason=reason, fields={"held_text": ""})


def batch_cancel(*, batch_pk: int, actor: Actor, reason: str) -> None:
    """End the batch early; the caller enqueues it, and a job takes the work back (``batches.cancel``).

    A batch that still waits for approval has taken nothing and is cancelled at once. BatchRefusedError for
    one that is over.
    """
    said = f"Cancelled by {actor.name}: {reason}" if reason else f"Cancelled by {actor.name}."
    with transaction.atomic():
        batch = _locked(batch_pk, CANCELLABLE, "cancelled")
        fields: dict[str, Any] = {"held_text": said}
        at_once = batch.state == S.WAITING and not batch.taken_count
        if at_once:
            fields["finished_at"] = Now()
        _move(
            batch,
            S.CANCELLED if at_once else S.CANCELLING,
            actor=actor,
            verb="batch.cancelled" if at_once else "batch.cancelling",
            reason=reason,
            fields=fields,
        )


def batch_change(
    *,
    batch_pk: int,
    actor: Actor,
    window: int | None = None,
    requests_per_minute: int | None = None,
    urgent: bool | None = None,
) -> bool:
    """Change how fast the batch goes, while it does; None leaves a value alone, 0 requests: the target's limit.

    Returns whether anything is different now. ValueError for a speed out of bounds, BatchRefusedError for a
    batch that is over.
    """
    with transaction.atomic():
        batch = _locked(batch_pk, CHANGEABLE, "changed")
        wanted: dict[str, Any] = {
            "window": batch.window if window is None else window,
            "requests_per_minute": batch.requests_per_minute
            if requests_per_minute is None
            else requests_per_minute or None,
            "urgent": batch.urgent if urgent is None else urgent,
        }
        throttle_check(window=wanted["window"], requests_per_minute=wanted["requests_per_minute"])
        changes = {name: value for name, value in wanted.items() if getattr(batch, name) != value}
        if not changes:
            return False
        reason = ", ".join(
            f"{name.replace('_', ' ')} {_word(name, getattr(batch, name))} → {_word(name, value)}"
            for name, value in changes.items()
        )
        _move(batch, batch.state, actor=actor, verb="batch.changed", reason=reason, fields=changes)
    return True


def batch_approve(*, batch_pk: int, actor: Actor, reason: str = "") -> None:
    """Let a waiting batch start; the caller enqueues it, and has checked the permission *approve_rollback*.

    BatchRefusedError unless it waits, and for the person who requested it: two must have reviewed it.
    """
    with transaction.atomic():
        batch = _locked(batch_pk, {S.WAITING}, "approved")
        if asked_by(batch, actor):
            raise BatchRefusedError("You asked for this batch: a second person must approve it.")
        _move(
            batch,
            S.PREPARING,
            actor=actor,
            verb="batch.approved",
            reason=f"asked for by {batch.created_by_name}{f'; {reason}' if reason else ''}",
            fields={
                "approved_by_name": actor.name,
                "approved_by_user_id": actor.user_id,
                "approved_at": Now(),
                "held_text": "",
            },
        )


def asked_by(batch: Batch, actor: Actor) -> bool:
    """Whether this may be the person who asked for the batch."""
    return actor.may_be(name=batch.created_by_name, user_id=batch.created_by_id)


def _locked(batch_pk: int, states: frozenset[S] | set[S], participle: str) -> Batch:
    batch = Batch.objects.select_for_update().filter(pk=batch_pk).first()
    if batch is None:
        raise BatchRefusedError(f"There is no batch {batch_pk}.")
    if batch.state not in states:
        raise BatchRefusedError(
            f"Batch {batch_pk} is {batch.get_state_display()}, so it can't be {participle}."
        )
    return batch


def _move(batch: Batch, to: str, *, actor: Actor, verb: str, reason: str, fields: Mapping[str, Any]) -> None:
    """Write state, fields and the audit row. The caller holds the row's lock."""
    Batch.objects.filter(pk=batch.pk).update(state=to, **fields)
    audit_event(
        actor=actor,
        verb=verb,
        subject_kind="batch",
        subject_id=str(batch.pk),
        before=batch.state,
        after=to,
        reason=reason,
        batch_pk=batch.pk,
    ).save(force_insert=True)


def _word(name: str, value: object) -> str:
    if name == "urgent":
        return "yes" if value else "no"
    return "the target's limit" if value is None else str(value)
