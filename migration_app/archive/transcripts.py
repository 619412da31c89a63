"""Transcripts: chats from an application's own database, read as threads and messages.

One line is one thread with all its messages so far. The messages get the shape of API messages, so that
later steps need not distinguish them. Standard library only.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from migration_app.archive.ids import MessageIds, id_fault
from migration_app.contracts import JsonObject

_NO_TRANSCRIPTS = ("runs", "run_steps", "steps")
USER_REFERENCES = ("user_ref", "user_id", "user")


@dataclasses.dataclass(frozen=True, slots=True)
class _Line:
    """The longest transcript of a thread so far: its line, its number of messages, and their digest."""

    number: int
    count: int
    digest: bytes


class TranscriptLines:
    """The lines of one file by thread, to distinguish a grown transcript from a piece of one.

    Messages without ids get theirs from their place among equal ones, so two pieces of a thread would give one
    id to two messages, and one of them would be lost. Memory: a line number, a count and a digest a thread.
    """

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    def fault(self, thread_id: str, messages: Sequence[Any], line_number: int) -> str:
        """Why these messages are rejected; empty if they are the first of their thread, or continue it."""
        earlier = self._lines.get(thread_id)
        said = hashlib.blake2b(digest_size=16)
        begins_alike = earlier is None or earlier.count == 0
        for count, message in enumerate(messages, start=1):
            said.update(json.dumps(message, sort_keys=True).encode() + b"\n")
            if earlier is not None and count == earlier.count:
                begins_alike = said.digest() == earlier.digest
        if earlier is None or (begins_alike and len(messages) > earlier.count):
            self._lines[thread_id] = _Line(line_number, len(messages), said.digest())
            return ""
        return (
            f"Thread {thread_id} is in line {earlier.number} already, with {earlier.count:,} "
            f"message{'' if earlier.count == 1 else 's'}, and this line does not repeat and continue all of these: "
            "put all messages of a thread into one line, or use CSV, one row a message; then import the file again."
        )


def is_transcript(value: JsonObject) -> bool:
    """Whether a document is a transcript: a thread id and messages, none of which is an API object, and no runs."""
    messages = value.get("messages")
    return (
        "object" not in value
        and value.get("thread") is None
        and isinstance(value.get("thread_id"), str | int)
        and isinstance(messages, list)
        and not any(isinstance(message, dict) and "object" in message for message in messages)
        and not any(isinstance(value.get(part), list | dict) and value[part] for part in _NO_TRANSCRIPTS)
    )


def transcript_thread(value: JsonObject) -> tuple[JsonObject | str, list[JsonObject | str], str]:
    """The thread, its messages and the user's reference. A string in place of an object is the reason for its
    rejection."""
    thread_id = _id_text(value["thread_id"])
    if fault := id_fault(thread_id):
        return f"The transcript's thread_id {fault}.", [], ""
    metadata = value.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        return "The transcript's metadata is no JSON object.", [], ""
    thread: JsonObject = {"id": thread_id, "object": "thread", "metadata": metadata or {}}
    if value.get("created_at") is not None:
        thread["created_at"] = value["created_at"]
    ids = MessageIds()
    messages: list[JsonObject | str] = []
    for number, message in enumerate(value["messages"], start=1):
        if isinstance(message, dict):
            taken = transcript_message(thread_id, message, ids)
            messages.append(f"Message {number}: {taken}" if isinstance(taken, str) else taken)
        else:
            messages.append(f"Message {number} is no JSON object.")
    reference = next((value[name] for name in USER_REFERENCES if value.get(name) is not None), "")
    return thread, messages, _id_text(reference) if isinstance(reference, str | int) else ""


def transcript_message(thread_id: str, message: JsonObject, ids: MessageIds) -> JsonObject | str:
    """One message in the API's shape, or why it is rejected. Its other fields are kept."""
    role = message.get("role")
    if not isinstance(role, str) or not role.strip():
        return 'it has no "role" (user or assistant).'
    content = message.get("content")
    if content is None and "content" not in message:
        return 'it has no "content".'
    if content is not None and not isinstance(content, str | list | dict):
        return f'its "content" is a {type(content).__name__}, not text or a list of parts.'
    own = own_id(message)
    if own is None:
        message_id = derived_id(thread_id, message, ids)
    else:
        message_id = _id_text(own)
        if fault := id_fault(message_id):
            return f"its id {fault}."
    kept = {name: part for name, part in message.items() if name not in {"message_id", "user_ref"}}
    return {
        **kept,
        "id": message_id,
        "object": "thread.message",
        "thread_id": thread_id,
        "role": role.strip(),
        "content": _parts(content),
    }


def own_id(message: JsonObject) -> object:
    """The id of a transcript's message, None if it has none."""
    own = message.get("id", message.get("message_id"))
    return None if own == "" else own


def derived_id(thread_id: str, message: JsonObject, ids: MessageIds) -> str:
    """The id for a message without one: the same for all forms of its text."""
    role, content = message.get("role"), message.get("content")
    speaker = role.strip() if isinstance(role, str) else role
    return ids.derived(thread_id, speaker, plain_text(content), message.get("created_at"))


def plain_text(content: Any) -> Any:
    """Content that is nothing but one text as that text."""
    if not isinstance(content, list | dict):
        return content
    parts = _parts(content)
    part = parts[0] if len(parts) == 1 and isinstance(parts[0], dict) else {}
    text = part.get("text") if part.keys() == {"type", "text"} and part["type"] == "text" else None
    if isinstance(text, dict) and text.keys() <= {"value", "annotations"} and not text.get("annotations"):
        return text.get("value")
    return parts or ""


def message_shaped(message: Any) -> Any:
    """A transcript's rejected message, in the shape that it would have had."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), str | list | dict):
        return message
    return {**message, "content": _parts(message["content"])}


def _id_text(value: object) -> str:
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _parts(content: Any) -> list[Any]:
    """Content as a list of the API's parts; a part of another shape stays what it is."""
    if content is None:
        return []
    if isinstance(content, str):
        return [_text_part(content)] if content else []
    if isinstance(content, dict):
        content = [content]
    return [_part(part) for part in content]


def _part(part: Any) -> Any:
    if isinstance(part, str):
        return _text_part(part)
    if not isinstance(part, dict):
        return part
    if part.get("type") in {"text", "input_text", "output_text"} and isinstance(part.get("text"), str):
        others = {name: value for name, value in part.items() if name not in {"type", "text", "annotations"}}
        return {**others, **_text_part(part["text"], part.get("annotations"))}
    if part.get("type") == "image_url" and isinstance(part.get("image_url"), str):
        return {**part, "image_url": {"url": part["image_url"]}}
    return part


def _text_part(text: str, annotations: Any = None) -> JsonObject:
    return {
        "type": "text",
        "text": {"value": text, "annotations": annotations if isinstance(annotations, list) else []},
    }
