"""Snapshots from a live source, and reading what was stored."""

from __future__ import annotations

import json
import uuid

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from migration_app.archive.reader import DocumentUnreadableError
from migration_app.contracts import Actor, JsonObject
from migration_app.models import SnapshotPage, Thread
from migration_app.services import pages
from migration_app.services.pages import load_source_threads, page_content
from migration_app.services.snapshots import live_snapshot_store, load_source_thread
from tests.factories import BatchFactory, SnapshotPageFactory, ThreadFactory
from tests.migration_app.intake.support import assistant, imported, lines, message, run, thread

pytestmark = pytest.mark.django_db
ACTOR = Actor("ada")
S = Thread.Status


def received(*values: JsonObject) -> list[tuple[bytes, str]]:
    return [(json.dumps(value).encode(), f"req_{number}") for number, value in enumerate(values)]


def listed(*values: JsonObject) -> JsonObject:
    return {"object": "list", "data": list(values), "has_more": False}


def claimed(**fields: object) -> Thread:
    return ThreadFactory.create(
        thread_id="thread_1",
        batch=BatchFactory.create(kind="snapshot"),
        pending_work="snapshot",
        lease_token=uuid.uuid4(),
        lease_until=timezone.now(),
        **fields,
    )


def test_live_answers_are_stored_and_the_work_is_over() -> None:
    row = claimed()
    live_snapshot_store(
        thread=row,
        received=received(
            thread(metadata={"user_id": "u-7"}), listed(message("m1"), message("m2")), listed(run("r1"))
        ),
        actor=ACTOR,
    )
    row.refresh_from_db()
    assert (row.status, row.pending_work, row.lease_token, row.user_ref) == (S.SNAPSHOTTED, "", None, "u-7")
    assert [value["id"] for value in load_source_thread(row).messages] == ["m1", "m2"]
    assert list(row.pages.order_by("sequence").values_list("kind", "order", "request_id")) == [
        ("live", "asc", "req_0"),
        ("live", "asc", "req_1"),
        ("live", "asc", "req_2"),
    ]
    assert row.finding_counts == {}


def test_the_same_answers_again_are_not_stored_twice() -> None:
    row = claimed()
    answers = received(thread(), listed(message("m1")))
    live_snapshot_store(thread=row, received=answers, actor=ACTOR)
    live_snapshot_store(thread=row, received=answers, actor=ACTOR)
    assert row.pages.count() == 2


def test_a_longer_list_is_stored_and_gives_what_is_new() -> None:
    row = claimed()
    live_snapshot_store(thread=row, received=received(thread(), listed(message("m1"))), actor=ACTOR)
    longer = received(thread(), listed(message("m1"), message("m2")))
    live_snapshot_store(thread=row, received=longer, actor=ACTOR)
    row.refresh_from_db()
    assert (row.message_count, row.pages.count()) == (2, 3)


def test_secrets_in_live_answers_are_not_stored() -> None:
    row = claimed()
    secret = run("r1", tool_resources={"mcp": [{"headers": {"X-Key": "s3cret"}}]})
    live_snapshot_store(thread=row, received=received(listed(secret)), actor=ACTOR)
    page = row.pages.get()
    assert page.redacted
    assert b"s3cret" not in page_content(page).payload


def test_an_answer_that_is_no_json_stores_nothing() -> None:
    row = claimed()
    with pytest.raises(DocumentUnreadableError), transaction.atomic():
        live_snapshot_store(thread=row, received=[*received(thread()), (b"<html>", "req_9")], actor=ACTOR)
    assert not SnapshotPage.objects.exists()


def test_a_page_is_never_changed() -> None:
    page = SnapshotPageFactory.create()
    with pytest.raises(DatabaseError, match="Cannot update"), transaction.atomic():
        SnapshotPage.objects.filter(pk=page.pk).update(payload=b"")


def test_documents_are_spread_over_pages_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MAX_PAGE_BYTES", 400)
    imported(lines(*(message(f"m{number}", 100 + number) for number in range(5))))
    counts = SnapshotPage.objects.order_by("sequence").values_list("sequence", "document_count")
    assert list(counts) == [(0, 2), (1, 2), (2, 1)]
    assert len(load_source_thread(Thread.objects.get()).messages) == 5


def test_file_objects_that_messages_name_come_with_the_thread() -> None:
    file: JsonObject = {"id": "file-1", "object": "file", "filename": "a.pdf"}
    other: JsonObject = {"id": "file-2", "object": "file", "filename": "b.pdf"}
    imported(lines(file, other, message("m1", attachments=[{"file_id": "file-1", "tools": []}]), assistant()))
    assert load_source_thread(Thread.objects.get()).files == {"file-1": file}


def test_many_threads_are_loaded_each_with_its_own_pages() -> None:
    imported(lines(message("m1"), message("n1", of="thread_2"), message("o1", of="thread_3")))
    empty = ThreadFactory.create(thread_id="thread_4")
    loaded = list(load_source_threads([*Thread.objects.exclude(pk=empty.pk), empty]))
    assert [(one.thread.thread_id, [m["id"] for m in one.source.messages]) for one in loaded] == [
        ("thread_1", ["m1"]),
        ("thread_2", ["n1"]),
        ("thread_3", ["o1"]),
        ("thread_4", []),
    ]
    assert loaded[3].received_at is None
