"""What a thread's page shows: source beside items, findings in place, chunks, runs, audit timeline.

Reads the snapshot and converts it anew, which is pure; nothing is asked of an API. Whoever may see content
leaves an audit row each time: the only write that a GET of the console makes.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from migration_app.admin.actors import actor_of
from migration_app.admin.badges import (
    Badge,
    chunk_badge,
    conversation_badge,
    fidelity_badge,
    run_badge,
    severity_badge,
    thread_badge,
)
from migration_app.admin.bodies import (
    Part,
    Sight,
    item_label,
    item_parts,
    message_parts,
    pretty_json,
    step_parts,
)
from migration_app.admin.kinds import ACTIONS, ActionKind
from migration_app.admin.slices import Slice, slice_of
from migration_app.contracts import Finding, JsonObject, PlannedItem, SourceThread, ThreadPlan
from migration_app.conversion.text import as_id, as_object, parse_time, source_id_of
from migration_app.conversion.threads import convert_thread
from migration_app.conversion.timeline import place_steps
from migration_app.models import AuditEvent, Chunk, Conversation, Thread
from migration_app.services.audit import audit_record
from migration_app.services.batches import ELIGIBLE
from migration_app.services.snapshots import load_source_thread

ENTRIES_A_PAGE = 50
_ROWS_A_PAGE = 25


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
    """A planned item, and where it went if it was sent."""

    number: int
    label: str
    parts: list[Part]
    chunk: int | None
    item_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
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


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """Where an entry's source object stands: its kind and its position among the messages or steps."""

    kind: str
    position: int


def review_context(request: HttpRequest, thread: Thread) -> dict[str, Any]:
    """Everything that the thread's page shows."""
    may_see = request.user.has_perm("migration_app.view_content")
    source = load_source_thread(thread) if thread.pages.exists() else None
    conversation = Conversation.objects.filter(thread=thread).first()
    context: dict[str, Any] = {
        "thread": thread,
        "may_see": may_see,
        "status": thread_badge(thread.status),
        "fidelity": _fidelity_badge(thread.fidelity),
        "conversation": conversation,
        "conversation_state": conversation_badge(conversation.state) if conversation else None,
        "orphans": list(thread.orphans.all()[:5]),
        "actions": _actions(request, thread),
        "audit": slice_of(
            request,
            "audit",
            AuditEvent.objects.filter(subject_kind="thread", subject_id=thread.thread_id).order_by("-id"),
            size=_ROWS_A_PAGE,
        ),
        "chunks": _chunks(request, conversation),
    }
    if source is not None:
        sight = Sight(may_see, whole="whole" in request.GET)
        context |= _source_context(request, source, convert_thread(source), conversation, sight)
        if may_see:
            entries: Slice[Entry] = context["entries"]
            audit_record(
                actor=actor_of(request),
                verb="thread.content_viewed",
                subject_kind="thread",
                subject_id=thread.thread_id,
                reason=f"entries {entries.first}–{entries.last} of {entries.total}",
            )
    return context


def _fidelity_badge(fidelity: str) -> Badge | None:
    badge = fidelity_badge(fidelity)
    return Badge(f"fidelity: {badge.text}", badge.type) if badge else None


def _actions(request: HttpRequest, thread: Thread) -> list[tuple[ActionKind, str]]:
    """Actions that would take this thread now and that the user may start, with their addresses."""
    kinds = [
        kind
        for kind in ACTIONS.values()
        if kind.eligible_as and kind.starts_batch and request.user.has_perm(kind.permission)
    ]
    if not kinds or thread.pending_work:
        return []
    takes = Thread.objects.filter(pk=thread.pk).annotate(
        **{
            f"takes_{kind.name}": ExpressionWrapper(Q(ELIGIBLE[kind.eligible_as]), BooleanField())
            for kind in kinds
        }
    )
    row = takes.values(*(f"takes_{kind.name}" for kind in kinds)).get()
    query = urlencode({"thread_id__exact": thread.thread_id})
    return [
        (kind, f"{reverse('admin:migration_app_thread_act', args=[kind.name])}?{query}")
        for kind in kinds
        if row[f"takes_{kind.name}"]
    ]


def _chunks(request: HttpRequest, conversation: Conversation | None) -> Slice[tuple[Chunk, Badge]] | None:
    if conversation is None:
        return None
    page = slice_of(request, "chunks", conversation.chunks.order_by("sequence"), size=_ROWS_A_PAGE)
    return dataclasses.replace(page, rows=[(chunk, chunk_badge(chunk.state)) for chunk in page.rows])


