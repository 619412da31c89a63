"""Badges of the sidebar: how much waits for this very person. Named as strings in console.unfold.

They are on every page, so each is one cheap question, and asked only for those who may act.
"""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest

from migration_app.admin.base.actors import actor_of
from migration_app.admin.batches.acts import may_approve, may_control
from migration_app.admin.operation.attention import APPROVE_PROMPT
from migration_app.counters import tally_lines
from migration_app.index_walks import counted_up_to, walk
from migration_app.models import OrphanConversation, Thread
from migration_app.operation.attention import batches_held, batches_waiting, versions_to_approve

_MOST = 999


def batches_badge(request: HttpRequest) -> str:
    """Batches that paused themselves, and those that wait for this person's approval."""
    held = sum(may_control(request, batch) for batch in batches_held())
    return _shown(held + sum(may_approve(request, batch) for batch in batches_waiting()))


def prompts_badge(request: HttpRequest) -> str:
    """Versions that this person may approve."""
    may = request.user.has_perm(APPROVE_PROMPT)
    return _shown(len(versions_to_approve(actor_of(request))) if may else 0)


def review_badge(request: HttpRequest) -> str:
    """Threads in review that wait for a decision: one that is decided counts no longer, before its work is done."""
    if not request.user.has_perm("migration_app.review_thread"):
        return ""
    waiting = tally_lines(Q(status=Thread.Status.NEEDS_REVIEW, pending_work=""))
    return _shown(sum(line.threads for line in waiting))


def orphans_badge(request: HttpRequest) -> str:
    """Open entries of the orphan ledger."""
    if not request.user.has_perm("migration_app.close_orphan"):
        return ""
    entries = walk(OrphanConversation.objects.all(), {"state": OrphanConversation.State.OPEN})
    return _shown(counted_up_to(entries, _MOST))


def _shown(count: int) -> str:
    if not count:
        return ""
    return f"{count:,}" if count <= _MOST else f"{_MOST:,}+"
