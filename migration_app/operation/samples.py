"""How far the estate is, now and at each minute of the last two days: from the counters; no thread is read.

Workers take the samples (``sample_take``, in their sweep). How fast work goes is in ``batches.rates``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Mapping

from django.utils import timezone

from migration_app.counters import TallyLine, tally_lines
from migration_app.models import ApiMinute, MinuteSample, Thread

KEPT = dt.timedelta(hours=48)
S = Thread.Status
_PARTS: Mapping[str, str] = {
    S.VERIFIED: "verified",
    S.BACKFILLING: "in_flight",
    S.BACKFILLED: "in_flight",
    S.BLOCKED: "attention",
    S.FAILED: "attention",
    S.NEEDS_REVIEW: "attention",
    S.SOURCE_MISSING: "attention",
    S.EXCLUDED: "excluded",
    S.ROLLING_BACK: "excluded",
    S.ROLLED_BACK: "excluded",
}
"""Which part of the whole a status belongs to; the others wait. ``part_of`` says what else decides."""

_UNFINISHED = frozenset({S.BACKFILLED, S.SNAPSHOTTED})
"""Statuses in which a thread has an error only if its work ended before its time."""


@dataclasses.dataclass(frozen=True, slots=True)
class EstateParts:
    """The estate in threads, part by part.

    ``messages``: of verified threads; ``messages_waiting``: of threads that wait or are in flight.
    """

    verified: int = 0
    in_flight: int = 0
    waiting: int = 0
    attention: int = 0
    excluded: int = 0
    messages: int = 0
    messages_waiting: int = 0

    @property
    def total(self) -> int:
        """All threads."""
        return self.verified + self.in_flight + self.waiting + self.attention + self.excluded

    @property
    def left(self) -> int:
        """Threads that are still to be verified, as far as no person has to decide first."""
        return self.in_flight + self.waiting


def part_of(line: TallyLine) -> str:
    """Which part of the whole these threads belong to: the name of a field of EstateParts."""
    if line.pending_work:
        part = _PARTS.get(line.status, "waiting")
        is_retried = part in {"attention", "excluded"} and line.status != S.ROLLING_BACK
        return "waiting" if is_retried else part
    if line.status in _UNFINISHED:
        return "attention" if line.error_code else "waiting"
    return _PARTS.get(line.status, "waiting")


def estate_parts(lines: Iterable[TallyLine]) -> EstateParts:
    """Add the counters up."""
    sums = dict.fromkeys((field.name for field in dataclasses.fields(EstateParts)), 0)
    for line in lines:
        part = part_of(line)
        sums[part] += line.threads
        if part == "verified":
            sums["messages"] += line.messages
        elif part in {"in_flight", "waiting"}:
            sums["messages_waiting"] += line.messages
    return EstateParts(**sums)


def sample_take(now: dt.datetime | None = None) -> None:
    """Keep how far the estate is at this minute, unless another worker has; delete what is too old."""
    taken_at = now or timezone.now()
    minute = taken_at.replace(second=0, microsecond=0)
    if MinuteSample.objects.filter(minute=minute).exists():
        return
    parts = estate_parts(tally_lines())
    MinuteSample.objects.bulk_create(
        [
            MinuteSample(
                minute=minute,
                taken_at=taken_at,
                verified=parts.verified,
                in_flight=parts.in_flight,
                waiting=parts.waiting,
                attention=parts.attention,
                excluded=parts.excluded,
                messages=parts.messages,
            )
        ],
        ignore_conflicts=True,
    )
    MinuteSample.objects.filter(minute__lt=minute - KEPT).delete()
    ApiMinute.objects.filter(minute__lt=minute - KEPT).delete()


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """One span of the chart: threads verified in it; None where no worker was alive to say."""

    begins: dt.datetime
    threads: int | None


CHART_SPAN = dt.timedelta(minutes=15)
CHART_BARS = 96


def chart_bars(verified: int, now: dt.datetime | None = None) -> list[Bar]:
    """Threads verified in each quarter of an hour of the last 24 hours, the oldest first; ``verified``: those of now.

    Before the very first sample nothing is known, so its quarter of an hour counts from that sample on.
    """
    now = now or timezone.now()
    begin = _span_of(now) - (CHART_BARS - 1) * CHART_SPAN
    first_of: dict[dt.datetime, int] = {}
    last_of: dict[dt.datetime, int] = {}
    rows = MinuteSample.objects.filter(minute__gte=begin - CHART_SPAN).order_by("minute")
    for minute, count in rows.values_list("minute", "verified"):
        first_of.setdefault(_span_of(minute), count)
        last_of[_span_of(minute)] = count
    if _span_of(now) in last_of:
        last_of[_span_of(now)] = verified
    before = last_of.get(begin - CHART_SPAN)
    bars = []
    for number in range(CHART_BARS):
        at = begin + number * CHART_SPAN
        here = last_of.get(at)
        if here is None:
            bars.append(Bar(at, None))
            continue
        bars.append(Bar(at, max(0, here - (first_of[at] if before is None else before))))
        before = here
    return bars


def _span_of(moment: dt.datetime) -> dt.datetime:
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)
