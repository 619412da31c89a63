"""Calls of the tools that the source's server ran itself: code interpreter, file search, and all others.

What each becomes is a policy: a note, the target's own item where the source holds all that it demands,
nothing but a finding, or a block. Imports only ``contracts`` and this package.
"""

from __future__ import annotations

from migration_app.contracts import JsonObject
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.items.call_notes import (
    call_note,
    image_file_id,
    image_outputs,
    kind_of,
    result_is_known,
    result_text,
)
from migration_app.conversion.items.context import Context
from migration_app.conversion.items.migrated import text_message
from migration_app.conversion.items.parts import MAX_TEXT
from migration_app.conversion.text import (
    as_id,
    as_list,
    as_number,
    as_object,
    as_uri,
    copy_json,
    label,
    unknown_fields,
)

V1_TOOLS = frozenset({"retrieval", "browser"})
FOUNDRY_TOOLS = frozenset(
    {"azure_ai_search", "azure_function", "bing_custom_search", "bing_grounding", "browser_automation"}
    | {"computer_use_preview", "connected_agent", "deep_research", "fabric_dataagent", "mcp", "openapi"}
    | {"sharepoint_grounding"}
)
"""Tool types of Microsoft Foundry Agents (classic), as its recorded traffic names them."""

_MAX_ATTRIBUTES, _MAX_ATTRIBUTE_NAME, _MAX_ATTRIBUTE = 16, 64, 512  # official: VectorStoreFileAttributes


def convert_hosted_call(
    call: JsonObject, status: str, context: Context, notes: Notes, place: str
) -> list[JsonObject]:
    """The call's item by policy, or nothing but a finding. ``status``: completed or incomplete."""
    kind = kind_of(call)
    if kind == "code_interpreter":
        return _code_interpreter(call, status, context, notes, place)
    if kind == "file_search":
        return _file_search(call, status, context, notes, place)
    details = {
        "call_id": shown_id(call),
        "type": label(kind or call.get("type")),
        "origin": "Assistants v1" if kind in V1_TOOLS else "Foundry" if kind in FOUNDRY_TOOLS else "unknown",
    }
    policy = context.policies.other_tool_calls
    if policy != "note":
        notes.add(_REFUSING[policy].format("tool_call"), place, **details)
        return []
    notes.add("tool_call_as_note", place, **details)
    return note_items(call, context, notes, place)


def note_items(call: JsonObject, context: Context, notes: Notes, place: str) -> list[JsonObject]:
    """The call as a note: one item, or none and a finding when the target could not take it."""
    troubles: set[str] = set()
    text = call_note(copy_json(call, troubles), context)
    notes.add_troubles(troubles, place)
    if len(text) > MAX_TEXT:
        notes.add("tool_call_note_too_long", place, call_id=shown_id(call), length=len(text))
        return []
    return [text_message(text)]


def shown_id(call: JsonObject) -> str:
    """The call's id for a finding's text."""
    return label(as_id(call.get("id"))) or "without id"


_REFUSING = {"drop_with_finding": "{}_not_carried", "block": "{}_blocks"}


def _code_interpreter(
    call: JsonObject, status: str, context: Context, notes: Notes, place: str
) -> list[JsonObject]:
    policy = context.policies.code_interpreter
    images = image_outputs(call)
    outputs = as_list(as_object(call.get("code_interpreter")).get("outputs"))
    details = {"call_id": shown_id(call), "outputs": len(outputs)}
    if policy in _REFUSING:
        notes.add(_REFUSING[policy].format("code_interpreter"), place, **details)
        return []
    native = _native_code_interpreter(call) if policy == "native" else None
    if native is not None:
        container = label(native["container_id"])
        notes.add("code_interpreter_native", place, call_id=shown_id(call), container=container)
        return [native | {"status": status}]
    notes.add("code_interpreter_as_note", place, **details)
    for image in images:
        unknown = "given by its address" if as_uri(image.get("url")) else "of no known file"
        named = label(image_file_id(image)) or unknown
        notes.add("code_interpreter_image_named", place, call_id=shown_id(call), image=named)
    return note_items(call, context, notes, place)


