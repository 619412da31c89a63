"""A run as the console keeps it: what has no place at the target, and the equivalent response.

``equivalent`` holds arguments of ``responses.create`` without ``input`` and ``conversation``, which the caller
knows. Pure and total. Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from migration_app.contracts import Finding, JsonObject
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.metadata import convert_metadata
from migration_app.conversion.prompts.assistants import convert_settings
from migration_app.conversion.resources import resource_ids
from migration_app.conversion.text import (
    as_id,
    as_number,
    as_object,
    clean_text,
    label,
    parse_time,
    shape_of,
    source_id_of,
)

MIN_OUTPUT_TOKENS = 16
"""Official description, schema CreateResponse: max_output_tokens."""

_OVERRIDES = ("model", "instructions", "tools", "temperature", "top_p", "response_format", "reasoning_effort")
_RESOURCES = (("file_search", "vector_store_ids"), ("code_interpreter", "file_ids"))
_ENDS = ("completed_at", "failed_at", "cancelled_at")
_HOSTED_CHOICES = frozenset({"file_search", "code_interpreter"})
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_DETAILS = (
    ("prompt_tokens_details", "cached_tokens"),
    ("prompt_token_details", "cached_tokens"),  # as OpenAI and Foundry really spell it
    ("completion_tokens_details", "reasoning_tokens"),
)


@dataclasses.dataclass(frozen=True, slots=True)
class RunRecord:
    """What a run was. Times are seconds since 1970; ``usage`` counts tokens; empty means not recorded."""

    id: str
    assistant_id: str
    status: str
    model: str
    instructions_override: str
    """The run's own instructions, where they are not the assistant's."""
    usage: Mapping[str, int]
    created_at: float | None
    started_at: float | None
    ended_at: float | None
    reason: str
    """Code of the error, or why it was incomplete."""
    reason_text: str
    equivalent: JsonObject
    findings: tuple[Finding, ...]

    @property
    def seconds(self) -> float | None:
        """How long the run worked."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at


def run_record(run: JsonObject, assistant: JsonObject | None, thread: JsonObject | None = None) -> RunRecord:
    """Read a run; ``assistant`` fills what it leaves open, ``thread`` adds its vector stores and files."""
    source, base = as_object(run), as_object(assistant)
    notes = Notes("run", source_id_of(source, "run", 0))
    equivalent = _equivalent(source, base, as_object(thread), notes)
    error, details = as_object(source.get("last_error")), as_object(source.get("incomplete_details"))
    own = source.get("instructions")
    override = own if isinstance(own, str) and own != base.get("instructions") else ""
    return RunRecord(
        id=as_id(source.get("id")),
        assistant_id=as_id(source.get("assistant_id")),
        status=as_id(source.get("status")),
        model=as_id(source.get("model")) or as_id(base.get("model")),
        instructions_override=clean_text(override),
        usage=_usage(as_object(source.get("usage"))),
        created_at=parse_time(source.get("created_at")),
        started_at=parse_time(source.get("started_at")),
        ended_at=next((time for time in map(parse_time, map(source.get, _ENDS)) if time is not None), None),
        reason=as_id(error.get("code")) or as_id(details.get("reason")),
        reason_text=as_id(error.get("message")),
        equivalent=equivalent,
        findings=tuple(notes.findings),
    )


def _usage(usage: JsonObject) -> dict[str, int]:
    counts = {name: usage.get(name) for name in _COUNTS}
    for group, name in _DETAILS:
        counts[name] = as_object(usage.get(group)).get(name, counts.get(name))
    return {
        name: count
        for name, count in counts.items()
        if isinstance(count, int) and not isinstance(count, bool)
    }


def _equivalent(run: JsonObject, assistant: JsonObject, thread: JsonObject, notes: Notes) -> JsonObject:
    merged = {
        name: assistant.get(name) if run.get(name) is None else run[name]
        for name in (*_OVERRIDES, "file_ids")
    }
    plan = convert_settings(merged | {"tool_resources": _resources(run, assistant, thread)})
    notes.findings.extend(
        dataclasses.replace(finding, source_kind=notes.source_kind, source_id=notes.source_id)
        for finding in plan.findings
    )
    spec = dict(plan.spec)
    settings: dict[str, Any] = {
        "tool_choice": _tool_choice(run.get("tool_choice"), notes),
        "parallel_tool_calls": _flag(run, "parallel_tool_calls", notes),
        "max_output_tokens": _max_tokens(run.get("max_completion_tokens"), notes),
        "truncation": _truncation(run.get("truncation_strategy"), notes),
        "metadata": convert_metadata(run.get("metadata"), notes) or None,
    }
    if run.get("max_prompt_tokens") is not None:
        _unusable("max_prompt_tokens", "responses have no such limit", notes)
    return spec | {name: value for name, value in settings.items() if value is not None}


def _resources(run: JsonObject, assistant: JsonObject, thread: JsonObject) -> JsonObject:
    """Vector stores and files of all three together: a run used its assistant's and its thread's."""
    merged: JsonObject = {}
    for tool, name in _RESOURCES:
        ids = [
            entry
            for owner in (assistant, thread, run)
            for entry in resource_ids(owner.get("tool_resources"), tool, name)
        ]
        if ids:
            merged[tool] = {name: list(dict.fromkeys(ids))}
    return merged


def _tool_choice(choice: object, notes: Notes) -> object:
    if choice is None or (isinstance(choice, str) and choice in ("none", "auto", "required")):
        return choice
    kind = as_object(choice).get("type")
    name = as_id(as_object(as_object(choice).get("function")).get("name"))
    if kind == "function" and name:
        return {"type": "function", "name": name}
    if isinstance(kind, str) and kind in _HOSTED_CHOICES:
        return {"type": kind}
    shown = label(kind) if isinstance(choice, dict) else label(choice)
    _unusable("tool_choice", f"{shown} is no choice that the target knows", notes)
    return None


def _flag(run: JsonObject, name: str, notes: Notes) -> bool | None:
    value = run.get(name)
    if value is None or isinstance(value, bool):
        return value
    _unusable(name, f"it is {shape_of(value)}", notes)
    return None


def _max_tokens(value: object, notes: Notes) -> int | None:
    number = as_number(value)
    if isinstance(number, int) and number >= MIN_OUTPUT_TOKENS:
        return number
    if value is not None:
        _unusable("max_completion_tokens", "it is no whole number from 16 up", notes)
    return None


def _truncation(strategy: object, notes: Notes) -> str | None:
    """auto is the source's default and not the target's, so it is set."""
    kind = as_object(strategy).get("type")
    if kind == "auto":
        return "auto"
    if strategy is not None:
        _unusable("truncation_strategy", f"{label(kind)} does not exist in the target", notes)
    return None


def _unusable(name: str, reason: str, notes: Notes) -> None:
    notes.add("setting_unusable", name, name=name, reason=reason)
