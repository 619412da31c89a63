"""How fast batches go: what workers report with their heartbeat, rates of the last minutes, and the time left.

Rates are of the time in which a worker was at it: a pause makes none slower. Must not import batches.batches, which
imports this.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Sequence

from django.conf import settings
from django.db import connection

from migration_app.models import Batch
from migration_app.statements import statements_of

RECENT = dt.timedelta(minutes=5)
"""How far back a rate reaches, besides the minute that has just begun."""

TODAY = dt.timedelta(hours=24)
"""The hours whose work makes today's rate."""

_SHORTEST = 1.0
"""Seconds of work: fewer say nothing about a rate."""

_SQL = statements_of(__name__)


@dataclasses.dataclass(slots=True)
class Done:
    """What a worker did since its last heartbeat."""

    seconds: float = 0.0
    threads: int = 0
    messages: int = 0
    calls: int = 0
    retries: int = 0
    throttled: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Rate:
    """Threads, messages and calls a minute; ``throttled`` is the share of calls that were answered with 429."""

    threads: float
    messages: float
    calls: float
    throttled: float


def batch_beat(batch_pk: int, done: Done) -> None:
    """Write a worker's heartbeat at a batch, with what it did since the last one: one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["beat"], {"batch": batch_pk, **dataclasses.asdict(done)})


def batch_rate(batch: Batch) -> Rate | None:
    """How fast the batch goes: by its last minutes, or by all of them once it is over. None: nobody was at it."""
    if batch.finished_at is None:
        return batches_rate([batch.pk])
    return _rate(dt.timedelta(days=36_500), [batch.pk])


def batches_rate(batch_pks: Sequence[int]) -> Rate | None:
    """How fast these batches together went in their last minutes; None: nobody was at any of them."""
    return _rate(RECENT, batch_pks)


def estate_rate(window: dt.timedelta = RECENT) -> Rate | None:
    """How fast all batches together went lately; None if no worker was at any."""
    return _rate(window, None)


def time_left(threads: int, rate: Rate | None) -> dt.timedelta | None:
    """How long so many threads take at this rate; None where the rate says nothing."""
    if not threads:
        return dt.timedelta()
    if rate is None or rate.threads <= 0:
        return None
    return dt.timedelta(seconds=math.ceil(threads / rate.threads * 60))


def calls_time_left(batch: Batch, rate: Rate | None) -> dt.timedelta | None:
    """How long the calls take that the batch's estimate has left, by the rate of calls, else by its throttle.

    For a batch of which no thread is done yet. None where the estimate says nothing any more, or where nothing says how
    fast they are.
    """
    left = (batch.estimated_calls or 0) - batch.call_count
    known = [float(batch.requests_per_minute)] if batch.requests_per_minute else []
    if rate is not None and rate.calls > 0:
        known.append(rate.calls)
    if left <= 0 or not known:
        return None
    return dt.timedelta(seconds=math.ceil(left / min(known) * 60))


def estimated_duration(calls: int, *, requests_per_minute: int | None = None) -> dt.timedelta | None:
    """How long so many calls take at today's rate, or at the batch's own throttle where that is lower.

    Today's rate is that of the last 24 hours' work; without any, the lower of the batch's throttle and the limit that
    the settings give the target. None where there is none of them: nobody can know.
    """
    a_minute = calls_a_minute(requests_per_minute=requests_per_minute)
    return None if a_minute is None else dt.timedelta(seconds=math.ceil(calls / a_minute * 60))


def calls_a_minute(*, requests_per_minute: int | None = None) -> float | None:
    """Calls a minute that can be expected; see ``estimated_duration``."""
    rate = estate_rate(TODAY)
    known = [float(limit) for limit in (settings.TARGET_REQUESTS_PER_MINUTE, requests_per_minute) if limit]
    if rate is not None and rate.calls > 0:
        known.append(rate.calls)
    return min(known, default=None)


def _rate(window: dt.timedelta, batch_pks: Sequence[int] | None) -> Rate | None:
    batches = None if batch_pks is None else list(batch_pks)
    with connection.cursor() as cursor:
        cursor.execute(_SQL["rate"], {"seconds": window.total_seconds(), "batches": batches})
        seconds, threads, messages, calls, _retries, throttled = cursor.fetchone()
    if seconds < _SHORTEST:
        return None
    minutes = float(seconds) / 60
    return Rate(threads / minutes, messages / minutes, calls / minutes, throttled / calls if calls else 0.0)
