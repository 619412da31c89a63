"""What ``responses.create`` accepts, as rules with plain messages: for specs that people write.

From the official description (schemas CreateResponse and Tool, 2026-08-21). Rules are as permissive as the description:
what it leaves open passes. Pure and total; imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping

from migration_app.contracts import (
    MAX_METADATA_KEY,
    MAX_METADATA_PAIRS,
    MAX_METADATA_VALUE,
    JsonObject,
)
from migration_app.conversion.prompts.model_rules import SAMPLING, refuses_reasoning, refuses_sampling
from migration_app.conversion.text import as_number, as_object, label, shape_of

MAX_CONTAINER_FILES = 50
"""Files of a container (official description, AutoCodeInterpreterToolParam)."""

REASONING_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
"""Official description, schema ReasoningEffort."""

RANKERS = frozenset({"auto", "default-2024-11-15"})
"""Official description, schema RankerVersionType."""

OF_THE_CALL = frozenset(
    {"input", "conversation", "previous_response_id", "stream", "stream_options", "background"}
    | {"user", "safety_identifier"}
)
"""Arguments of a single call, which no prompt may have."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_INCLUDE = frozenset(
    {"file_search_call.results", "web_search_call.results", "web_search_call.action.sources"}
    | {"message.input_image.image_url", "computer_call_output.output.image_url"}
    | {"code_interpreter_call.outputs", "reasoning.encrypted_content", "message.output_text.logprobs"}
)
_TOOL_NEEDS: Mapping[str, tuple[str, ...]] = {
    "function": ("name", "parameters", "strict"),
    "file_search": ("vector_store_ids",),
    "code_interpreter": ("container",),
    "web_search": (),
    "web_search_2025_08_26": (),
    "web_search_preview": (),
    "web_search_preview_2025_03_11": (),
    "mcp": ("server_label",),
    "image_generation": (),
    "computer": (),
    "computer_use_preview": ("environment", "display_width", "display_height"),
    "programmatic_tool_calling": (),
    "local_shell": (),
    "shell": (),
    "custom": ("name",),
    "namespace": ("name", "description", "tools"),
    "tool_search": (),
    "apply_patch": (),
}
"""Every type of tool, and what it must name beside its type."""


@dataclasses.dataclass(frozen=True, slots=True)
class SpecProblem:
    """One thing that the target would refuse: where, and what is wrong, without content."""

    place: str
    text: str


Check = Callable[[str, object], Iterator[SpecProblem]]


def spec_problems(spec: JsonObject) -> tuple[SpecProblem, ...]:
    """Everything in a spec that ``responses.create`` would refuse; empty when it would take it."""
    return tuple(_spec(spec))


def _spec(spec: JsonObject) -> Iterator[SpecProblem]:
    if "model" not in spec:
        yield SpecProblem("model", "a prompt must name its model")
    for name, value in spec.items():
        if name in OF_THE_CALL:
            yield SpecProblem(label(name), "it belongs to each call, not to the prompt: leave it out")
        elif name == "prompt":
            yield SpecProblem("prompt", "dashboard prompts end on 2026-11-30: write their content here")
        elif name not in _CHECKS:
            yield SpecProblem(label(name), "responses.create has no such argument")
        elif value is None:
            yield SpecProblem(name, "it is null: leave it out instead")
        else:
            yield from _CHECKS[name](name, value)
    model, effort = spec.get("model"), as_object(spec.get("reasoning")).get("effort")
    if isinstance(model, str):
        if refuses_sampling(model, effort):
            for name in SAMPLING:
                if name in spec:
                    yield SpecProblem(
                        name, f"the model {label(model)} refuses it with this reasoning effort: leave it out"
                    )
        if effort is not None and refuses_reasoning(model):
            yield SpecProblem("reasoning.effort", f"the model {label(model)} refuses it: leave it out")


def _text(place: str, value: object) -> Iterator[SpecProblem]:
    if not isinstance(value, str) or not value:
        yield SpecProblem(
            place, f"it is {shape_of(value)}, and must be a text" if value != "" else "it is empty"
        )


