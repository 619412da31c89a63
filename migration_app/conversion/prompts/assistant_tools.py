"""An assistant's tools and their resources to the tools of ``responses.create``.

Imports only ``contracts`` and this package.
"""

from __future__ import annotations

from typing import Any

from migration_app.contracts import JsonObject
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.items.hosted_calls import FOUNDRY_TOOLS, V1_TOOLS
from migration_app.conversion.prompts.spec_rules import MAX_CONTAINER_FILES, RANKERS
from migration_app.conversion.resources import resource_ids, resource_summary
from migration_app.conversion.text import (
    as_id,
    as_list,
    as_number,
    as_object,
    clean_text,
    copy_json,
    label,
    labels,
    parse_json,
    shape_of,
    unknown_fields,
)

_FUNCTION_FIELDS = frozenset({"name", "description", "parameters", "strict"})
_FILE_SEARCH_FIELDS = frozenset({"max_num_results", "ranking_options"})
_RANKING_FIELDS = frozenset({"ranker", "score_threshold", "hybrid_search"})
_TYPE_FIELD = frozenset({"type"})


def convert_tools(assistant: JsonObject, notes: Notes) -> list[JsonObject]:
    """The target's tools, in the source's order."""
    tools = assistant.get("tools")
    if tools is not None and not isinstance(tools, list):
        notes.add("tools_unreadable", "tools", shape=shape_of(tools))
    converted: list[JsonObject] = []
    for index, tool in enumerate(as_list(tools)):
        place = f"tools[{index}]"
        if isinstance(tool, dict):
            carried = _convert_tool(tool, assistant, notes, place)
        else:
            carried = None
            notes.add("tool_unreadable", place, reason=f"it is {shape_of(tool)}")
        if carried is not None:
            converted.append(carried)
    _account_for_resources(assistant, {as_id(as_object(tool).get("type")) for tool in as_list(tools)}, notes)
    return converted


def _convert_tool(tool: JsonObject, assistant: JsonObject, notes: Notes, place: str) -> JsonObject | None:
    kind = tool.get("type")
    if kind == "function":
        return _function(tool, notes, place)
    if kind == "file_search":
        return _file_search(tool, assistant, notes, place)
    if kind == "code_interpreter":
        _note_unknown(tool, _TYPE_FIELD, notes, place)
        return {"type": "code_interpreter", "container": _container(assistant, notes)}
    if isinstance(kind, str) and kind in V1_TOOLS | FOUNDRY_TOOLS:
        origin = "Assistants v1" if kind in V1_TOOLS else "Foundry"
        notes.add("tool_type_not_carried", place, type=kind, origin=origin)
    else:
        notes.add("tool_type_unknown", place, type=label(kind))
    return None


def _function(tool: JsonObject, notes: Notes, place: str) -> JsonObject | None:
    function = as_object(tool.get("function"))
    name = as_id(function.get("name"))
    if not name:
        notes.add("tool_unreadable", place, reason="the function has no name")
        return None
    _note_unknown(tool, _TYPE_FIELD | {"function"}, notes, place)
    _note_unknown(function, _FUNCTION_FIELDS, notes, f"{place}.function")
    converted: JsonObject = {
        "type": "function",
        "name": name,
        "parameters": _parameters(
            function.get("parameters"), label(name), notes, f"{place}.function.parameters"
        ),
        # Assistants default to false, responses to true: leaving it open would change how calls are made.
        "strict": function.get("strict") is True,
    }
    if function.get("strict") not in (None, True, False):
        _note_unusable("strict", shape_of(function["strict"]), notes, f"{place}.function")
    description = function.get("description")
    if isinstance(description, str) and description:
        converted["description"] = carry_setting(description, notes, f"{place}.function.description")
    elif description:
        _note_unusable("description", shape_of(description), notes, f"{place}.function")
    return converted


def _parameters(parameters: object, name: str, notes: Notes, place: str) -> dict[str, Any]:
    """A function without parameters takes an empty list of them (official description, FunctionParameters)."""
    empty: dict[str, Any] = {"type": "object", "properties": {}}
    if isinstance(parameters, str):
        parsed = parse_json(parameters)[1]
        if isinstance(parsed, dict) and parsed:
            notes.add("function_parameters_parsed", place, name=name)
            parameters = parsed
    if parameters is None or parameters == {}:
        notes.add("function_parameters_completed", place, name=name)
        return empty
    if not isinstance(parameters, dict):
        notes.add("function_parameters_unreadable", place, name=name, shape=shape_of(parameters))
        return empty
    troubles: set[str] = set()
    copied: dict[str, Any] = copy_json(parameters, troubles)
    notes.add_troubles(troubles, place)
    return copied


