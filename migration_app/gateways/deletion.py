"""Deleting conversations: items first, then the conversation, confirmed by reading.

In this order because deleting a conversation leaves its items in existence (official description). Must not import
Django, models or services.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from migration_app.contracts import JsonObject
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError, LeaseUncertainError, Outcome
from migration_app.gateways.target import (
    NO_SUCH_METHOD,
    conversation_delete,
    conversation_is_there,
    item_delete,
    items_pages,
)

AT_ONCE = 8
_NO_IDS = frozenset({"", ".", ".."})
"""As the last part of an address these would name the list, or the conversation."""


def is_id(found: str) -> bool:
    """Whether an object can be asked for, and deleted, by this id."""
    return found not in _NO_IDS


def not_deleted(text: str) -> GatewayError:
    """Make the error ``not_deleted``: of this conversation alone; others may still be deleted."""
    return GatewayError("not_deleted", text, outcome=Outcome.UNKNOWN, permanent=True)


async def items_delete(
    connection: Connection,
    *,
    conversation_id: str,
    item_ids: Sequence[str],
    at_once: int = AT_ONCE,
    between: Callable[[], None] = lambda: None,
) -> None:
    """Delete items, several at once. Raises GatewayError when those on their way have ended; no other is sent then.

    ``not_deleted``, before any of them is deleted, if one has no id. ``between`` is called before each, and may
    raise. LeaseUncertainError precedes what others raised.
    """
    if not all(map(is_id, item_ids)):
        raise not_deleted("The target lists items without ids, so they can't be deleted.")
    waiting = iter(item_ids)
    failed = False

    async def delete_next_ones() -> None:
        nonlocal failed
        try:
            for found in waiting:
                if failed:
                    return
                between()
                await item_delete(connection, conversation_id=conversation_id, item_id=found)
        except BaseException:
            failed = True
            raise

    several = (delete_next_ones() for _ in range(min(at_once, len(item_ids))))
    outcomes = await asyncio.gather(*several, return_exceptions=True)
    failures = [outcome for outcome in outcomes if outcome is not None]
    if failures:
        raise next((error for error in failures if isinstance(error, LeaseUncertainError)), failures[0])


async def conversation_remove(connection: Connection, *, conversation_id: str) -> str:
    """Delete an emptied conversation and ask for it. Returns why it stays, as text; empty if it is gone.

    Raises GatewayError; ``not_deleted`` if the target answered, but still knows it.
    """
    try:
        await conversation_delete(connection, conversation_id=conversation_id)
    except GatewayError as error:
        if error.status not in NO_SUCH_METHOD:
            raise
        return f"The target has no way to delete a conversation ({error.status})."
    if await _is_there(connection, conversation_id):
        raise not_deleted("The target answered its delete, but still knows it.")
    return ""


async def conversation_purge(
    connection: Connection, *, conversation_id: str, recorded: Iterable[str] = ()
) -> str:
    """Delete all that it lists and these recorded items, then itself. Returns what stays, as text.

    Raises GatewayError: then retry.
    """
    try:
        wanted = set(recorded) | await _listed(connection, conversation_id)
        await items_delete(connection, conversation_id=conversation_id, item_ids=sorted(wanted))
        if await _listed(connection, conversation_id):
            raise not_deleted("The target answered the deletes, but still lists items.")
    except GatewayError as error:
        if error.code == "not_found":
            return ""
        if error.status in NO_SUCH_METHOD:
            return f"The target has no way to delete items of a conversation ({error.status}): they stay."
        raise
    refused = await conversation_remove(connection, conversation_id=conversation_id)
    return f"{refused} It stays, empty." if refused else ""


async def _is_there(connection: Connection, conversation_id: str) -> bool:
    """Ask for the conversation, or where a server has no way to give one, for its items."""
    try:
        return await conversation_is_there(connection, conversation_id=conversation_id)
    except GatewayError as error:
        if error.status not in NO_SUCH_METHOD:
            raise
    try:
        await _listed(connection, conversation_id)
    except GatewayError as error:
        if error.code != "not_found":
            raise
        return False
    return True


async def _listed(connection: Connection, conversation_id: str) -> set[str]:
    pages: list[list[JsonObject]] = [
        page async for page in items_pages(connection, conversation_id=conversation_id)
    ]
    return {found for page in pages for item in page if is_id(found := str(item.get("id", "")))}
