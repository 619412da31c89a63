"""User turns of a thread: what the user said, what was known before, and how the original run answered.

A turn is one user message, or several without anything between them, and all that follows up to the next one. Pure
and total. Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from migration_app.contracts import JsonObject, SourceThread, ThreadPlan
from migration_app.conversion.items.function_calls import function_name
from migration_app.conversion.items.runs import waiting_calls
from migration_app.conversion.items.tool_calls import call_ids_of
from migration_app.conversion.text import (
    as_id,
    as_list,
    as_object,
    clean_text,
    copy_json,
    json_text,
    parse_json,
    parse_time,
    source_id_of,
)
from migration_app.conversion.threads import Place, thread_places

_MAX_COUNT = 2**53


@dataclasses.dataclass(frozen=True, slots=True)
class RecordedCall:
    """A tool call of the original run. ``output`` None: never recorded. ``name`` of a hosted tool is its kind."""

    name: str
    arguments: str
    output: str | None
    is_function: bool


@dataclasses.dataclass(frozen=True, slots=True)
class UserTurn:
    """Where a user turn stands. ``items[:first_item]`` of the plan is its history, up to ``end_item`` its input.

    ``message_id`` is the source id of its first message; ``number`` counts the thread's user turns from 1.
    """

    message_id: str
    number: int
    first_item: int
    end_item: int
    asked: tuple[int, ...]
    """Positions of its messages."""
    answered_by: tuple[Place, ...]

    @property
    def is_answered(self) -> bool:
        """Whether the original has any answer to it."""
        return bool(self.answered_by)


@dataclasses.dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What the original run made of a turn. Tokens and seconds are None where no run recorded them."""

    text: str
    calls: tuple[RecordedCall, ...]
    tokens_in: int | None
    tokens_out: int | None
    seconds: float | None


def thread_turns(source: SourceThread, plan: ThreadPlan) -> tuple[UserTurn, ...]:
    """All user turns that have something to send, in order."""
    blocks: list[tuple[list[int], list[Place]]] = []
    for place in thread_places(source):
        is_user = place.kind == "message" and as_object(source.messages[place.position]).get("role") == "user"
        if is_user and (not blocks or blocks[-1][1]):
            blocks.append(([place.position], []))
        elif is_user:
            blocks[-1][0].append(place.position)
        elif blocks:
            blocks[-1][1].append(place)
    ids = {
        position: source_id_of(as_object(source.messages[position]), "message", position)
        for asked, _answered in blocks
        for position in asked
    }
    where = _item_ranges(plan, frozenset(ids.values()))
    turns = []
    for number, (asked, answered) in enumerate(blocks, start=1):
        found = [where[ids[position]] for position in asked if ids[position] in where]
        if found:
            first, end = min(start for start, _ in found), max(stop for _, stop in found)
            turns.append(UserTurn(ids[asked[0]], number, first, end, tuple(asked), tuple(answered)))
    return tuple(turns)


def asked_text(source: SourceThread, turn: UserTurn) -> str:
    """What the user said, for people; files and images are named."""
    return "\n\n".join(message_text(source.messages[position]) for position in turn.asked)


def recorded_answer(source: SourceThread, turn: UserTurn) -> RecordedAnswer:
    """How the original run answered."""
    texts: list[str] = []
    calls: list[RecordedCall] = []
    run_ids: dict[str, None] = {}
    recorded: frozenset[str] | None = None
    for place in turn.answered_by:
        if place.kind == "message":
            message = as_object(source.messages[place.position])
            texts.append(message_text(message))
            run_ids[as_id(message.get("run_id"))] = None
        elif place.kind == "step":
            step = as_object(source.steps[place.position])
            run_ids[as_id(step.get("run_id"))] = None
            calls += map(_call, as_list(as_object(step.get("step_details")).get("tool_calls")))
        else:
            if recorded is None:
                recorded = frozenset[str]().union(*map(call_ids_of, source.steps)) - {""}
            run = as_object(source.runs[place.position])
            run_ids[as_id(run.get("id"))] = None
            calls += (_call(call) for _place, call in waiting_calls(run, recorded))
    runs = [run for run in map(as_object, source.runs) if as_id(run.get("id")) in run_ids.keys() - {""}]
    usages = [as_object(run.get("usage")) for run in runs]
    return RecordedAnswer(
        text="\n\n".join(texts),
        calls=tuple(calls),
        tokens_in=_sum(usages, "prompt_tokens"),
        tokens_out=_sum(usages, "completion_tokens"),
        seconds=_seconds(runs),
    )


def message_text(message: object) -> str:
    """The text of a source message; what is no text is named in brackets."""
    content = as_object(message).get("content")
    if isinstance(content, str):
        return clean_text(content)
    parts = []
    for part in map(as_object, as_list(content)):
        text = part.get("text", part.get("refusal"))
        text = as_object(text).get("value") if isinstance(text, dict) else text
        parts.append(clean_text(text) if isinstance(text, str) else f"[{as_id(part.get('type')) or 'part'}]")
    return "\n".join(parts)


def call_key(name: str, arguments: str) -> str:
    """The same for calls of one function whose arguments say the same as JSON, however they are written."""
    is_json, value = parse_json(arguments or "{}")
    troubles: set[str] = set()
    said = copy_json(value, troubles)
    # What no JSON writer takes (nested too deep, a number too long) is compared by its text.
    comparable = is_json and troubles <= {"lone_surrogate"}
    return f"{name}({json.dumps(_plain(said), sort_keys=True) if comparable else arguments})"


def replayed_output(calls: Sequence[RecordedCall], name: str, arguments: str, nth: int) -> str | None:
    """What the original run's ``nth`` such call (from 0) was given, or its last one; None if it made none."""
    key = call_key(name, arguments)
    outputs = [
        call.output
        for call in calls
        if call.is_function and call.output is not None and call_key(call.name, call.arguments) == key
    ]
    return outputs[min(nth, len(outputs) - 1)] if outputs else None


def _plain(value: Any) -> Any:
    """1.0 and 1 are one number in JSON; Python writes them differently."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_COUNT:
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def _item_ranges(plan: ThreadPlan, message_ids: frozenset[str]) -> dict[str, tuple[int, int]]:
    where: dict[str, tuple[int, int]] = {}
    for index, planned in enumerate(plan.items):
        if planned.source_kind == "message" and planned.source_id in message_ids:
            first = where.get(planned.source_id, (index, index))[0]
            where[planned.source_id] = (first, index + 1)
    return where


def _call(value: object) -> RecordedCall:
    call = as_object(value)
    kind = as_id(call.get("type")) or "function"
    if kind != "function":
        return RecordedCall(kind, "", None, is_function=False)
    function = as_object(call.get("function"))
    output = function.get("output")
    return RecordedCall(
        function_name(call), _text(function.get("arguments")), None if output is None else _text(output), True
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    return clean_text(value if isinstance(value, str) else json_text(copy_json(value, set())))


def _sum(usages: Sequence[JsonObject], name: str) -> int | None:
    counts = [
        count
        for count in (usage.get(name) for usage in usages)
        if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < _MAX_COUNT
    ]
    return min(sum(counts), _MAX_COUNT) if counts else None


def _seconds(runs: Sequence[JsonObject]) -> float | None:
    spans = []
    for run in runs:
        start, end = parse_time(run.get("started_at")), parse_time(run.get("completed_at"))
        if start is not None and end is not None and end >= start:
            spans.append(end - start)
    return sum(spans) if spans else None
