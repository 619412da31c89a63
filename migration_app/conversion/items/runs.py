"""Runs: how they ended, and calls they waited for that no step records.

Everything else of a run (model, instructions, usage, times) stays in the console without a finding:
``responses`` shows it. Imports only ``contracts`` and this package.
"""

from __future__ import annotations

from collections.abc import Iterable

from migration_app.contracts import Finding, JsonObject, PlannedItem
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.items.context import Context
from migration_app.conversion.items.function_calls import convert_orphan
from migration_app.conversion.text import as_id, as_list, as_object, label, shape_of, source_id_of

_UNFINISHED = ("queued", "in_progress", "requires_action", "cancelling")


def run_findings(run: object, position: int) -> tuple[Finding, ...]:
    """What there is to say about one run itself."""
    source = as_object(run)
    notes = Notes("run", source_id_of(source, "run", position))
    if not isinstance(run, dict):
        notes.add("run_unreadable", shape=shape_of(run))
        return tuple(notes.findings)
    status = source.get("status")
    if status not in (None, "", "completed"):
        reason = as_object(source.get("incomplete_details")).get("reason")
        reason = reason or as_object(source.get("last_error")).get("code")
        notes.add(
            "run_not_completed",
            "status",
            status=label(status),
            reason=f" ({label(reason)})" if reason else "",
        )
    _note_action(source.get("required_action"), notes)
    return tuple(notes.findings)


def _note_action(action: object, notes: Notes) -> None:
    """Findings where a required action can't be read: its calls would be missing silently."""
    if action and not isinstance(action, dict):
        notes.add("required_action_unreadable", "required_action", reason=f"it is {shape_of(action)}")
    for name, part in as_object(action).items():
        calls = part.get("tool_calls") if isinstance(part, dict) else part
        if name != "type" and calls and not isinstance(calls, list):
            place = f"required_action.{label(name)}"
            notes.add("required_action_unreadable", place, reason=f"its tool calls are {shape_of(calls)}")


def unfinished_runs(runs: Iterable[object]) -> frozenset[str]:
    """Ids of the runs that were not over when they were recorded."""
    return frozenset(as_id(run.get("id")) for run in map(as_object, runs) if run.get("status") in _UNFINISHED)


def waiting_calls(run: object, recorded_call_ids: frozenset[str]) -> tuple[tuple[str, object], ...]:
    """Calls that the run waited for and no step records, each with its place; Foundry's approvals among them."""
    return tuple(
        (f"required_action.{label(name)}.tool_calls[{index}]", call)
        for name, value in as_object(as_object(run).get("required_action")).items()
        for index, call in enumerate(as_list(as_object(value).get("tool_calls")))
        if as_id(as_object(call).get("id")) not in recorded_call_ids
    )


def convert_waiting(
    run: object,
    position: int,
    recorded_call_ids: frozenset[str],
    context: Context,
    group: int,
    *,
    unplaced: str = "",
) -> tuple[tuple[PlannedItem, ...], Notes]:
    """Items of the calls that a run waited for, by the policy of orphan calls; ``unplaced`` as with steps."""
    notes = Notes("run", source_id_of(as_object(run), "run", position))
    bodies: list[JsonObject] = []
    for number, (place, call) in enumerate(waiting_calls(run, recorded_call_ids), start=1):
        if not isinstance(call, dict):
            notes.add("tool_call_unreadable", place, number=number, shape=shape_of(call))
            continue
        bodies += convert_orphan(call, "is waited for by its run and in no step", context, notes, place)
    if bodies and unplaced:
        notes.add("step_place_unknown", "required_action", reason=unplaced)
    return tuple(PlannedItem(body, "run", notes.source_id, group) for body in bodies), notes
