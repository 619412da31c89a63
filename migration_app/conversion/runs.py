"""Runs: how they ended, and calls they waited for that no step records.

Everything else of a run (model, instructions, usage, times) stays in the console without a finding.
Imports only ``contracts`` and this package.
"""

from __future__ import annotations

from migration_app.contracts import Finding
from migration_app.conversion.notes import Notes
from migration_app.conversion.text import as_id, as_list, as_object, label, shape_of, source_id_of
from migration_app.conversion.tool_calls import function_name


def run_findings(run: object, position: int, recorded_call_ids: frozenset[str]) -> tuple[Finding, ...]:
    """What there is to say about one run; ``recorded_call_ids`` are the calls that steps record."""
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
    for name, value in as_object(source.get("required_action")).items():
        for index, call in enumerate(map(as_object, as_list(as_object(value).get("tool_calls")))):
            call_id = as_id(call.get("id"))
            if call_id not in recorded_call_ids:
                place = f"required_action.{label(name)}.tool_calls[{index}]"
                notes.add(
                    "run_call_unfinished", place, call_id=label(call_id), name=label(function_name(call))
                )
    return tuple(notes.findings)
