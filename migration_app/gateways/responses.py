"""The target's responses: creating one, and deleting what that left behind.

Sources: official description of 2026-08-21 (POST /responses, DELETE /responses/{response_id}, GET
/conversations/{id}/items). Must not import Django, models or services.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from migration_app.contracts import JsonObject
from migration_app.gateways.connection import Answer, Connection
from migration_app.gateways.errors import GatewayError, unreadable_answer
from migration_app.gateways.paging import ITEMS_PER_PAGE


async def response_create(connection: Connection, *, body: JsonObject) -> Answer:
    """Ask for a response: the arguments of ``responses.create``. Sent once. Raises GatewayError.

    With ``conversation`` in it, input and output are added to that conversation.
    """
    # ASCII: a prompt may hold half of a surrogate pair, which JSON can carry only escaped.
    content = json.dumps(body, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")
    answer = await connection.post("/responses", content)
    if not isinstance(answer.value.get("output"), list):
        raise unreadable_answer("a response without output", answer.request_id)
    return answer


async def response_delete(connection: Connection, *, response_id: str) -> None:
    """Delete a stored response; one that is gone, or never was stored, is fine. Raises GatewayError."""
    try:
        await connection.delete(f"/responses/{quote(response_id, safe='')}")
    except GatewayError as error:
        if error.code != "not_found":
            raise


async def newest_items(connection: Connection, *, conversation_id: str) -> list[JsonObject]:
    """Read the newest items of a conversation, newest first, 100 at most. Raises GatewayError."""
    answer = await connection.get(
        f"/conversations/{quote(conversation_id, safe='')}/items", {"order": "desc", "limit": ITEMS_PER_PAGE}
    )
    data = answer.value.get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise unreadable_answer("no list of items", answer.request_id)
    return data
