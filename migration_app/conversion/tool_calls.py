"""Run steps to items: function calls with their outputs; every other tool call leaves a finding.

A call never goes without its output nor an output without its call: later responses would fail with
"No tool output found for function call". Imports only ``contracts`` and this package.
"""

from __future__ import annotations

from migration_app.contracts import JsonObject, PlannedItem
from migration_app.conversion.call_ids import target_call_id
from migration_app.conversion.notes import Notes
from migration_app.conversion.parts import MAX_TEXT
from migration_app.conversion.text import (
    as_id,
    as_list,
    as_object,
    clean_text,
    copy_json,
    is_json,
    json_text,
    label,
    labels,
    shape_of,
    source_id_of,
    unknown_fields,
)
from migration_app.conversion.timeline import step_type

V1_TOOLS = frozenset({"retrieval", "browser"})
FOUNDRY_TOOLS = frozenset(
    {"azure_ai_search", "azure_function", "bing_custom_search", "bing_grounding", "browser_automation"}
    | {"computer_use_preview", "connected_agent", "deep_research", "fabric_dataagent", "mcp", "openapi"}
    | {"sharepoint_grounding"}
)
"""Tool types of Microsoft Foundry Agents (classic), as its recorded traffic names them."""

_CALL_FIELDS = frozenset({"id", "type", "function"})
_FUNCTION_FIELDS = frozenset({"name", "arguments", "output"})


def convert_step(
    step: object, position: int, used_call_ids: set[str], group: int, *, uncertain: bool = False
) -> tuple[tuple[PlannedItem, ...], Notes]:
    """Items of one step, all of one group, call beside output; ``used_call_ids`` gains the new ones."""
    source = as_object(step)
    notes = Notes("step", source_id_of(source, "step", position))
    if not isinstance(step, dict):
        notes.add("step_unreadable", reason=f"it is not an object but {shape_of(step)}")
        return (), notes
    note_status(source, notes)
    bodies = _tool_calls(source, used_call_ids, notes)
    if bodies and uncertain:
        notes.add("step_place_unknown")
    return tuple(PlannedItem(body, "step", notes.source_id, group) for body in bodies), notes


def note_status(step: JsonObject, notes: Notes) -> None:
    """A finding when the step ended otherwise than completed."""
    status = step.get("status")
    if status not in (None, "", "completed"):
        notes.add("step_not_completed", "status", status=label(status))


def call_ids_of(step: object) -> frozenset[str]:
    """The source ids of a step's tool calls."""
    details = as_object(as_object(step).get("step_details"))
    return frozenset(as_id(as_object(call).get("id")) for call in as_list(details.get("tool_calls")))


def function_name(call: JsonObject) -> str:
    """The function's name; calls of MCP servers carry it outside of ``function``."""
    name = as_object(call.get("function")).get("name") or call.get("name")
    return clean_text(name) if isinstance(name, str) else ""


def _tool_calls(step: JsonObject, used: set[str], notes: Notes) -> list[JsonObject]:
    kind = step_type(step)
    if kind not in {"", "tool_calls"}:
        notes.add("step_type_unknown", "step_details", type=label(kind))
        return []
    calls = as_object(step.get("step_details")).get("tool_calls")
    if not isinstance(calls, list):
        notes.add("step_unreadable", "step_details", reason=f"its tool calls are {shape_of(calls)}")
        return []
    if not calls:
        notes.add("step_empty", "step_details.tool_calls")
    bodies: list[JsonObject] = []
    for index, call in enumerate(calls):
        place = f"step_details.tool_calls[{index}]"
        if not isinstance(call, dict):
            notes.add("tool_call_unreadable", place, number=index + 1, shape=shape_of(call))
        elif call.get("type") == "function" or (call.get("type") is None and "function" in call):
            bodies += _function_call(call, used, notes, place)
        else:
            _hosted_call(call, notes, place)
    return bodies


def _function_call(call: JsonObject, used: set[str], notes: Notes, place: str) -> list[JsonObject]:
    """The call and its output, or nothing at all."""
    function = as_object(call.get("function"))
    shown = label(as_id(call.get("id"))) or "without id"
    name = function_name(call)
    if not name:
        notes.add("function_call_unnamed", place, call_id=shown)
        return []
    unknown = unknown_fields(call, _CALL_FIELDS) + unknown_fields(function, _FUNCTION_FIELDS)
    if unknown:
        notes.add("part_fields_unknown", place, names=labels(unknown))
    if name != (function.get("name") or call.get("name")):
        notes.add("lone_surrogate", f"{place}.function.name")
    if function.get("output") is None:
        notes.add("function_call_without_output", place, call_id=shown, name=label(name))
        return []
    arguments = _arguments(function.get("arguments"), shown, notes, place)
    output = _string(function["output"], "output", shown, notes, place)
    for field, text in (("arguments", arguments), ("output", output)):
        if len(text) > MAX_TEXT:
            notes.add(
                "function_text_too_long",
                f"{place}.function.{field}",
                field=field,
                call_id=shown,
                length=len(text),
            )
            return []
    call_id = target_call_id(call.get("id"), f"{notes.source_id}/{place}", used, notes, f"{place}.id")
    return [
        {
            "type": "function_call",
            "call_id": call_id,
            "name": name,
            "arguments": arguments,
            "status": "completed",
        },
        {"type": "function_call_output", "call_id": call_id, "output": output},
    ]


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


def _hosted_call(call: JsonObject, notes: Notes, place: str) -> None:
    """A finding for a call of a tool that the target cannot be told of, or that nobody knows."""
    named = call.get("type")
    kind = named if isinstance(named, str) else ""
    shown = label(as_id(call.get("id"))) or "without id"
    payload = as_object(call.get(kind))
    if kind == "code_interpreter":
        outputs = [as_object(output) for output in as_list(payload.get("outputs"))]
        images = [output for output in outputs if output.get("type") == "image"]
        files = labels(
            file_id
            for file_id in (as_id(as_object(o.get("image")).get("file_id")) for o in images)
            if file_id
        )
        logs = sum(1 for output in outputs if output.get("type") == "logs")
        files_named = f": {files}" if files else ""
        notes.add(
            "code_interpreter_not_carried",
            place,
            call_id=shown,
            logs=logs,
            images=len(images),
            files=files_named,
        )
    elif kind == "file_search":
        notes.add(
            "file_search_not_carried", place, call_id=shown, results=len(as_list(payload.get("results")))
        )
    elif kind in V1_TOOLS:
        notes.add("v1_tool_not_carried", place, call_id=shown, type=kind)
    elif kind in FOUNDRY_TOOLS:
        notes.add("foundry_tool_not_carried", place, call_id=shown, type=kind)
    else:
        notes.add("tool_call_type_unknown", place, call_id=shown, type=label(named))
