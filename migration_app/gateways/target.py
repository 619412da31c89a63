"""The target: conversations and their items.

Sources: official description of 2026-08-21 (paths /conversations, /conversations/{id}/items). Must not
import Django, models or services.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import quote

from migration_app.contracts import MAX_ITEMS_PER_CALL, JsonObject, own_id_prefix
from migration_app.gateways.connection import Answer, Connection, encoded
from migration_app.gateways.errors import GatewayError, Outcome, unreadable_answer
from migration_app.gateways.paging import list_pages

CONVERSATION_READS = 1
"""What reading a conversation back takes besides its pages of items: one read of itself, for its metadata."""

NO_SUCH_METHOD = frozenset({405, 501})
"""Statuses of a server that lacks an operation."""

_CONVERSATION_ID = re.compile(r"[A-Za-z0-9._~:=+@-]{1,128}")

_NOT_HERE = frozenset({404, 405, 410})
"""Statuses of a server for an unknown address."""


@dataclasses.dataclass(frozen=True, slots=True)
class Created:
    """A conversation that now exists."""

    conversation_id: str
    request_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Appended:
    """Items that were appended, in order. ``item_ids`` are the server's ids; empty if it returned none."""

    item_ids: tuple[str, ...]
    request_id: str


async def conversation_create(connection: Connection, *, metadata: Mapping[str, str]) -> Created:
    """Create an empty conversation. It can't be found again if the answer is lost. Raises GatewayError."""
    try:
        answer = await connection.post("/conversations", {"metadata": dict(metadata)})
    except GatewayError as error:
        if error.status not in _NOT_HERE:
            raise
        # A create names no object that could be missing: the address is the wrong one, for every thread.
        raise GatewayError(
            "create_unknown",
            f"The server has no conversations at this address ({error.status}). Check the base URL.",
            outcome=Outcome.NOTHING,
            permanent=True,
            request_id=error.request_id,
            status=error.status,
            said=error.said,
        ) from None
    conversation_id = answer.value.get("id")
    shown = answer.value.get("metadata")
    # A proxy that mixes answers up must not make us write into somebody else's conversation.
    if isinstance(shown, dict) and any(shown.get(name, value) != value for name, value in metadata.items()):
        raise unreadable_answer("another conversation's metadata", answer.request_id)
    # It gets into the mapping and the trail, and must not be text that the server quotes.
    if not isinstance(conversation_id, str) or not _CONVERSATION_ID.fullmatch(conversation_id):
        raise unreadable_answer("no conversation id", answer.request_id)
    return Created(conversation_id, answer.request_id)


async def items_append(
    connection: Connection,
    *,
    conversation_id: str,
    first_position: int,
    items: Sequence[JsonObject],
    bodies: Sequence[bytes] = (),
) -> Appended:
    """Append at most 20 items, the first of which becomes number ``first_position`` (from 0).

    ``bodies``: their compact JSON, where the caller has it. A refused call appends nothing (recorded). Raises
    GatewayError.
    """
    if not 1 <= len(items) <= MAX_ITEMS_PER_CALL:
        raise ValueError(f"{len(items)} items in one call; 1 to {MAX_ITEMS_PER_CALL} are allowed")
    parts = [
        _with_id_encoded(item, body, item_id(item, conversation_id=conversation_id, position=position))
        for position, (item, body) in enumerate(
            zip(items, bodies or map(encoded, items), strict=True), start=first_position
        )
    ]
    content = b'{"items":[' + b",".join(parts) + b"]}"
    answer = await connection.post(f"{_path(conversation_id)}/items", content, items=len(items))
    item_ids = _ids(answer, expected=len(items))
    if any(map(_says_something_else, items, answer.value["data"])):
        raise unreadable_answer("another append's items", answer.request_id)
    return Appended(item_ids, answer.request_id)


async def conversation_is_there(connection: Connection, *, conversation_id: str) -> bool:
    """Whether the target knows the conversation. Raises GatewayError for any other answer."""
    try:
        await connection.get(_path(conversation_id))
    except GatewayError as error:
        if error.code == "not_found":
            return False
        raise
    return True


