"""Files attached to messages: ``attachments`` with their tools, and the ``file_ids`` of Assistants v1.

Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from migration_app.contracts import JsonObject
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.items.context import Context
from migration_app.conversion.items.migrated import attachment_text, placeholder, text_part
from migration_app.conversion.items.parts import Role
from migration_app.conversion.text import as_id, as_list, as_object, label, labels, shape_of


@dataclasses.dataclass(frozen=True, slots=True)
class _Attached:
    file_id: str
    tools: tuple[str, ...]
    place: str

    @property
    def details(self) -> dict[str, str]:
        return {"file_id": label(self.file_id), "tools": labels(self.tools) or "no named tool"}


def convert_attachments(
    message: JsonObject, role: Role, cited: frozenset[str], context: Context, notes: Notes
) -> list[JsonObject]:
    """Parts for attachments, by policy; ``cited`` names the files that carried annotations name."""
    parts: list[JsonObject] = []
    seen: set[str] = set()
    for attached in _attached(message, notes):
        if attached.file_id in seen:
            notes.add("attachment_repeated", attached.place, **attached.details)
        elif role == "assistant" and attached.file_id in cited:
            notes.add("attachment_cited", attached.place, **attached.details)
        else:
            parts += _carry(attached, role, context, notes)
        seen.add(attached.file_id)
    return parts


def _carry(attached: _Attached, role: Role, context: Context, notes: Notes) -> list[JsonObject]:
    policy = context.policies.attachments
    if policy == "vector_store_only":
        store = _store_of(attached, context)
        code = "attachment_in_store" if store else "attachment_without_store"
        notes.add(code, attached.place, **attached.details, store=store)
        return []
    if policy == "input_file" and role == "user":
        notes.add("attachment_as_input_file", attached.place, **attached.details)
        return [{"type": "input_file", "file_id": attached.file_id}]
    code = "attachment_as_note" if policy == "note" else "attachment_on_assistant"
    notes.add(code, attached.place, **attached.details)
    details = attachment_text(attached.file_id, context.filename(attached.file_id), attached.tools)
    return [text_part(placeholder(details), role)]


def _store_of(attached: _Attached, context: Context) -> str:
    """Where the thread's own tool resources keep the file, as text; empty when they do not say."""
    if attached.file_id in context.container_file_ids:
        return "the thread's code interpreter files"
    if "file_search" in attached.tools and context.vector_store_ids:
        return f"vector store {labels(context.vector_store_ids)}"
    return ""


def _attached(message: JsonObject, notes: Notes) -> Iterator[_Attached]:
    """Each readable attachment; a finding for any other."""
    for name in ("attachments", "file_ids"):
        entries = message.get(name)
        if entries is not None and not isinstance(entries, list):
            notes.add("attachment_unreadable", name, shape=shape_of(entries))
        for index, entry in enumerate(as_list(entries)):
            place = f"{name}[{index}]"
            file_id = as_id(entry.get("file_id") if isinstance(entry, dict) else entry)
            if file_id:
                yield _Attached(file_id, _tools(as_object(entry)), place)
            else:
                notes.add("attachment_unreadable", place, shape=shape_of(entry))


def _tools(attachment: JsonObject) -> tuple[str, ...]:
    kinds = (as_id(as_object(tool).get("type")) for tool in as_list(attachment.get("tools")))
    return tuple(filter(None, kinds))
