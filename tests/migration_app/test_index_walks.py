from __future__ import annotations

import pytest
from django.db import connection

from migration_app import index_walks
from migration_app.index_walks import (
    Window,
    counted_up_to,
    estimated,
    index_for,
    walk,
    window_of,
)
from migration_app.models import Thread
from tests.migration_app.admin.estate import threads_made

pytestmark = pytest.mark.django_db


def test_an_index_serves_exactly_the_fields_that_it_begins_with() -> None:
    indexes = ((), ("batch_id", "status"), ("status",))
    assert index_for({"status", "batch_id"}, indexes) == ("batch_id", "status")
    assert index_for(set(), indexes) == ()
    assert index_for({"batch_id"}, indexes) is None


def test_a_walk_finds_the_rows_of_one_value_newest_first() -> None:
    wanted = threads_made(3, status="failed", error_code="timeout")
    threads_made(2, status="failed", error_code="unreachable")
    found = walk(Thread.objects.all(), {"error_code": "timeout"})
    assert list(found) == wanted[::-1]
    assert list(found.reverse()) == wanted


def test_a_walk_to_old_rows_does_not_come_past_the_newer_ones() -> None:
    Thread.objects.bulk_create(
        Thread(thread_id=f"t{number}", status="verified" if number < 4000 else "snapshotted")
        for number in range(8000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE migration_app_thread")
    found = walk(Thread.objects.all(), {"status": "verified"}).values_list("pk", flat=True)
    for rows in (found[:50], found[3000:3050], found.reverse()[:50]):
        plan = rows.explain()
        assert "thread_status" in plan
        assert "Sort" not in plan
        assert "migration_app_thread_pkey" not in plan


def test_counting_stops_one_above_the_limit() -> None:
    threads_made(5)
    assert counted_up_to(Thread.objects.all(), 3) == 4
    assert counted_up_to(Thread.objects.all(), 5) == 5


def test_a_window_tells_the_matches_among_the_first_rows_and_where_it_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_walks, "SCANNED_AT_ONCE", 4)
    first = threads_made(3, fidelity="lossy")
    middle = threads_made(3, fidelity="exact")
    last = threads_made(1, fidelity="lossy")
    rows = Thread.objects.order_by("-id")
    assert window_of(rows, {"fidelity": "lossy"}) == Window([last[0].pk], below=middle[0].pk)
    rest = window_of(rows.filter(pk__lt=middle[0].pk), {"fidelity": "lossy"})
    assert rest == Window([thread.pk for thread in first[::-1]], below=None)


def test_a_window_takes_keys_of_json_and_text_that_stands_for_numbers() -> None:
    (thread,) = threads_made(1, finding_counts={"a?b": 1}, message_count=3)
    rows = Thread.objects.order_by("-id")
    assert window_of(rows, {"finding_counts__has_key": "a?b", "message_count": "3"}).pks == [thread.pk]
    assert window_of(rows, {"finding_counts__has_key": "a"}).pks == []


def test_an_estimate_comes_from_statistics() -> None:
    threads_made(30)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE migration_app_thread")
    assert estimated(Thread.objects.all()) == 30
