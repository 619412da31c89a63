"""The dashboard's progress: how far the estate is, how fast it gets on, when it is done, and how good it is."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from migration_app.admin.base.badges import fidelity_badge
from migration_app.admin.operation.health import age_text
from migration_app.batches.progress import Progress
from migration_app.batches.rates import Rate, batches_rate, time_left
from migration_app.contracts import Fidelity
from migration_app.counters import TallyLine, tally_sums
from migration_app.jobs import QueueState
from migration_app.models import Batch, Thread
from migration_app.operation.samples import Bar, EstateParts, chart_bars

S = Thread.Status
_PARTS: Sequence[tuple[str, str, str]] = (
    ("verified", "verified", S.VERIFIED),
    ("in_flight", "in flight", ""),
    ("waiting", "waiting", ""),
    ("attention", "need attention", ""),
    ("excluded", "excluded or rolled back", ""),
)
"""Parts of the whole, what they are called, and the one status that is all of it, if one is."""

NO_RATE = "no rate yet"
"""A batch runs, and was worked on for too short a time to say how fast."""

_CHART_HEIGHT = 40


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """What the open batches do: their ``states``; of the running ones, threads to go and rate (None: none known)."""

    states: frozenset[str]
    pending: int
    rate: Rate | None

    @property
    def is_running(self) -> bool:
        """Whether any batch runs. Only then there is a rate, and a time left."""
        return Batch.State.RUNNING in self.states


def work_of(batches: Sequence[Batch], progress: Mapping[int, Progress]) -> Work:
    """Add up the open batches, whose progress is given by primary key."""
    running = [batch.pk for batch in batches if batch.state == Batch.State.RUNNING]
    return Work(
        states=frozenset(batch.state for batch in batches),
        pending=sum(progress[pk].pending for pk in running),
        rate=batches_rate(running) if running else None,
    )


def progress_context(
    parts: EstateParts, lines: Sequence[TallyLine], work: Work, queue: QueueState | None
) -> dict[str, Any]:
    """What the section shows."""
    rate = work.rate
    segments = _segments(parts)
    return {
        "total": parts.total,
        "verified": parts.verified,
        "percent_text": segments[0]["percent"],
        "segments": segments,
        "threads_rate": rate_text(rate.threads) if rate else "",
        "messages_rate": rate_text(rate.messages) if rate else "",
        "no_rate": NO_RATE if work.is_running else "no batch is running",
        "time_left": time_left_text(parts, work, queue),
        "chart": chart_context(chart_bars(parts.verified)),
        "fidelities": _fidelities(lines),
    }


def shares(counts: Mapping[str, int]) -> dict[str, str]:
    """Each part's share of the sum, for people, in whole percents that add up to 100.

    What does not add up after rounding down goes to the largest remainders. Never 0% of something, and never 100% of
    less than all: such parts are "<1%" and 99%, and the sum is then what it is.
    """
    total = sum(counts.values())
    if not total:
        return dict.fromkeys(counts, "0%")
    percents = {name: count * 100 // total for name, count in counts.items()}
    by_remainder = sorted(counts, key=lambda name: -(counts[name] * 100 % total))
    for name in by_remainder[: 100 - sum(percents.values())]:
        percents[name] += 1
    return {name: _share_text(count, total, percents[name]) for name, count in counts.items()}


def _share_text(count: int, total: int, percent: int) -> str:
    if 0 < count * 100 < total:
        return "<1%"
    return f"{percent if count == total else min(99, percent)}%"


def left_text(pending: int, rate: Rate | None) -> str:
    """How long so many threads take at this rate, for one batch and for all: "about 3 min"."""
    left = time_left(pending, rate)
    if left is not None:
        return f"about {age_text(left.total_seconds())}"
    return NO_RATE if rate is None else "unknown"


def time_left_text(parts: EstateParts, work: Work, queue: QueueState | None) -> tuple[str, str]:
    """When the work is done: in a few words, and what stands behind them. Says why it can't be known."""
    states = Batch.State
    if not parts.left and not work.states:
        return _done_text(parts)
    if queue is None:
        return "unknown", "The queue can't be reached, so no work is in progress."
    if not any(worker.is_alive for worker in queue.workers):
        return "unknown", "No worker is alive, so no work is in progress."
    if work.is_running:
        return left_text(work.pending, work.rate), _running_text(parts, work)
    if states.PREPARING in work.states:
        return "not known yet", "The batch is still handing out its work."
    if states.CANCELLING in work.states:
        return "being cancelled", "Nothing is left to wait for but the cancel."
    if states.PAUSED in work.states:
        return "paused", "Every open batch is paused. Resume one to know."
    if states.WAITING in work.states:
        return "waiting for approval", "No batch runs before a second person has approved it."
    return "no batch open", f"{_threads_text(parts.left)} in no batch. Start one to know."


