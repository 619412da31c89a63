"""The dashboard's list of what waits for a person, the most harmful first: count, age, and one thing to do about each.

Approvals are listed for those who may give them. What a person may not act on is listed without a button.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.http import urlencode

from migration_app.admin.base.actors import actor_of
from migration_app.admin.base.addresses import BACK
from migration_app.admin.batches.acts import may_approve, may_control
from migration_app.admin.operation.health import age_text
from migration_app.admin.operation.progress import threads_url
from migration_app.batches.kinds import BATCH_KINDS
from migration_app.counters import TallyLine
from migration_app.models import Batch, SourceImport, Thread
from migration_app.operation import attention
from migration_app.prompts.review import PERMISSIONS

S = Thread.Status
_HARMS = ("danger", "warning", "info")
APPROVE_PROMPT = PERMISSIONS["approve"]

_REASONS: Mapping[str, str] = {
    S.NEEDS_REVIEW: "in review",
    S.FAILED: "failed",
    S.BLOCKED: "blocked by a finding",
    S.BACKFILLED: "backfilled and not verified",
    S.SNAPSHOTTED: "sent in part",
    S.SOURCE_MISSING: "missing at the source",
}
_CONTINUED_BY: Mapping[str, str] = {S.BACKFILLED: Batch.Kind.VERIFY, S.SNAPSHOTTED: Batch.Kind.BACKFILL}
"""The kind of batch that finishes what ended before its time."""


@dataclasses.dataclass(frozen=True, slots=True)
class Need:
    """One line. ``harm``: danger, warning or info. ``is_post``: the button acts at once, and leads to no page."""

    harm: str
    count: str
    title: str
    detail: str
    age: str
    label: str
    url: str
    is_post: bool = False


def needs_of(request: HttpRequest, lines: Sequence[TallyLine]) -> list[Need]:
    """All lines for this person, the most harmful first."""
    needs = [
        *_batches(request),
        *_approvals(request),
        *_threads(request, lines),
        *_imports(),
        *_prompts(),
        *_piles(request),
    ]
    return sorted(needs, key=lambda need: _HARMS.index(need.harm))


def age_of(moment: dt.datetime | None) -> str:
    """How long ago; empty where that is not known."""
    return age_text(max(0.0, (timezone.now() - moment).total_seconds())) if moment else ""


def _batches(request: HttpRequest) -> Iterator[Need]:
    for batch in attention.batches_held():
        act = may_control(request, batch)
        yield Need(
            harm="danger",
            count="1",
            title=f"{batch_title(batch)} paused itself",
            detail=batch.held_text,
            age=age_of(batch.heartbeat_at),
            label="Resume" if act else "Open",
            url=reverse("operation:batch_act", args=[batch.pk, "resume"]) if act else batch_url(batch),
            is_post=act,
        )
    for batch in attention.batches_failed():
        yield Need(
            harm="danger",
            count="1",
            title=f"{batch_title(batch)} failed",
            detail=batch.error_text,
            age=age_of(batch.finished_at),
            label="Open",
            url=batch_url(batch),
        )


def _approvals(request: HttpRequest) -> Iterator[Need]:
    for batch in attention.batches_waiting():
        mine = may_approve(request, batch)
        yield Need(
            harm="warning" if mine else "info",
            count="1",
            title=f"{batch_title(batch)} {'waits for your approval' if mine else 'waits for a second person'}",
            detail=f"{batch.created_by_name}: {batch.reason}",
            age=age_of(batch.created_at),
            label="Review" if mine else "Open",
            url=batch_url(batch),
        )
    if not request.user.has_perm(APPROVE_PROMPT):
        return
    versions = attention.versions_to_approve(actor_of(request))
    if versions:
        first = versions[0]
        by_name = reverse("admin:migration_app_prompt_change", args=[first.prompt_id])
        plural = "version waits" if len(versions) == 1 else "versions wait"
        yield Need(
            harm="warning",
            count=f"{len(versions):,}",
            title=f"prompt {plural} for your approval",
            detail=f"The oldest: {first}, by {first.author_name}",
            age=age_of(first.created_at),
            label="Review",
            url=by_name,
        )


def _threads(request: HttpRequest, lines: Sequence[TallyLine]) -> Iterator[Need]:
    for group in attention.thread_groups(lines):
        noun = "thread" if group.threads == 1 else "threads"
        label, url = _thread_act(request, group)
        yield Need(
            harm="warning",
            count=f"{group.threads:,}",
            title=f"{noun} {_REASONS[group.status]}",
            detail=group.error_code.replace("_", " "),
            age=age_of(group.oldest),
            label=label,
            url=url,
        )


def _thread_act(request: HttpRequest, group: attention.ThreadGroup) -> tuple[str, str]:
    """The one thing to do about a group of threads, and its address."""
    filters = {"status": group.status, **({"error_code": group.error_code} if group.error_code else {})}
    if group.status == S.NEEDS_REVIEW:
        return "Review", _review_url(group.error_code, filters)
    kind = BATCH_KINDS.get(_CONTINUED_BY.get(group.status, ""))
    if kind is None or not request.user.has_perm(kind.permission):
        return "Show", threads_url(**filters)
    chosen = {f"{name}__exact": value for name, value in filters.items()}
    act = reverse("admin:migration_app_thread_act", args=[kind.name])
    return kind.title, f"{act}?{urlencode({**chosen, BACK: reverse('admin:index')})}"


def _review_url(code: str, filters: Mapping[str, str]) -> str:
    """The review queue's group of a reason; the list of its threads where that room was taken out."""
    try:
        return f"{reverse('review_queue')}?{urlencode({'code': code})}"
    except NoReverseMatch:
        return threads_url(**filters)


