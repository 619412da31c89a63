"""API objects out of documents: single, listed, bundled; and why something is left out."""

from typing import Any

import pytest

from migration_app.archive.expanded import Refused, Skipped, SourceObject
from migration_app.archive.objects import expand
from migration_app.contracts import JsonObject

MESSAGE = {"id": "msg_1", "object": "thread.message", "thread_id": "thread_1", "role": "user", "content": []}
RUN = {"id": "run_1", "object": "thread.run", "thread_id": "thread_1", "status": "completed"}
STEP = {"id": "step_1", "object": "thread.run.step", "thread_id": "thread_1", "run_id": "run_1"}
THREAD = {"id": "thread_1", "object": "thread", "metadata": {}}


def taken(value: JsonObject, thread_id: str = "") -> list[tuple[str, str, str]]:
    return [
        (found.kind, found.id, found.thread_id)
        for found in expand(value, thread_id=thread_id)
        if isinstance(found, SourceObject)
    ]


def left_out(value: JsonObject) -> list[Any]:
    return [found for found in expand(value) if not isinstance(found, SourceObject)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MESSAGE, ("message", "msg_1", "thread_1")),
        (RUN, ("run", "run_1", "thread_1")),
        (STEP, ("step", "step_1", "thread_1")),
        (THREAD, ("thread", "thread_1", "thread_1")),
        ({"id": "asst_1", "object": "assistant"}, ("assistant", "asst_1", "")),
        ({"id": "file-1", "object": "file"}, ("file", "file-1", "")),
        ({"id": "vs_1", "object": "vector_store"}, ("vector_store", "vs_1", "")),
        (
            {**MESSAGE, "id": "0798431a-7be9-4d42-a098-dbf87852f78b"},
            ("message", "0798431a-7be9-4d42-a098-dbf87852f78b", "thread_1"),
        ),
    ],
)
def test_each_kind_is_known_by_its_object_name(value: JsonObject, expected: tuple[str, str, str]) -> None:
    assert taken(value) == [expected]


def test_a_single_object_is_not_changed() -> None:
    value = {**MESSAGE, "unknown": {"x": None}}
    assert [found.value for found in expand(value) if isinstance(found, SourceObject)] == [value]


def test_list_pages_may_be_mixed_and_nested() -> None:
    page = {
        "object": "list",
        "data": [{"object": "list", "data": [MESSAGE, RUN]}, {"data": [THREAD], "has_more": False}],
    }
    assert [kind for kind, _id, _thread in taken(page)] == ["message", "run", "thread"]


def test_an_event_gives_its_object() -> None:
    assert taken({"event": "thread.message.completed", "data": MESSAGE}) == [("message", "msg_1", "thread_1")]


def test_an_object_inside_a_string_is_read() -> None:
    assert taken({"object": "list", "data": ['{"id": "asst_1", "object": "assistant"}']}) == [
        ("assistant", "asst_1", "")
    ]


@pytest.mark.parametrize(
    "bundle",
    [
        {"thread": THREAD, "messages": [{"id": "msg_1", "role": "user", "object": "thread.message"}]},
        {"thread": THREAD, "messages": {"object": "list", "data": [{"id": "msg_1", "role": "user"}]}},
        {"thread": {"id": "thread_1"}, "messages": [{"id": "msg_1", "role": "user"}]},
        {**THREAD, "messages": [{"id": "msg_1", "role": "user"}]},
    ],
)
def test_a_bundle_gives_its_messages_their_thread(bundle: JsonObject) -> None:
    assert taken(bundle) == [("thread", "thread_1", "thread_1"), ("message", "msg_1", "thread_1")]


def test_a_bundle_may_hold_runs_steps_assistant_and_files() -> None:
    bundle = {
        "thread": THREAD,
        "messages": [MESSAGE],
        "runs": [{"id": "run_1", "status": "completed", "steps": [{"id": "step_1"}]}],
        "run_steps": {"run_2": [{"id": "step_2", "run_id": "run_2"}]},
        "assistant": {"id": "asst_1"},
        "files": [{"id": "file-1"}],
    }
    assert {(kind, object_id) for kind, object_id, _thread in taken(bundle)} == {
        ("thread", "thread_1"),
        ("message", "msg_1"),
        ("run", "run_1"),
        ("step", "step_1"),
        ("step", "step_2"),
        ("assistant", "asst_1"),
        ("file", "file-1"),
    }


def test_a_step_inside_its_run_learns_the_run_and_the_thread() -> None:
    found = list(expand({**RUN, "steps": [{"id": "step_1"}]}))[1]
    assert isinstance(found, SourceObject)
    assert found.value == {
        "id": "step_1",
        "object": "thread.run.step",
        "thread_id": "thread_1",
        "run_id": "run_1",
    }


def test_a_bundle_without_thread_object_takes_the_thread_its_messages_name() -> None:
    bundle = {"messages": [MESSAGE, {"id": "msg_2", "role": "assistant"}]}
    assert taken(bundle)[1] == ("message", "msg_2", "thread_1")


def test_bundled_messages_without_ids_get_stable_ones() -> None:
    bundle = {
        "thread": THREAD,
        "messages": [{"role": "user", "content": "ok"}, {"role": "user", "content": "ok"}],
    }
    ids = [object_id for kind, object_id, _thread in taken(bundle) if kind == "message"]
    assert len(set(ids)) == 2
    assert ids == [object_id for kind, object_id, _thread in taken(bundle) if kind == "message"]


def test_objects_of_a_known_thread_need_not_name_it() -> None:
    assert taken({"id": "msg_1", "object": "thread.message"}, thread_id="thread_9") == [
        ("message", "msg_1", "thread_9")
    ]