def _source_context(
    request: HttpRequest,
    source: SourceThread,
    plan: ThreadPlan,
    conversation: Conversation | None,
    sight: Sight,
) -> dict[str, Any]:
    places = _places(source)
    page = slice_of(request, "page", places, size=ENTRIES_A_PAGE)
    in_place = {(place.kind, _source_id(source, place)) for place in places}
    apart = [f for f in plan.findings if (f.source_kind, f.source_id) not in in_place]
    runs = slice_of(request, "runs", source.runs, size=_ROWS_A_PAGE)
    counts = Counter((finding.code, finding.severity) for finding in plan.findings)
    return {
        "entries": dataclasses.replace(page, rows=_entries(source, plan, page.rows, conversation, sight)),
        "item_total": len(plan.items),
        "apart": slice_of(request, "findings", _finding_rows(apart), size=_ROWS_A_PAGE),
        "finding_counts": [
            (code, severity_badge(severity), count) for (code, severity), count in counts.most_common()
        ],
        "runs": dataclasses.replace(runs, rows=[_run_row(run, sight) for run in runs.rows]),
        "thread_raw": pretty_json(source.thread) if sight.content and source.thread is not None else "",
        "metadata": [sight.part(key, value) for key, value in plan.metadata.items()] if sight.content else [],
        "metadata_count": len(plan.metadata),
        "whole_url": f"?{urlencode({**request.GET.dict(), 'whole': '1'})}",
    }


def _places(source: SourceThread) -> list[_Place]:
    """Messages and tool steps in the order of the conversation, each step before the message it led to."""
    timeline = place_steps(source.messages, source.runs, source.steps)
    places: list[_Place] = []
    for slot, steps in enumerate(timeline.slots):
        places += [_Place("step", position) for position in steps]
        if slot < len(source.messages):
            places.append(_Place("message", slot))
    return places


def _object(source: SourceThread, place: _Place) -> JsonObject:
    return as_object((source.messages if place.kind == "message" else source.steps)[place.position])


def _source_id(source: SourceThread, place: _Place) -> str:
    return source_id_of(_object(source, place), place.kind, place.position)


def _entries(
    source: SourceThread,
    plan: ThreadPlan,
    places: Sequence[_Place],
    conversation: Conversation | None,
    sight: Sight,
) -> list[Entry]:
    wanted = {(place.kind, _source_id(source, place)) for place in places}
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
    sent = _sent(conversation, numbers)
    entries = []
    for place in places:
        body, source_id = _object(source, place), _source_id(source, place)
        # Parts of a thread with the same id twice belong to the first place that names it.
        own_items = items.pop((place.kind, source_id), [])
        own_findings = findings.pop((place.kind, source_id), [])
        is_message = place.kind == "message"
        entries.append(
            Entry(
                kind=place.kind,
                label=str(body.get("role") or "message without role")[:40] if is_message else "tool calls",
                source_id=source_id,
                time=time_words(body.get("created_at")),
                status="" if body.get("status") in (None, "completed") else str(body.get("status"))[:40],
                parts=message_parts(body, sight) if is_message else step_parts(body, sight),
                items=[_item_row(number, item, sent, sight) for number, item in own_items],
                findings=_finding_rows(own_findings),
                raw=pretty_json(body) if sight.content else "",
            )
        )
    return entries


def _item_row(number: int, item: PlannedItem, sent: dict[int, tuple[int, str]], sight: Sight) -> ItemRow:
    chunk, item_id = sent.get(number, (None, ""))
    return ItemRow(number + 1, item_label(item.item), item_parts(item.item, sight), chunk, item_id)


def _sent(conversation: Conversation | None, numbers: Sequence[int]) -> dict[int, tuple[int, str]]:
    """For each of these items that a chunk covers: the chunk's sequence, and the id the target gave it."""
    if conversation is None or not numbers:
        return {}
    sent = {}
    chunks = conversation.chunks.filter(first_item__lte=max(numbers), first_item__gt=min(numbers) - 20)
    for chunk in chunks.order_by("sequence"):
        for offset in range(chunk.item_count):
            item_id = chunk.item_ids[offset] if offset < len(chunk.item_ids) else ""
            sent[chunk.first_item + offset] = (chunk.sequence, item_id)
    return sent


def _finding_rows(findings: Iterable[Finding]) -> list[FindingRow]:
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


def _run_row(run: JsonObject, sight: Sight) -> dict[str, Any]:
    source = as_object(run)
    usage, error = as_object(source.get("usage")), as_object(source.get("last_error"))
    return {
        "id": as_id(source.get("id")) or "without id",
        "badge": run_badge(str(source.get("status") or "")[:40]),
        "model": str(source.get("model") or "–")[:80],
        "time": time_words(source.get("created_at")),
        "tokens": usage.get("total_tokens") if isinstance(usage.get("total_tokens"), int) else None,
        "error": str(error.get("code") or "")[:80],
        "error_text": sight.part("error", error.get("message") or "").text if error else "",
        "raw": pretty_json(source) if sight.content else "",
    }


def time_words(value: object) -> str:
    """A source time for people, UTC; empty when there is none that can be read."""
    seconds = parse_time(value)
    if seconds is None:
        return ""
    try:
        return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, OSError, ValueError):
        return ""
