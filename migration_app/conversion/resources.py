"""Files and vector stores that a thread needs: for the mapping, and to check whether the target has them.

Ids only, never headers or keys, which may hold secrets. Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from migration_app.contracts import Finding, JsonObject, SourceKind, SourceThread
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.text import (
    as_id,
    as_list,
    as_object,
    label,
    labels,
    source_id_of,
    unknown_fields,
)

ResourceKind = Literal["file", "vector_store"]
Liveness = Literal["alive", "missing", "expired", "unknown"]
Use = Literal["content", "tools", "named"]
"""content: an item refers to it, so later responses read it; tools: the thread's tools use it; named: by texts
and annotations only, nothing fails without it."""

_LISTS: dict[str, tuple[str, str, ResourceKind]] = {
    "vector stores": ("file_search", "vector_store_ids", "vector_store"),
    "code interpreter files": ("code_interpreter", "file_ids", "file"),
}
_USES: tuple[Use, ...] = ("content", "tools", "named")
_USE_WORDS = {"content": "by an item", "tools": "by the thread's tools", "named": "by name only"}
_KIND_WORDS = {"file": "file", "vector_store": "vector store"}


@dataclasses.dataclass(frozen=True, slots=True)
class Resource:
    """A file or vector store, its strongest use, and where that is."""

    kind: ResourceKind
    id: str
    use: Use
    source_kind: SourceKind
    source_id: str
    place: str


def resource_ids(tool_resources: object, tool: str, name: str) -> list[str]:
    """The ids in one list of the tool resources, in order, each once."""
    entries = as_list(as_object(as_object(tool_resources).get(tool)).get(name))
    return list(dict.fromkeys(filter(None, map(as_id, entries))))


def resource_summary(tool_resources: object) -> str:
    """What the tool resources name, for a finding; empty when they name nothing."""
    if tool_resources and not isinstance(tool_resources, dict):
        return "unreadable settings"
    said = []
    for text, (tool, name, _) in _LISTS.items():
        ids = resource_ids(tool_resources, tool, name)
        if ids:
            said.append(f"{text} {labels(ids)}")
    listed = {tool: name for tool, name, _ in _LISTS.values()}
    for tool, value in as_object(tool_resources).items():
        known = frozenset({listed[tool]}) if tool in listed else frozenset[str]()
        if value and (not isinstance(value, dict) or unknown_fields(value, known)):
            said.append(f"settings of {label(tool)}")
    return "; ".join(said)


def thread_resources(source: SourceThread) -> tuple[Resource, ...]:
    """Every file and vector store that the thread names, each once with its strongest use, in the source's order."""
    found: dict[tuple[str, str], Resource] = {}
    for resource in _named(source):
        key = (resource.kind, resource.id)
        known = found.get(key)
        if known is None or _USES.index(resource.use) < _USES.index(known.use):
            found[key] = resource
    return tuple(found.values())


def liveness_findings(
    resources: Sequence[Resource], status: Mapping[tuple[str, str], Liveness]
) -> tuple[Finding, ...]:
    """The result of a check at the target; a resource that ``status`` lacks is unknown."""
    findings: list[Finding] = []
    for resource in resources:
        state = status.get((resource.kind, resource.id), "unknown")
        if state == "alive":
            continue
        code = {"missing": "resource_missing", "expired": "resource_expired", "unknown": "resource_unchecked"}
        gone_but_named = resource.use == "named" and state != "unknown"
        notes = Notes(resource.source_kind, resource.source_id)
        notes.add(
            "resource_gone_but_named" if gone_but_named else code[state],
            resource.place,
            kind=_KIND_WORDS[resource.kind],
            id=label(resource.id),
            use=_USE_WORDS[resource.use],
        )
        findings += notes.findings
    return tuple(findings)


def _named(source: SourceThread) -> Iterator[Resource]:
    thread_id = as_id(source.thread_id)
    yield from _of_tools(as_object(source.thread).get("tool_resources"), "thread", thread_id)
    for position, message in enumerate(map(as_object, source.messages)):
        for kind, use, file_id, place in _of_message(message):
            yield Resource(kind, file_id, use, "message", source_id_of(message, "message", position), place)
    for position, step in enumerate(map(as_object, source.steps)):
        for file_id, place in _of_step(step):
            yield Resource("file", file_id, "named", "step", source_id_of(step, "step", position), place)
    for position, run in enumerate(map(as_object, source.runs)):
        yield from _of_tools(run.get("tool_resources"), "run", source_id_of(run, "run", position))


def _of_tools(tool_resources: object, kind: SourceKind, source_id: str) -> Iterator[Resource]:
    for tool, name, resource_kind in _LISTS.values():
        for resource_id in resource_ids(tool_resources, tool, name):
            yield Resource(
                resource_kind, resource_id, "tools", kind, source_id, f"tool_resources.{tool}.{name}"
            )


def _of_message(message: JsonObject) -> Iterator[tuple[ResourceKind, Use, str, str]]:
    """Files of a message; a user's images and attachments are what items refer to."""
    use: Use = "content" if message.get("role") == "user" else "named"
    content = message.get("content")
    parts = content if isinstance(content, list) else [content]
    for index, part in enumerate(map(as_object, parts)):
        file_id = as_id(as_object(part.get("image_file")).get("file_id"))
        if file_id:
            yield "file", use, file_id, f"content[{index}].image_file"
        annotations = as_object(part.get("text")).get("annotations")
        for number, annotation in enumerate(map(as_object, as_list(annotations))):
            file_id = as_id(as_object(annotation.get(str(annotation.get("type")))).get("file_id"))
            if file_id:
                yield "file", "named", file_id, f"content[{index}].text.annotations[{number}]"
    for name in ("attachments", "file_ids"):
        for index, entry in enumerate(as_list(message.get(name))):
            file_id = as_id(entry.get("file_id") if isinstance(entry, dict) else entry)
            if file_id:
                yield "file", use, file_id, f"{name}[{index}]"


def _of_step(step: JsonObject) -> Iterator[tuple[str, str]]:
    """Files of a step's calls: images made, results found."""
    calls = as_list(as_object(step.get("step_details")).get("tool_calls"))
    for index, call in enumerate(map(as_object, calls)):
        place = f"step_details.tool_calls[{index}]"
        for number, output in enumerate(as_list(as_object(call.get("code_interpreter")).get("outputs"))):
            file_id = as_id(as_object(as_object(output).get("image")).get("file_id"))
            if file_id:
                yield file_id, f"{place}.code_interpreter.outputs[{number}]"
        for number, result in enumerate(as_list(as_object(call.get("file_search")).get("results"))):
            file_id = as_id(as_object(result).get("file_id"))
            if file_id:
                yield file_id, f"{place}.file_search.results[{number}]"
