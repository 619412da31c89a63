"""Transcripts, as JSON lines."""

from typing import Any

import pytest

from migration_app.archive.expanded import Refused, SourceObject
from migration_app.archive.objects import expand
from migration_app.archive.transcripts import TranscriptLines, is_transcript
from migration_app.contracts import JsonObject

LINE: JsonObject = {
    "thread_id": "chat-1",
    "messages": [
        {"role": "user", "content": "Hello"},
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "Hi!"}],
            "created_at": "2026-05-04T09:15:02Z",
        },
        {"role": "user", "content": "Hello"},
    ],
    "user_ref": "user_7",
    "metadata": {"channel": "web"},
}


def objects(value: JsonObject) -> list[SourceObject]:
    return [found for found in expand(value) if isinstance(found, SourceObject)]


def reasons(value: JsonObject) -> list[str]:
    return [found.reason for found in expand(value) if isinstance(found, Refused)]


def with_message(message: Any) -> JsonObject:
    return {"thread_id": "chat-1", "messages": [message]}


def test_a_line_becomes_a_thread_and_its_messages() -> None:
    thread, *messages = objects(LINE)
    assert thread.value == {"id": "chat-1", "object": "thread", "metadata": {"channel": "web"}}
    assert thread.user_ref == "user_7"
    assert [message.value["content"] for message in messages] == [
        [{"type": "text", "text": {"value": text, "annotations": []}}] for text in ("Hello", "Hi!", "Hello")
    ]


def test_the_same_words_twice_are_two_messages() -> None:
    ids = [found.id for found in objects(LINE) if found.kind == "message"]
    assert len(set(ids)) == 3


def test_a_transcript_that_has_grown_keeps_its_ids() -> None:
    grown = {**LINE, "messages": [*LINE["messages"], {"role": "assistant", "content": "Bye"}]}
    assert [found.id for found in objects(grown)][: len(objects(LINE))] == [
        found.id for found in objects(LINE)
    ]


def test_the_same_words_in_another_thread_have_another_id() -> None:
    assert objects(LINE)[1].id != objects({**LINE, "thread_id": "chat-2"})[1].id


@pytest.mark.parametrize("name", ["id", "message_id"])
def test_own_ids_are_kept_numbers_too(name: str) -> None:
    assert objects(with_message({"role": "user", "content": "x", name: 41}))[1].id == "41"


def test_an_empty_content_gives_an_empty_message() -> None:
    assert objects(with_message({"role": "assistant", "content": None}))[1].value["content"] == []


def test_parts_of_other_shapes_stay_what_they_are() -> None:
    parts = [{"type": "audio", "audio": {}}, {"type": "image_url", "image_url": "https://x.example/a.png"}]
    assert objects(with_message({"role": "user", "content": parts}))[1].value["content"] == [
        {"type": "audio", "audio": {}},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
    ]


