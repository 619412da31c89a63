"""Samples, and the chart made of them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from migration_app.counters import tally_lines
from migration_app.models import ApiMinute, MinuteSample
from migration_app.operation.samples import (
    CHART_BARS,
    EstateParts,
    chart_bars,
    estate_parts,
    sample_take,
)
from tests.migration_app.admin.estate import batch_made, thread_made, threads_made

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 11, 26, 12, 0, 30, tzinfo=dt.UTC)


def sample(minutes_ago: float, verified: int, messages: int = 0) -> None:
    at = NOON - dt.timedelta(minutes=minutes_ago)
    MinuteSample.objects.create(
        minute=at.replace(second=0),
        taken_at=at,
        verified=verified,
        in_flight=0,
        waiting=0,
        attention=0,
        excluded=0,
        messages=messages,
    )


def test_every_thread_is_in_one_part() -> None:
    batch = batch_made()
    threads_made(3, status="verified", message_count=5)
    threads_made(2, status="queued", pending_work="backfill", batch=batch)
    thread_made(status="backfilling", pending_work="backfill", batch=batch)
    thread_made(status="failed")
    thread_made(status="failed", pending_work="verify", batch=batch)
    thread_made(status="needs_review")
    thread_made(status="excluded")
    thread_made(status="registered")
    thread_made(status="rolling_back", pending_work="rollback", batch=batch)
    parts = estate_parts(tally_lines())
    assert parts == EstateParts(
        verified=3, in_flight=1, waiting=4, attention=2, excluded=2, messages=15, messages_waiting=0
    )
    assert (parts.total, parts.left) == (12, 5)


def test_only_pending_work_is_in_flight() -> None:
    """A cancelled batch leaves threads backfilled: with an error these need somebody, without one they wait."""
    thread_made(status="backfilled", pending_work="verify", batch=batch_made())
    thread_made(status="backfilled", batch=batch_made(state="cancelled"), error_code="cancelled")
    thread_made(status="snapshotted", batch=batch_made(state="cancelled"), error_code="cancelled")
    thread_made(status="backfilled")
    parts = estate_parts(tally_lines())
    assert (parts.in_flight, parts.attention, parts.waiting) == (1, 2, 1)


def test_a_minute_has_one_sample_however_many_workers_take_it() -> None:
    thread_made(status="verified")
    sample_take(NOON)
    thread_made(status="verified")
    sample_take(NOON)
    sample_take(NOON + dt.timedelta(minutes=1))
    assert list(MinuteSample.objects.order_by("minute").values_list("verified", flat=True)) == [1, 2]


def test_samples_and_calls_of_more_than_two_days_are_deleted() -> None:
    sample(48 * 60 + 2, 1)
    sample(47 * 60, 2)
    for hours in (49, 1):
        minute = NOON.replace(second=0) - dt.timedelta(hours=hours)
        ApiMinute.objects.create(api="target", minute=minute, calls=1, throttled=0, failed=0)
    sample_take(NOON)
    assert MinuteSample.objects.count() == 2
    assert ApiMinute.objects.count() == 1


def test_the_chart_has_a_bar_for_each_quarter_of_an_hour_and_shows_where_nobody_counted() -> None:
    sample(45, 10)
    sample(16, 30)
    sample(1, 35)
    bars = chart_bars(35, NOON)
    assert len(bars) == CHART_BARS
    assert [bar.threads for bar in bars[-5:]] == [None, 0, 20, 5, None]
    assert bars[-1].begins == dt.datetime(2026, 11, 26, 12, 0, tzinfo=dt.UTC)


def test_a_chart_without_samples_is_all_silence() -> None:
    assert {bar.threads for bar in chart_bars(0, timezone.now())} == {None}


def test_the_chart_begins_with_the_first_sample_and_ends_with_now() -> None:
    sample(0.4, 10)
    assert [bar.threads for bar in chart_bars(130, NOON)[-2:]] == [None, 120]