def _native_code_interpreter(call: JsonObject) -> JsonObject | None:
    """The target's own item, when the source holds all that it demands and nothing that it has no place for.

    Assistants never reported the container; compatible servers and later archives may.
    """
    payload = as_object(call.get("code_interpreter"))
    container = payload.get("container_id") or call.get("container_id")
    code = payload.get("input")
    unknown = unknown_fields(call, frozenset({"id", "type", "code_interpreter", "container_id"}))
    unknown += unknown_fields(payload, frozenset({"input", "outputs", "container_id"}))
    outputs = [_native_output(output) for output in as_list(payload.get("outputs"))]
    strings = isinstance(container, str) and container and isinstance(code, str)
    if unknown or not strings or any(output is None for output in outputs):
        return None
    if not isinstance(payload.get("outputs"), list | None) or not _is_clean([container, code, outputs]):
        return None
    return {
        "type": "code_interpreter_call",
        "container_id": container,
        "code": code,
        "outputs": outputs,
    }


def _native_output(output: object) -> JsonObject | None:
    source = as_object(output)
    if source.get("type") == "logs" and isinstance(source.get("logs"), str) and len(source) == 2:
        return {"type": "logs", "logs": source["logs"]}
    url = as_object(source.get("image")).get("url")
    if source.get("type") == "image" and len(source) == 2 and url == as_uri(url) is not None:
        return {"type": "image", "url": url} if len(source["image"]) == 1 else None
    return None


def _file_search(
    call: JsonObject, status: str, context: Context, notes: Notes, place: str
) -> list[JsonObject]:
    policy = context.policies.file_search
    payload = as_object(call.get("file_search"))
    details = {"call_id": shown_id(call), "results": len(as_list(payload.get("results")))}
    if policy in _REFUSING:
        notes.add(_REFUSING[policy].format("file_search"), place, **details)
        return []
    native = _native_file_search(call, context) if policy == "native" else None
    if native is not None:
        notes.add("file_search_native", place, **details)
        if payload.get("ranking_options"):
            notes.add("file_search_options_kept", f"{place}.file_search.ranking_options", **details)
        return [native | {"status": status}]
    notes.add("file_search_as_note", place, **details)
    return note_items(call, context, notes, place)


def _native_file_search(call: JsonObject, context: Context) -> JsonObject | None:
    """The target's own item, when the source holds the queries and every result fits."""
    payload = as_object(call.get("file_search"))
    unknown = unknown_fields(call, frozenset({"id", "type", "file_search"}))
    unknown += unknown_fields(payload, frozenset({"queries", "ranking_options", "results"}))
    queries, results = payload.get("queries"), payload.get("results")
    if unknown or not isinstance(queries, list) or not queries:
        return None
    if not all(isinstance(query, str) for query in queries) or not isinstance(results, list | None):
        return None
    carried = [_native_result(result, context) for result in as_list(results)]
    if any(result is None for result in carried) or not _is_clean([queries, carried]):
        return None
    item: JsonObject = {"type": "file_search_call", "queries": list(queries)}
    return item if results is None else item | {"results": carried}


def _native_result(result: object, context: Context) -> JsonObject | None:
    source = as_object(result)
    attributes = as_object(source.get("attributes"))
    text = result_text(source)
    names = [name for name in (source.get("file_name"), source.get("filename")) if name]
    if not result_is_known(source) or len(names) > 1 or not _attributes_fit(attributes):
        return None
    if text is None and source.get("content"):
        return None
    filename = names[0] if names else context.filename(source["file_id"])
    fields = {"file_id": source["file_id"], "filename": filename, "score": source.get("score"), "text": text}
    carried = {name: value for name, value in fields.items() if value not in (None, "")}
    return carried | ({"attributes": dict(attributes)} if attributes else {})


def _attributes_fit(attributes: JsonObject) -> bool:
    return len(attributes) <= _MAX_ATTRIBUTES and all(
        len(name) <= _MAX_ATTRIBUTE_NAME
        and (
            isinstance(value, bool)
            or as_number(value) is not None
            or (isinstance(value, str) and len(value) <= _MAX_ATTRIBUTE)
        )
        for name, value in attributes.items()
    )


def _is_clean(value: object) -> bool:
    """Whether any JSON writer takes the value as it is."""
    troubles: set[str] = set()
    copy_json(value, troubles)
    return not troubles
