"""The first page: where the estate stands, what runs, and what needs a person. A dozen index-only counts."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from migration_app.admin.badges import fidelity_badge, thread_badge
from migration_app.admin.batches import OPEN_STATES, batch_percent, batch_progress_words
from migration_app.admin.imports import IMPORT, import_percent, import_progress_words
from migration_app.admin.imports import OPEN_STATES as IMPORT_OPEN_STATES
from migration_app.admin.site import may_view_threads
from migration_app.admin.workers import workers_state
from migration_app.models import (
    Assistant,
    AuditEvent,
    Batch,
    OrphanConversation,
    SourceImport,
    SourceObject,
    Thread,
)
from migration_app.services.batches import batch_progress

S = Thread.Status
_SHOWN = 5


def dashboard_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the dashboard shows. Staff without a role get an empty page that says so."""
    if not may_view_threads(request):
        return {**context, "title": "Dashboard", "has_role": False}
    by_status = dict(
        Thread.objects.order_by().values_list("status").annotate(n=Count("pk")).values_list("status", "n")
    )
    total = sum(by_status.values())
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
        "fidelities": _fidelities(total),
        "batches": [_batch_row(batch) for batch in Batch.objects.filter(state__in=OPEN_STATES)[:_SHOWN]],
        "imports": [
            {
                "row": row,
                "percent": import_percent(row),
                "words": import_progress_words(row),
                "url": reverse("admin:migration_app_sourceimport_change", args=[row.pk]),
                "progress_url": reverse("admin:migration_app_sourceimport_progress", args=[row.pk]),
            }
            for row in SourceImport.objects.filter(state__in=IMPORT_OPEN_STATES)[:_SHOWN]
        ],
        "needs": _needs(by_status),
        "audit": AuditEvent.objects.order_by("-id")[:10],
        "workers": workers_state(),
    }


def _threads_url(**filters: str) -> str:
    query = urlencode({f"{name}__exact": value for name, value in filters.items()})
    return f"{reverse('admin:migration_app_thread_changelist')}?{query}"


def _fidelities(total: int) -> list[dict[str, Any]]:
    counts = dict(
        Thread.objects.exclude(fidelity="")
        .order_by()
        .values_list("fidelity")
        .annotate(n=Count("pk"))
        .values_list("fidelity", "n")
    )
    return [
        {
            "badge": fidelity_badge(fidelity),
            "count": f"{counts.get(fidelity, 0):,}",
            "value": counts.get(fidelity, 0),
            "max": max(total, 1),
            "percent": _percent_words(counts.get(fidelity, 0), total),
            "url": _threads_url(fidelity=fidelity),
        }
        for fidelity in ("exact", "transformed", "lossy", "blocked")
    ]


def _percent_words(count: int, total: int) -> str:
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
        "words": batch_progress_words(batch, progress),
        "url": reverse("admin:migration_app_batch_change", args=[batch.pk]),
        "progress_url": reverse("admin:migration_app_batch_progress", args=[batch.pk]),
    }


def _needs(by_status: dict[str, int]) -> list[dict[str, Any]]:
    """What waits for a person, the most urgent first; nothing where there is nothing."""
    needs = []
    for status, words in (
        (S.NEEDS_REVIEW, "must be looked at: their conversation is not what was planned"),
        (S.BLOCKED, "blocked by a finding: correct the archive, retry or exclude"),
        (S.SOURCE_MISSING, "no longer known to the source"),
    ):
        if by_status.get(status):
            needs.append(_need(by_status[status], "thread", words, _threads_url(status=status)))
    if by_status.get(S.FAILED):
        errors = (
            Thread.objects.filter(status=S.FAILED)
            .order_by()
            .values_list("error_code")
            .annotate(n=Count("pk"))
            .values_list("error_code", "n")
            .order_by("-n", "error_code")[:_SHOWN]
        )
        needs += [
            _need(
                count,
                "thread",
                f"failed: {code or 'without a code'}",
                _threads_url(status=S.FAILED, **({"error_code": code} if code else {})),
            )
            for code, count in errors
        ]
    for model, noun, words, name, query in (
        (OrphanConversation.objects, "lost create", "on the orphan ledger", "orphanconversation", ""),
        (
            SourceObject.objects.filter(state=SourceObject.State.CONFLICT),
            "conflict",
            "between versions of an assistant, file or vector store",
            "sourceobject",
            "?state__exact=conflict",
        ),
    ):
        count = model.count()
        if count:
            needs.append(_need(count, noun, words, reverse(f"admin:migration_app_{name}_changelist") + query))
    return needs


def _need(count: int, noun: str, words: str, url: str) -> dict[str, Any]:
    return {"count": f"{count:,}", "noun": noun if count == 1 else f"{noun}s", "words": words, "url": url}
