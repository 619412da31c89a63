"""What waits for a person: the rows, by what harm waiting does. Who may do what about it, pages say.

Every question is bounded: counters, small tables, index walks.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Min, QuerySet
from django.utils import timezone

from migration_app.batches.control import PAUSED_BY
from migration_app.contracts import Actor
from migration_app.counters import TallyLine
from migration_app.index_walks import counted_up_to, walk
from migration_app.models import (
    Batch,
    FormerConversation,
    OrphanConversation,
    PromptVersion,
    Resource,
    SourceImport,
    SourceObject,
    Thread,
)
from migration_app.operation.samples import part_of
from migration_app.prompts.review import act_refusal
from migration_app.readiness.checklist import models_in_use
from migration_app.statements import statements_of

S = Thread.Status
COUNTED_UP_TO = 10_000
_GROUPS = 8
_ROWS = 5
_RECENT = dt.timedelta(days=7)
_SQL = statements_of(__name__)
_SCANNED = 500


@dataclasses.dataclass(frozen=True, slots=True)
class ThreadGroup:
    """Threads that wait for the same reason. ``oldest``: when the first of them got there, where that is known."""

    status: str
    error_code: str
    threads: int
    oldest: dt.datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class Pile:
    """Rows of one kind: how many (one above COUNTED_UP_TO: more), and since when the first one."""

    count: int
    oldest: dt.datetime | None


def batches_held() -> list[Batch]:
    """Batches that paused themselves, the oldest first."""
    paused = Batch.objects.filter(state=Batch.State.PAUSED).exclude(held_text__startswith=PAUSED_BY)
    return list(paused.order_by("id")[:_ROWS])


def batches_failed() -> list[Batch]:
    """Batches that could not be prepared, of the last days."""
    since = timezone.now() - _RECENT
    return list(Batch.objects.filter(state=Batch.State.FAILED, finished_at__gte=since).order_by("id")[:_ROWS])


def batches_waiting() -> list[Batch]:
    """Batches that wait for a second person, the oldest first."""
    return list(Batch.objects.filter(state=Batch.State.WAITING).order_by("id")[:_ROWS])


def versions_to_approve(actor: Actor) -> list[PromptVersion]:
    """Prompt versions in review that this person may decide about, as far as who wrote them goes; the oldest first."""
    versions = (
        PromptVersion.objects.filter(state=PromptVersion.State.IN_REVIEW)
        .select_related("prompt")
        .defer("spec_json", "findings")
        .order_by("created_at")[:100]
    )
    return [version for version in versions if not act_refusal(version, "approve", actor=actor)]


def thread_groups(lines: Sequence[TallyLine]) -> list[ThreadGroup]:
    """Threads in the estate's part *attention*, by status and reason; the most harmful and largest first.

    What is tried again waits for no person.
    """
    order = (S.NEEDS_REVIEW, S.FAILED, S.BLOCKED, S.BACKFILLED, S.SNAPSHOTTED, S.SOURCE_MISSING)
    counts: dict[tuple[str, str], int] = {}
    for line in lines:
        if part_of(line) == "attention":
            key = (line.status, line.error_code)
            counts[key] = counts.get(key, 0) + line.threads
    groups = sorted(
        ((key, count) for key, count in counts.items() if count > 0),
        key=lambda entry: (order.index(S(entry[0][0])), -entry[1], entry[0][1]),
    )[:_GROUPS]
    oldest = _oldest([key for key, _count in groups])
    return [ThreadGroup(*key, count, oldest.get(key)) for key, count in groups]


def imports_to_see() -> list[SourceImport]:
    """Imports of the last days that failed, or rejected something; the newest first."""
    since = timezone.now() - _RECENT
    rows = SourceImport.objects.filter(finished_at__gte=since).order_by("-id")
    bad = rows.filter(state=SourceImport.State.FAILED) | rows.filter(reject_count__gt=0)
    return list(bad[:_ROWS])


def models_retiring() -> Mapping[str, tuple[int, str]]:
    """Models that prompts name and that are gone or retire soon: how many prompts, and what is wrong."""
    return {
        use.model: (use.prompts, use.problem.text)
        for use in models_in_use()
        if use.problem is not None and use.problem.severity in {"error", "warning"}
    }


def resources_gone() -> Pile:
    """Files and vector stores that the target lacks."""
    gone = Resource.objects.filter(status__in=[Resource.Status.MISSING, Resource.Status.EXPIRED])
    return _pile(gone, "checked_at")


def conflicts() -> Pile:
    """Assistants, files and stores that came in two versions."""
    rows = walk(SourceObject.objects.all(), {"state": SourceObject.State.CONFLICT})
    return _pile(rows, "received_at")


def orphans() -> Pile:
    """Unconfirmed creates that nobody has closed."""
    return _pile(
        walk(OrphanConversation.objects.all(), {"state": OrphanConversation.State.OPEN}), "noticed_at"
    )


def conversations_left() -> Pile:
    """Conversations given up that the target did not delete."""
    rows = FormerConversation.objects.filter(
        outcome=FormerConversation.Outcome.GIVEN_UP, delete_after__isnull=True, deleted_at__isnull=True
    )
    return _pile(rows, "detached_at")


def _pile(rows: QuerySet[Any], at: str) -> Pile:
    count = counted_up_to(rows, COUNTED_UP_TO)
    if not count:
        return Pile(0, None)
    return Pile(count, rows.reverse().values(at)[:_SCANNED].aggregate(first=Min(at))["first"])


def _oldest(groups: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dt.datetime | None]:
    if not groups:
        return {}
    statuses, codes = zip(*groups, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_SQL["oldest"], {"most": _SCANNED, "statuses": list(statuses), "codes": list(codes)})
        return {(status, code): oldest for status, code, oldest in cursor.fetchall()}
