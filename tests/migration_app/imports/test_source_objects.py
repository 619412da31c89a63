"""Assistants, files and vector stores: which version the console works with, and what is kept beside it."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.contracts import JsonObject
from migration_app.models import Assistant, AuditEvent, SourceObject
from migration_app.snapshots.pages import source_object_value, source_objects
from tests.migration_app.imports.support import assistant, imported, lines, message

pytestmark = pytest.mark.django_db


def file(status: str = "processed", **more: Any) -> JsonObject:
    return {"id": "file-1", "object": "file", "filename": "a.pdf", "created_at": 10, "status": status, **more}


def store(**more: Any) -> JsonObject:
    return {"id": "vs_1", "object": "vector_store", "name": "Manuals", "status": "completed", **more}


def versions() -> list[tuple[str, Any]]:
    rows = SourceObject.objects.order_by("pk")
    return [(row.state, source_object_value(row).get("status")) for row in rows]


def test_a_file_goes_in_once() -> None:
    assert imported(lines(file(), file())).counts["unchanged"] == 1
    assert versions() == [("current", "processed")]


@pytest.mark.parametrize("in_one_file", [True, False])
def test_a_later_state_of_a_file_supersedes_the_earlier_one(in_one_file: bool) -> None:
    if in_one_file:
        counts = imported(lines(file("uploaded"), file())).counts
    else:
        imported(lines(file("uploaded")))
        counts = imported(lines(file())).counts
    assert versions() == [("superseded", "uploaded"), ("current", "processed")]
    assert (counts["states"], counts.get("conflicts", 0)) == (1, 0)
    assert not AuditEvent.objects.filter(verb="file.conflict").exists()


def test_an_earlier_state_that_comes_in_late_is_kept_and_changes_nothing() -> None:
    imported(lines(file()))
    imported(lines(file("uploaded")))
    assert versions() == [("current", "processed"), ("superseded", "uploaded")]
    assert source_objects("file", ["file-1"])["file-1"]["status"] == "processed"


def test_states_that_are_known_add_nothing_in_any_order() -> None:
    data = lines(file("uploaded"), file())
    imported(data)
    assert imported(data).counts["unchanged"] == 2
    assert imported(lines(file("uploaded"))).counts["unchanged"] == 1
    assert SourceObject.objects.count() == 2


def test_counters_of_a_vector_store_go_on_without_a_conflict() -> None:
    imported(lines(store(usage_bytes=1, last_active_at=100, expires_at=200)))
    imported(lines(store(usage_bytes=5, last_active_at=150, expires_at=250)))
    imported(lines(store(status="expired", usage_bytes=0, last_active_at=150, expires_at=250)))
    assert versions() == [("superseded", "completed"), ("superseded", "completed"), ("current", "expired")]


def test_another_file_under_the_id_is_a_conflict_and_the_first_stays() -> None:
    imported(lines(file()))
    source_import = imported(lines(file(filename="b.pdf")))
    assert [state for state, _status in versions()] == ["current", "conflict"]
    assert source_objects("file", ["file-1"])["file-1"]["filename"] == "a.pdf"
    assert source_import.counts["conflicts"] == 1
    assert AuditEvent.objects.get(verb="file.conflict").subject_id == "file-1"


def test_a_later_state_that_says_less_takes_the_rest_from_the_earlier_one() -> None:
    imported(lines(file("uploaded")))
    imported(lines({"messages": [message("m1")], "files": [{"id": "file-1", "status": "processed"}]}))
    assert source_objects("file", ["file-1"])["file-1"] == file()
    again = imported(lines({"messages": [message("m1")], "files": [{"id": "file-1", "status": "processed"}]}))
    assert again.counts["unchanged"] == 2


def test_an_assistant_that_a_bundle_only_named_is_completed() -> None:
    imported(lines({"messages": [message("m1")], "assistant": {"id": "asst_1", "name": "Desk"}}))
    imported(lines(assistant()))
    assert [row.state for row in SourceObject.objects.order_by("pk")] == ["superseded", "current"]
    assert Assistant.objects.get().model == "gpt-4o"


@pytest.mark.parametrize(
    "other", [{"instructions": None}, {"instructions": "Be brief."}, {"tools": [{"type": "file_search"}]}]
)
def test_any_other_content_of_an_assistant_is_a_conflict(other: JsonObject) -> None:
    imported(lines(assistant(instructions="Be kind.")))
    imported(lines(assistant(**{"instructions": "Be kind.", **other})))
    assert [row.state for row in SourceObject.objects.order_by("pk")] == ["current", "conflict"]
    assert AuditEvent.objects.filter(verb="assistant.conflict").count() == 1
