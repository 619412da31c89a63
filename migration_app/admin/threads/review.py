"""What a thread's page shows: source beside items, findings in place, chunks, runs, resources, audit timeline.

Reads the snapshot and converts it under the policies of its conversation, which is pure; no API is
called. Each view with content writes an audit row: the only write that a GET of the console makes.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.badges import (
    Badge,
    chunk_badge,
    conversation_badge,
    fidelity_badge,
    severity_badge,
    thread_badge,
)
from migration_app.admin.base.pagination import Slice, slice_of
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
from migration_app.admin.threads.actions import ACTIONS, ERASE_WORDS
from migration_app.admin.threads.confirm_pages import thread_action_url
from migration_app.admin.threads.resources import resource_rows
from migration_app.admin.threads.runs import items_of_runs, run_rows
from migration_app.audit.trail import audit_record
from migration_app.batches.kinds import BATCH_KINDS, BatchKind
from migration_app.contracts import (
    Finding,
    JsonObject,
    PlannedItem,
    Policies,
    SourceThread,
    ThreadPlan,
    policies_as_dict,
)
from migration_app.conversion.findings.policies import codes_of_other_choices
from migration_app.conversion.resources import thread_resources
from migration_app.conversion.text import as_object, source_id_of
from migration_app.conversion.threads import Place, thread_places
from migration_app.models import AuditEvent, Chunk, Conversation, Thread
from migration_app.snapshots.pages import load_source_thread
from migration_app.threads.plans import (
    PlanLostError,
    PlannedThread,
    batch_policies,
    plan_of,
    policies_summary,
    thread_plan,
    thread_policies,
)

ENTRIES_A_PAGE = 50
_ROWS_A_PAGE = 25
_FORMERS_SHOWN = 10


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


def review_context(request: HttpRequest, thread: Thread) -> dict[str, Any]:
    """Everything that the thread's page shows."""
    may_see = request.user.has_perm("migration_app.view_content")
    conversation = Conversation.objects.filter(thread=thread).first()
    context: dict[str, Any] = {
        "thread": thread,
        "may_see": may_see,
        "status": thread_badge(thread.status),
        "fidelity": _fidelity_badge(thread.fidelity),
        "conversation": conversation,
        "conversation_state": conversation_badge(conversation.state) if conversation else None,
        "kept": conversation.continued_after if conversation else None,
        "formers": [
            (former, Badge(former.get_outcome_display(), "warning" if former.left_behind else ""))
            for former in thread.former_conversations.all()[:_FORMERS_SHOWN]
        ],
        "orphans": list(thread.orphans.all()[:5]),
        "actions": _actions(request, thread),
        "audit": slice_of(
            request,
            "audit",
            AuditEvent.objects.filter(subject_kind="thread", subject_id=thread.thread_id).order_by("-id"),
            size=_ROWS_A_PAGE,
        ),
        "chunks": _chunks(request, conversation),
        **_messages_context(request, thread, may_see=may_see),
    }
    if thread.pages.exists():
        sight = Sight(may_see, whole="whole" in request.GET)
        planned, lost = _planned(thread)
        context |= _source_context(request, planned, conversation, sight)
        context |= {
            "plan_lost": lost,
            "blocked_under": _blocked_under(thread, conversation),
            "policies_summary": policies_summary(planned.policies),
            "policies": policies_as_dict(planned.policies),
        }
        if may_see:
            entries: Slice[SourceEntry] = context["entries"]
            audit_record(
                actor=actor_of(request),
                verb="thread.content_viewed",
                subject_kind="thread",
                subject_id=thread.thread_id,
                reason=f"entries {entries.first}–{entries.last} of {entries.total}",
            )
    return context


def _messages_context(request: HttpRequest, thread: Thread, *, may_see: bool) -> dict[str, Any]:
    """Server messages of the thread: content, so only who may see that gets it, and leaves an audit row."""
    rows = slice_of(request, "text", thread.server_messages.order_by("-said_at", "item"), size=_ROWS_A_PAGE)
    if may_see and rows.total:
        audit_record(
            actor=actor_of(request),
            verb="thread.server_messages_viewed",
            subject_kind="thread",
            subject_id=thread.thread_id,
        )
    may_erase = request.user.has_perm(ACTIONS[ERASE_WORDS].permission)
    return {
        "server_messages": rows,
        "erase_url": thread_action_url(ERASE_WORDS, thread) if may_erase else "",
    }


def _planned(thread: Thread) -> tuple[PlannedThread, str]:
    """The thread's plan; if the one that was sent can't be rebuilt, the current one, and why."""
    try:
        return thread_plan(thread), ""
    except PlanLostError as error:
        source, policies = load_source_thread(thread), _readable_policies(thread)
        return PlannedThread(source, plan_of(source, policies, None), policies), str(error)


def _readable_policies(thread: Thread) -> Policies:
    """The thread's policies, or the defaults where they are those of another version of the console."""
    try:
        return thread_policies(thread)
    except PlanLostError:
        return Policies()


def _blocked_under(thread: Thread, conversation: Conversation | None) -> str:
    """The policies that blocked the thread, where they are not those of the plan shown; empty otherwise."""
    if conversation is not None or not codes_of_other_choices() & thread.finding_counts.keys():
        return ""
    try:
        return policies_summary(batch_policies(thread.batch))
    except ValueError as error:
        return f"policies that can't be read: {error}"


