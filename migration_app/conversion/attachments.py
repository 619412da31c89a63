"""Files attached to messages: ``attachments`` with their tools, and the ``file_ids`` of Assistants v1.

Imports only ``contracts`` and this package.
"""

from __future__ import annotations

from collections.abc import Iterator

from migration_app.contracts import JsonObject
from migration_app.conversion.notes import Notes
from migration_app.conversion.parts import Role
from migration_app.conversion.text import as_id, as_list, as_object, label, labels, shape_of


def convert_attachments(
    message: JsonObject, role: Role, cited: frozenset[str], notes: Notes
) -> list[JsonObject]:
    """input_file parts for a user's attachments; ``cited`` names the files that carried annotations name."""
    parts: list[JsonObject] = []
    seen: set[str] = set()
    for file_id, tools, place in _attached(message, notes):
        words = {"file_id": label(file_id), "tools": tools}
        if file_id in seen:
            notes.add("attachment_repeated", place, **words)
        elif role == "user":
            notes.add("attachment_as_input_file", place, **words)
            parts.append({"type": "input_file", "file_id": file_id})
        else:
            notes.add("attachment_cited" if file_id in cited else "attachment_on_assistant", place, **words)
        seen.add(file_id)
    return parts


def _attached(message: JsonObject, notes: Notes) -> Iterator[tuple[str, str, str]]:
    """File id, the tools it is for in words, and its place, of each readable attachment."""
    for name in ("attachments", "file_ids"):
        entries = message.get(name)
        if entries is not None and not isinstance(entries, list):
            notes.add("attachment_unreadable", name, shape=shape_of(entries))
        for index, entry in enumerate(as_list(entries)):
            place = f"{name}[{index}]"
            file_id = as_id(entry.get("file_id") if isinstance(entry, dict) else entry)
            if file_id:
                yield file_id, _tools(as_object(entry)) or "no named tool", place
            else:
                notes.add("attachment_unreadable", place, shape=shape_of(entry))


def _tools(attachment: JsonObject) -> str:
    return labels(as_object(tool).get("type") for tool in as_list(attachment.get("tools")))
