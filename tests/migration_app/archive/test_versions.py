"""One object seen more than once."""

import pytest

from migration_app.archive.versions import (
    KnownObjects,
    NestedTooDeeplyError,
    Verdict,
    contradicts,
    digest_of,
    merged,
    pruned,
)
from migration_app.contracts import MAX_JSON_DEPTH, JsonObject, SourceKind

MESSAGE: JsonObject = {"id": "msg_1", "role": "assistant", "content": [{"type": "text"}], "created_at": 5}


def test_nulls_and_empties_say_nothing() -> None:
    assert pruned({"a": None, "b": {}, "c": [], "d": {"e": {"f": []}}, "g": "", "h": 0}) == {"g": "", "h": 0}


def test_list_elements_keep_their_places() -> None:
    assert pruned({"a": [None, {}, 1]}) == {"a": [None, {}, 1]}


def test_key_order_and_nulls_do_not_change_the_digest() -> None:
    assert digest_of({"a": 1, "b": 2, "c": None}) == digest_of({"b": 2, "a": 1})


def test_what_is_nested_without_end_is_refused() -> None:
    value: JsonObject = {}
    for _level in range(MAX_JSON_DEPTH):
        value = {"a": value}
    digest_of(value)
    with pytest.raises(NestedTooDeeplyError):
        digest_of({"a": value})


def test_the_same_thread_with_empty_lists_is_the_same() -> None:
    known = {"id": "thread_1", "tool_resources": {}}
    other = {"id": "thread_1", "tool_resources": {"code_interpreter": {"file_ids": []}}}
    assert merged("thread", known, other) == (known, Verdict.SAME)


def test_a_sight_that_says_more_adds_to_what_is_known() -> None:
    listed = {**MESSAGE, "run_id": "run_1"}
    event = {**MESSAGE, "status": "completed"}
    assert merged("message", listed, event) == (
        {**MESSAGE, "run_id": "run_1", "status": "completed"},
        Verdict.STATE,
    )


@pytest.mark.parametrize(
    ("kind", "earlier", "later"),
    [
        ("message", {"status": "in_progress", "content": "par"}, {"status": "completed", "content": "part"}),
        ("message", {"status": "in_progress", "content": "par"}, {"status": "incomplete", "content": "part"}),
        ("run", {"status": "queued"}, {"status": "in_progress"}),
        ("run", {"status": "requires_action"}, {"status": "queued"}),
        ("run", {"status": "cancelling"}, {"status": "cancelled"}),
        ("run", {"status": "in_progress"}, {"status": "expired"}),
        ("step", {"status": "in_progress"}, {"status": "completed"}),
        ("file", {"status": "uploaded"}, {"status": "processed"}),
        ("vector_store", {"status": "completed"}, {"status": "expired"}),
        (
            "vector_store",
            {"usage_bytes": 1, "file_counts": {"total": 1}},
            {"usage_bytes": 2, "file_counts": {"total": 2}},
        ),
        (
            "vector_store",
            {"status": "completed", "last_active_at": 1},
            {"status": "in_progress", "last_active_at": 2},
        ),
        ("file", {"status": "processed", "expires_at": 1}, {"status": "processed", "expires_at": 2}),
    ],
)
def test_a_later_state_takes_the_place_of_an_earlier_one(
    kind: SourceKind, earlier: JsonObject, later: JsonObject
) -> None:
    assert merged(kind, earlier, later) == (later, Verdict.STATE)


def test_a_finished_state_stays_when_an_unfinished_one_comes_after_it() -> None:
    finished = {"status": "completed", "usage": {"total_tokens": 5}}
    assert merged("run", finished, {"status": "in_progress"}) == (finished, Verdict.STATE)


@pytest.mark.parametrize("kind", ["thread", "message", "run", "step", "assistant", "file"])
def test_other_content_is_a_conflict_and_the_first_stays(kind: SourceKind) -> None:
    known, other = {"status": "completed", "a": 1}, {"status": "completed", "a": 2}
    assert merged(kind, known, other) == (known, Verdict.CONFLICT)


def test_known_objects_tell_new_same_state_and_conflict() -> None:
    known = KnownObjects()
    sights = [
        ("run", {"status": "queued"}),
        ("run", {"status": "queued", "last_error": None}),
        ("run", {"status": "completed"}),
        ("run", {"status": "queued"}),
        ("run", {"status": "failed"}),
        ("step", {"status": "completed"}),
    ]
    verdicts = [known.see(kind, "id_1", value).value for kind, value in sights]  # type: ignore[arg-type]  # literals
    assert verdicts == ["new", "same", "state", "same", "conflict", "new"]


@pytest.mark.parametrize(
    ("kind", "later", "earlier"),
    [
        ("file", {"status": "processed"}, {"status": "uploaded"}),
        ("vector_store", {"status": "expired"}, {"status": "completed"}),
        (
            "vector_store",
            {"last_active_at": 200, "usage_bytes": 1},
            {"last_active_at": 100, "usage_bytes": 2},
        ),
    ],
)
def test_an_earlier_state_that_comes_in_late_changes_nothing(
    kind: SourceKind, later: JsonObject, earlier: JsonObject
) -> None:
    result, verdict = merged(kind, later, earlier)
    assert result is later
    assert verdict is Verdict.STATE


@pytest.mark.parametrize(
    ("kind", "known", "other"),
    [
        ("file", {"status": "uploaded", "filename": "a.pdf"}, {"status": "processed", "filename": "b.pdf"}),
        ("vector_store", {"status": "in_progress", "name": "a"}, {"status": "completed", "name": "b"}),
    ],
)
def test_another_object_under_the_id_is_a_conflict_whatever_its_state(
    kind: SourceKind, known: JsonObject, other: JsonObject
) -> None:
    assert merged(kind, known, other) == (known, Verdict.CONFLICT)


def test_a_later_state_that_says_less_keeps_what_was_said() -> None:
    known = {"status": "uploaded", "filename": "a.pdf"}
    assert merged("file", known, {"status": "processed"}) == (
        {"status": "processed", "filename": "a.pdf"},
        Verdict.STATE,
    )


@pytest.mark.parametrize(
    "other", ["1702014088", 1702014088000, "2023-12-08T05:41:28Z", "2023-12-08 05:41:28 UTC"]
)
def test_one_moment_written_in_two_ways_is_the_same(other: object) -> None:
    known = {"id": "msg_1", "created_at": 1702014088}
    assert merged("message", known, {"id": "msg_1", "created_at": other}) == (known, Verdict.SAME)


@pytest.mark.parametrize(
    ("known", "other", "expected"),
    [
        ({"tools": [1]}, {"tools": []}, True),
        ({"tools": []}, {"tools": [1]}, True),
        ({"name": None}, {"name": "Desk"}, True),
        ({"tools": [1]}, {}, False),
        ({}, {"tools": [1]}, False),
        ({"tools": None, "name": "x"}, {"tools": [], "name": "x"}, False),
    ],
)
def test_two_sights_contradict_where_both_name_a_field(
    known: JsonObject, other: JsonObject, expected: bool
) -> None:
    assert contradicts(known, other) is expected
