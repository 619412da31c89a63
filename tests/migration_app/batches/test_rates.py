from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from migration_app.batches.batches import batch_create
from migration_app.batches.rates import (
    Done,
    Rate,
    batch_beat,
    batch_rate,
    estate_rate,
    estimated_duration,
    time_left,
)
from migration_app.contracts import Actor
from migration_app.models import Batch, BatchMinute
from migration_app.threads.selections import selection_of_pks
from tests.factories import BatchFactory

pytestmark = pytest.mark.django_db


def minute(batch: Batch, ago: int, **done: Any) -> None:
    at = timezone.now().replace(second=0, microsecond=0) - dt.timedelta(minutes=ago)
    BatchMinute.objects.create(batch=batch, minute=at, **done)


def running() -> Batch:
    batch: Batch = BatchFactory.create(state="running")
    return batch


def test_heartbeats_add_up_in_the_batch_and_in_its_minute() -> None:
    batch = running()
    batch_beat(batch.pk, Done(seconds=5, threads=2, messages=30, calls=12, retries=1, throttled=3))
    batch_beat(batch.pk, Done(seconds=5, threads=1, messages=10, calls=8))
    batch.refresh_from_db()
    assert (batch.call_count, batch.retry_count, batch.throttled_count) == (20, 1, 3)
    assert batch.heartbeat_at is not None
    sums = [
        sum(values)
        for values in zip(*BatchMinute.objects.values_list("threads", "messages", "calls"), strict=True)
    ]
    assert sums == [3, 40, 20]


def test_a_rate_is_of_the_time_in_which_workers_were_at_it() -> None:
    batch = running()
    minute(batch, 1, seconds=30, threads=20, messages=100, calls=60, throttled=6)
    assert batch_rate(batch) == Rate(threads=40, messages=200, calls=120, throttled=0.1)


def test_two_workers_at_once_do_not_make_a_minute_longer() -> None:
    batch = running()
    minute(batch, 1, seconds=120, threads=20)
    rate = batch_rate(batch)
    assert rate is not None
    assert rate.threads == 20


def test_what_was_done_long_ago_says_nothing_about_a_batch_that_is_not_over() -> None:
    batch = running()
    minute(batch, 30, seconds=60, threads=20)
    assert batch_rate(batch) is None
    batch.finished_at = timezone.now()
    assert batch_rate(batch) == Rate(threads=20, messages=0, calls=0, throttled=0)


def test_the_estate_is_all_batches_together_minute_by_minute() -> None:
    first, second = running(), running()
    minute(first, 1, seconds=60, threads=20)
    minute(second, 1, seconds=60, threads=10)
    rate = estate_rate()
    assert rate is not None
    assert rate.threads == 30


def test_time_left_is_known_only_with_a_rate() -> None:
    rate = Rate(threads=30, messages=0, calls=0, throttled=0)
    assert time_left(90, rate) == dt.timedelta(minutes=3)
    assert time_left(0, None) == dt.timedelta()
    assert time_left(90, None) is None
    assert time_left(90, Rate(threads=0, messages=0, calls=5, throttled=1)) is None


def test_an_estimate_takes_today_s_rate_but_never_more_than_the_limit(settings: Any) -> None:
    settings.TARGET_REQUESTS_PER_MINUTE = 0
    assert estimated_duration(600) is None
    settings.TARGET_REQUESTS_PER_MINUTE = 300
    assert estimated_duration(600) == dt.timedelta(minutes=2)
    minute(running(), 120, seconds=60, calls=200)
    assert estimated_duration(600) == dt.timedelta(minutes=3)
    settings.TARGET_REQUESTS_PER_MINUTE = 100
    assert estimated_duration(600) == dt.timedelta(minutes=6)
    assert estimated_duration(600, requests_per_minute=60) == dt.timedelta(minutes=10)
    assert estimated_duration(600, requests_per_minute=150) == dt.timedelta(minutes=6)


def test_a_batch_keeps_the_estimate_that_it_was_started_with(settings: Any) -> None:
    settings.TARGET_REQUESTS_PER_MINUTE = 300
    made: dict[str, Any] = {"selection": selection_of_pks([]), "actor": Actor("ada"), "reason": "a test"}
    batch = batch_create(kind="backfill", **made, estimated_calls=600)
    assert (batch.estimated_calls, batch.estimated_seconds) == (600, 120)
    batch = batch_create(kind="backfill", **made)
    assert (batch.estimated_calls, batch.estimated_seconds) == (None, None)