def _flag(place: str, value: object) -> Iterator[SpecProblem]:
    if not isinstance(value, bool):
        yield SpecProblem(place, f"it is {shape_of(value)}, and must be true or false")


def _object(place: str, value: object) -> Iterator[SpecProblem]:
    if not isinstance(value, dict):
        yield SpecProblem(place, f"it is {shape_of(value)}, and must be an object")


def _list(place: str, value: object) -> Iterator[SpecProblem]:
    if not isinstance(value, list):
        yield SpecProblem(place, f"it is {shape_of(value)}, and must be a list")


def _between(low: int, high: int) -> Check:
    def check(place: str, value: object) -> Iterator[SpecProblem]:
        number = as_number(value)
        if number is None or not low <= number <= high:
            yield SpecProblem(place, f"it must be a number from {low} to {high}")

    return check


def _whole(low: int, high: int | None = None) -> Check:
    def check(place: str, value: object) -> Iterator[SpecProblem]:
        number = value if isinstance(value, int) and not isinstance(value, bool) else low - 1
        if number < low or (high is not None and number > high):
            text = f"from {low} to {high}" if high is not None else f"from {low} up"
            yield SpecProblem(place, f"it must be a whole number {text}")

    return check


def _one_of(choices: frozenset[str]) -> Check:
    def check(place: str, value: object) -> Iterator[SpecProblem]:
        if not isinstance(value, str) or value not in choices:
            yield SpecProblem(place, f"it must be one of {', '.join(sorted(choices))}")

    return check


def _listed(each: Check) -> Check:
    def check(place: str, value: object) -> Iterator[SpecProblem]:
        yield from _list(place, value)
        if isinstance(value, list):
            for index, entry in enumerate(value):
                yield from each(f"{place}[{index}]", entry)

    return check


def _fields(
    place: str, value: object, checks: Mapping[str, Check], needed: tuple[str, ...] = ()
) -> Iterator[SpecProblem]:
    """The checks of an object's known fields; others pass, since the description adds fields all the time."""
    yield from _object(place, value)
    if isinstance(value, dict):
        for name in needed:
            if name not in value:
                yield SpecProblem(f"{place}.{name}", "it is missing")
        for name, check in checks.items():
            if value.get(name) is not None:
                yield from check(f"{place}.{name}", value[name])


def _metadata(place: str, value: object) -> Iterator[SpecProblem]:
    yield from _object(place, value)
    pairs = as_object(value)
    if len(pairs) > MAX_METADATA_PAIRS:
        yield SpecProblem(place, f"it has {len(pairs)} pairs, and may have {MAX_METADATA_PAIRS}")
    for key, entry in pairs.items():
        if len(key) > MAX_METADATA_KEY:
            yield SpecProblem(place, f"a key may have {MAX_METADATA_KEY} characters, and one has {len(key)}")
        if not isinstance(entry, str) or len(entry) > MAX_METADATA_VALUE:
            yield SpecProblem(
                f"{place}.{label(key)}", f"a value must be a text of at most {MAX_METADATA_VALUE} characters"
            )


def _name(place: str, value: object) -> Iterator[SpecProblem]:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        yield SpecProblem(place, "a name has 1 to 64 letters, digits, _ or -")


def _format(place: str, value: object) -> Iterator[SpecProblem]:
    kind = as_object(value).get("type")
    yield from _fields(
        place, value, {"type": _one_of(frozenset({"text", "json_object", "json_schema"}))}, ("type",)
    )
    if kind == "json_schema":
        checks: Mapping[str, Check] = {
            "name": _name,
            "schema": _object,
            "strict": _flag,
            "description": _text,
        }
        yield from _fields(place, value, checks, ("name", "schema"))


def _text_settings(place: str, value: object) -> Iterator[SpecProblem]:
    verbosity = _one_of(frozenset({"low", "medium", "high"}))
    yield from _fields(place, value, {"format": _format, "verbosity": verbosity})