def _done_text(parts: EstateParts) -> tuple[str, str]:
    if parts.attention:
        return "done but for attention", "Only what needs attention is left."
    return "done", "Nothing is left to do."


def _running_text(parts: EstateParts, work: Work) -> str:
    """What stands behind the time left of the running batches."""
    if work.rate is None:
        return "The running batch was worked on for too short a time."
    left = time_left(work.pending, work.rate)
    if left is None:
        return "No thread was finished in the last 5 minutes."
    others = parts.left - work.pending
    more = f" {_threads_text(others)} in no running batch." if others > 0 else ""
    noun = "thread" if work.pending == 1 else "threads"
    return f"Done at {_moment(timezone.now() + left)}, for {work.pending:,} {noun} in running batches.{more}"


def _threads_text(count: int) -> str:
    return "1 thread is" if count == 1 else f"{count:,} threads are"


def chart_context(bars: Sequence[Bar]) -> dict[str, Any]:
    """The chart as bars of a drawing, and as a sentence for who can't see it."""
    most = max((bar.threads or 0 for bar in bars), default=0)
    total = sum(bar.threads or 0 for bar in bars)
    return {
        "bars": [
            {
                "x": number,
                "height": _height(bar.threads or 0, most),
                "y": _CHART_HEIGHT - _height(bar.threads or 0, most),
                "silent": bar.threads is None,
                "title": f"{_clock(bar.begins)} UTC: {_said(bar)}",
            }
            for number, bar in enumerate(bars)
        ],
        "height": _CHART_HEIGHT,
        "width": len(bars),
        "most": most,
        "total": total,
        "text": f"Threads verified in the last 24 hours: {total:,}; at most {most:,} in a quarter of an hour.",
    }


def _height(threads: int, most: int) -> float:
    return round(max(1.5, threads / most * _CHART_HEIGHT), 1) if threads and most else 0


def _said(bar: Bar) -> str:
    return "no worker was alive" if bar.threads is None else f"{bar.threads:,} threads verified"


def _clock(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%H:%M}"


def _moment(moment: dt.datetime) -> str:
    far = moment - timezone.now() > dt.timedelta(hours=12)
    return f"{moment.astimezone(dt.UTC):{'%Y-%m-%d %H:%M' if far else '%H:%M'}} UTC"


def _segments(parts: EstateParts) -> list[dict[str, Any]]:
    values: Mapping[str, int] = {name: getattr(parts, name) for name, _label, _status in _PARTS}
    percents = shares(values)
    return [
        {
            "name": name,
            "label": label,
            "count": values[name],
            "width": round(values[name] * 100 / parts.total, 3) if parts.total else 0,
            "percent": percents[name],
            "url": threads_url(status=status) if status else "",
        }
        for name, label, status in _PARTS
    ]


def rate_text(rate: float) -> str:
    """A rate a minute, with a decimal where it is small."""
    return f"{rate:,.0f}" if rate >= 10 or rate == 0 else f"{rate:.1f}"


def threads_url(**filters: str) -> str:
    """The list of threads, narrowed."""
    query = urlencode({f"{name}__exact": value for name, value in filters.items()})
    return f"{reverse('admin:migration_app_thread_changelist')}{'?' if query else ''}{query}"


def _fidelities(lines: Sequence[TallyLine]) -> list[dict[str, Any]]:
    sums = tally_sums(lines, lambda line: line.fidelity)
    counts = {grade.value: sums.get(grade.value, 0) for grade in Fidelity}
    percents = shares(counts)
    return [
        {
            "badge": fidelity_badge(grade),
            "count": count,
            "percent": percents[grade],
            "url": threads_url(fidelity=grade),
        }
        for grade, count in counts.items()
    ]
