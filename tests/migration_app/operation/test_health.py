"""Signals of health, and what they add up to."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from migration_app.models import ApiHealth, ApiMinute, Reconciliation, TargetBehaviour
from migration_app.operation.health import (
    Signal,
    overall,
    queue_signal,
    reconciliation_signal,
    source_signal,
    target_signal,
    throttling_signal,
    workers_signal,
)
from migration_app.operation.heartbeats import WorkerHeartbeat

pytestmark = pytest.mark.django_db
ADDRESS = "https://api.example.org/v1"


def ago(**time: float) -> dt.datetime:
    return timezone.now() - dt.timedelta(**time)


def target(**fields: Any) -> None:
    ApiHealth.objects.create(api="target", address=ADDRESS, **fields)


def worker(age: float) -> WorkerHeartbeat:
    return WorkerHeartbeat(name="w", host="a", pid=1, doing="", age=age)


def test_a_target_that_nobody_has_asked_is_neither_good_nor_bad() -> None:
    assert (target_signal().state, target_signal().text) == ("idle", "not asked yet")


def test_a_target_that_answers_is_good_and_says_how_it_treats_repeats(settings: Settings) -> None:
    settings.TARGET_PROBE_HOURS = 24
    target(answered_at=ago(seconds=5), accepted_at=ago(seconds=5))
    assert target_signal().text == "reachable, key accepted, repeats not tested"
    row = TargetBehaviour.objects.create(target=ADDRESS, repeats="refused", repeats_seen_at=timezone.now())
    assert target_signal().state == "good"
    assert target_signal().text == "reachable, key accepted, repeats refused"
    row.list_lag_seconds = 2.5
    row.repeats_seen_at = ago(days=3)
    row.save()
    assert target_signal().text.endswith("repeats not tested")
    assert "Its lists were up to 2.5 s behind." in target_signal().detail


@pytest.mark.parametrize(
    ("code", "text"),
    [("unauthorized", "refuses the key"), ("unreachable", "can't be reached"), ("odd", "fails (odd)")],
)
def test_a_target_whose_last_calls_failed_is_bad(code: str, text: str) -> None:
    target(accepted_at=ago(minutes=1), answered_at=ago(minutes=1), failed_at=ago(seconds=1), failed_code=code)
    assert (target_signal().state, target_signal().text) == ("bad", text)


def test_one_failed_call_between_good_ones_is_no_trouble() -> None:
    target(
        accepted_at=ago(seconds=3),
        answered_at=ago(seconds=3),
        failed_at=ago(seconds=1),
        failed_code="timeout",
    )
    assert target_signal().state == "good"


def recovered(code: str, *, failed: int, calls: int) -> None:
    target(
        accepted_at=ago(seconds=1), answered_at=ago(seconds=1), failed_at=ago(seconds=32), failed_code=code
    )
    ApiMinute.objects.create(api="target", minute=ago(minutes=1), calls=calls, throttled=0, failed=failed)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("unauthorized", "refused the key 32 s ago, accepted since"),
        ("unreachable", "could not be reached 32 s ago, answers since"),
        ("unreadable_answer", "failed (unreadable_answer) 32 s ago, answers since"),
    ],
)
def test_trouble_that_is_over_stays_visible_for_some_minutes(code: str, text: str) -> None:
    recovered(code, failed=5, calls=50)
    signal = target_signal()
    assert (signal.state, re.sub(r"\d+ s ago", "32 s ago", signal.text)) == ("warning", text)
    ApiHealth.objects.update(failed_at=ago(minutes=5))
    assert target_signal().text == text.replace("32 s", "5 min")
    ApiHealth.objects.update(failed_at=ago(minutes=11))
    assert target_signal().state == "good"


@pytest.mark.parametrize(("failed", "calls"), [(2, 4), (5, 1_000)])
def test_few_failures_among_many_answers_are_no_trouble(failed: int, calls: int) -> None:
    recovered("server_error", failed=failed, calls=calls)
    assert target_signal().state == "good"


def test_a_target_that_was_not_asked_for_long_is_not_called_reachable() -> None:
    target(accepted_at=ago(hours=2), answered_at=ago(hours=2))
    assert target_signal().state == "idle"
    assert target_signal().text.startswith("not asked since ")


def test_archives_need_no_source(settings: Settings) -> None:
    settings.SOURCE_BASE_URL = ""
    assert (source_signal().state, source_signal().text) == ("good", "archives only")
    settings.SOURCE_BASE_URL = "https://old.example.org"
    assert (source_signal().state, source_signal().text) == ("idle", "not asked yet")


@pytest.mark.parametrize(
    ("ages", "state", "text"),
    [
        (None, "bad", "unknown"),
        ([], "bad", "none alive"),
        ([60.0], "bad", "none alive, 1 dead"),
        ([1.0, 60.0], "warning", "1 alive, 1 dead"),
        ([1.0, 2.0], "good", "2 alive"),
    ],
)
def test_workers(ages: list[float] | None, state: str, text: str) -> None:
    signal = workers_signal(None if ages is None else [worker(age) for age in ages])
    assert (signal.state, signal.text) == (state, text)


def test_a_queue_that_is_away_is_bad() -> None:
    assert (queue_signal(None).state, queue_signal(None).text) == ("bad", "unreachable")
    assert queue_signal(0).text == "reachable, empty"
    assert queue_signal(1_200).text == "reachable, 1,200 waiting"


@pytest.mark.parametrize(
    ("calls", "throttled", "state", "text"),
    [
        (0, 0, "good", "no calls lately"),
        (1_000, 1, "good", "1%"),
        (100, 0, "good", "0%"),
        (100, 20, "warning", "20%"),
    ],
)
def test_the_share_of_429s(calls: int, throttled: int, state: str, text: str) -> None:
    if calls:
        ApiMinute.objects.create(
            api="target", minute=ago(minutes=2), calls=calls, throttled=throttled, failed=0
        )
    ApiMinute.objects.create(api="target", minute=ago(minutes=20), calls=100, throttled=100, failed=0)
    assert (throttling_signal().state, throttling_signal().text) == (state, text)


@pytest.mark.parametrize(
    ("errors", "days", "state", "text"),
    [(0, 1, "good", "clean"), (1, 1, "warning", "found 1 error"), (0, 30, "idle", "clean, last ")],
)
def test_the_last_reconciliation(errors: int, days: int, state: str, text: str) -> None:
    assert reconciliation_signal().text == "never done"
    Reconciliation.objects.create(
        checks=["a"],
        state="finished",
        finished_at=ago(days=days),
        counts={"a": {"looked": 5, "error": errors}},
        created_by_name="ada",
    )
    assert reconciliation_signal().state == state
    assert reconciliation_signal().text.startswith(text)


def test_the_whole_is_as_bad_as_its_worst_part_and_says_which() -> None:
    good, idle = Signal("queue", "good", "reachable"), Signal("target", "idle", "not asked yet")
    bad = Signal("target", "bad", "refuses the key")
    assert overall([good]).name == "Healthy"
    assert overall([good, idle]).text == "Target not asked yet"
    assert overall([good, Signal("source", "idle", "not asked yet")]).name == "Healthy"
    assert (overall([good, idle, bad]).name, overall([good, idle, bad]).text) == (
        "Trouble",
        "Target refuses the key",
    )
