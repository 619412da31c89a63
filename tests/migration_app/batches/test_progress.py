from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from migration_app.batches.progress import batch_progress
from migration_app.counters import THREADS
from migration_app.models import Thread
from tests.migration_app.admin.estate import batch_made, thread_made, threads_made

pytestmark = pytest.mark.django_db


def test_progress_is_told_by_status_and_by_what_is_left(
    django_assert_num_queries: Callable[[int], Any],
) -> None:
    batch = batch_made()
    threads_made(2, batch=batch, status="failed", error_code="timeout")
    thread_made(batch=batch, status="failed", error_code="bad_request")
    thread_made(batch=batch, status="queued", pending_work="backfill")
    thread_made(status="verified")
    with django_assert_num_queries(1):
        found = batch_progress(batch)
    assert (found.taken, found.pending, found.percent) == (4, 1, 75)
    assert found.by_status == {"failed": 3, "queued": 1}
    THREADS.fold()
    assert batch_progress(batch) == found


def test_threads_that_a_later_batch_took_are_counted_there() -> None:
    first, second = batch_made(), batch_made()
    threads_made(2, batch=first)
    Thread.objects.update(batch=second)
    assert batch_progress(first).taken == 0
    assert batch_progress(first).percent == 100
    assert batch_progress(second).taken == 2
