"""A response of the target, read for a person: its text, its tool calls, its usage. Pure and total.

Source: official description, schemas Response and OutputItem. Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses

from migration_app.contracts import JsonObject
from migration_app.conversion.text import as_id, as_list, as_object, clean_text

_CALLER_RUNS = frozenset(
    {
        "custom_tool_call",
        "computer_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
        "mcp_approval_request",
    }
)
"""Calls that wait for the caller, as function calls do, but which no Assistants run can have recorded."""

_SILENT = frozenset({"message", "reasoning", "function_call"})


@dataclasses.dataclass(frozen=True, slots=True)
class FunctionAsked:
    """A function that the model wants called."""

    call_id: str
    name: str
    arguments: str


@dataclasses.dataclass(frozen=True, slots=True)
class ReadAnswer:
    """What a response says. ``reason``: why it is incomplete, or the code of its error. Tokens: None if not reported.

    ``hosted``: kinds of calls that the target made itself; ``waiting``: kinds that wait for the caller and are no
    functions.
    """

    response_id: str
    status: str
    reason: str
    text: str
    functions: tuple[FunctionAsked, ...]
    hosted: tuple[str, ...]
    waiting: tuple[str, ...]
    tokens_in: int | None
    tokens_out: int | None


def read_answer(value: JsonObject) -> ReadAnswer:
    """Read a response, even an incomplete one."""
    output = [as_object(entry) for entry in as_list(value.get("output"))]
    kinds = [as_id(item.get("type")) for item in output]
    usage = as_object(value.get("usage"))
    error, details = as_object(value.get("error")), as_object(value.get("incomplete_details"))
    return ReadAnswer(
        response_id=as_id(value.get("id")),
        status=_word(value.get("status"))[:32] or "completed",
        reason=_word(error.get("code")) or _word(details.get("reason")),
        text="\n\n".join(_text(item) for item in output if item.get("type") == "message"),
        functions=tuple(
            FunctionAsked(as_id(item.get("call_id")), as_id(item.get("name")), _string(item.get("arguments")))
            for item in output
            if item.get("type") == "function_call"
        ),
        hosted=tuple(kind for kind in kinds if kind not in _SILENT | _CALLER_RUNS),
        waiting=tuple(kind for kind in kinds if kind in _CALLER_RUNS),
        tokens_in=_count(usage.get("input_tokens")),
        tokens_out=_count(usage.get("output_tokens")),
    )


def _text(message: JsonObject) -> str:
    parts = [as_object(part) for part in as_list(message.get("content"))]
    return "\n".join(_string(part.get("text", part.get("refusal"))) for part in parts)


def _word(value: object) -> str:
    """A name that the database can hold, which knows no NUL."""
    return as_id(value).replace("\x00", "")


def _string(value: object) -> str:
    return clean_text(value) if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
    return int(str(value)) if is_count else None
