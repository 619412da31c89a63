"""The probe: what does this target do with an append that it has taken already?

On a scratch conversation of its own, never on a thread's: append items of which one carries an id of ours, append the
same again, append the same text under other ids, read, delete. *Refused* is claimed only if the first and the third
append were taken, the second was refused, and the list holds each exactly once. Must not import jobs or rq.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from migration_app.contracts import JsonObject
from migration_app.gateways.connection import Connection
from migration_app.gateways.deletion import conversation_purge, not_deleted
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.gateways.target import conversation_create, items_append, items_pages
from migration_app.models import TargetBehaviour

_R = TargetBehaviour.Repeats
_METADATA = {"migration_console": "probe: safe to delete"}
_ITEMS: Sequence[JsonObject] = (
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Probe."}]},
    {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Probe.", "annotations": []}],
    },
)
Scratch = Callable[[str], Coroutine[Any, Any, None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Probed:
    """What a probe found, and in one line how."""

    repeats: str
    note: str


async def repeats_probe(connect: Callable[[], Connection], *, left: str, scratch: Scratch) -> Probed:
    """Try it out. ``scratch`` keeps the conversation's id; ``left`` is one that an earlier probe could not delete.

    Raises no GatewayError: then nothing was found out, and the note says why.
    """
    try:
        connection = connect()
        if left:
            await _purge(connection, left, scratch)
        created = await conversation_create(connection, metadata=_METADATA)
        await scratch(created.conversation_id)
        try:
            return await _tried(connection, created.conversation_id)
        finally:
            await _purge(connection, created.conversation_id, scratch)
    except GatewayError as error:
        return Probed(_R.UNKNOWN, f"The probe could not be made ({_named(error)}).")


async def _tried(connection: Connection, conversation_id: str) -> Probed:
    await _append(connection, conversation_id, 0)
    try:
        await _append(connection, conversation_id, 0)
    except GatewayError as error:
        if error.outcome is Outcome.UNKNOWN or not error.permanent:
            raise
        refusal = _named(error)
    else:
        return Probed(_R.TAKEN, "An append that was repeated was answered as a new one.")
    await _append(connection, conversation_id, len(_ITEMS))
    listed = sum([len(page) async for page in items_pages(connection, conversation_id=conversation_id)])
    if listed != 2 * len(_ITEMS):
        return Probed(
            _R.UNKNOWN, f"The repeat was refused ({refusal}), but the list holds {listed} items, not 4."
        )
    return Probed(_R.REFUSED, f"A repeated append was refused ({refusal}) and added nothing.")


async def _append(connection: Connection, conversation_id: str, position: int) -> None:
    await items_append(connection, conversation_id=conversation_id, first_position=position, items=_ITEMS)


async def _purge(connection: Connection, conversation_id: str, scratch: Scratch) -> None:
    """Delete a scratch conversation, then forget its id. Raises GatewayError, and keeps the id, if it stays."""
    if left_behind := await conversation_purge(connection, conversation_id=conversation_id):
        raise not_deleted(left_behind)
    await scratch("")


def _named(error: GatewayError) -> str:
    return f"{error.code}, {error.status}" if error.status else error.code
