"""One message to one item: role, status, content parts, attachments, metadata.

Timestamps and ids of the source stay in the console always, without a finding. Imports only ``contracts``
and this package.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from migration_app.contracts import JsonObject, PlannedItem
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.items.attachments import convert_attachments
from migration_app.conversion.items.context import Context
from migration_app.conversion.items.migrated import placeholder, plain, text_part
from migration_app.conversion.items.parts import (
    MAX_TEXT,
    Role,
    convert_part,
    is_empty_text,
)
from migration_app.conversion.metadata import metadata_pairs
from migration_app.conversion.text import (
    as_id,
    as_object,
    is_clean,
    label,
    labels,
    shape_of,
    source_id_of,
    unknown_fields,
)

_KNOWN = frozenset(
    {
        "id",
        "object",
        "created_at",
        "completed_at",
        "incomplete_at",
        "thread_id",
        "assistant_id",
        "run_id",
        "role",
    }
    | {"status", "incomplete_details", "content", "attachments", "file_ids", "metadata", "deleted"}
)


_COMPLETED = (None, "", "completed")
_TEXT = frozenset({"value", "annotations"})
_NOTHING: tuple[tuple[str, object], ...] = (("attachments", []), ("file_ids", []), ("metadata", {}))


@dataclasses.dataclass(frozen=True, slots=True)
class ConvertedMessage:
    """The bodies of its items (none when nothing of it can be carried) and what there is to say about it."""

    bodies: tuple[JsonObject, ...]
    notes: Notes

    def planned(self, group: int) -> tuple[PlannedItem, ...]:
        """The message's items, as the group they make: none, itself, or itself and a developer note."""
        return tuple(
            PlannedItem(body, self.notes.source_kind, self.notes.source_id, group) for body in self.bodies
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Status:
    """The item's status, and for a message cut short why."""

    status: str
    cut_short: str = ""


def convert_message(
    message: object, position: int, context: Context, *, is_deleted: bool = False
) -> ConvertedMessage:
    """Convert one message; ``position`` counts from 0 and names a message without an id.

    ``is_deleted``: the source says that it has deleted it.
    """
    source = as_object(message)
    notes = Notes("message", source_id_of(source, "message", position))
    if is_deleted and context.policies.deletions == "leave_out":
        notes.add("message_deleted")
        return ConvertedMessage((), notes)
    if is_deleted:
        notes.add("message_deleted_carried")
    if not isinstance(message, dict):
        notes.add("message_unreadable", shape=shape_of(message))
        return ConvertedMessage((), notes)
    role = source.get("role")
    if role not in ("user", "assistant"):
        notes.add("role_unknown", "role", role=label(role) if isinstance(role, str) else shape_of(role))
        return ConvertedMessage((), notes)
    plain = _plain(source)
    if plain is not None:
        return ConvertedMessage((plain,), notes)
    bodies = _convert(source, "user" if role == "user" else "assistant", context, notes)
    return ConvertedMessage(tuple(bodies), notes)


def _plain(message: JsonObject) -> JsonObject | None:
    """The body of a message by user or assistant that is whole and of texts only; None for any other.

    Nearly all messages are such. They have no findings, and their body equals that of the
    general path, which tests verify.
    """
    if not message.keys() <= _KNOWN or message.get("status") not in _COMPLETED:
        return None
    for name, nothing in _NOTHING:
        if message.get(name) not in (None, nothing):
            return None
    content = message.get("content")
    if not isinstance(content, list) or not content:
        return None
    role = message["role"]
    parts: list[JsonObject] = []
    for part in content:
        text = _plain_text(part)
        if text is None:
            return None
        parts.append(text_part(text, role))
    status = {"status": "completed"} if role == "assistant" else {}
    return {"type": "message", "role": role, **status, "content": parts}


def _plain_text(part: object) -> str | None:
    """The text of a part that is just that, carried as it is; None for any other."""
    if not isinstance(part, dict) or part.get("type") != "text" or len(part) != 2:
        return None
    payload = part.get("text")
    if not isinstance(payload, dict) or not payload.keys() <= _TEXT:
        return None
    text, annotations = payload.get("value"), payload.get("annotations")
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT or not is_clean(text):
        return None
    return text if annotations is None or annotations == [] else None


def _convert(message: JsonObject, role: Role, context: Context, notes: Notes) -> list[JsonObject]:
    policy = context.policies.incomplete_messages
    if policy == "skip" and message.get("status") in ("incomplete", "in_progress"):
        notes.add("message_skipped", "status", status=message["status"])
        return []
    status = _status(message, notes)
    sources = _content(message.get("content"), notes)
    converted = (convert_part(part, role, context, notes, place) for place, part in sources)
    parts = [part for part in converted if part is not None]
    parts += convert_attachments(message, role, _cited(parts), context, notes)
    if status.cut_short and policy == "mark":
        notes.add("message_marked", "status")
        parts.append(text_part(placeholder(f"message cut short, {plain(status.cut_short)}"), role))
    unknown = _keep(message, notes)
    if parts:
        return _rendered(role, status.status, parts)
    dropped = sum(1 for _, part in sources if not is_empty_text(part))
    if dropped:
        notes.add("message_not_carried", "content", count=dropped)
    elif unknown:
        notes.add("message_content_unknown", names=labels(unknown))
    else:
        notes.add("message_empty", "content")
    return []


def _rendered(role: Role, status: str, parts: list[JsonObject]) -> list[JsonObject]:
    """The message; under an assistant, input_text parts are a developer message after it."""
    if role == "user":
        return [{"type": "message", "role": role, "content": parts}]
    own = [part for part in parts if part["type"] != "input_text"]
    named = [part for part in parts if part["type"] == "input_text"]
    message = {"type": "message", "role": role, "status": status, "content": own}
    return ([message] if own else []) + (
        [{"type": "message", "role": "developer", "content": named}] if named else []
    )


def _status(message: JsonObject, notes: Notes) -> _Status:
    """The item's status; answers of the API carry none at all, which means completed."""
    status = message.get("status")
    if status in _COMPLETED:
        return _Status("completed")
    if status == "incomplete":
        reason = as_object(message.get("incomplete_details")).get("reason")
        shown = label(reason) if reason else "no reason given"
        notes.add("message_incomplete", "status", reason=shown)
        return _Status("incomplete", shown)
    if status == "in_progress":
        notes.add("message_in_progress", "status")
        return _Status("incomplete", "still in progress")
    notes.add("message_status_unknown", "status", status=label(status))
    return _Status("completed")


def _content(content: object, notes: Notes) -> list[tuple[str, Any]]:
    """The content's parts with their places; a part alone, and plain text, count as one part."""
    if isinstance(content, list):
        return [(f"content[{index}]", part) for index, part in enumerate(content)]
    if isinstance(content, dict):
        notes.add("content_single_part", "content")
    return [] if content is None or content == "" else [("content", content)]


def _cited(parts: list[JsonObject]) -> frozenset[str]:
    return frozenset(
        as_id(annotation.get("file_id")) for part in parts for annotation in part.get("annotations", ())
    )


def _keep(message: JsonObject, notes: Notes) -> list[str]:
    """Findings for what stays in the console; returns the names of unknown fields."""
    metadata = metadata_pairs(message.get("metadata"))
    if metadata != {}:
        size = "unreadable" if metadata is None else f"{len(metadata)} pairs"
        notes.add("message_metadata_kept", "metadata", size=size)
    unknown = unknown_fields(message, _KNOWN)
    if unknown:
        notes.add("fields_unknown", names=labels(unknown))
    return unknown