def _reasoning(place: str, value: object) -> Iterator[SpecProblem]:
    summaries = _one_of(frozenset({"auto", "concise", "detailed"}))
    yield from _fields(place, value, {"effort": _one_of(REASONING_EFFORTS), "summary": summaries})


def _tool_choice(place: str, value: object) -> Iterator[SpecProblem]:
    if isinstance(value, str):
        yield from _one_of(frozenset({"none", "auto", "required"}))(place, value)
    else:
        yield from _fields(place, value, {"type": _text, "name": _text}, ("type",))


def _container(place: str, value: object) -> Iterator[SpecProblem]:
    if isinstance(value, str):
        yield from _text(place, value)
        return
    yield from _fields(
        place, value, {"type": _one_of(frozenset({"auto"})), "file_ids": _listed(_text)}, ("type",)
    )
    files = as_object(value).get("file_ids")
    if isinstance(files, list) and len(files) > MAX_CONTAINER_FILES:
        yield SpecProblem(
            f"{place}.file_ids", f"it names {len(files)} files, and may name {MAX_CONTAINER_FILES}"
        )


def _stores(place: str, value: object) -> Iterator[SpecProblem]:
    yield from _listed(_text)(place, value)
    if value == []:
        yield SpecProblem(place, "it names no vector store")


def _ranking(place: str, value: object) -> Iterator[SpecProblem]:
    yield from _fields(place, value, {"ranker": _one_of(RANKERS), "score_threshold": _between(0, 1)})


_TOOL_FIELDS: Mapping[str, Mapping[str, Check]] = {
    "function": {"name": _name, "parameters": _object, "strict": _flag, "description": _text},
    "file_search": {
        "vector_store_ids": _stores,
        "max_num_results": _whole(1, 50),
        "ranking_options": _ranking,
        "filters": _object,
    },
    "code_interpreter": {"container": _container},
    "mcp": {"server_label": _text, "server_url": _text, "connector_id": _text},
    "custom": {"name": _name, "description": _text},
}


def _tools(place: str, value: object) -> Iterator[SpecProblem]:
    yield from _list(place, value)
    first: dict[str, int] = {}
    for index, tool in enumerate(value if isinstance(value, list) else ()):
        here = f"{place}[{index}]"
        kind = as_object(tool).get("type")
        if not isinstance(tool, dict) or not isinstance(kind, str):
            yield SpecProblem(here, "a tool is an object with a type")
            continue
        if kind not in _TOOL_NEEDS:
            yield SpecProblem(f"{here}.type", f"there is no tool of the type {label(kind)}")
            continue
        yield from _fields(here, tool, _TOOL_FIELDS.get(kind, {}), _TOOL_NEEDS[kind])
        if "function" in tool and kind == "function":
            yield SpecProblem(
                f"{here}.function", "name, description, parameters and strict belong in the tool itself"
            )
        name = tool.get("name")
        if kind == "function" and isinstance(name, str) and first.setdefault(name, index) != index:
            yield SpecProblem(f"{here}.name", f"tools[{first[name]}] has the same name")


_CHECKS: Mapping[str, Check] = {
    "model": _text,
    "instructions": _text,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "text": _text_settings,
    "reasoning": _reasoning,
    "temperature": _between(0, 2),
    "top_p": _between(0, 1),
    "top_logprobs": _whole(0, 20),
    "metadata": _metadata,
    "max_output_tokens": _whole(16),
    "max_tool_calls": _whole(1),
    "parallel_tool_calls": _flag,
    "truncation": _one_of(frozenset({"auto", "disabled"})),
    "include": _listed(_one_of(_INCLUDE)),
    "store": _flag,
    "service_tier": _text,
    "prompt_cache_key": _text,
    "prompt_cache_retention": _one_of(frozenset({"in_memory", "24h"})),
    "prompt_cache_options": _object,
    "context_management": _list,
    "moderation": _object,
}
