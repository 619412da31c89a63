"""Whether the target still has a file or a vector store. Reads only. Must not import Django, models or services."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError

_PATHS = {"file": "/files", "vector_store": "/vector_stores"}


async def resource_check(
    connection: Connection, *, kind: Literal["file", "vector_store"], resource_id: str
) -> Literal["alive", "missing", "expired"]:
    """Check it at the target. An expired vector store still answers, and says so (schema VectorStoreObject).

    Raises GatewayError for every answer that says neither.
    """
    try:
        answer = await connection.get(f"{_PATHS[kind]}/{quote(resource_id, safe='')}")
    except GatewayError as error:
        if error.code == "not_found":
            return "missing"
        raise
    if answer.value.get("deleted") is True or answer.value.get("status") == "deleted":
        return "missing"
    return "expired" if answer.value.get("status") == "expired" else "alive"
