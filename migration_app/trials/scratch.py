"""Scratch conversations of a try-out: made, filled with a turn's true history, brought back to it, deleted.

Never a migrated conversation: only ids are used that a create of this try-out has answered with, and they are durable
before anything is sent to them. What a call is about to do is in the database before it; items are deleted before
the conversation, and only what reading finds gone is called gone. Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from django.utils import timezone

from migration_app.contracts import JsonObject, PlannedItem, ThreadPlan
from migration_app.gateways.connection import Connection
from migration_app.gateways.deletion import AT_ONCE, conversation_remove, is_id, items_delete, not_deleted
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.gateways.responses import newest_items, response_delete
from migration_app.gateways.target import NO_SUCH_METHOD, conversation_create, items_append
from migration_app.models import Trial, TrialScratch
from migration_app.tasks.lifecycle import WorkerStopError
from migration_app.trials.plan import history_chunks
from migration_app.trials.trials import trial_step

_S = TrialScratch.State
_T = TypeVar("_T")

KEPT_BY_DEFAULT = "the official service keeps responses for 30 days"


class BudgetError(Exception):
    """The next call could go beyond the budget, so it is not made. The text is for operators."""


@dataclasses.dataclass(slots=True)
class Desk:
    """What a try-out is worked on with: its row, one connection in one event loop, and when it must stop."""

    row: Trial
    connection: Connection
    loop: asyncio.Runner
    stop: Callable[[], bool]
    digests: dict[int, Any] = dataclasses.field(default_factory=dict)
    """The running digest of each scratch conversation's history, by primary key."""

    def call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Make a call. WorkerStopError if the limiter was stopped."""
        try:
            return self.loop.run(coroutine)
        except GatewayError as error:
            if error.code == "stopped":
                raise WorkerStopError from None
            raise

    def afford_call(self) -> None:
        """Raise BudgetError if one more create, append or response would be too many."""
        if self.row.calls + 1 > self.row.max_calls:
            raise BudgetError(
                f"The budget of {self.row.max_calls:,} calls is used up, so the next call was not made. "
                "Resume with a larger one."
            )


def scratch_at(desk: Desk, *, thread_pk: int, slot: str, plan: ThreadPlan, first_item: int) -> TrialScratch:
    """A scratch conversation that holds exactly the first ``first_item`` items of the plan.

    Raises GatewayError for what the target refused or did not answer, BudgetError.
    """
    scratch = _kept(desk, thread_pk, slot, plan, first_item) or _created(desk, thread_pk, slot)
    for chunk in history_chunks(plan, scratch.item_count, first_item):
        if desk.stop():
            raise WorkerStopError
        _append(desk, scratch, chunk)
    return scratch


def scratch_restore(desk: Desk, scratch: TrialScratch) -> None:
    """Take out what a response left, so that the next turn has the true history.

    Raises no GatewayError: a conversation that resists is deleted, and the next turn gets one of its own.
    """
    deleted: set[str] = set()
    try:
        while extras := _behind(_read(desk, scratch), scratch.last_item_id):
            _not_again(deleted, extras)
            _delete_items(desk, scratch, extras)
            deleted |= set(extras)
    except GatewayError:
        trial_step(desk.row, scratch=(scratch, {"state": _S.DELETING}))
        scratch_delete(desk, scratch)
        return
    trial_step(desk.row, scratch=(scratch, {"state": _S.OPEN}))


def scratch_delete(desk: Desk, scratch: TrialScratch) -> None:
    """Delete its items, the responses asked in it, then itself, and confirm by reading. What stays is left_behind."""
    if scratch.state != _S.DELETING:
        trial_step(desk.row, scratch=(scratch, {"state": _S.DELETING}))
    try:
        left_behind = _emptied_and_gone(desk, scratch)
    except GatewayError as error:
        # The server's message may quote content, so it is left out.
        left_behind = f"Deleting it failed ({_named(error)}). Its items may still be there."
    ended = {
        "state": _S.LEFT_BEHIND if left_behind else _S.DELETED,
        "left_behind": left_behind,
        "ended_at": timezone.now(),
    }
    trial_step(desk.row, scratch=(scratch, ended))


def scratches_recover(row: Trial) -> None:
    """Settle what a dead worker left: a create in doubt is lost; a conversation in doubt is to be deleted."""
    for scratch in TrialScratch.objects.filter(
        trial=row, state__in=[_S.CREATING, _S.SENDING, _S.ASKING]
    ).order_by("pk"):
        if scratch.state == _S.CREATING:
            trial_step(row, scratch=(scratch, _lost()))
        else:
            trial_step(row, scratch=(scratch, {"state": _S.DELETING}))


def _kept(desk: Desk, thread_pk: int, slot: str, plan: ThreadPlan, first_item: int) -> TrialScratch | None:
    """The conversation that an earlier turn used, if what it holds is the beginning of this turn's history."""
    found = TrialScratch.objects.filter(trial=desk.row, thread_id=thread_pk, slot=slot, state=_S.OPEN).first()
    if found is None:
        return None
    if found.pk not in desk.digests:
        digest = hashlib.sha256()
        for planned in plan.items[: found.item_count]:
            digest.update(planned.body)
        desk.digests[found.pk] = digest
    if found.item_count > first_item or desk.digests[found.pk].hexdigest() != found.history_sha256:
        scratch_delete(desk, found)
        return None
    return found


