"""Fields beside the known parts of a bundle, page, event or transcript, and parts that are JSON text.

Imports only this package and contracts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from migration_app.archive.json_text import json_read
from migration_app.contracts import JsonObject

LISTS = frozenset({"messages", "runs", "run_steps", "steps"})
"""Parts that are lists, list pages, or maps of these."""
_TEXTS = LISTS | {"data", "thread", "threads", "message", "run", "run_step", "step"}
_THREAD_OBJECTS = frozenset({"thread", "thread.message", "thread.run", "thread.run.step"})
# Unless these hold an object or list, they describe the file, and nothing of a thread.
_ENVELOPE = frozenset(
    {
        "after",
        "before",
        "count",
        "created_at",
        "event",
        "exported_at",
        "first_id",
        "format",
        "generated_at",
        "has_more",
        "id",
        "last_id",
        "limit",
        "message_count",
        "next",
        "object",
        "order",
        "page",
        "retry",
        "run_id",
        "schema_version",
        "source",
        "thread_id",
        "timestamp",
        "title",
        "total",
        "total_count",
        "type",
        "updated_at",
        "url",
        "version",
    }
)
_OWN = {
    "thread": frozenset({"id", "object", "created_at", "metadata", "tool_resources", "deleted"}),
    "thread.run": frozenset(
        {
            "id",
            "object",
            "created_at",
            "thread_id",
            "assistant_id",
            "status",
            "required_action",
            "last_error",
            "expires_at",
            "started_at",
            "cancelled_at",
            "failed_at",
            "completed_at",
            "incomplete_details",
            "model",
            "instructions",
            "additional_instructions",
            "additional_messages",
            "tools",
            "tool_resources",
            "file_ids",
            "metadata",
            "usage",
            "temperature",
            "top_p",
            "max_prompt_tokens",
            "max_completion_tokens",
            "truncation_strategy",
            "response_format",
            "tool_choice",
            "parallel_tool_calls",
            "reasoning_effort",
            "deleted",
        }
    ),
}
_MAX_DEPTH = 6
_NAMED = 20


def opened(value: JsonObject) -> JsonObject:
    """The same with parts decoded that are JSON text of an object or a list; itself if there are none."""
    if _TEXTS.isdisjoint(value):
        return value
    read: JsonObject = {}
    for name in _TEXTS & value.keys():
        part = value[name]
        new = text_read(part) if isinstance(part, str) else part
        if isinstance(new, dict) and isinstance(new.get("data"), str):
            new = opened(new)
        if new is not part:
            read[name] = new
    return {**value, **read} if read else value


def text_read(text: str) -> Any:
    """Decode a text that is JSON of an object or a list; else the text itself."""
    if text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        return json_read(text)
    except (ValueError, RecursionError):
        return text


def says_something(part: Any) -> bool:
    """Whether a part is more than null, false, zero or empty."""
    return part is not None and part not in ("", False, [], {})


def says_more(value: JsonObject) -> bool:
    """Whether a thread or run has fields that it does not have in the API."""
    own = _OWN.get(value["object"])
    return own is not None and not value.keys() <= own


def others(value: JsonObject, known: Iterable[str]) -> JsonObject:
    """Fields of a document besides its ``known`` parts and those that describe the file."""
    name = value.get("object")
    taken = {*known, *(_OWN.get(name, ()) if isinstance(name, str) else ())}
    return {
        key: part
        for key, part in value.items()
        if key not in taken
        and (key not in _ENVELOPE or isinstance(part, dict | list))
        and says_something(part)
    }


def is_said(part: Any) -> bool:
    """Whether it is a message without its type: a role and content."""
    return isinstance(part, dict) and "object" not in part and "role" in part and "content" in part


def is_of_thread(part: Any) -> bool:
    """Whether it is an object of a thread, or a message without its type."""
    if not isinstance(part, dict):
        return False
    name = part.get("object")
    return (isinstance(name, str) and name in _THREAD_OBJECTS) or is_said(part)


def holds_objects(part: Any, depth: int = 0) -> bool:
    """Whether there are objects of threads anywhere in it."""
    if isinstance(part, str):
        part = text_read(part)
    if depth > _MAX_DEPTH or not isinstance(part, dict | list):
        return False
    inner = part.values() if isinstance(part, dict) else part
    return is_of_thread(part) or any(holds_objects(each, depth + 1) for each in inner)


def unknown_fields(names: Iterable[str]) -> str:
    """The text about unknown fields."""
    named = [name[:80] for name in sorted(names)]
    more = len(named) - _NAMED
    return f"{', '.join(named[:_NAMED])}{f' and {more} more' if more > 0 else ''}"
