"""An assistant to a prompt: keyword arguments for ``responses.create``, and findings.

The spec has the assistant's settings: a setting the source leaves open stays open. Imports only
``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from migration_app.contracts import JsonObject, PromptPlan
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.metadata import convert_metadata
from migration_app.conversion.prompts.assistant_tools import carry_setting, convert_tools
from migration_app.conversion.prompts.model_rules import SAMPLING, refuses_reasoning, refuses_sampling
from migration_app.conversion.prompts.spec_rules import REASONING_EFFORTS
from migration_app.conversion.prompts.specs import note_spec
from migration_app.conversion.text import (
    as_id,
    as_number,
    as_object,
    copy_json,
    label,
    labels,
    shape_of,
    source_id_of,
    unknown_fields,
)

_KNOWN = frozenset(
    {"id", "object", "created_at", "name", "description", "model", "instructions", "tools", "tool_resources"}
    | {"metadata", "temperature", "top_p", "response_format", "reasoning_effort", "file_ids"}
)
_FORMAT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FORMAT_FIELDS = frozenset({"name", "schema", "strict", "description"})


def convert_assistant(assistant: object) -> PromptPlan:
    """Plan the prompt of one assistant; pure and total."""
    plan = convert_settings(assistant)
    if not plan.spec:
        return plan
    notes = Notes("assistant", source_id_of(as_object(assistant), "assistant", 0))
    # The default of every run, and not of responses: without it, threads that worked would fail once they
    # outgrow the model's context.
    notes.add("truncation_as_in_runs", "truncation")
    spec = plan.spec | {"truncation": "auto"}
    return dataclasses.replace(plan, spec=spec, findings=(*plan.findings, *notes.findings))


def convert_settings(assistant: object) -> PromptPlan:
    """Plan the settings of an assistant, or of a run instead, without defaults that only runs had."""
    source = as_object(assistant)
    notes = Notes("assistant", source_id_of(source, "assistant", 0))
    if not isinstance(assistant, dict):
        notes.add("assistant_unreadable", shape=shape_of(assistant))
    spec: dict[str, Any] = {
        "model": _text(source, "model", notes),
        "instructions": _text(source, "instructions", notes),
        "tools": convert_tools(source, notes),
        "temperature": _number(source, "temperature", 2, notes),
        "top_p": _number(source, "top_p", 1, notes),
        "text": _text_settings(source.get("response_format"), notes),
        "reasoning": _reasoning(source.get("reasoning_effort"), notes),
        "metadata": _metadata(source, notes),
    }
    _leave_out_what_the_model_refuses(spec, notes)
    named = [field for field in ("name", "description") if source.get(field)]
    if named:
        notes.add("assistant_label_kept", named[0], fields=" and ".join(named))
    unknown = unknown_fields(source, _KNOWN)
    if unknown:
        notes.add("fields_unknown", names=labels(unknown))
    set_values = {key: value for key, value in spec.items() if value not in (None, "", [], {})}
    note_spec(set_values, notes)
    return PromptPlan(as_id(source.get("id")), as_id(source.get("name")), set_values, tuple(notes.findings))


def _leave_out_what_the_model_refuses(spec: dict[str, Any], notes: Notes) -> None:
    model, effort = spec["model"], spec["reasoning"].get("effort")
    if effort is not None and refuses_reasoning(model):
        notes.add("setting_refused_by_model", "reasoning_effort", name="reasoning_effort", model=label(model))
        spec["reasoning"], effort = {}, None
    if refuses_sampling(model, effort):
        for name in SAMPLING:
            if spec[name] == 1:
                notes.add("sampling_default_left_out", name, name=name, model=label(model))
            elif spec[name] is not None:
                notes.add("setting_refused_by_model", name, name=name, model=label(model))
            spec[name] = None


def _text(source: JsonObject, name: str, notes: Notes) -> str:
    value = source.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        notes.add("setting_unusable", name, name=name, reason=f"it is {shape_of(value)}")
        return ""
    return carry_setting(value, notes, name)


def _number(source: JsonObject, name: str, highest: int, notes: Notes) -> float | int | None:
    value = source.get(name)
    if value is None:
        return None
    number = as_number(value)
    if number is None or not 0 <= number <= highest:
        notes.add("setting_unusable", name, name=name, reason=f"it is no number from 0 to {highest}")
        return None
    return number


def _reasoning(effort: object, notes: Notes) -> JsonObject:
    if effort is None:
        return {}
    if isinstance(effort, str) and effort in REASONING_EFFORTS:
        return {"effort": effort}
    reason = f"{label(effort)} is no effort that the target knows"
    notes.add("setting_unusable", "reasoning_effort", name="reasoning_effort", reason=reason)
    return {}


def _metadata(source: JsonObject, notes: Notes) -> dict[str, str]:
    metadata = convert_metadata(source.get("metadata"), notes)
    if metadata:
        notes.add("assistant_metadata_on_responses", "metadata", count=len(metadata))
    return metadata


def _text_settings(response_format: object, notes: Notes) -> JsonObject:
    """The ``text`` argument; auto is the default of both APIs and is left open."""
    if response_format is None or response_format == "auto":
        return {}
    kind = response_format if isinstance(response_format, str) else as_object(response_format).get("type")
    if kind == "auto":
        return {}
    if kind in ("text", "json_object"):
        return {"format": {"type": kind}}
    if kind == "json_schema" and isinstance(response_format, dict):
        return {"format": _json_schema(as_object(response_format.get("json_schema")), notes)}
    notes.add("response_format_unknown", "response_format", type=label(kind))
    return {}


def _json_schema(source: JsonObject, notes: Notes) -> JsonObject:
    place = "response_format.json_schema"
    name = source.get("name")
    if not isinstance(name, str) or not _FORMAT_NAME.fullmatch(name):
        name = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] if isinstance(name, str) and name else "response"
        notes.add("response_format_completed", place, field="name", value=name)
    troubles: set[str] = set()
    schema = copy_json(source.get("schema"), troubles)
    if not isinstance(schema, dict):
        schema = {"type": "object"}
        notes.add("response_format_completed", place, field="schema", value="an object of any fields")
    converted: JsonObject = {"type": "json_schema", "name": name, "schema": schema}
    for field, wanted in (("strict", bool), ("description", str)):
        value = source.get(field)
        if isinstance(value, wanted):
            converted[field] = copy_json(value, troubles)
        elif value is not None:
            notes.add("setting_unusable", f"{place}.{field}", name=field, reason=f"it is {shape_of(value)}")
    notes.add_troubles(troubles, place)
    unknown = unknown_fields(source, _FORMAT_FIELDS)
    if unknown:
        notes.add("fields_unknown", place, names=labels(unknown))
    return converted
