"""Source objects and items, loosely typed, as rows a person can read. Pure: no database, no requests.

Text is handed over as data and escaped by the templates. Without the permission to see content only the
structure is shown: kinds, roles, lengths. Nothing is ever loaded from an address that content names.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping, Sequence

from migration_app.contracts import JsonObject
from migration_app.conversion.items.runs import waiting_calls
from migration_app.conversion.items.timeline import step_type
from migration_app.conversion.items.tool_calls import call_ids_of
from migration_app.conversion.text import as_id, as_list, as_object, clean_text, parse_time

SHOWN_CHARACTERS = 20_000
"""Of one text on a page; the whole of it by the link below it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """One piece of a message, step or item: what it is, how long, and its text if it may be seen."""

    label: str
    length: int | None = None
    text: str | None = None
    cut: int = 0
    code: bool = False

    @property
    def length_text(self) -> str:
        """The length as text."""
        if self.length is None:
            return ""
        return "1 character" if self.length == 1 else f"{self.length:,} characters"


@dataclasses.dataclass(frozen=True, slots=True)
class Sight:
    """What the reader may see: content or structure only, and whole texts or their beginnings."""

    content: bool
    whole: bool = False

    def part(self, label: str, value: object, *, code: bool = False) -> Part:
        """Make a part of a text (or of JSON, shown as such)."""
        text = clean_text(value) if isinstance(value, str) else pretty_json(value)
        code = code or not isinstance(value, str)
        if not self.content:
            return Part(label, len(text), code=code)
        if self.whole or len(text) <= SHOWN_CHARACTERS:
            return Part(label, len(text), text, code=code)
        return Part(label, len(text), text[:SHOWN_CHARACTERS], len(text) - SHOWN_CHARACTERS, code=code)

    def reference(self, label: str, value: object) -> Part:
        """Make a part of an id or address: shown as text only, and only to those who may see content."""
        return Part(f"{label}: {clean_text(str(value))}" if self.content and value else label)


def pretty_json(value: object) -> str:
    """JSON with two spaces, for reading; lone surrogates, which no page can carry, as U+FFFD."""
    try:
        return clean_text(json.dumps(value, ensure_ascii=False, indent=2))
    except (ValueError, RecursionError):
        return clean_text(repr(value)[:SHOWN_CHARACTERS])


def message_parts(message: JsonObject, sight: Sight) -> list[Part]:
    """Pieces of a source message, whatever shape it has."""
    content = message.get("content")
    if isinstance(content, str):
        parts = [sight.part("text", content)]
    elif isinstance(content, list):
        parts = [piece for entry in content for piece in _content_parts(entry, sight)]
    elif content is None:
        parts = []
    else:
        parts = [sight.part("content of unknown shape", content)]
    for attachment in map(as_object, as_list(message.get("attachments"))):
        tools = ", ".join(as_id(as_object(tool).get("type")) for tool in as_list(attachment.get("tools")))
        parts.append(
            sight.reference(f"attachment ({tools})" if tools else "attachment", attachment.get("file_id"))
        )
    parts += [sight.reference("attachment", file_id) for file_id in as_list(message.get("file_ids"))]
    return parts


def _content_parts(entry: object, sight: Sight) -> list[Part]:
    source = as_object(entry)
    kind = source.get("type")
    if kind in {"text", "input_text", "output_text"}:
        text = source.get("text")
        annotations = as_list(source.get("annotations"))
        if isinstance(text, dict):
            annotations = as_list(text.get("annotations"))
            text = text.get("value")
        return [sight.part("text", "" if text is None else text), *_annotations(annotations, sight)]
    if kind == "refusal":
        return [sight.part("refusal", source.get("refusal") or "")]
    if kind == "image_file":
        return [sight.reference("image file", as_object(source.get("image_file")).get("file_id"))]
    if kind == "image_url":
        return [sight.reference("image address", as_object(source.get("image_url")).get("url"))]
    if kind == "input_image":
        return [sight.reference("image", source.get("file_id") or source.get("image_url"))]
    if kind == "input_file":
        return [sight.reference("file", source.get("file_id") or source.get("filename"))]
    return [sight.part(f"part of type {clean_text(str(kind))[:40]}" if kind else "part without type", entry)]


def _annotations(annotations: list[object], sight: Sight) -> list[Part]:
    parts = []
    for annotation in map(as_object, annotations):
        kind = clean_text(str(annotation.get("type") or "annotation"))[:40].replace("_", " ")
        detail = as_object(annotation.get(str(annotation.get("type"))))
        where = (
            detail.get("file_id") or detail.get("url") or annotation.get("file_id") or annotation.get("url")
        )
        parts.append(sight.reference(kind, where))
    return parts


def step_parts(step: JsonObject, sight: Sight) -> list[Part]:
    """Pieces of a source run step: its tool calls."""
    details = as_object(step.get("step_details"))
    calls = details.get("tool_calls")
    if not isinstance(calls, list):
        return [sight.part(step_type(step) or "step", details or step)]
    return [part for call in calls for part in _call_parts(as_object(call), sight)]


def waiting_parts(run: JsonObject, steps: Sequence[object], sight: Sight) -> list[Part]:
    """Pieces of the calls that a run waited for and no step records."""
    recorded = frozenset[str]().union(*map(call_ids_of, steps)) - {""}
    return [
        part for _place, call in waiting_calls(run, recorded) for part in _call_parts(as_object(call), sight)
    ]


def _call_parts(call: JsonObject, sight: Sight) -> list[Part]:
    kind = clean_text(str(call.get("type") or "function"))[:40]
    if kind != "function":
        return [sight.part(kind.replace("_", " "), call.get(kind, call), code=True)]
    function = as_object(call.get("function"))
    name = clean_text(str(function.get("name") or "without a name"))[:80]
    output = function.get("output")
    return [
        sight.part(f"function {name}", function.get("arguments") or "", code=True),
        Part("no output") if output is None else sight.part("output", output, code=True),
    ]


def item_parts(item: Mapping[str, object], sight: Sight) -> list[Part]:
    """Pieces of an item as it is sent."""
    kind = item.get("type")
    if kind == "function_call":
        return [
            sight.part(f"function {clean_text(str(item.get('name')))[:80]}", item.get("arguments"), code=True)
        ]
    if kind == "function_call_output":
        return [sight.part("output", item.get("output"), code=True)]
    content = item.get("content")
    if isinstance(content, str):
        return [sight.part("text", content)]
    if isinstance(content, list):
        return [piece for entry in content for piece in _content_parts(entry, sight)]
    return [sight.part("body", dict(item))]


def item_label(item: Mapping[str, object]) -> str:
    """What an item is, in two words."""
    kind = str(item.get("type") or "message")
    return str(item.get("role") or "message") if kind == "message" else kind.replace("_", " ")


def time_text(value: object) -> str:
    """A source time for people, UTC; empty when there is none that can be read."""
    seconds = parse_time(value)
    if seconds is None:
        return ""
    try:
        return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, OSError, ValueError):
        return ""


def bytes_text(size: int) -> str:
    """A size for people, in powers of 1000."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")
