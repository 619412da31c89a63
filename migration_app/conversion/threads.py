"""A whole thread to its plan: conversation metadata, items in order, findings.

Imports only ``contracts``, ``spill`` and this package.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Literal

from migration_app.contracts import Finding, PlannedItem, Policies, SourceThread, ThreadPlan
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.items.context import Context
from migration_app.conversion.items.messages import convert_message
from migration_app.conversion.items.runs import (
    convert_waiting,
    run_findings,
    unfinished_runs,
    waiting_calls,
)
from migration_app.conversion.items.timeline import (
    Timeline,
    created_message_id,
    place_steps,
    step_type,
)
from migration_app.conversion.items.tool_calls import call_ids_of, convert_step, note_status
from migration_app.conversion.metadata import add_thread_id, convert_metadata
from migration_app.conversion.resources import resource_ids, resource_summary
from migration_app.conversion.text import as_id, as_object, label, labels, source_id_of, unknown_fields
from migration_app.spill import FINDING_BYTES, FINDINGS, ITEMS, Gathering, is_spilled

_KNOWN = frozenset({"id", "object", "created_at", "metadata", "tool_resources", "deleted"})
_DEFAULTS = Policies()


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What stands somewhere in the conversation's order: a source object by its position among its kind.

    A run stands where the calls are that it waited for. ``uncertain``: nothing says when, so it is at the end.
    """

    kind: Literal["message", "step", "run"]
    position: int
    uncertain: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class _Order:
    """The order of the conversation. ``waiting``: the runs, by position, that stand in it as steps behind the others.

    ``recorded``: ids of the calls that steps hold, where any run says that it waits for one.
    """

    timeline: Timeline
    waiting: Sequence[int]
    recorded: frozenset[str]


def convert_thread(source: SourceThread, policies: Policies = _DEFAULTS) -> ThreadPlan:
    """Plan a thread's conversation; pure, total, and the same bytes for the same input and policies.

    Findings stand in this order: those of the source, the thread's own, those of steps, messages and waiting
    runs in the order of the conversation, those of steps that made messages, runs. A large thread's plan goes
    piece by piece into a file, as the thread itself is in one.
    """
    spill = is_spilled(source.messages, source.runs, source.steps)
    items, findings = Gathering(ITEMS, spill=spill), Gathering(FINDINGS, spill=spill)
    metadata, thread_findings = _thread(source, policies)
    for finding in itertools.chain(source.findings, thread_findings):
        findings.append(finding, FINDING_BYTES)
    order = _order(source)
    for made, noted in _timeline(source, policies, order):
        for planned in made:
            items.append(planned)
        for finding in noted:
            findings.append(finding, FINDING_BYTES)
    ended = (finding for position, run in enumerate(source.runs) for finding in run_findings(run, position))
    for finding in itertools.chain(_creations(source.steps, order.timeline.created), ended):
        findings.append(finding, FINDING_BYTES)
    return ThreadPlan(source.thread_id, metadata, items.sequence(), findings.sequence())


def thread_places(source: SourceThread) -> tuple[Place, ...]:
    """Messages, tool steps before the messages they led to, and runs with calls of their own, in order."""
    return tuple(Place(*entry) for entry in _places(source, _order(source)))


def _order(source: SourceThread) -> _Order:
    asking = [position for position, run in enumerate(source.runs) if as_object(run).get("required_action")]
    recorded = frozenset[str]()
    if asking:
        recorded = frozenset(call_id for step in source.steps for call_id in call_ids_of(step)) - {""}
    waiting = [position for position in asking if waiting_calls(source.runs[position], recorded)]
    if not waiting and not source.steps:
        only_messages = Timeline({}, frozenset(), frozenset())
        return _Order(only_messages, waiting, recorded)
    # A waiting run counts as its own last step: without a time, it takes that of the step before it.
    last_steps = [
        {"run_id": as_object(source.runs[position]).get("id"), "type": "tool_calls"} for position in waiting
    ]
    return _Order(place_steps(source.messages, source.runs, source.steps, last_steps), waiting, recorded)


def _places(
    source: SourceThread, order: _Order
) -> Iterator[tuple[Literal["message", "step", "run"], int, bool]]:
    """The fields of each ``Place``, in order."""
    steps, uncertain = len(source.steps), order.timeline.uncertain
    for slot in range(len(source.messages) + 1):
        for position in order.timeline.slots.get(slot, ()):
            if position < steps:
                yield "step", position, position in uncertain
            else:
                yield "run", order.waiting[position - steps], position in uncertain
        if slot < len(source.messages):
            yield "message", slot, False


def _thread(source: SourceThread, policies: Policies) -> tuple[dict[str, str], list[Finding]]:
    notes = Notes("thread", as_id(source.thread_id))
    thread = as_object(source.thread)
    if source.deleted:
        notes.add("thread_deleted" if policies.deletions == "leave_out" else "thread_deleted_carried")
    if not thread:
        notes.add("thread_object_missing")
    metadata = convert_metadata(thread.get("metadata"), notes)
    metadata = add_thread_id(metadata, as_id(source.thread_id), notes)
    resources = resource_summary(thread.get("tool_resources"))
    if resources:
        notes.add("tool_resources_kept", "tool_resources", resources=resources)
    unknown = unknown_fields(thread, _KNOWN)
    if unknown:
        notes.add("fields_unknown", names=labels(unknown))
    return metadata, notes.findings


def _timeline(
    source: SourceThread, policies: Policies, order: _Order
) -> Iterator[tuple[Sequence[PlannedItem], Sequence[Finding]]]:
    """Items and findings of everything that has a place in the conversation."""
    resources = as_object(source.thread).get("tool_resources")
    context = Context(
        policies,
        source.files,
        tuple(resource_ids(resources, "file_search", "vector_store_ids")),
        frozenset(resource_ids(resources, "code_interpreter", "file_ids")),
    )
    used_call_ids: set[str] = set()
    group = 0
    unfinished = unfinished_runs(source.runs)
    deleted = bool(source.deleted_messages)
    for kind, position, uncertain in _places(source, order):
        reason = order.timeline.unplaced if uncertain else ""
        if kind == "message":
            message = source.messages[position]
            is_deleted = deleted and as_id(as_object(message).get("id")) in source.deleted_messages
            converted = convert_message(message, position, context, is_deleted=is_deleted)
            made, notes = converted.planned(group), converted.notes
        elif kind == "step":
            step = source.steps[position]
            ended = as_id(as_object(step).get("run_id")) not in unfinished
            made, notes = convert_step(
                step, position, context, used_call_ids, group, unplaced=reason, run_ended=ended
            )
        else:
            run = source.runs[position]
            made, notes = convert_waiting(run, position, order.recorded, context, group, unplaced=reason)
        yield made, notes.findings
        group += bool(made)


def _creations(steps: Sequence[object], created: frozenset[str]) -> Iterator[Finding]:
    """Findings of the steps that made messages: the messages themselves carry their content."""
    for position, step in enumerate(map(as_object, steps)):
        if step_type(step) != "message_creation":
            continue
        notes = Notes("step", source_id_of(step, "step", position))
        note_status(step, notes)
        message_id = created_message_id(step)
        if message_id not in created:
            shown = label(message_id) or "without an id"
            notes.add("step_message_missing", "step_details.message_creation.message_id", message_id=shown)
        yield from notes.findings
