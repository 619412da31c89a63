"""What a batch's page and the list of batches say of it: how far it is, what became of its threads, how fast it goes.

Reads counters only. Green means that all is well: a finished batch with failures is not green.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from migration_app.admin.base.addresses import BACK
from migration_app.admin.base.badges import Badge, batch_badge, result_badge
from migration_app.admin.base.bars import Bar, Segment, bar_of
from migration_app.admin.base.durations import duration_text
from migration_app.admin.batches.approval import Selected
from migration_app.batches.cancel import taken_back
from migration_app.batches.progress import Progress
from migration_app.batches.rates import Rate, batch_rate, calls_time_left, time_left
from migration_app.models import Batch, BatchResult, Thread
from migration_app.models.batch_result import GOOD_RESULTS

S = Batch.State
R = BatchResult.Result

RETRYABLE = {
    Thread.Status.FAILED: "failed",
    Thread.Status.NEEDS_REVIEW: "in review",
    Thread.Status.SOURCE_MISSING: "missing at the source",
    Thread.Status.BLOCKED: "blocked",
}
"""Statuses of threads that Retry takes, as its buttons name them."""

_KINDS = {R.FAILED: "trouble", R.BLOCKED: "trouble", R.NEEDS_REVIEW: "review", R.SOURCE_MISSING: "review"}


_HEARD_OF = dt.timedelta(seconds=30)
"""A worker writes a heartbeat about every second; a slow chunk may hold it up."""


def batch_threads_url(batch: Batch, **filters: str) -> str:
    """Address of the thread list narrowed to the threads that a batch still has."""
    return f"{reverse('admin:migration_app_thread_changelist')}?{_narrowed(batch, filters)}"


def retry_url(batch: Batch, **filters: str) -> str:
    """Address of Retry's confirm page for threads that a batch still has; Cancel leads back to the batch."""
    page = reverse("admin:migration_app_batch_change", args=[batch.pk])
    url = reverse("admin:migration_app_thread_act", args=["retry"])
    return f"{url}?{_narrowed(batch, filters)}&{urlencode({BACK: page})}"


def results_url(batch: Batch, **chosen: str) -> str:
    """Address of the list of what became of a batch's threads."""
    url = reverse("admin:migration_app_batch_results", args=[batch.pk])
    return f"{url}?{urlencode(chosen)}" if chosen else url


def _narrowed(batch: Batch, filters: Mapping[str, str]) -> str:
    return urlencode(
        {"batch__id__exact": str(batch.pk), **{f"{name}__exact": value for name, value in filters.items()}}
    )


# --- how far ------------------------------------------------------------------------------------------


def batch_percent(batch: Batch, progress: Progress) -> int:
    """Share that is done. A batch that is still being prepared is never shown as complete."""
    if batch.state in {S.CANCELLING, S.CANCELLED}:
        return _done(batch, progress) * 100 // batch.taken_count if batch.taken_count else 0
    if batch.state == S.WAITING:
        return 0
    if _half_prepared(batch):
        return min(progress.percent, 99) if progress.taken else 0
    return progress.percent


def batch_progress_text(batch: Batch, progress: Progress) -> str:
    """Say how far a batch is."""
    if batch.state == S.WAITING:
        return "Nothing is done before a second person has approved it."
    if batch.state in {S.CANCELLING, S.CANCELLED}:
        back = taken_back(batch)
        text = f"{_done(batch, progress):,} of {batch.taken_count:,} threads done"
        text = f"{text}; work removed from {back.threads:,}"
        partly = f", {back.partly_sent:,} of them partly sent" if back.partly_sent else ""
        left = f", {progress.pending:,} to go" if batch.state == S.CANCELLING and progress.pending else ""
        return f"{text}{partly}{left}."
    paused = "Paused. " if batch.state == S.PAUSED else ""
    if _half_prepared(batch):
        matched = f"{batch.selected_count:,} threads matched, {batch.taken_count:,} included."
        return f"{paused}Handing out work: {matched}"
    if batch.taken_count == 0:
        return "No thread was taken."
    return f"{paused}{progress.done:,} of {progress.taken:,} threads done."


def _half_prepared(batch: Batch) -> bool:
    return batch.state == S.PREPARING or (batch.state == S.PAUSED and batch.started_at is None)


def _done(batch: Batch, progress: Progress) -> int:
    """Threads that a cancelled batch had finished."""
    return max(0, progress.done - taken_back(batch).threads)


def batch_outcome(batch: Batch, progress: Progress) -> Badge:
    """The batch's state; a finished one is green only if all is well with its threads."""
    if batch.state != S.FINISHED:
        return batch_badge(batch.state)
    if progress.trouble:
        return _attention_badge(progress)
    if not batch.taken_count:
        return Badge("finished, nothing to do")
    return batch_badge(batch.state)