def _fidelity_badge(fidelity: str) -> Badge | None:
    badge = fidelity_badge(fidelity)
    return Badge(f"fidelity: {badge.text}", badge.type) if badge else None


def _actions(request: HttpRequest, thread: Thread) -> list[tuple[BatchKind, str]]:
    """Actions that would take this thread now and that the user may start, with their addresses."""
    kinds = [kind for kind in BATCH_KINDS.values() if request.user.has_perm(kind.permission)]
    if not kinds or thread.pending_work:
        return []
    takes = Thread.objects.filter(pk=thread.pk).annotate(
        **{f"takes_{kind.name}": ExpressionWrapper(Q(kind.takes), BooleanField()) for kind in kinds}
    )
    row = takes.values(*(f"takes_{kind.name}" for kind in kinds)).get()
    return [(kind, thread_action_url(kind.name, thread)) for kind in kinds if row[f"takes_{kind.name}"]]


def _chunks(request: HttpRequest, conversation: Conversation | None) -> Slice[tuple[Chunk, Badge]] | None:
    if conversation is None:
        return None
    page = slice_of(request, "chunks", conversation.chunks.order_by("sequence"), size=_ROWS_A_PAGE)
    return dataclasses.replace(page, rows=[(chunk, chunk_badge(chunk.state)) for chunk in page.rows])


def _source_context(
    request: HttpRequest, planned: PlannedThread, conversation: Conversation | None, sight: Sight
) -> dict[str, Any]:
    source, plan = planned.source, planned.plan
    places = thread_places(source)
    page = slice_of(request, "page", places, size=ENTRIES_A_PAGE)
    in_place = {(place.kind, _source_id(source, place)) for place in places}
    apart = [f for f in plan.findings if (f.source_kind, f.source_id) not in in_place]
    runs = slice_of(request, "runs", source.runs, size=_ROWS_A_PAGE)
    resources = slice_of(request, "resources", thread_resources(source), size=_ROWS_A_PAGE)
    entry_pages: dict[tuple[str, str], int] = {
        (place.kind, _source_id(source, place)): position // ENTRIES_A_PAGE + 1
        for position, place in reversed(list(enumerate(places)))
    }
    counts = Counter((finding.code, finding.severity) for finding in plan.findings)
    return {
        "entries": dataclasses.replace(page, rows=_entries(source, plan, page.rows, conversation, sight)),
        "item_total": len(plan.items),
        "apart": slice_of(request, "findings", _finding_rows(apart), size=_ROWS_A_PAGE),
        "finding_counts": [
            (code, severity_badge(severity), count, findings_url(code))
            for (code, severity), count in counts.most_common()
        ],
        "runs": dataclasses.replace(
            runs,
            rows=run_rows(
                runs.rows, source, items_of_runs(runs.rows, source, plan, entry_pages), conversation, sight
            ),
        ),
        "resources": dataclasses.replace(resources, rows=resource_rows(resources.rows, source, sight)),
        "thread_raw": pretty_json(source.thread) if sight.content and source.thread is not None else "",
        "metadata": [sight.part(key, value) for key, value in plan.metadata.items()] if sight.content else [],
        "metadata_count": len(plan.metadata),
        "whole_url": f"?{urlencode({**request.GET.dict(), 'whole': '1'})}",
    }


def findings_url(code: str) -> str:
    """The list of all threads that have a finding."""
    query = urlencode({"finding__exact": code})
    return f"{reverse('admin:migration_app_thread_changelist')}?{query}"


def _object(source: SourceThread, place: Place) -> JsonObject:
    objects = {"message": source.messages, "step": source.steps, "run": source.runs}
    return as_object(objects[place.kind][place.position])


def _source_id(source: SourceThread, place: Place) -> str:
    return source_id_of(_object(source, place), place.kind, place.position)


def _entries(
    source: SourceThread,
    plan: ThreadPlan,
    places: Sequence[Place],
    conversation: Conversation | None,
    sight: Sight,
) -> list[SourceEntry]:
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
    refused = {entry["position"] for entry in (conversation.replacements if conversation else ())}
    entries = []
    for place in places:
        body, source_id = _object(source, place), _source_id(source, place)
        # Parts of a thread with the same id twice belong to the first place that names it.
        own_items = items.pop((place.kind, source_id), [])
        own_findings = findings.pop((place.kind, source_id), [])
        entries.append(
            SourceEntry(
                kind=place.kind,
                label=_entry_label(place, body),
                source_id=source_id,
                time=time_text(body.get("created_at")),
                status="" if body.get("status") in (None, "completed") else str(body.get("status"))[:40],
                parts=_entry_parts(source, place, body, sight),
                items=[_item_row(number, item, sent, refused, sight) for number, item in own_items],
                findings=_finding_rows(own_findings),
                raw=pretty_json(body) if sight.content else "",
            )
        )
    return entries


def _entry_label(place: Place, body: JsonObject) -> str:
    if place.kind == "message":
        return str(body.get("role") or "message without role")[:40]
    return "tool calls" if place.kind == "step" else "calls that the run waited for"


def _entry_parts(source: SourceThread, place: Place, body: JsonObject, sight: Sight) -> list[Part]:
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


def _sent(conversation: Conversation | None, numbers: Sequence[int]) -> dict[int, tuple[int, str]]:
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
