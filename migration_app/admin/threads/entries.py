"""A thread's source, message by message and step by step, each with the items that it became and its findings.

For the thread's page and the review: reads what is handed to it, and asks the database only which chunk an item went
in.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence

from migration_app.admin.base.badges import Badge, severity_badge
from migration_app.admin.base.rendering import (
    Part,
    Sight,
    item_label,
    item_parts,
    message_parts,
    pretty_json,
    step_parts,
    time_text,
    waiting_parts,
)
from migration_app.contracts import Finding, JsonObject, PlannedItem, SourceThread, ThreadPlan
from migration_app.conversion.text import as_object, source_id_of
from migration_app.conversion.threads import Place
from migration_app.models import Conversation


@dataclasses.dataclass(frozen=True, slots=True)
class FindingRow:
    """A finding as shown, with its colour."""

    badge: Badge
    code: str
    text: str
    advice: str
    place: str
    source_kind: str
    source_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class ItemRow:
    """A planned item, and where it went if it was sent; numbers and chunks count from 1.

    ``note``: the migration wrote it. ``refused``: the target refused the item that it replaces.
    """

    number: int
    label: str
    parts: list[Part]
    chunk: int | None
    item_id: str
    note: bool
    refused: bool


@dataclasses.dataclass(frozen=True, slots=True)
class SourceEntry:
    """One message or tool step of the source with the items that it became."""

    kind: str
    label: str
    source_id: str
    time: str
    status: str
    parts: list[Part]
    items: list[ItemRow]
    findings: list[FindingRow]
    raw: str


def place_object(source: SourceThread, place: Place) -> JsonObject:
    """The source object at a place."""
    objects = {"message": source.messages, "step": source.steps, "run": source.runs}
    return as_object(objects[place.kind][place.position])


def place_id(source: SourceThread, place: Place) -> str:
    """Its id, or the one that conversion gives to an object without one."""
    return source_id_of(place_object(source, place), place.kind, place.position)


def source_entries(
    source: SourceThread,
    plan: ThreadPlan,
    places: Sequence[Place],
    conversation: Conversation | None,
    sight: Sight,
) -> list[SourceEntry]:
    """Entries for these places, with their items and findings."""
    wanted = {(place.kind, place_id(source, place)) for place in places}
    items: dict[tuple[str, str], list[tuple[int, PlannedItem]]] = {}
    for number, item in enumerate(plan.items):
        key = (item.source_kind, item.source_id)
        if key in wanted:
            items.setdefault(key, []).append((number, item))
    findings: dict[tuple[str, str], list[Finding]] = {}
    for finding in plan.findings:
        key = (finding.source_kind, finding.source_id)
        if key in wanted:
            findings.setdefault(key, []).append(finding)
    numbers = [number for found in items.values() for number, _item in found]
    sent = sent_items(conversation, numbers)
    refused = {entry["position"] for entry in (conversation.replacements if conversation else ())}
    entries = []
    for place in places:
        body, source_id = place_object(source, place), place_id(source, place)
        # Parts of a thread with the same id twice belong to the first place that names it.
        own_items = items.pop((place.kind, source_id), [])
        own_findings = findings.pop((place.kind, source_id), [])
        entries.append(
            SourceEntry(
                kind=place.kind,
                label=entry_label(place, body),
                source_id=source_id,
                time=time_text(body.get("created_at")),
                status="" if body.get("status") in (None, "completed") else str(body.get("status"))[:40],
                parts=entry_parts(source, place, body, sight),
                items=[_item_row(number, item, sent, refused, sight) for number, item in own_items],
                findings=finding_rows(own_findings),
                raw=pretty_json(body) if sight.content else "",
            )
        )
    return entries


def entry_label(place: Place, body: JsonObject) -> str:
    """What the object is, in a word or a few."""
    if place.kind == "message":
        return str(body.get("role") or "message without role")[:40]
    return "tool calls" if place.kind == "step" else "calls that the run waited for"


def entry_parts(source: SourceThread, place: Place, body: JsonObject, sight: Sight) -> list[Part]:
    """Its pieces, as far as the reader may see them."""
    if place.kind == "message":
        return message_parts(body, sight)
    return step_parts(body, sight) if place.kind == "step" else waiting_parts(body, source.steps, sight)


def _item_row(
    number: int,
    planned: PlannedItem,
    sent: Mapping[int, tuple[int, str]],
    refused: Collection[int],
    sight: Sight,
) -> ItemRow:
    chunk, item_id = sent.get(number, (None, ""))
    item = planned.item
    # Steps and runs say nothing themselves, and no source has developers: such messages are the migration's.
    note = item.get("type") == "message" and (planned.source_kind != "message" or item["role"] == "developer")
    return ItemRow(
        number=number + 1,
        label=item_label(item),
        parts=item_parts(item, sight),
        chunk=chunk,
        item_id=item_id,
        note=note,
        refused=number in refused,
    )


def sent_items(conversation: Conversation | None, numbers: Sequence[int]) -> dict[int, tuple[int, str]]:
    """For each of these items that a chunk covers: the chunk's number from 1, and the id the target gave it."""
    if conversation is None or not numbers:
        return {}
    sent = {}
    chunks = conversation.chunks.filter(first_item__lte=max(numbers), first_item__gt=min(numbers) - 20)
    for chunk in chunks.order_by("sequence"):
        for offset in range(chunk.item_count):
            item_id = chunk.item_ids[offset] if offset < len(chunk.item_ids) else ""
            sent[chunk.first_item + offset] = (chunk.sequence + 1, item_id)
    return sent


def finding_rows(findings: Iterable[Finding]) -> list[FindingRow]:
    """Findings as shown."""
    return [
        FindingRow(
            badge=severity_badge(finding.severity),
            code=finding.code,
            text=finding.text,
            advice=finding.advice,
            place=finding.place,
            source_kind=finding.source_kind,
            source_id=finding.source_id,
        )
        for finding in findings
    ]
