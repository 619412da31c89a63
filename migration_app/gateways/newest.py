"""The newest message of a live source's thread: one call that shows whether the thread has grown.

Must not import Django, models or services.
"""

from __future__ import annotations

from urllib.parse import quote

from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import unreadable_answer


async def newest_message_id(connection: Connection, *, thread_id: str) -> str | None:
    """Read the id of the thread's newest message, None if it has none.

    Raises GatewayError; ``not_found`` if the source has no such thread.
    """
    answer = await connection.get(
        f"/threads/{quote(thread_id, safe='')}/messages", {"order": "desc", "limit": 1}
    )
    data = answer.value.get("data")
    if not isinstance(data, list):
        raise unreadable_answer("no list", answer.request_id)
    if not data:
        return None
    found = data[0].get("id") if isinstance(data[0], dict) else None
    if not isinstance(found, str):
        raise unreadable_answer("a message without an id", answer.request_id)
    return found
