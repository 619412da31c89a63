from __future__ import annotations

import datetime as dt

import pytest

from migration_app.archive.sequence import payload_compress
from migration_app.models import SnapshotPage, SourceObject, Thread
from migration_app.reconciliation.kinds import Found
from migration_app.reconciliation.snapshots import objects_check, snapshots_check
from tests.factories import SnapshotPageFactory, SourceImportFactory, SourceObjectFactory, ThreadFactory
from tests.guards import unguarded
from tests.migration_app.copied import snapshotted_thread

pytestmark = pytest.mark.django_db


def look() -> tuple[Found, ...]:
    return snapshots_check(list(Thread.objects.values_list("pk", flat=True))).found


def damage(**fields: object) -> None:
    """What a failing disk does; the console's own trigger would refuse it."""
    with unguarded(SnapshotPage):
        SnapshotPage.objects.update(**fields)


def test_a_snapshot_that_is_what_was_written_is_no_discrepancy() -> None:
    snapshotted_thread("thread_1", messages=3)
    snapshotted_thread("thread_2", messages=0)
    assert look() == ()


@pytest.mark.parametrize("payload", [payload_compress(b'\x1e{"id": 1}\n'), b"no zlib at all"])
def test_a_page_that_is_not_what_was_written_is_damaged(payload: bytes) -> None:
    thread = snapshotted_thread()
    damage(payload=payload)
    (found,) = look()
    assert (found.code, found.thread_pk) == ("snapshot_damaged", thread.pk)
    assert found.found.startswith("page 1: ")


def test_pages_that_are_missing_in_between_are_a_gap() -> None:
    snapshotted_thread()
    damage(sequence=2)
    (found,) = look()
    assert (found.code, found.claimed, found.found) == ("snapshot_gap", "page 1", "page 3 follows")


def test_a_thread_that_claims_a_snapshot_without_a_page_is_found() -> None:
    ThreadFactory.create(status="snapshotted", snapshot_at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC))
    assert [found.code for found in look()] == ["snapshot_missing"]


def test_counts_that_are_not_those_of_the_pages_are_found() -> None:
    snapshotted_thread(messages=3)
    Thread.objects.update(message_count=4)
    (found,) = look()
    assert (found.code, found.claimed, found.found) == (
        "counts_differ",
        "4 messages, 0 runs",
        "3 messages, 0 runs",
    )


def test_pages_that_came_in_after_the_assessment_are_found() -> None:
    thread = snapshotted_thread()
    page = thread.pages.get()
    SnapshotPageFactory.create(
        thread=thread, sequence=page.sequence + 1, received_at=page.received_at - dt.timedelta(days=1)
    )
    assert [found.code for found in look()] == ["snapshot_unassessed"]


def test_a_thread_whose_import_is_running_is_not_judged() -> None:
    snapshotted_thread()
    Thread.objects.update(message_count=0)
    damage(source_import=SourceImportFactory.create())
    looked = snapshots_check(list(Thread.objects.values_list("pk", flat=True)))
    assert (looked.found, looked.skipped) == ((), 1)


def test_an_object_that_is_not_what_was_written_is_found() -> None:
    SourceObjectFactory.create()
    damaged = SourceObjectFactory.create(object_id="file-x")
    with unguarded(SourceObject):
        SourceObject.objects.filter(pk=damaged.pk).update(payload=payload_compress(b"{}"))
    looked = objects_check(list(SourceObject.objects.values_list("pk", flat=True)))
    assert looked.looked == 2
    assert [(found.code, found.subject) for found in looked.found] == [("object_damaged", "file file-x")]
