"""Function calls: a pair of items where there is an output, else by policy a note.

A call never goes without its output nor an output without its call: later responses would fail with
"No tool output found for function call". The target takes call ids of 1 to 64 characters, each one once in a
conversation; changed ids are derived from the source, so that converting again gives the same ones. Imports only
``contracts`` and this package.
"""

from __future__ import annotations

import hashlib

from migration_app.contracts import JsonObject
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.items.context import Context
from migration_app.conversion.items.hosted_calls import note_items, shown_id
from migration_app.conversion.items.parts import MAX_TEXT
from migration_app.conversion.text import (
    as_id,
    as_object,
    clean_text,
    copy_json,
    is_json,
    json_text,
    label,
    labels,
    shape_of,
    unknown_fields,
)

MAX_CALL_ID = 64
"""Characters of a call_id (official description, FunctionCallOutputItemParam)."""
_CALL_FIELDS = frozenset({"id", "type", "function"})
_FUNCTION_FIELDS = frozenset({"name", "arguments", "output"})
_ORPHAN_CODES = {
    "note": "function_call_as_note",
    "drop_with_finding": "function_call_not_carried",
    "block": "function_call_blocks",
}


def function_name(call: JsonObject) -> str:
    """The function's name; calls of MCP servers carry it outside of ``function``."""
    name = as_object(call.get("function")).get("name") or call.get("name")
    return clean_text(name) if isinstance(name, str) else ""


def convert_function_call(
    call: JsonObject, context: Context, used: set[str], notes: Notes, place: str
) -> list[JsonObject]:
    """The call and its output; for a call that can't be a pair by policy. ``used``: call ids taken."""
    function = as_object(call.get("function"))
    name = function_name(call)
    if not name:
        return convert_orphan(call, "names no function", context, notes, place)
    if function.get("output") is None:
        return convert_orphan(call, "never got an output", context, notes, place)
    shown = shown_id(call)
    unknown = unknown_fields(call, _CALL_FIELDS) + unknown_fields(function, _FUNCTION_FIELDS)
    if unknown:
        notes.add("part_fields_unknown", place, names=labels(unknown))
    if name != (function.get("name") or call.get("name")):
        notes.add("lone_surrogate", f"{place}.function.name")
    arguments = _arguments(function.get("arguments"), shown, notes, place)
    output = _string(function["output"], "output", shown, notes, place)
    for field, text in (("arguments", arguments), ("output", output)):
        if len(text) > MAX_TEXT:
            details = {"field": field, "call_id": shown, "length": len(text)}
            notes.add("function_text_too_long", f"{place}.function.{field}", **details)
            return []
    call_id = target_call_id(call.get("id"), f"{notes.source_id}/{place}", used, notes, f"{place}.id")
    pair: JsonObject = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
    return [
        pair | {"status": "completed"},
        {"type": "function_call_output", "call_id": call_id, "output": output},
    ]


def convert_orphan(
    call: JsonObject, reason: str, context: Context, notes: Notes, place: str
) -> list[JsonObject]:
    """A call that can't be a pair, by policy; ``reason`` is the text why not."""
    policy = context.policies.orphan_tool_calls
    name = label(function_name(call)) or "without name"
    notes.add(_ORPHAN_CODES[policy], place, call_id=shown_id(call), name=name, reason=reason)
    return note_items(call, context, notes, place) if policy == "note" else []


def _arguments(value: object, shown: str, notes: Notes, place: str) -> str:
    if value is None:
        notes.add("arguments_missing", f"{place}.function", call_id=shown)
        return "{}"
    if isinstance(value, str) and not is_json(value):
        notes.add("arguments_not_json", f"{place}.function.arguments", call_id=shown)
    return _string(value, "arguments", shown, notes, place)


def _string(value: object, field: str, shown: str, notes: Notes, place: str) -> str:
    """A string as it is, any other JSON as its text."""
    troubles: set[str] = set()
    copied = copy_json(value, troubles)
    notes.add_troubles(troubles, f"{place}.function.{field}")
    if isinstance(copied, str):
        return copied
    notes.add(f"{field}_not_string", f"{place}.function.{field}", call_id=shown, shape=shape_of(value))
    return json_text(copied)


def target_call_id(source_call_id: object, origin: str, used: set[str], notes: Notes, place: str) -> str:
    """The call's id in the target; ``used`` gains it. ``origin`` names a call that has no id of its own."""
    wanted = as_id(source_call_id)
    if wanted and not isinstance(source_call_id, str):
        notes.add("call_id_not_string", place, call_id=label(wanted), shape=shape_of(source_call_id))
    elif isinstance(source_call_id, str) and wanted != source_call_id:
        notes.add("lone_surrogate", place)
    if not wanted:
        call_id = _derived(f"missing:{origin}")
        notes.add("call_id_missing", place, call_id=call_id)
    elif len(wanted) > MAX_CALL_ID:
        call_id = _derived(f"long:{wanted}")
        notes.add("call_id_shortened", place, length=len(wanted), call_id=call_id)
    else:
        call_id = wanted
    if call_id in used:
        repeated, turn = call_id, 2
        while call_id in used:
            call_id = _derived(f"repeated:{turn}:{repeated}")
            turn += 1
        notes.add("call_id_repeated", place, call_id=label(repeated), new_id=call_id)
    used.add(call_id)
    return call_id


def _derived(seed: str) -> str:
    return "call_" + hashlib.sha256(seed.encode()).hexdigest()[:32]
