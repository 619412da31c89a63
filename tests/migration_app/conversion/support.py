"""Golden files and checks that several conversion tests share. All content is invented."""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import jsonschema
import pydantic
from openai.types.responses import ResponseInputItemParam

from migration_app.contracts import Difference, Finding, JsonObject, Severity, SourceThread
from migration_app.conversion.comparison.canonical import ItemsComparison

GOLDEN = pathlib.Path(__file__).parent / "golden"
DESCRIPTION = pathlib.Path(__file__).parents[2] / "data" / "openapi_conversations.json"
COMPONENTS = {
    ("message", "user"): "InputMessage",
    ("message", "developer"): "InputMessage",
    ("message", "assistant"): "OutputMessage",
    ("function_call", None): "FunctionToolCall",
    ("function_call_output", None): "FunctionCallOutputItemParam",
    ("code_interpreter_call", None): "CodeInterpreterToolCall",
    ("file_search_call", None): "FileSearchToolCall",
}
SENT_IDS = {"code_interpreter_call": "ci_sent", "file_search_call": "fs_sent"}


def golden_files(folder: str) -> list[pathlib.Path]:
    """The golden files of one folder, sorted by name."""
    return sorted((GOLDEN / folder).glob("*.json"))


def source_thread(source: JsonObject) -> SourceThread:
    """A SourceThread as a golden file writes it down."""
    findings = (
        Finding(**finding | {"severity": Severity(finding["severity"])})
        for finding in source.get("findings", ())
    )
    return SourceThread(
        thread_id=source["thread_id"],
        thread=source["thread"],
        messages=tuple(source.get("messages", ())),
        runs=tuple(source.get("runs", ())),
        steps=tuple(source.get("steps", ())),
        files=source.get("files", {}),
        findings=tuple(findings),
        deleted=source.get("deleted", False),
        deleted_messages=frozenset(source.get("deleted_messages", ())),
    )


def thread_of(*messages: Any, **parts: Any) -> SourceThread:
    """A thread with these messages; runs, steps and files by name."""
    return source_thread(
        {"thread_id": "thread_mill", "thread": {"id": "thread_mill"}, "messages": messages} | parts
    )


def dump_findings(findings: Sequence[Finding]) -> list[JsonObject]:
    """Findings as a golden file writes them down."""
    return [
        {
            "code": finding.code,
            "severity": str(finding.severity),
            "source": f"{finding.source_kind} {finding.source_id}",
            "place": finding.place,
            "text": finding.text,
        }
        for finding in findings
    ]


def codes(findings: Sequence[Finding]) -> list[str]:
    """The codes alone, in order."""
    return [finding.code for finding in findings]


@functools.cache
def description() -> JsonObject:
    """The components of the official description, by name."""
    definitions: JsonObject = json.loads(DESCRIPTION.read_text(encoding="utf-8"))["$defs"]
    return definitions


@functools.cache
def validator(definition: str) -> jsonschema.Draft202012Validator:
    """A validator of one component of the official description, or of one of its request bodies."""
    return jsonschema.Draft202012Validator({"$defs": description(), "$ref": f"#/$defs/{definition}"})


def described_properties(name: str) -> JsonObject:
    """All properties of a component, also those of the components that it is made of."""
    component = description()[name.rpartition("/")[2]]
    found: JsonObject = dict(component.get("properties", {}))
    for part in component.get("allOf", ()):
        found |= described_properties(part["$ref"]) if "$ref" in part else part.get("properties", {})
    return found


@functools.cache
def sdk_item() -> pydantic.TypeAdapter[Any]:
    """The SDK's own contract for an item."""
    return pydantic.TypeAdapter(ResponseInputItemParam)


def as_sent(item: JsonObject) -> JsonObject:
    """The item as the sender completes it: assistant messages and calls of hosted tools must have an id."""
    if item.get("role") == "assistant":
        return item | {"id": "msg_sent"}
    return item | {"id": SENT_IDS[item["type"]]} if item["type"] in SENT_IDS else item


def assert_acceptable(items: Sequence[JsonObject]) -> None:
    """Every item satisfies its own component of the description, and the SDK."""
    for item in map(as_sent, items):
        validator(COMPONENTS[item["type"], item.get("role")]).validate(item)
        sdk_item().validate_python(item, strict=True)


def assert_request_bodies(items: Sequence[JsonObject]) -> None:
    """Items satisfy the request body of items.create, twenty at a time."""
    for start in range(0, len(items), 20):
        validator("root_create_items").validate(
            {"items": [as_sent(item) for item in items[start : start + 20]]}
        )


def compare_items(planned: Sequence[JsonObject], found: Sequence[JsonObject]) -> Difference | None:
    """What a conversation read in one page differs in."""
    comparison = ItemsComparison(planned)
    comparison.see(found)
    return comparison.difference()
