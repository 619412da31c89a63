"""A whole thread to its plan: conversation metadata, items in order, findings.

Imports only ``contracts`` and this package. Policies (what to do with images under the assistant, hosted
tool calls, attachments) will enter here and be handed to ``convert_message`` and ``convert_step``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from migration_app.contracts import Finding, JsonObject, PlannedItem, SourceThread, ThreadPlan
from migration_app.conversion.messages import convert_message
from migration_app.conversion.metadata import add_thread_id, convert_metadata
from migration_app.conversion.notes import Notes
from migration_app.conversion.resources import resource_words
from migration_app.conversion.runs import run_findings
from migration_app.conversion.text import as_id, as_object, label, labels, source_id_of, unknown_fields
from migration_app.conversion.timeline import created_message_id, place_steps, step_type
from migration_app.conversion.tool_calls import call_ids_of, convert_step, note_status

_KNOWN = frozenset({"id", "object", "created_at", "metadata", "tool_resources"})


def convert_thread(source: SourceThread) -> ThreadPlan:
    """Plan a thread's conversation; pure, total, and the same bytes for the same input.

    Findings stand in this order: those of the source, the thread's own, those of steps and messages in the
    order of the conversation, those of steps that made messages, runs.
    """
    metadata, thread_findings = _thread(source)
    items, timeline_findings = _timeline(source)
    findings = (
        *source.findings,
        *thread_findings,
        *timeline_findings,
        *_creations(source.messages, source.steps),
        *_runs(source.runs, source.steps),
    )
    return ThreadPlan(source.thread_id, metadata, items, findings)


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


def _timeline(source: SourceThread) -> tuple[tuple[PlannedItem, ...], list[Finding]]:
    """Items and findings of messages, each after the steps that led to it."""
    files: Mapping[str, JsonObject] = source.files
    timeline = place_steps(source.messages, source.runs, source.steps)
    used_call_ids: set[str] = set()
    items: list[PlannedItem] = []
    findings: list[Finding] = []
    group = 0
    for slot, positions in enumerate(timeline.slots):
        for position in positions:
            step_items, notes = convert_step(
                source.steps[position],
                position,
                used_call_ids,
                group,
                uncertain=position in timeline.uncertain,
            )
            items += step_items
            findings += notes.findings
            group += bool(step_items)
        if slot < len(source.messages):
            converted = convert_message(source.messages[slot], slot, files)
            items += converted.planned(group)
            findings += converted.notes.findings
            group += converted.item is not None
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


def _runs(runs: Sequence[object], steps: Sequence[object]) -> list[Finding]:
    recorded = frozenset[str]().union(*map(call_ids_of, steps)) - {""}
    return [finding for position, run in enumerate(runs) for finding in run_findings(run, position, recorded)]
