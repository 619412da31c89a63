"""The first page: the state of the estate, active jobs, and what needs attention. Threads are counted by counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from migration_app.admin.base.badges import fidelity_badge, thread_badge
from migration_app.admin.base.paging import COUNTED_UP_TO
from migration_app.admin.base.site import may_view_threads
from migration_app.admin.base.workers import workers_state
from migration_app.admin.batches.batches import OPEN_STATES, batch_percent, batch_progress_text
from migration_app.admin.imports.imports import IMPORT, import_percent, import_progress_text
from migration_app.admin.imports.imports import OPEN_STATES as IMPORT_OPEN_STATES
from migration_app.batches.progress import batch_progress
from migration_app.counters import TallyLine, tally_lines, tally_sums
from migration_app.engine.target_behaviour import repeats_are_refused
from migration_app.index_walks import counted_up_to, walk
from migration_app.models import (
    Assistant,
    AuditEvent,
    Batch,
    FormerConversation,
    OrphanConversation,
    SourceImport,
    SourceObject,
    TargetBehaviour,
    Thread,
)

S = Thread.Status
_SHOWN = 5


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the dashboard shows. Staff without a role get an empty page that says so."""
    if not may_view_threads(request):
        return {**context, "title": "Dashboard", "has_role": False}
    lines = tally_lines()
    by_status = tally_sums(lines, lambda line: line.status)
    total = by_status.total()
    return {
        **context,
        "title": "Dashboard",
        "has_role": True,
        "total": f"{total:,}",
        "is_empty": not total and not Assistant.objects.exists(),
        "may_import": request.user.has_perm(IMPORT),
        "upload_url": reverse("admin:migration_app_sourceimport_upload"),
        "verified_percent": by_status.get(S.VERIFIED, 0) * 100 // total if total else 0,
        "verified": f"{by_status.get(S.VERIFIED, 0):,}",
        "cards": [
            {
                "badge": thread_badge(status),
                "status": status,
                "count": f"{by_status.get(status, 0):,}",
                "zero": not by_status.get(status, 0),
                "url": _threads_url(status=status),
            }
            for status in S.values
        ],
        "fidelities": _fidelities(tally_sums(lines, lambda line: line.fidelity), total),
        "batches": [_batch_row(batch) for batch in Batch.objects.filter(state__in=OPEN_STATES)[:_SHOWN]],
        "imports": [
            {
                "row": row,
                "percent": import_percent(row),
                "text": import_progress_text(row),
                "url": reverse("admin:migration_app_sourceimport_change", args=[row.pk]),
                "progress_url": reverse("admin:migration_app_sourceimport_progress", args=[row.pk]),
            }
            for row in SourceImport.objects.filter(state__in=IMPORT_OPEN_STATES)[:_SHOWN]
        ],
        "needs": _needs(lines, by_status),
        "audit": AuditEvent.objects.order_by("-id")[:10],
        "workers": workers_state(),
        "targets": [
            _target_row(row) for row in TargetBehaviour.objects.order_by("-repeats_seen_at")[:_SHOWN]
        ],
    }


def _target_row(row: TargetBehaviour) -> dict[str, Any]:
    """What is known of a target, as text."""
    known = row.repeats
    if known == TargetBehaviour.Repeats.REFUSED and not repeats_are_refused(row, now=timezone.now()):
        known = TargetBehaviour.Repeats.UNKNOWN
    return {
        "name": row.target,
        "repeats": {
            TargetBehaviour.Repeats.REFUSED: "A repeated append is refused: a lost answer costs one more append.",
            TargetBehaviour.Repeats.TAKEN: "A repeated append is taken again: a lost answer starts its thread over.",
        }.get(TargetBehaviour.Repeats(known), "Not known whether it refuses a repeated append."),
        "seen_at": row.repeats_seen_at,
        "note": row.repeats_note,
        "lag": f"{row.list_lag_seconds:.1f}" if row.list_lag_seconds else "",
    }


def _threads_url(**filters: str) -> str:
    query = urlencode({f"{name}__exact": value for name, value in filters.items()})
    return f"{reverse('admin:migration_app_thread_changelist')}?{query}"


def _fidelities(counts: Mapping[str, int], total: int) -> list[dict[str, Any]]:
    return [
        {
            "badge": fidelity_badge(fidelity),
            "count": f"{counts.get(fidelity, 0):,}",
            "value": counts.get(fidelity, 0),
            "max": max(total, 1),
            "percent": _percent_text(counts.get(fidelity, 0), total),
            "url": _threads_url(fidelity=fidelity),
        }
        for fidelity in ("exact", "transformed", "lossy", "blocked")
    ]


def _percent_text(count: int, total: int) -> str:
    """A share for people: never 0% of something, never 100% of less than all."""
    if not count or not total:
        return "0%"
    if count == total:
        return "100%"
    return f"{min(99, max(1, count * 100 // total))}%" if count * 100 >= total else "<1%"


def _batch_row(batch: Batch) -> dict[str, Any]:
    progress = batch_progress(batch)
    return {
        "batch": batch,
        "percent": batch_percent(batch, progress),
        "text": batch_progress_text(batch, progress),
        "url": reverse("admin:migration_app_batch_change", args=[batch.pk]),
        "progress_url": reverse("admin:migration_app_batch_progress", args=[batch.pk]),
    }


def _needs(lines: Sequence[TallyLine], by_status: Mapping[str, int]) -> list[dict[str, Any]]:
    """What waits for a person, the most urgent first; nothing where there is nothing."""
    needs = []
    for status, text in (
        (S.NEEDS_REVIEW, "need review: their conversation is not what was planned"),
        (S.BLOCKED, "blocked by a finding: correct the archive, retry or exclude"),
        (S.SOURCE_MISSING, "no longer known to the source"),
    ):
        if by_status.get(status):
            needs.append(_need(by_status[status], "thread", text, _threads_url(status=status)))
    if by_status.get(S.FAILED):
        failed = tally_sums([line for line in lines if line.status == S.FAILED], lambda line: line.error_code)
        errors = sorted(failed.items(), key=lambda entry: (-entry[1], entry[0]))[:_SHOWN]
        needs += [
            _need(
                count,
                "thread",
                f"failed: {code or 'without a code'}",
                _threads_url(status=S.FAILED, **({"error_code": code} if code else {})),
            )
            for code, count in errors
        ]
    for rows, noun, text, name, query in (
        (
            walk(OrphanConversation.objects.all(), {"state": "open"}),
            "unconfirmed create",
            "on the orphan ledger",
            "orphanconversation",
            "",
        ),
        (
            walk(SourceObject.objects.all(), {"state": SourceObject.State.CONFLICT}),
            "conflict",
            "between versions of an assistant, file or vector store",
            "sourceobject",
            "?state__exact=conflict",
        ),
        (
            FormerConversation.objects.filter(
                outcome="given_up", delete_after__isnull=True, deleted_at__isnull=True
            ),
            "conversation",
            "given up in doubt, which the target does not delete",
            "formerconversation",
            "?outcome__exact=given_up",
        ),
    ):
        count = counted_up_to(rows, COUNTED_UP_TO)
        if count:
            needs.append(_need(count, noun, text, reverse(f"admin:migration_app_{name}_changelist") + query))
    return needs


def _need(count: int, noun: str, text: str, url: str) -> dict[str, Any]:
    shown = f"{count:,}" if count <= COUNTED_UP_TO or noun == "thread" else f"more than {COUNTED_UP_TO:,}"
    return {"count": shown, "noun": noun if count == 1 else f"{noun}s", "text": text, "url": url}
