"""What a thread's page shows: source beside items, findings in place, chunks, runs, resources, audit timeline.

Reads the snapshot and converts it under the policies of its conversation, which is pure; no API is
called. Each view with content writes an audit row: the only write that a GET of the console makes.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
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
    Sight,
    pretty_json,
)
from migration_app.admin.threads.actions import ACTIONS, ERASE_WORDS
from migration_app.admin.threads.confirm_pages import thread_action_url
from migration_app.admin.threads.entries import SourceEntry, finding_rows, place_id, source_entries
from migration_app.admin.threads.resources import resource_rows
from migration_app.admin.threads.runs import items_of_runs, run_rows
from migration_app.audit.trail import audit_record
from migration_app.batches.kinds import BATCH_KINDS, BatchKind, kinds_that_take
from migration_app.contracts import (
    policies_as_dict,
)
from migration_app.conversion.findings.policies import codes_of_other_choices
from migration_app.conversion.resources import thread_resources
from migration_app.conversion.threads import thread_places
from migration_app.models import AuditEvent, Batch, Chunk, Conversation, ReviewCase, Thread
from migration_app.threads.plans import (
    PlannedThread,
    batch_policies,
    policies_summary,
    shown_plan,
)

K = Batch.Kind

ENTRIES_A_PAGE = 50
_ROWS_A_PAGE = 25
_FORMERS_SHOWN = 10
_DECISIONS: frozenset[str] = frozenset(
    {K.BACKFILL, K.VERIFY, K.RETRY, K.ACCEPT, K.REMIGRATE, K.ROLLBACK, K.EXCLUDE}
)


def thread_context(request: HttpRequest, thread: Thread) -> dict[str, Any]:
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
        "review_url": _review_url(thread),
        "review_case": ReviewCase.objects.select_related("person").filter(pk=thread.pk).first()
        if thread.status == Thread.Status.NEEDS_REVIEW
        else None,
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
        planned, lost = shown_plan(thread)
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
    """Actions that would take this thread now and that the user may start, with their addresses.

    What decides about a thread in review is on its review page, beside what was read and what follows.
    """
    decided_there = _DECISIONS if _review_url(thread) else frozenset()
    kinds = (BATCH_KINDS[name] for name in kinds_that_take(thread.pk) if name not in decided_there)
    return [
        (kind, thread_action_url(kind.name, thread))
        for kind in kinds
        if request.user.has_perm(kind.permission)
    ]


def _review_url(thread: Thread) -> str:
    """The review page of a thread in review; empty for others, and where that room was taken out."""
    if thread.status != Thread.Status.NEEDS_REVIEW:
        return ""
    try:
        return reverse("review_case", args=[thread.pk])
    except NoReverseMatch:
        return ""


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
    in_place = {(place.kind, place_id(source, place)) for place in places}
    apart = [f for f in plan.findings if (f.source_kind, f.source_id) not in in_place]
    runs = slice_of(request, "runs", source.runs, size=_ROWS_A_PAGE)
    resources = slice_of(request, "resources", thread_resources(source), size=_ROWS_A_PAGE)
    entry_pages: dict[tuple[str, str], int] = {
        (place.kind, place_id(source, place)): position // ENTRIES_A_PAGE + 1
        for position, place in reversed(list(enumerate(places)))
    }
    counts = Counter((finding.code, finding.severity) for finding in plan.findings)
    return {
        "entries": dataclasses.replace(
            page, rows=source_entries(source, plan, page.rows, conversation, sight)
        ),
        "item_total": len(plan.items),
        "apart": slice_of(request, "findings", finding_rows(apart), size=_ROWS_A_PAGE),
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
