from __future__ import annotations

import pytest
from django.utils import timezone

from migration_app.models import Thread
from migration_app.services.preflight import FindingCount, preflight_of
from migration_app.services.selections import selection_of_filters

pytestmark = pytest.mark.django_db


def thread(number: int, status: str = "snapshotted", **fields: object) -> Thread:
    return Thread.objects.create(
        thread_id=f"thread_{number}", status=status, snapshot_at=timezone.now(), **fields
    )


def test_it_counts_what_would_be_taken_and_what_is_left_out_and_why() -> None:
    thread(1, fidelity="exact", message_count=45, item_count=45, chunk_count=3, payload_bytes=900)
    thread(2, fidelity="lossy", message_count=250, item_count=240, chunk_count=12, payload_bytes=100)
    thread(3, fidelity="exact")
    thread(4, "blocked")
    thread(5, "verified")
    found = preflight_of(selection_of_filters({}), "backfill")
    assert (found.matching, found.totals.threads) == (5, 3)
    assert found.refused_by_status == {"blocked": 1, "verified": 1}
    assert found.by_fidelity == {"exact": 2, "lossy": 1}
    totals = found.totals
    assert (totals.messages, totals.items, totals.chunks, totals.payload_bytes) == (295, 285, 15, 1000)
    assert totals.calls == 3 + 15 + (1 + 3 + 1)


def test_findings_are_added_up_over_the_threads_that_would_be_taken() -> None:
    thread(1, finding_counts={"image_on_assistant": 2, "message_empty": 1})
    thread(2, finding_counts={"image_on_assistant": 1})
    thread(3, "verified", finding_counts={"image_on_assistant": 9})
    found = preflight_of(selection_of_filters({}), "backfill").findings
    assert [(entry.code, entry.threads, entry.count) for entry in found] == [
        ("image_on_assistant", 2, 3),
        ("message_empty", 1, 1),
    ]
    assert isinstance(found[0], FindingCount)
    assert found[0].severity == "lossy"


def test_the_longest_threads_are_named() -> None:
    for number, items in enumerate((5, 500, 50)):
        thread(number, item_count=items)
    found = preflight_of(selection_of_filters({}), "backfill")
    assert [one.thread_id for one in found.longest] == ["thread_1", "thread_2", "thread_0"]


def test_it_changes_nothing() -> None:
    thread(1)
    before = list(Thread.objects.values())
    preflight_of(selection_of_filters({}), "exclude")
    assert list(Thread.objects.values()) == before