def test_a_role_that_the_api_does_not_know_is_left_to_the_conversion() -> None:
    assert objects(with_message({"role": "system", "content": "x"}))[1].value["role"] == "system"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"content": "x"}, 'has no "role"'),
        ({"role": "user"}, 'has no "content"'),
        ({"role": "user", "content": 7}, "is a int"),
        ({"role": "user", "content": "x", "id": "a\0"}, "control characters"),
        ("just text", "no JSON object"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused_and_named(message: Any, reason: str) -> None:
    (found,) = reasons(with_message(message))
    assert reason in found
    assert "Message 1" in found
    assert "chat-1" in found


@pytest.mark.parametrize("value", [{**LINE, "thread_id": ""}, {**LINE, "metadata": "red"}])
def test_a_line_without_thread_or_with_odd_metadata_is_refused(value: JsonObject) -> None:
    assert objects(value) == []
    assert len(reasons(value)) == 1


@pytest.mark.parametrize(
    "value",
    [
        {"thread_id": "t", "messages": [{"object": "thread.message", "role": "user"}]},
        {"thread_id": "t", "object": "thread", "messages": []},
        {"thread": {"id": "t"}, "thread_id": "t", "messages": []},
        {"thread_id": "t", "content": "x"},
    ],
)
def test_bundles_of_api_objects_are_no_transcripts(value: JsonObject) -> None:
    assert not is_transcript(value)


def said(*texts: str) -> list[JsonObject]:
    return [{"role": "user", "content": text} for text in texts]


def test_a_line_that_repeats_the_earlier_one_and_goes_on_is_taken() -> None:
    lines = TranscriptLines()
    assert lines.fault("t", said("a"), 1) == ""
    assert lines.fault("t", said("a", "b"), 5) == ""
    assert lines.fault("t", said("a", "b", "b", "c"), 6) == ""


def test_a_line_without_messages_is_gone_on_from_by_any() -> None:
    lines = TranscriptLines()
    assert lines.fault("t", [], 1) == ""
    assert lines.fault("t", said("a"), 2) == ""


@pytest.mark.parametrize(
    "later",
    [said("a", "b"), said("a"), said("b"), said("c", "d", "e"), said("b", "a", "c"), []],
    ids=["repeated", "shorter", "a piece", "other", "another order", "empty"],
)
def test_any_other_line_of_the_thread_is_refused_with_the_earlier_line_and_advice(
    later: list[JsonObject],
) -> None:
    lines = TranscriptLines()
    lines.fault("t", said("a", "b"), 7)
    fault = lines.fault("t", later, 8)
    assert "Thread t is in line 7 already, with 2 messages" in fault
    assert "put all messages of a thread into one line, or use CSV, one row a message" in fault


def test_what_was_refused_is_no_line_to_go_on_from() -> None:
    lines = TranscriptLines()
    lines.fault("t", said("a"), 1)
    assert lines.fault("t", said("b"), 2)
    assert lines.fault("t", said("b", "c"), 3)
    assert lines.fault("t", said("a", "c"), 4) == ""


def test_lines_of_other_threads_do_not_matter() -> None:
    lines = TranscriptLines()
    lines.fault("t", said("a"), 1)
    assert lines.fault("u", said("a"), 2) == ""


def in_one_file(*values: JsonObject) -> list[tuple[list[str], list[str]]]:
    """What each line gives: ids of messages taken, and reasons of what is refused for the rest of the file."""
    lines = TranscriptLines()
    found = [
        list(expand(value, lines=lines, line_number=number)) for number, value in enumerate(values, start=1)
    ]
    return [
        (
            [one.id for one in part if isinstance(one, SourceObject) and one.kind == "message"],
            [one.reason for one in part if isinstance(one, Refused) and one.by_file],
        )
        for part in found
    ]


def test_of_a_refused_line_nothing_is_taken() -> None:
    line = with_message({"role": "user", "content": "ok"})
    first, second = in_one_file(line, line)
    assert len(first[0]) == 1
    assert (second[0], len(second[1])) == ([], 1)


def test_a_bundle_s_messages_without_ids_are_held_to_the_same_rule() -> None:
    bundle = {"thread": {"id": "thread_1"}, "messages": [{"role": "user", "content": "ok"}]}
    named = {"id": "msg_2", "role": "user", "content": "ok"}
    first, second = in_one_file(
        bundle, {**bundle, "messages": [*bundle["messages"], named, *bundle["messages"]]}
    )
    assert (len(first[0]), len(second[0]), second[1]) == (1, 3, [])
    _first, second = in_one_file(bundle, {**bundle, "messages": [named, *bundle["messages"]]})
    assert second[0] == ["msg_2"]
    assert "is in line 1 already" in second[1][0]


def test_bundles_whose_messages_have_ids_may_come_in_pieces() -> None:
    pieces = [
        {"thread": {"id": "thread_1"}, "messages": [{"id": name, "role": "user"}]}
        for name in ("msg_1", "msg_2")
    ]
    assert in_one_file(*pieces) == [(["msg_1"], []), (["msg_2"], [])]


@pytest.mark.parametrize(
    "content",
    ["Hi", ["Hi"], {"type": "text", "text": "Hi"}, [{"type": "output_text", "text": "Hi"}]],
)
def test_text_may_be_written_in_several_ways(content: Any) -> None:
    (part,) = objects(with_message({"role": "user", "content": content}))[1].value["content"]
    assert part == {"type": "text", "text": {"value": "Hi", "annotations": []}}


def test_what_is_no_part_is_left_to_the_conversion() -> None:
    assert objects(with_message({"role": "user", "content": [7]}))[1].value["content"] == [7]


def test_a_thread_may_say_when_it_was_made() -> None:
    assert objects({**LINE, "created_at": 1702014088})[0].value["created_at"] == 1702014088
