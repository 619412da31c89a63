"""Deleting conversations that were given up in doubt: items first, then the conversation, until reading finds it gone.

By then its grace period is over. What arrives there even later meets a conversation that the target no longer
knows. Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from migration_app.contracts import Actor
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.gateways.target import (
    NO_SUCH_METHOD,
    conversation_delete,
    conversation_is_there,
    item_delete,
    items_pages,
)
from migration_app.models import FormerConversation
from migration_app.tasks.connections import Connections
from migration_app.threads.given_up import given_up_claim, given_up_gone, given_up_later

_DELETES_AT_ONCE = 8
_NO_IDS = frozenset({"", ".", ".."})
"""As the last part of an address these would name the list, or the conversation."""


def given_up_work(*, actor: Actor, apis: Connections, stop: Callable[[], bool]) -> None:
    """Delete those that are due, one after the other, until none is left or ``stop``."""
    with apis.target_opened() as (loop, connection):
        while not stop() and (former := given_up_claim()) is not None:
            try:
                residue = loop.run(_deleted(connection, former))
            except GatewayError as error:
                given_up_later(former, code=error.code)
                if not error.permanent:
                    return  # the target is not well: the others would meet the same
            else:
                given_up_gone(former, residue=residue, actor=actor)


async def _deleted(connection: Connection, former: FormerConversation) -> str:
    """Delete all of it; what stays, in words. Raises GatewayError: then it is to be tried again."""
    try:
        await _empty(connection, former)
    except GatewayError as error:
        if error.code == "not_found":
            return ""
        if error.status in NO_SUCH_METHOD:
            return f"The target has no way to delete items of a conversation ({error.status}): they stay."
        raise
    try:
        await conversation_delete(connection, conversation_id=former.conversation_id)
    except GatewayError as error:
        if error.status in NO_SUCH_METHOD:
            return f"The target has no way to delete a conversation ({error.status}): it stays, empty."
        raise
    if await conversation_is_there(connection, conversation_id=former.conversation_id):
        raise _not_deleted("The target answered the delete, but still knows the conversation.")
    return ""


async def _empty(connection: Connection, former: FormerConversation) -> None:
    """Delete what is listed and what was recorded: deleting the conversation would not delete its items."""
    wanted = sorted(set(former.item_ids) | await _listed(connection, former.conversation_id))
    for start in range(0, len(wanted), _DELETES_AT_ONCE):
        await asyncio.gather(
            *(
                item_delete(connection, conversation_id=former.conversation_id, item_id=item_id)
                for item_id in wanted[start : start + _DELETES_AT_ONCE]
            )
        )
    if await _listed(connection, former.conversation_id):
        raise _not_deleted("The target answered the deletes, but still lists items.")


async def _listed(connection: Connection, conversation_id: str) -> set[str]:
    pages = [page async for page in items_pages(connection, conversation_id=conversation_id)]
    return {str(item.get("id", "")) for page in pages for item in page} - _NO_IDS


def _not_deleted(text: str) -> GatewayError:
    # Of this conversation alone: the others may well be deleted.
    return GatewayError("not_deleted", text, outcome=Outcome.UNKNOWN, permanent=True)