async def conversation_get(connection: Connection, *, conversation_id: str) -> JsonObject | None:
    """Read the conversation itself, with its metadata; None if the target has no such call.

    Raises GatewayError; ``not_found`` if the target does not know the conversation.
    """
    try:
        answer = await connection.get(_path(conversation_id))
    except GatewayError as error:
        if error.status in NO_SUCH_METHOD:
            return None
        raise
    # A proxy may answer with somebody else's answer.
    if answer.value.get("id", conversation_id) != conversation_id:
        raise unreadable_answer("another conversation", answer.request_id)
    return answer.value


async def items_pages(
    connection: Connection, *, conversation_id: str, include: Sequence[str] = ()
) -> AsyncIterator[list[JsonObject]]:
    """Read a whole conversation, oldest item first, in pages of at most 100. Raises GatewayError.

    ``include`` requests optional fields (official description, schema IncludeEnum); a
    server that refuses it is read without it.
    """
    path = f"{_path(conversation_id)}/items"
    async for answer in list_pages(connection, path, include=list(include)):
        data = answer.value["data"]
        if not all(isinstance(item, dict) for item in data):
            raise unreadable_answer("no list of items", answer.request_id)
        yield data


async def item_is_there(connection: Connection, *, conversation_id: str, item_id: str) -> bool:
    """Whether the target returns this item of the conversation. Raises GatewayError for any other answer."""
    try:
        await connection.get(f"{_path(conversation_id)}/items/{quote(item_id, safe='')}")
    except GatewayError as error:
        if error.code == "not_found":
            return False
        raise
    return True


async def item_delete(connection: Connection, *, conversation_id: str, item_id: str) -> None:
    """Delete one item of a conversation; a missing one is fine. Raises GatewayError."""
    await _delete(connection, f"{_path(conversation_id)}/items/{quote(item_id, safe='')}")


async def conversation_delete(connection: Connection, *, conversation_id: str) -> None:
    """Delete a conversation, gone or not; its items stay (official description). Raises GatewayError."""
    await _delete(connection, _path(conversation_id))


def item_id(item: JsonObject, *, conversation_id: str, position: int) -> str:
    """The id that the description demands of an item (OutputMessage, CodeInterpreterToolCall, …); else empty.

    The id depends on conversation and position only. So the real service refuses an append that is repeated
    (`item_already_in_conversation`, recorded), while a new conversation never meets an id of an older one, whose
    old content the API would return instead (recorded). Compatible servers differ: some append again, some replace
    the id. So a target's treatment of repeats is tested (``engine.repeats``), never assumed.
    """
    prefix = own_id_prefix(item)
    if not prefix:
        return ""
    digest = hashlib.sha256(f"{conversation_id}/{position}".encode()).hexdigest()
    return f"{prefix}_{digest[:48]}"


def _with_id_encoded(item: JsonObject, body: bytes, given: str) -> bytes:
    return b'{"id":"%s",%s' % (given.encode(), body[1:]) if given and "id" not in item else body


async def _delete(connection: Connection, path: str) -> None:
    try:
        await connection.delete(path)
    except GatewayError as error:
        if error.code != "not_found":
            raise


def _path(conversation_id: str) -> str:
    return f"/conversations/{quote(conversation_id, safe='')}"


def _says_something_else(sent: JsonObject, answered: JsonObject) -> bool:
    """Whether an item of an answer is certainly not the one that was sent: a proxy may mix answers up."""
    texts = _first_text(sent), _first_text(answered)
    return None not in texts and texts[0] != texts[1]


def _first_text(item: JsonObject) -> str | None:
    content = item.get("content")
    if isinstance(content, list) and content and isinstance(content[0], dict):
        content = content[0].get("text")
    return content if isinstance(content, str) else None


def _ids(answer: Answer, *, expected: int) -> tuple[str, ...]:
    data = answer.value.get("data")
    if not isinstance(data, list) or len(data) != expected:
        raise unreadable_answer("not as many items as were sent", answer.request_id)
    if not all(isinstance(item, dict) and isinstance(item.get("id"), str | None) for item in data):
        raise unreadable_answer("no items with ids", answer.request_id)
    return tuple(item.get("id") or "" for item in data)
