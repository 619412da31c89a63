"""Parts of a bundle that are JSON text or no list, and what stands beside the known parts: nothing goes in silence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from migration_app.contracts import JsonObject
from migration_app.snapshots.pages import load_source_thread
from tests.migration_app.imports.support import (
    imported,
    lines,
    message,
    run,
    stored_messages,
    the_thread,
    thread,
)

pytestmark = pytest.mark.django_db
M0, M1 = message("m0", 90), message("m1", 100)
SAID = {"role": "user", "content": "x"}


def listed(*values: JsonObject, **more: Any) -> JsonObject:
    return {"object": "list", "data": list(values), **more}


def codes(name: str = "thread_1") -> list[str]:
    return [finding.code for finding in load_source_thread(the_thread(name)).findings]


@pytest.mark.parametrize(
    "document",
    [
        {"thread": thread(), "messages": json.dumps([M0, M1])},
        {"thread": json.dumps(thread()), "messages": json.dumps(listed(M0, M1))},
        {"thread": thread(), "messages": listed(M0) | {"data": json.dumps([M0, M1])}},
        {**thread(), "messages": json.dumps([M0, M1])},
        {"object": "list", "data": json.dumps([M0, M1])},
        [{"thread": thread(), "messages": json.dumps([M0, M1])}],
        {"event": "thread.message.completed", "data": json.dumps(M0), "message": M1},
        {"thread": thread(), "messages": [M0], "message": M1},
        {"thread": thread(), "message": M0, "messages": [M1]},
        {"thread": thread(), "messages": [M1], "older_messages": [M0]},
        {"thread": thread(), "messages": [M1], "older_messages": json.dumps([M0])},
        {"thread": thread(), "messages": [M1], "older": listed(M0)},
        {"thread": thread(), "messages": [M1], "older": {"a": [M0]}},
        {"thread": thread(), "messages": [M1], "older": {k: v for k, v in M0.items() if k != "object"}},
        {**thread(), "messages": [M1], "older_messages": [M0]},
        {**thread(), "older_messages": [M0, M1]},
        {**run("run_1"), "answers": [M0, M1]},
        {"object": "list", "data": [M1], "messages": [M0]},
        {"object": "list", "data": [M1], "thread": thread(), "message": M0, "has_more": False},
        {"thread": thread(), "messages": listed(M1, older=[M0])},
        {"thread_id": "thread_1", "data": [M1], "runs": [run("run_1")], "messages": [M0]},
        {"event": "thread.message.completed", "data": M1, "message": M0},
    ],
)
def test_objects_are_read_wherever_they_stand_in_a_document(document: Any) -> None:
    source_import = imported(json.dumps(document).encode() + b"\n")
    assert (stored_messages(), source_import.reject_count, codes()) == (["m0", "m1"], 0, [])


@pytest.mark.parametrize(
    "document",
    [
        {"thread": thread(), "messages": "text"},
        {"thread": thread(), "messages": "[words"},
        {"thread": thread(), "messages": 7},
        {"thread": thread(), "runs": True},
        {**thread(), "messages": "text"},
        {"thread_id": "thread_1", "messages": "text"},
        {"thread_id": "thread_1", "run_id": "run_1", "run_steps": 7, "messages": [M1]},
        {**run("run_1"), "steps": "text"},
        {"thread": thread(), "messages": [M1], "older_messages": [SAID]},
        {"thread": thread(), "messages": [M1], "extra": {"a": 1, "older": [M0]}},
        {"thread_id": "thread_1", "messages": [SAID], "older_messages": [SAID]},
        {"thread_id": "thread_1", "messages": [SAID], "message": SAID},
        {"object": "list", "data": [M1], "older": [SAID]},
        {"event": "thread.message.completed", "data": M1, "before": [SAID]},
        {"thread": thread(), "messages": listed(M1, older=[SAID])},
    ],
)
def test_what_cannot_be_read_beside_the_known_parts_is_rejected_and_marks_the_thread(document: Any) -> None:
    source_import = imported(lines(thread(), document))
    assert (source_import.reject_count, codes()) == (1, ["object_rejected"])
    assert the_thread().fidelity == "lossy"


@pytest.mark.parametrize(
    "document",
    [
        {"thread": thread(), "messages": [M1], "customer": "acme", "title": "x", "extra": {"a": 1}},
        {
            "object": "list",
            "data": [M1],
            "has_more": False,
            "customer": "acme",
            "extra": [1],
            "first_id": "m1",
        },
        {
            "thread_id": "thread_1",
            "messages": [{**SAID, "id": "m1"}],
            "customer": "acme",
            "extra": {"a": 1},
            "version": 2,
        },
        {"event": "thread.message.completed", "data": M1, "id": "7", "customer": "acme", "extra": 7},
    ],
)
def test_fields_that_nobody_knows_are_named_once_and_reject_nothing(document: Any) -> None:
    data = lines(thread(), document, document)
    for _time in range(2):
        source_import = imported(data)
        found = load_source_thread(the_thread()).findings
        assert (source_import.reject_count, [finding.code for finding in found]) == (0, ["fields_unknown"])
        assert found[0].text.endswith("does not know: customer, extra.")


def test_a_page_of_several_threads_names_no_unknown_fields_and_rejects_messages_of_none() -> None:
    two = message("m2", of="thread_2")
    source_import = imported(lines(listed(M1, two, customer="acme"), listed(M1, two, older=[SAID])))
    assert (source_import.reject_count, codes(), codes("thread_2")) == (1, [], [])


@pytest.mark.parametrize("said", [True, "true", 1])
def test_deleted_is_read_as_has_more_is_and_is_no_unknown_field(said: object) -> None:
    imported(lines(thread(deleted="false"), M0, {**M1, "deleted": said}))
    source = load_source_thread(the_thread())
    assert (source.deleted, source.deleted_messages) == (False, frozenset({"m1"}))
    assert "fields_unknown" not in the_thread().finding_counts
