from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from migration_app.reconciliation import estimate
from migration_app.reconciliation.estimate import calls_estimate
from tests.factories import ConversationFactory, ThreadFactory

pytestmark = pytest.mark.django_db
TARGET = {"target"}


def threads(*item_counts: int) -> None:
    for count in item_counts:
        thread = ThreadFactory.create(status="verified", item_count=count)
        ConversationFactory.create(thread=thread, state="complete", item_count=count)


def test_the_whole_estate_takes_a_call_a_hundred_items_one_at_least_and_one_a_conversation() -> None:
    threads(0, 1, 100, 101, 250)
    found = calls_estimate(checks=TARGET, sample_size=None)
    assert (found.threads, found.target_calls, found.exact) == (5, 13, True)


def test_a_quick_one_reads_no_metadata() -> None:
    threads(0, 1, 100, 101, 250)
    assert calls_estimate(checks=TARGET, sample_size=None, quick=True).target_calls == 8
    assert calls_estimate(checks=TARGET, sample_size=5, quick=True).target_calls == 8


def test_a_sample_takes_what_its_own_conversations_take() -> None:
    threads(*([1] * 10), *([250] * 10))
    found = calls_estimate(checks=TARGET, sample_size=4)
    assert (found.threads, found.target_calls, found.exact) == (4, 12, True)


def test_a_large_sample_is_told_from_the_mean_of_a_smaller_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "_MEASURED", 4)
    threads(*([250] * 20))
    found = calls_estimate(checks=TARGET, sample_size=10)
    assert (found.threads, found.target_calls, found.exact) == (10, 40, False)


def test_checks_that_call_no_api_take_no_call() -> None:
    threads(250)
    assert calls_estimate(checks={"records", "snapshots"}, sample_size=None).target_calls == 0


def test_an_empty_estate_takes_no_call() -> None:
    assert calls_estimate(checks={"target", "live"}, sample_size=10) == estimate.Estimate(0, 0, 0, exact=True)


def test_it_reads_a_fixed_number_of_rows(django_assert_max_num_queries: Callable[[int], Any]) -> None:
    threads(*([1] * 30))
    with django_assert_max_num_queries(6):
        calls_estimate(checks={"target", "live"}, sample_size=20)