def _attention_badge(progress: Progress) -> Badge:
    """How many threads needed somebody, and how many still do: these decide the colour."""
    needed, still = progress.trouble, progress.still
    if still is None or still.trouble == needed:
        failed = any(_KINDS.get(R(line.result)) == "trouble" for line in progress.results)
        colour = "danger" if (still.failed if still else failed) else "warning"
        return Badge(f"finished, {needed:,} {'needs' if needed == 1 else 'need'} attention", colour)
    past = f"finished, {needed:,} needed attention"
    all_asked = still.asked >= needed
    if not still.trouble:
        return Badge(past, "success" if all_asked else "warning")
    least = "" if all_asked else "at least "
    does = "does" if still.trouble == 1 else "do"
    return Badge(f"{past}, {least}{still.trouble:,} still {does}", "danger" if still.failed else "warning")


def batch_bar(progress: Progress) -> Bar:
    """What became of its threads, and what is not done, as parts of what it took."""
    segments = [
        Segment(R(result).label, count, _kind(result)) for result, count in progress.by_result.items()
    ]
    return bar_of([*segments, Segment("not done", progress.pending, "waiting")])


def _kind(result: str) -> str:
    return "good" if result in GOOD_RESULTS else _KINDS.get(R(result), "done")


# --- how fast -----------------------------------------------------------------------------------------


def batch_figures(
    batch: Batch, progress: Progress, *, selected: Selected | None = None
) -> list[tuple[str, str, str]]:
    """Numbers of the batch as (label, value, explanation); ``selected``: what one that waits would take."""
    rate = batch_rate(batch)
    over = batch.finished_at is not None
    elapsed = batch_elapsed(batch)
    figures = [
        ("Threads to include", selected.threads, f"of {selected.matched} matched")
        if selected
        else ("Threads included", f"{batch.taken_count:,}", f"of {batch.selected_count:,} matched"),
        ("Elapsed", duration_text(elapsed), _against_estimate(batch, elapsed)),
    ]
    if not over:
        figures.append(("Time left", *_time_left(batch, progress, rate)))
    span = "on average" if over else "last 5 minutes"
    calls = f"of {batch.estimated_calls:,} estimated" if batch.estimated_calls is not None else ""
    throttled = _share(batch.throttled_count, batch.call_count)
    return [
        *figures,
        ("Threads a minute", _rate_text(rate.threads if rate else None), span if rate else ""),
        ("Messages a minute", _rate_text(rate.messages if rate else None), span if rate else ""),
        ("API calls", f"{batch.call_count:,}", calls),
        ("Retries", f"{batch.retry_count:,}", "of calls and threads"),
        (
            "Answers 429",
            f"{batch.throttled_count:,}",
            f"{throttled} of all calls" if batch.throttled_count else "",
        ),
    ]


def batch_elapsed(batch: Batch) -> dt.timedelta | None:
    """How long it has taken so far, pauses included; a wait for approval is not part of it."""
    if batch.state == S.WAITING:
        return None
    return (batch.finished_at or timezone.now()) - (batch.approved_at or batch.created_at)


def _against_estimate(batch: Batch, elapsed: dt.timedelta | None) -> str:
    if batch.estimated_seconds is None or elapsed is None:
        return ""
    return f"estimated: {duration_text(dt.timedelta(seconds=batch.estimated_seconds))}"


def _time_left(batch: Batch, progress: Progress, rate: Rate | None) -> tuple[str, str]:
    """The time left with what it rests on, or why it is not known."""
    left = time_left(progress.pending, rate) if batch.state in {S.RUNNING, S.PAUSED} else None
    if left is not None:
        return duration_text(left), "at this rate"
    if batch.state == S.RUNNING and not progress.done and _is_worked_on(batch):
        left = calls_time_left(batch, rate)
        why = "by the calls that are left" if left is not None else "just started: no rate yet"
        return duration_text(left), why
    return duration_text(None), _why_unknown(batch, rate)


def _is_worked_on(batch: Batch) -> bool:
    """Whether a worker was heard of at it just now."""
    return batch.heartbeat_at is not None and timezone.now() - batch.heartbeat_at < _HEARD_OF


def _why_unknown(batch: Batch, rate: Rate | None) -> str:
    if batch.state == S.WAITING:
        return "it waits for approval"
    if batch.state == S.PAUSED:
        return "it is paused"
    if _half_prepared(batch):
        return "known once its work is handed out"
    return "no worker was at it lately" if rate is None else "no thread was done lately"


def _rate_text(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 or value == 0 else f"{value:.1f}"


def _share(part: int, whole: int) -> str:
    percent = part * 100 / whole if whole else 0
    return "<1%" if 0 < percent < 1 else f"{percent:.0f}%"


# --- what became of its threads -----------------------------------------------------------------------


def result_rows(batch: Batch, progress: Progress) -> list[dict[str, Any]]:
    """One row a result: its badge, how many threads, their share, and where they are listed."""
    return [
        {
            "badge": result_badge(result),
            "result": result,
            "count": f"{count:,}",
            "share": _share(count, progress.taken),
            "url": results_url(batch, result=result),
        }
        for result, count in progress.by_result.items()
    ]