@pytest.mark.parametrize(
    "value",
    [
        {"id": "asst_1", "object": "assistant.deleted", "deleted": True},
        {"object": "file", "id": "file-1", "deleted": True},
        {"id": "msg_1", "object": "thread.message.delta", "delta": {}},
        {"id": "file-1", "object": "assistant.file", "created_at": 1},
        {"id": "file-1", "object": "thread.message.file", "created_at": 1},
        {"id": "file-1", "object": "vector_store.file", "created_at": 1},
        {"id": "vsfb_1", "object": "vector_store.file_batch"},
        {"id": "vsfb_1", "object": "vector_store.files_batch"},
    ],
)
def test_what_is_no_part_of_the_estate_is_skipped(value: JsonObject) -> None:
    assert [type(found) for found in left_out(value)] == [Skipped]
    assert taken(value) == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"id": "x", "object": "chat.completion"}, "Unknown kind of object: 'chat.completion'."),
        ({"id": "x"}, 'It has no "object" that says what it is.'),
        ({"object": "thread"}, "The id of a thread is missing."),
        ({"object": "thread", "id": 7}, "The id of a thread is a int, not a string."),
        ({"object": "thread", "id": "x" * 256}, "The id of a thread is longer than 255 characters."),
        ({"object": "thread", "id": "a\0b"}, "The id of a thread holds control characters"),
        ({"object": "thread", "id": "\ud800"}, "half of a surrogate pair"),
        ({"object": "thread.message", "id": "msg_1"}, "can't be placed: its thread_id is missing"),
        ({"object": "thread.message", "thread_id": "thread_1"}, "The id of a thread.message is missing."),
        ({"object": "list", "data": [7]}, "not an object"),
    ],
)
def test_what_cannot_be_placed_is_refused_with_a_reason(value: JsonObject, reason: str) -> None:
    (found,) = left_out(value)
    assert isinstance(found, Refused)
    assert reason in found.reason


def test_lists_nested_without_end_are_refused() -> None:
    value: JsonObject = MESSAGE
    for _level in range(20):
        value = {"object": "list", "data": [value]}
    (found,) = left_out(value)
    assert found.reason == "Lists and bundles are nested too deeply."


def test_a_string_that_holds_no_json_is_refused() -> None:
    (found,) = left_out({"object": "list", "data": ['{"id": "asst_1"']})
    assert "not an object" in found.reason


def test_a_bundle_may_name_its_thread_by_id() -> None:
    assert taken({"thread": "thread_1", "messages": [{"id": "msg_1", "role": "user"}]}) == [
        ("message", "msg_1", "thread_1")
    ]


def test_the_messages_of_a_thread_that_is_refused_are_refused_too() -> None:
    found = left_out({"object": "thread", "id": 7, "messages": [{"id": "msg_1", "role": "user"}]})
    assert [one.reason for one in found] == [
        "The id of a thread is a int, not a string.",
        "The thread.message msg_1 can't be placed: its thread_id is missing.",
    ]


def test_names_that_are_no_strings_are_refused_not_stumbled_over() -> None:
    (odd_object,) = expand({"id": "m1", "object": ["thread.message"], "thread_id": "t"})
    (odd_thread,) = expand({"messages": [{"object": "thread.message", "thread_id": ["t"]}]})
    assert isinstance(odd_object, Refused)
    assert isinstance(odd_thread, Refused)


@pytest.mark.parametrize("named", [{}, {"run_id": None}, {"run_id": ""}])
def test_a_step_inside_its_run_has_the_runs_id(named: JsonObject) -> None:
    """A whole step otherwise: its thread and id are there."""
    step = {"id": "step_1", "object": "thread.run.step", "thread_id": "thread_1", **named}
    for steps in ([step], {"object": "list", "data": [step]}):
        found = [one for one in expand({**RUN, "steps": steps}) if isinstance(one, SourceObject)]
        assert [(one.kind, one.value.get("run_id")) for one in found] == [("run", None), ("step", "run_1")]


def test_a_step_inside_a_run_keeps_the_run_that_it_names() -> None:
    found = [one for one in expand({**RUN, "id": "run_2", "steps": [STEP]}) if isinstance(one, SourceObject)]
    assert found[1].value["run_id"] == "run_1"


@pytest.mark.parametrize("kind", ["message", "run", "step"])
def test_an_object_in_a_bundle_that_names_another_thread_is_not_moved_there(kind: str) -> None:
    whole: dict[str, JsonObject] = {"message": MESSAGE, "run": RUN, "step": STEP}
    stray = {**whole[kind], "thread_id": "thread_2"}
    part = {"message": "messages", "run": "runs", "step": "steps"}[kind]
    for bundle in (
        {"thread": THREAD, part: [stray]},
        {**THREAD, part: [stray]},
        {"thread_id": "thread_1", "thread": THREAD, part: {"data": [stray], "has_more": False}},
    ):
        assert taken(bundle) == [("thread", "thread_1", "thread_1")]
        (refused,) = left_out(bundle)
        assert isinstance(refused, Refused)
        assert "is in the bundle of thread thread_1 and names thread thread_2" in refused.reason


def test_a_list_page_holds_objects_of_any_thread() -> None:
    page = {"object": "list", "data": [MESSAGE, MESSAGE | {"id": "msg_2", "thread_id": "thread_2"}]}
    assert taken(page) == [("message", "msg_1", "thread_1"), ("message", "msg_2", "thread_2")]


def test_runs_beside_messages_without_kinds_make_a_bundle_of_it() -> None:
    line = {"thread_id": "thread_1", "messages": [{"role": "user", "content": "hi"}], "runs": [RUN]}
    assert [kind for kind, _id, _thread in taken(line)] == ["message", "run"]
