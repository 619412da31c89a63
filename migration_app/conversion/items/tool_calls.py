"""Run steps to items: every tool call in its order, function calls as pairs, the others by policy.

Imports only ``contracts`` and this package.
"""

from __future__ import annotations

from migration_app.contracts import JsonObject, PlannedItem
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.items.call_notes import kind_of
from migration_app.conversion.items.context import Context
from migration_app.conversion.items.function_calls import convert_function_call
from migration_app.conversion.items.hosted_calls import convert_hosted_call
from migration_app.conversion.items.timeline import step_type
from migration_app.conversion.text import (
    as_id,
    as_list,
    as_object,
    label,
    labels,
    shape_of,
    source_id_of,
)


def convert_step(
    step: object,
    position: int,
    context: Context,
    used_call_ids: set[str],
    group: int,
    *,
    unplaced: str = "",
    run_ended: bool = True,
) -> tuple[tuple[PlannedItem, ...], Notes]:
    """Items of one step, all of one group, call beside output; ``used_call_ids`` gains the new ones.

    ``unplaced`` says why the step has no place, if so; ``run_ended`` whether its run is over, as far as known.
    """
    source = as_object(step)
    notes = Notes("step", source_id_of(source, "step", position))
    if not isinstance(step, dict):
        notes.add("step_unreadable", reason=f"it is not an object but {shape_of(step)}")
        return (), notes
    note_status(source, notes)
    bodies = _tool_calls(source, context, used_call_ids, notes, run_ended=run_ended)
    if bodies and unplaced:
        notes.add("step_place_unknown", reason=unplaced)
    return tuple(PlannedItem(body, "step", notes.source_id, group) for body in bodies), notes


def note_status(step: JsonObject, notes: Notes) -> None:
    """A finding when the step ended otherwise than completed."""
    status = step.get("status")
    if status not in (None, "", "completed"):
        notes.add("step_not_completed", "status", status=label(status))


def call_ids_of(step: object) -> frozenset[str]:
    """The source ids of a step's tool calls."""
    details = as_object(as_object(step).get("step_details"))
    return frozenset(as_id(as_object(call).get("id")) for call in as_list(details.get("tool_calls")))


def _tool_calls(
    step: JsonObject, context: Context, used: set[str], notes: Notes, *, run_ended: bool
) -> list[JsonObject]:
    kind = step_type(step)
    if kind not in {"", "tool_calls"}:
        _other_step(step, kind, notes)
        return []
    calls = as_object(step.get("step_details")).get("tool_calls")
    if not isinstance(calls, list):
        notes.add("step_unreadable", "step_details", reason=f"its tool calls are {shape_of(calls)}")
        return []
    if not calls:
        is_cut = run_ended and step.get("status") == "in_progress"
        notes.add("step_calls_missing" if is_cut else "step_empty", "step_details.tool_calls")
    status = "completed" if step.get("status") in (None, "", "completed") else "incomplete"
    bodies: list[JsonObject] = []
    for index, call in enumerate(calls):
        place = f"step_details.tool_calls[{index}]"
        if not isinstance(call, dict):
            notes.add("tool_call_unreadable", place, number=index + 1, shape=shape_of(call))
        elif kind_of(call) == "function":
            bodies += convert_function_call(call, context, used, notes, place)
        else:
            bodies += convert_hosted_call(call, status, context, notes, place)
    return bodies


def _other_step(step: JsonObject, kind: str, notes: Notes) -> None:
    """A finding for a step that calls nothing: Foundry's activities list a server's tools, others are unknown."""
    activities = as_list(as_object(step.get("step_details")).get("activities"))
    listings = [
        activity for activity in map(as_object, activities) if activity.get("type") == "mcp_list_tools"
    ]
    if kind == "activities" and activities and len(listings) == len(activities):
        servers = labels(activity.get("server_label") for activity in listings)
        notes.add("step_activities_kept", "step_details.activities", servers=servers)
    else:
        notes.add("step_type_unknown", "step_details", type=label(kind))
