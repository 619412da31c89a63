"""Tool calls as notes: the note of each kind, with all data of the call.

A call whose shape is not the known one is carried whole, as JSON. Every function here takes a call that
``text.copy_json`` has made safe. Imports only ``contracts`` and this package.
"""

from __future__ import annotations

from collections.abc import Iterator

from migration_app.contracts import JsonObject
from migration_app.conversion.items.context import Context
from migration_app.conversion.items.migrated import (
    call_text,
    named_file,
    note_text,
    plain,
    section,
)
from migration_app.conversion.text import as_id, as_list, as_number, as_object, unknown_fields

_CALL = frozenset({"id", "type"})
_FUNCTION = frozenset({"name", "arguments", "output"})
_CODE_INTERPRETER = frozenset({"input", "outputs"})
_FILE_SEARCH = frozenset({"queries", "ranking_options", "results"})
_RESULT = frozenset({"file_id", "file_name", "filename", "score", "attributes", "content"})


def kind_of(call: JsonObject) -> str:
    """The kind of the call; hand-made calls show it only by the field that holds the payload."""
    kind = call.get("type")
    if isinstance(kind, str) and kind:
        return kind
    return next((kind for kind in ("function", "code_interpreter", "file_search") if kind in call), "")


def call_note(call: JsonObject, context: Context) -> str:
    """The note's text for a call of any kind."""
    kind = kind_of(call)
    payload = call.get(kind)
    text = call_text(kind or "tool", call.get("id"))
    readable = isinstance(payload, dict) and isinstance(call.get("id"), str | None)
    if readable and kind == "function" and isinstance(payload, dict):
        return note_text(text, [*_function_lines(payload), *_others(call, payload, kind, _FUNCTION)])
    if readable and kind == "code_interpreter" and isinstance(payload, dict):
        lines = _code_interpreter_lines(payload, context)
        return note_text(text, [*lines, *_others(call, payload, kind, _CODE_INTERPRETER)])
    if readable and kind == "file_search" and isinstance(payload, dict):
        lines = _file_search_lines(payload, context)
        return note_text(text, [*lines, *_others(call, payload, kind, _FILE_SEARCH)])
    return note_text(text, [section("call", call)])


def image_outputs(call: JsonObject) -> list[JsonObject]:
    """The image outputs of a code interpreter call."""
    outputs = map(as_object, as_list(as_object(call.get("code_interpreter")).get("outputs")))
    return [output for output in outputs if output.get("type") == "image"]


def image_file_id(output: JsonObject) -> str:
    """The file of an image output; empty when it names none."""
    return as_id(as_object(output.get("image")).get("file_id"))


def result_text(result: JsonObject) -> str | None:
    """The text of a file search result that holds exactly one text, else None."""
    content = as_list(result.get("content"))
    only = as_object(content[0]) if len(content) == 1 else {}
    text = only.get("text")
    plain_text = only.get("type") == "text" and isinstance(text, str) and len(only) == 2
    return text if plain_text and isinstance(text, str) else None


def result_is_known(result: object) -> bool:
    """Whether nothing of a file search result is of an unknown shape."""
    source = as_object(result)
    score = source.get("score")
    names = (source.get("file_name"), source.get("filename"))
    return (
        bool(source)
        and not unknown_fields(source, _RESULT)
        and isinstance(source.get("file_id"), str)
        and (score is None or as_number(score) is not None)
        and all(isinstance(name, str | None) for name in names)
        and isinstance(source.get("attributes"), dict | None)
        and isinstance(source.get("content"), list | None)
    )


def _function_lines(function: JsonObject) -> Iterator[str]:
    name = function.get("name")
    yield f"name: {plain(name)}" if isinstance(name, str) else section("name", name)
    yield section("arguments", function.get("arguments"))
    yield section("output", function.get("output"))


def _code_interpreter_lines(payload: JsonObject, context: Context) -> Iterator[str]:
    yield section("code", payload.get("input"))
    outputs = payload.get("outputs")
    if not isinstance(outputs, list) or not outputs:
        yield section("outputs", outputs)
    for number, output in enumerate(as_list(outputs), start=1):
        yield _output_line(f"output {number}", output, context)


def _output_line(name: str, output: object, context: Context) -> str:
    source = as_object(output)
    kind = source.get("type")
    if kind == "logs" and isinstance(source.get("logs"), str) and len(source) == 2:
        return section(f"{name}, logs", source["logs"])
    image = as_object(source.get("image"))
    if kind == "image" and isinstance(image.get("file_id"), str) and len(image) == 1 and len(source) == 2:
        file_id = image["file_id"]
        return f"{name}, image: {named_file(file_id, context.filename(file_id))}"
    return section(name, output)


def _file_search_lines(payload: JsonObject, context: Context) -> Iterator[str]:
    yield section("queries", payload.get("queries"))
    if "ranking_options" in payload:
        yield section("ranking options", payload["ranking_options"])
    results = payload.get("results")
    if not isinstance(results, list) or not results:
        yield section("results", results)
    for number, result in enumerate(as_list(results), start=1):
        yield from _result_lines(f"result {number}", result, context)


def _result_lines(name: str, result: object, context: Context) -> Iterator[str]:
    if not result_is_known(result):
        yield section(name, result)
        return
    source = as_object(result)
    file_id = source["file_id"]
    filename = source.get("file_name") or source.get("filename") or context.filename(file_id)
    score = "" if source.get("score") is None else f", score {source['score']}"
    yield f"{name}: {named_file(file_id, filename)}{score}"
    if source.get("file_name") and source.get("filename") not in (None, "", source["file_name"]):
        yield f"{name} is also named {plain(source['filename'])}"
    if source.get("attributes"):
        yield section(f"{name} attributes", source["attributes"])
    text = result_text(source)
    yield section(f"{name} content", source.get("content") if text is None else text)


def _others(call: JsonObject, payload: JsonObject, kind: str, known: frozenset[str]) -> list[str]:
    """Other fields of the source, as one JSON section; nothing if there are none."""
    others = {name: call[name] for name in unknown_fields(call, _CALL | {kind})}
    inside = {name: payload[name] for name in unknown_fields(payload, known)}
    if inside:
        others[kind] = inside
    return [section("other fields", others)] if others else []