def _file_search(tool: JsonObject, assistant: JsonObject, notes: Notes, place: str) -> JsonObject | None:
    stores = resource_ids(assistant.get("tool_resources"), "file_search", "vector_store_ids")
    if not stores:
        notes.add("file_search_without_store", place)
        return None
    settings = _settings(tool, "file_search", notes, place)
    _note_unknown(tool, _TYPE_FIELD | {"file_search"}, notes, place)
    _note_unknown(settings, _FILE_SEARCH_FIELDS, notes, f"{place}.file_search")
    converted: JsonObject = {"type": "file_search", "vector_store_ids": stores}
    results = settings.get("max_num_results")
    if isinstance(results, int) and not isinstance(results, bool) and 1 <= results <= 50:
        converted["max_num_results"] = results
    elif results is not None:
        _note_unusable("max_num_results", "no whole number from 1 to 50", notes, f"{place}.file_search")
    options = _settings(settings, "ranking_options", notes, f"{place}.file_search")
    ranking = _ranking(options, notes, f"{place}.file_search.ranking_options")
    if ranking:
        converted["ranking_options"] = ranking
    return converted


def _settings(source: JsonObject, name: str, notes: Notes, place: str) -> JsonObject:
    """The settings of that name; anything but an object is reported and left out."""
    value = source.get(name)
    if value is not None and not isinstance(value, dict):
        _note_unusable(name, shape_of(value), notes, place)
    return as_object(value)


def _ranking(options: JsonObject, notes: Notes, place: str) -> JsonObject:
    converted: JsonObject = {}
    ranker = options.get("ranker")
    if isinstance(ranker, str) and ranker in RANKERS:
        converted["ranker"] = ranker
    elif ranker is not None:
        converted["ranker"] = "auto"
        notes.add("ranker_replaced", f"{place}.ranker", ranker=label(ranker))
    threshold = as_number(options.get("score_threshold"))
    if threshold is not None and 0 <= threshold <= 1:
        converted["score_threshold"] = threshold
    elif options.get("score_threshold") is not None:
        _note_unusable("score_threshold", "no number from 0 to 1", notes, place)
    hybrid = _settings(options, "hybrid_search", notes, place)
    weights = {name: as_number(hybrid.get(name)) for name in ("embedding_weight", "text_weight")}
    if None not in weights.values():
        converted["hybrid_search"] = weights
    elif hybrid:
        _note_unusable("hybrid_search", "lacking one of its two weights", notes, place)
    _note_unknown(options, _RANKING_FIELDS, notes, place)
    return converted


def _container(assistant: JsonObject, notes: Notes) -> JsonObject:
    """A container made for each conversation, with the assistant's files (v2 and v1) in it."""
    files = resource_ids(assistant.get("tool_resources"), "code_interpreter", "file_ids")
    old = [file_id for file_id in _v1_files(assistant) if file_id not in files]
    if old:
        notes.add("v1_files_to_container", "file_ids", files=labels(old))
    files += old
    if len(files) > MAX_CONTAINER_FILES:
        left_out = labels(files[MAX_CONTAINER_FILES:])
        notes.add("files_over_limit", "tool_resources", count=len(files), files=left_out)
    return {"type": "auto"} | ({"file_ids": files[:MAX_CONTAINER_FILES]} if files else {})


def _v1_files(assistant: JsonObject) -> list[str]:
    return [file_id for file_id in map(as_id, as_list(assistant.get("file_ids"))) if file_id]


def _account_for_resources(assistant: JsonObject, kinds: set[str], notes: Notes) -> None:
    """Findings for files and stores that no carried tool uses."""
    if _v1_files(assistant) and "code_interpreter" not in kinds:
        notes.add("v1_files_not_carried", "file_ids", files=labels(_v1_files(assistant)))
    resources = assistant.get("tool_resources")
    for tool, name in (("file_search", "vector_store_ids"), ("code_interpreter", "file_ids")):
        if tool in kinds:
            used = _settings(as_object(resources), tool, notes, "tool_resources")
            _note_unknown(used, frozenset({name}), notes, f"tool_resources.{tool}")
    unused = {tool: value for tool, value in as_object(resources).items() if tool not in kinds}
    text = resource_summary(unused if isinstance(resources, dict) else resources)
    if text:
        notes.add("tool_resources_unused", "tool_resources", resources=text)


def carry_setting(value: str, notes: Notes, place: str) -> str:
    """A setting's text as UTF-8 can carry it."""
    cleaned = clean_text(value)
    if cleaned != value:
        notes.add("lone_surrogate", place)
    return cleaned


def _note_unusable(name: str, what: str, notes: Notes, place: str) -> None:
    notes.add("setting_unusable", f"{place}.{name}", name=name, reason=f"it is {what}")


def _note_unknown(source: JsonObject, known: frozenset[str], notes: Notes, place: str) -> None:
    unknown = unknown_fields(source, known)
    if unknown:
        notes.add("part_fields_unknown", place, names=labels(unknown))
