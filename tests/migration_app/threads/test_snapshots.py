"""Snapshots from a live source, and reading what was stored."""

from __future__ import annotations

import json
import tracemalloc
import uuid
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from migration_app import spill
from migration_app.archive.files.reader import DocumentUnreadableError
from migration_app.archive.versions import Verdict
from migration_app.contracts import Actor, JsonObject
from migration_app.models import SnapshotPage, Thread
from migration_app.snapshots import pages
from migration_app.snapshots.pages import (
    known_objects,
    load_source_thread,
    load_source_threads,
    page_content,
    threads_with_pages,
)
from migration_app.spill import is_spilled
from migration_app.threads.snapshots import live_snapshot_store
from tests.factories import BatchFactory, SnapshotPageFactory, ThreadFactory
from tests.migration_app.imports.support import assistant, imported, lines, message, run, thread

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
    with pytest.raises(DatabaseError, match="UPDATE refused"), transaction.atomic():
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


def test_a_thread_of_which_nothing_is_stored_is_read_beside_others() -> None:
    without = [ThreadFactory.create(thread_id=f"thread_{name}") for name in "ac"]
    row = claimed()
    live_snapshot_store(thread=row, received=received(listed(message("m1"))), actor=ACTOR)
    last = ThreadFactory.create(thread_id="thread_z")
    loaded = list(load_source_threads([last, row, *without]))
    assert [(found.thread.pk, len(found.source.messages)) for found in loaded] == [
        *((thread.pk, 0) for thread in without),
        (row.pk, 1),
        (last.pk, 0),
    ]


def test_a_large_thread_is_stored_and_read_in_a_small_part_of_its_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spill, "MAX_BYTES_IN_MEMORY", 1 << 18)
    monkeypatch.setattr(pages, "MAX_BYTES_IN_MEMORY", 1 << 18)
    text = [{"type": "text", "text": {"value": "High water is at twenty to seven. " * 60, "annotations": []}}]

    def answers() -> Iterator[tuple[bytes, str]]:
        for start in range(0, 3000, 100):
            page = listed(*(message(f"m{number}", content=text) for number in range(start, start + 100)))
            yield json.dumps(page).encode(), f"req_{start}"

    row = claimed()
    live_snapshot_store(thread=row, received=received(listed(message("m0"))), actor=ACTOR)
    size = sum(len(raw) for raw, _request_id in answers())
    tracemalloc.start()
    try:
        live_snapshot_store(thread=row, received=answers(), actor=ACTOR)
        source = load_source_thread(row)
        assert sum(len(value["id"]) for value in source.messages) > 3000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert is_spilled(source.messages)
    assert len(source.messages) == 3000
    assert (row.item_count, row.chunk_count) == (3000, 150)
    assert row.pages.count() == 31
    assert peak < size * 0.75


def test_what_is_stored_of_a_large_thread_is_known_without_holding_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = claimed()
    answers = [listed(message(f"m{number}", text="tide " * 20)) for number in range(5)]
    live_snapshot_store(thread=row, received=received(*answers), actor=ACTOR)
    monkeypatch.setattr(pages, "MAX_BYTES_IN_MEMORY", 300)
    ((_thread, stored),) = threads_with_pages([row])
    assert [page.sequence for page in stored] == [0, 1, 2, 3, 4]
    assert all(page.get_deferred_fields() == {"payload"} for page in stored)
    known = known_objects(row, stored)
    assert known.see("message", "m3", message("m3", text="tide " * 20)) is Verdict.SAME
    assert known.see("message", "m3", message("m3", text="ebb")) is Verdict.CONFLICT
    assert known.see("message", "m9", message("m9")) is Verdict.NEW
