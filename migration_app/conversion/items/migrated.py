"""The text that the migration itself adds to a conversation: the one format, in the one place.

A *placeholder* is one line of text: ``[migrated: image file-chart (chart.png)]``; the citations of a text whose
annotations are refused are such lines in one text. A *note* is an assistant
message of one text; its first line is such a line and says what the note replaces, then come lines
``name: value`` and sections ``name (12 characters):`` with their text below. A section states its length, so
that content which resembles a line of a note cannot pass for one.

Notes are assistant messages and never developer or system messages: they repeat what tools and models wrote,
which must not gain the rank of an instruction. The one exception, the developer note of images, repeats no
names or addresses, only file ids of harmless letters. Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from migration_app.contracts import JsonObject
from migration_app.conversion.text import as_id, as_uri, clean_text

NOTE_BEGINS = "[migrated: "
"""How every note and every placeholder begins."""

_HARMLESS = re.compile(r"[A-Za-z0-9_.-]{1,80}")


def placeholder(text: str) -> str:
    """One line that the migration writes."""
    return f"{NOTE_BEGINS}{text}]"


def note_text(text: str, lines: Sequence[str]) -> str:
    """A note: what it replaces, then its lines and sections."""
    return "\n".join([placeholder(text), *lines])


def text_part(text: str, role: str) -> JsonObject:
    """A part of plain text as the role may hold it."""
    if role == "assistant":
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "input_text", "text": text}


def text_message(text: str, role: str = "assistant") -> JsonObject:
    """A message of one text."""
    status = {"status": "completed"} if role == "assistant" else {}
    return {"type": "message", "role": role} | status | {"content": [text_part(text, role)]}


def section(name: str, value: object) -> str:
    """A value under its name: a text as it is, anything else as JSON with its keys sorted."""
    if value is None:
        return f"{name}: not recorded"
    if value in ("", [], {}):
        return f"{name}: empty"
    if isinstance(value, str):
        return f"{name} ({_length(value)}):\n{value}"
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return f"{name} as JSON ({_length(text)}):\n{text}"


def _length(text: str) -> str:
    return "1 character" if len(text) == 1 else f"{len(text)} characters"


def plain(value: str) -> str:
    """An id or a name that keeps to its line and cannot close a bracket: as JSON where it would not."""
    harmless = value.isprintable() and not any(mark in value for mark in '[]"')
    return value if harmless and value else json.dumps(value)


def named_file(file_id: str, filename: str) -> str:
    """A file's id and, where it is known and another, its name."""
    return plain(file_id) + (f" ({plain(filename)})" if filename and filename != file_id else "")


def image_text(file_id: str, filename: str, url: object) -> str:
    """An image by its file, else by its address; the bytes inside a data address are not repeated."""
    if file_id:
        return f"image {named_file(file_id, filename)}"
    address = as_uri(url)
    if address is None:
        return "image of no known file"
    if address.lower().startswith("data:"):
        kind = address[5:].split(",", 1)[0]
        return f"image in a data address ({plain(kind[:80])}, {len(address)} characters)"
    return f"image at {plain(address)}"


def developer_image_text(file_id: str) -> str:
    """The same with the rank of an instruction: an id of harmless letters, or no name at all."""
    named = f"image {file_id}" if _HARMLESS.fullmatch(file_id) else "an image"
    return f"{named}, shown by the assistant here"


def citation_text(annotation: JsonObject, before: int = 0) -> str:
    """A target annotation: the file or address, and where in the text; ``before`` characters were put before it."""
    kind = annotation["type"]
    if kind == "url_citation":
        address, title = annotation["url"], annotation["title"]
        named = plain(address) + (f" ({plain(title)})" if title != address else "")
        start, end = annotation["start_index"] + before, annotation["end_index"] + before
        return f"cited address {named}, at offsets {start} to {end}"
    file = named_file(annotation["file_id"], annotation.get("filename", ""))
    verb = "linked" if kind == "file_path" else "cited"
    return f"{verb} file {file}, at offset {annotation['index'] + before}"


def attachment_text(file_id: str, filename: str, tools: Sequence[str]) -> str:
    """An attached file with the tools it was given to."""
    given = f", for {', '.join(map(plain, tools))}" if tools else ""
    return f"attached file {named_file(file_id, filename)}{given}"


def call_text(kind: str, call_id: object) -> str:
    """A tool call: what it called, and its id."""
    shown = as_id(call_id)
    return f"{plain(clean_text(kind))} call" + (f" {plain(shown)}" if shown else "")
