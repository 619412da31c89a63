"""A whole thread to its plan: conversation metadata, items in order, findings.

Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from migration_app.contracts import Finding, PlannedItem, Policies, SourceThread, ThreadPlan
from migration_app.conversion.context import Context
from migration_app.conversion.messages import convert_message
from migration_app.conversion.metadata import add_thread_id, convert_metadata
from migration_app.conversion.notes import Notes
from migration_app.conversion.resources import resource_ids, resource_words
from migration_app.conversion.runs import convert_waiting, run_findings, waiting_calls
from migration_app.conversion.text import as_id, as_object, label, labels, source_id_of, unknown_fields
from migration_app.conversion.timeline import created_message_id, place_steps, step_type
from migration_app.conversion.tool_calls import call_ids_of, convert_step, note_status

_KNOWN = frozenset({"id", "object", "created_at", "metadata", "tool_resources"})
_DEFAULTS = Policies()


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What stands somewhere in the conversation's order: a source object by its position among its kind.

    A run stands where the calls are that it waited for. ``uncertain``: nothing says when, so it is at the end.
    """

    kind: Literal["message", "step", "run"]
    position: int
    uncertain: bool = False


def convert_thread(source: SourceThread, policies: Policies = _DEFAULTS) -> ThreadPlan:
    """Plan a thread's conversation; pure, total, and the same bytes for the same input and policies.

    Findings stand in this order: those of the source, the thread's own, those of steps, messages and waiting
    runs in the order of the conversation, those of steps that made messages, runs.
    """
    metadata, thread_findings = _thread(source)
    items, timeline_findings = _timeline(source, policies)
    findings = (
        *source.findings,
        *thread_findings,
        *timeline_findings,
        *_creations(source.messages, source.steps),
        *(finding for position, run in enumerate(source.runs) for finding in run_findings(run, position)),
    )
    return ThreadPlan(source.thread_id, metadata, items, findings)


def thread_places(source: SourceThread) -> tuple[Place, ...]:
    """Messages, tool steps before the messages they led to, and runs with calls of their own, in order."""
    recorded = _recorded_call_ids(source)
    waiting = [position for position, run in enumerate(source.runs) if waiting_calls(run, recorded)]
    # A waiting run counts as its own last step: without a time, it takes that of the step before it.
    last_steps = [
        {"run_id": as_object(source.runs[position]).get("id"), "type": "tool_calls"} for position in waiting
    ]
    timeline = place_steps(source.messages, source.runs, (*source.steps, *last_steps))
    places: list[Place] = []
    for slot, positions in enumerate(timeline.slots):
        for position in positions:
            after = position - len(source.steps)
            uncertain = position in timeline.uncertain
            places.append(
                Place("step", position, uncertain) if after < 0 else Place("run", waiting[after], uncertain)
            )
        if slot < len(source.messages):
            places.append(Place("message", slot))
    return tuple(places)


def _thread(source: SourceThread) -> tuple[dict[str, str], list[Finding]]:
    notes = Notes("thread", as_id(source.thread_id))
    thread = as_object(source.thread)
    if not thread:
        notes.add("thread_object_missing")
    metadata = convert_metadata(thread.get("metadata"), notes)
    metadata = add_thread_id(metadata, as_id(source.thread_id), notes)
    resources = resource_words(thread.get("tool_resources"))
    if resources:
        notes.add("tool_resources_kept", "tool_resources", resources=resources)
    unknown = unknown_fields(thread, _KNOWN)
    if unknown:
        notes.add("fields_unknown", names=labels(unknown))
    return metadata, notes.findings


def _timeline(source: SourceThread, policies: Policies) -> tuple[tuple[PlannedItem, ...], list[Finding]]:
    """Items and findings of everything that has a place in the conversation."""
    resources = as_object(source.thread).get("tool_resources")
    context = Context(
        policies,
        source.files,
        tuple(resource_ids(resources, "file_search", "vector_store_ids")),
        frozenset(resource_ids(resources, "code_interpreter", "file_ids")),
    )
    recorded = _recorded_call_ids(source)
    used_call_ids: set[str] = set()
    items: list[PlannedItem] = []
    findings: list[Finding] = []
    group = 0
    for place in thread_places(source):
        if place.kind == "message":
            converted = convert_message(source.messages[place.position], place.position, context)
            made, notes = converted.planned(group), converted.notes
        elif place.kind == "step":
            step = source.steps[place.position]
            made, notes = convert_step(
                step, place.position, context, used_call_ids, group, uncertain=place.uncertain
            )
        else:
            run = source.runs[place.position]
            made, notes = convert_waiting(
                run, place.position, recorded, context, group, uncertain=place.uncertain
            )
        items += made
        findings += notes.findings
        group += bool(made)
    return tuple(items), findings


def _creations(messages: Sequence[object], steps: Sequence[object]) -> list[Finding]:
    """Findings of the steps that made messages: the messages themselves carry their content."""
    known = {as_id(as_object(message).get("id")) for message in messages} - {""}
    findings: list[Finding] = []
    for position, step in enumerate(map(as_object, steps)):
        if step_type(step) != "message_creation":
            continue
        notes = Notes("step", source_id_of(step, "step", position))
        note_status(step, notes)
        message_id = created_message_id(step)
        if message_id not in known:
            shown = label(message_id) or "without an id"
            notes.add("step_message_missing", "step_details.message_creation.message_id", message_id=shown)
        findings += notes.findings
    return findings


def _recorded_call_ids(source: SourceThread) -> frozenset[str]:
    return frozenset[str]().union(*map(call_ids_of, source.steps)) - {""}