def _created(desk: Desk, thread_pk: int, slot: str) -> TrialScratch:
    desk.afford_call()
    scratch = TrialScratch(
        trial=desk.row, thread_id=thread_pk, slot=slot, history_sha256=hashlib.sha256().hexdigest()
    )
    trial_step(desk.row, calls=1, scratch=(scratch, {"state": _S.CREATING}))
    try:
        made = desk.call(
            conversation_create(desk.connection, metadata={"try_out": f"{desk.row.pk}/{scratch.pk}"})
        )
    except GatewayError as error:
        if error.outcome is Outcome.UNKNOWN:
            trial_step(desk.row, scratch=(scratch, _lost()))
        else:
            trial_step(desk.row, scratch=(scratch, {"state": _S.DELETED, "ended_at": timezone.now()}))
        raise
    except WorkerStopError:
        trial_step(desk.row, calls=-1, scratch=(scratch, {"state": _S.DELETED, "ended_at": timezone.now()}))
        raise
    desk.digests[scratch.pk] = hashlib.sha256()
    trial_step(desk.row, scratch=(scratch, {"state": _S.OPEN, "conversation_id": made.conversation_id}))
    return scratch


def _append(desk: Desk, scratch: TrialScratch, chunk: Sequence[PlannedItem]) -> None:
    desk.afford_call()
    trial_step(desk.row, calls=1, scratch=(scratch, {"state": _S.SENDING}))
    try:
        appended = desk.call(
            items_append(
                desk.connection,
                conversation_id=scratch.conversation_id,
                first_position=scratch.item_count,
                items=[planned.item for planned in chunk],
                bodies=[planned.body for planned in chunk],
            )
        )
    except GatewayError as error:
        doubtful = error.outcome is Outcome.UNKNOWN
        trial_step(desk.row, scratch=(scratch, {"state": _S.DELETING if doubtful else _S.OPEN}))
        if doubtful:
            scratch_delete(desk, scratch)
        raise
    except WorkerStopError:
        trial_step(desk.row, calls=-1, scratch=(scratch, {"state": _S.OPEN}))
        raise
    digest = desk.digests[scratch.pk]
    for planned in chunk:
        digest.update(planned.body)
    sent = {
        "state": _S.OPEN,
        "item_count": scratch.item_count + len(chunk),
        "last_item_id": appended.item_ids[-1],
        "history_sha256": digest.hexdigest(),
    }
    trial_step(desk.row, scratch=(scratch, sent))


def _read(desk: Desk, scratch: TrialScratch) -> list[JsonObject]:
    trial_step(desk.row, cleaning_calls=1)
    return desk.call(newest_items(desk.connection, conversation_id=scratch.conversation_id))


def _behind(page: Sequence[JsonObject], last_item_id: str) -> list[str]:
    """Ids of the items behind the history, newest first."""
    ids = [str(item.get("id", "")) for item in page]
    return ids[: ids.index(last_item_id)] if last_item_id in ids else ids


def _not_again(deleted: set[str], listed: Sequence[str]) -> None:
    if deleted & set(listed):
        raise not_deleted("The target still lists it.")


def _delete_items(desk: Desk, scratch: TrialScratch, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), AT_ONCE):
        if desk.stop():
            raise WorkerStopError
        group = ids[start : start + AT_ONCE]
        trial_step(desk.row, cleaning_calls=len(group))
        desk.call(items_delete(desk.connection, conversation_id=scratch.conversation_id, item_ids=group))


def _emptied_and_gone(desk: Desk, scratch: TrialScratch) -> str:
    """Delete all of it; returns what is left, as text. Raises GatewayError."""
    deleted: set[str] = set()
    try:
        while page := _read(desk, scratch):
            ids = [str(item.get("id", "")) for item in page]
            if deleted & set(ids):
                return "The target answered the deletes of its items, but still lists some."
            _delete_items(desk, scratch, ids)
            deleted |= set(ids)
    except GatewayError as error:
        if error.code == "not_found":
            # Gone already; the items of a conversation that is gone can't be listed.
            return _responses_gone(desk, scratch)
        if error.status in NO_SUCH_METHOD:
            return f"The target has no way to delete items of a conversation ({error.status})."
        raise
    left_behind = _responses_gone(desk, scratch)
    trial_step(desk.row, cleaning_calls=2)
    try:
        stays = desk.call(conversation_remove(desk.connection, conversation_id=scratch.conversation_id))
    except GatewayError as error:
        if error.code != "not_deleted":
            raise
        stays = error.text
    return f"{stays} It is empty. {left_behind}".strip() if stays else left_behind


def _responses_gone(desk: Desk, scratch: TrialScratch) -> str:
    """Delete the stored responses; returns how many stay if the target can't delete, as text."""
    left = list(scratch.response_ids)
    try:
        while left:
            trial_step(desk.row, cleaning_calls=1)
            if is_id(left[-1]):
                desk.call(response_delete(desk.connection, response_id=left[-1]))
            left.pop()
    except GatewayError as error:
        if error.status not in NO_SUCH_METHOD:
            raise
        return (
            f"The target has no way to delete responses ({error.status}): {len(left)} stay "
            f"({KEPT_BY_DEFAULT})."
        )
    finally:
        if len(left) != len(scratch.response_ids):
            trial_step(desk.row, scratch=(scratch, {"response_ids": left}))
    return ""


def _lost() -> dict[str, Any]:
    return {
        "state": _S.LOST,
        "left_behind": "Its create is unconfirmed: an empty conversation may exist, which nobody can find.",
        "ended_at": timezone.now(),
    }


def _named(error: GatewayError) -> str:
    return f"{error.code}, {error.status}" if error.status else error.code