def _imports() -> Iterator[Need]:
    for row in attention.imports_to_see():
        failed = row.state == SourceImport.State.FAILED
        lines = "line" if row.reject_count == 1 else "lines"
        yield Need(
            harm="danger" if failed else "warning",
            count="1" if failed else f"{row.reject_count:,}",
            title="import failed" if failed else f"{lines} rejected by import {row.pk}",
            detail=f"{row.file_name}: {row.error_text}" if failed else row.file_name,
            age=age_of(row.finished_at),
            label="Open",
            url=reverse("admin:migration_app_sourceimport_change", args=[row.pk]),
        )


def _prompts() -> Iterator[Need]:
    url = reverse("admin:migration_app_targetmodel_changelist")
    for model, (prompts, problem) in attention.models_retiring().items():
        noun = "prompt uses" if prompts == 1 else "prompts use"
        title = f"{noun} {model or 'no model'}"
        yield Need("warning", f"{prompts:,}", title, problem, "", "Readiness", url)
    yield from _pile(
        attention.resources_gone(),
        ("file or vector store is gone at the target", "files or vector stores are gone at the target"),
        harm="warning",
        detail="",
        label="Readiness",
        url=url,
    )


def _piles(request: HttpRequest) -> Iterator[Need]:
    changelist = "admin:migration_app_{}_changelist"
    may_close = request.user.has_perm("migration_app.close_orphan")
    yield from _pile(
        attention.conflicts(),
        ("conflict between imports", "conflicts between imports"),
        harm="warning",
        detail="Two versions of an assistant, file or vector store",
        url=f"{reverse(changelist.format('sourceobject'))}?state__exact=conflict",
    )
    yield from _pile(
        attention.orphans(),
        ("unconfirmed create", "unconfirmed creates"),
        harm="info",
        detail="An empty conversation may exist at the target",
        label="Close" if may_close else "Show",
        url=reverse(changelist.format("orphanconversation")),
    )
    yield from _pile(
        attention.conversations_left(),
        ("conversation given up and left at the target", "conversations given up and left at the target"),
        harm="info",
        detail="The target does not delete them",
        url=f"{reverse(changelist.format('formerconversation'))}?outcome__exact=given_up",
    )


def _pile(
    pile: attention.Pile, titles: tuple[str, str], *, harm: str, detail: str, url: str, label: str = "Show"
) -> Iterator[Need]:
    """One need for what has piled up, if anything has. ``titles``: for one of it, and for more."""
    if pile.count:
        yield Need(
            harm=harm,
            count=_count(pile),
            title=titles[pile.count > 1],
            detail=detail,
            age=age_of(pile.oldest),
            label=label,
            url=url,
        )


def _count(pile: attention.Pile) -> str:
    most = attention.COUNTED_UP_TO
    return f"{pile.count:,}" if pile.count <= most else f"over {most:,}"


def batch_title(batch: Batch) -> str:
    """A batch by number and kind."""
    return f"Batch {batch.pk} ({batch.get_kind_display()})"


def batch_url(batch: Batch) -> str:
    """A batch's page."""
    return reverse("admin:migration_app_batch_change", args=[batch.pk])
