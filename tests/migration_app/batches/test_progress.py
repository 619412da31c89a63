from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from migration_app.batches.progress import batch_progress, batches_results
from migration_app.counters import RESULTS, THREADS
from migration_app.models import Thread
from tests.migration_app.admin.estate import batch_made, result_made, thread_made, threads_made

pytestmark = pytest.mark.django_db


def test_progress_is_told_by_status_and_by_what_is_left(
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    batch = batch_made(taken_count=4)
    threads_made(2, batch=batch, status="failed", error_code="timeout")
    thread_made(batch=batch, status="failed", error_code="bad_request")
    thread_made(batch=batch, status="queued", pending_work="backfill")
    thread_made(status="verified")
    with django_assert_num_queries(2):
        found = batch_progress(batch)
    assert (found.taken, found.pending, found.percent) == (4, 1, 75)
    assert found.by_status == {"failed": 3, "queued": 1}
    THREADS.fold()
    assert batch_progress(batch) == found


def test_a_batch_keeps_its_outcome_when_a_later_one_takes_its_threads() -> None:
    first, second = batch_made(taken_count=3), batch_made(taken_count=2)
    failed, other, verified = threads_made(3, batch=first)
    for thread, result, code in (
        (failed, "failed", "timeout"),
        (other, "blocked", ""),
        (verified, "verified", ""),
    ):
        result_made(thread, result, error_code=code, messages=10)
    Thread.objects.filter(pk__in=[failed.pk, other.pk]).update(batch=second)
    found = batch_progress(first)
    assert (found.done, found.taken, found.percent) == (3, 3, 100)
    assert list(found.by_result.items()) == [("verified", 1), ("failed", 1), ("blocked", 1)]
    assert (found.good, found.trouble, found.messages) == (1, 2, 30)
    assert found.results_text == "1 verified, 1 failed, 1 blocked"
    RESULTS.fold()
    assert batch_progress(first) == found
    assert batch_progress(second).by_result == {}


def test_the_results_of_many_batches_are_one_query(django_assert_num_queries: Callable[[int], Any]) -> None:
    batches = [batch_made() for _ in range(3)]
    for batch in batches[:2]:
        result_made(thread_made(batch=batch), "failed", error_code="timeout")
    with django_assert_num_queries(1):
        found = batches_results([batch.pk for batch in batches])
    assert {pk: [line.threads for line in lines] for pk, lines in found.items()} == {
        batches[0].pk: [1],
        batches[1].pk: [1],
    }
