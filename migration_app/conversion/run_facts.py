"""What is counted and listed of a run: its status, times, tokens, error code and tool calls. No content.

Cheap, because it runs with every import: the equivalent request (``responses``) is not made here. Pure and total;
imports only ``contracts`` and this package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from migration_app.contracts import JsonObject, SourceThread
from migration_app.conversion.text import as_id, as_list, as_object, source_id_of

_KIND_CHARACTERS = 40
_KINDS_COUNTED = 20
_OTHER = "other"


def run_facts(source: SourceThread) -> Iterator[dict[str, Any]]:
    """Facts of each run, in order; values are unchecked, as the source has them.

    Keys: run_id, assistant_id, status, model, created_at, started_at, ended_at, prompt_tokens, completion_tokens,
    total_tokens, error_code, incomplete_reason, tool_calls (calls by kind).
    """
    calls = tool_calls_by_run(source)
    for position, value in enumerate(source.runs):
        run = as_object(value)
        run_id = source_id_of(run, "run", position)
        usage = as_object(run.get("usage"))
        ends = (run.get(name) for name in ("completed_at", "failed_at", "cancelled_at"))
        yield {
            "run_id": run_id,
            "assistant_id": as_id(run.get("assistant_id")),
            "status": as_id(run.get("status")),
            "model": as_id(run.get("model")),
            "created_at": run.get("created_at"),
            "started_at": run.get("started_at"),
            "ended_at": next((end for end in ends if end is not None), None),
            "prompt_tokens": usage.get("prompt_tokens"),
            "completion_tokens": usage.get("completion_tokens"),
            "total_tokens": usage.get("total_tokens"),
            "error_code": as_id(as_object(run.get("last_error")).get("code")),
            "incomplete_reason": as_id(as_object(run.get("incomplete_details")).get("reason")),
            "tool_calls": dict(sorted(calls.get(run_id, _NONE).items())),
        }


_NONE: Counter[str] = Counter()


def tool_calls_by_run(source: SourceThread) -> dict[str, Counter[str]]:
    """Count the tool calls that steps record, by run and kind; runs without any are left out."""
    counts: dict[str, Counter[str]] = {}
    for value in source.steps:
        step: JsonObject = as_object(value)
        calls = as_list(as_object(step.get("step_details")).get("tool_calls"))
        run_id = as_id(step.get("run_id")) if calls else ""
        if not run_id:
            continue
        counted = counts.setdefault(run_id, Counter())
        for call in calls:
            kind = as_id(as_object(call).get("type"))[:_KIND_CHARACTERS] or "function"
            # A hand-made archive may name as many kinds as there are calls.
            counted[kind if kind in counted or len(counted) < _KINDS_COUNTED else _OTHER] += 1
    return counts
