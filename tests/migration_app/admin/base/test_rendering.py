"""Pieces of source objects as pages show them."""

from __future__ import annotations

import pytest

from migration_app.admin.base.rendering import (
    Sight,
    bytes_text,
    item_label,
    item_parts,
    message_parts,
    pretty_json,
    step_parts,
    time_text,
)
from migration_app.contracts import JsonObject

CREATION = {"type": "message_creation", "message_creation": {"message_id": "msg_1"}}


@pytest.mark.parametrize(
    ("step", "label", "shown"),
    [
        ({"step_details": CREATION, "id": "step_1"}, "message_creation", ["msg_1"]),
        ({"step_details": {}, "id": "step_1"}, "step", ["step_1"]),
        ({"id": "step_1"}, "step", ["step_1"]),
    ],
)
def test_a_step_without_calls_is_shown_by_its_details_or_whole(
    step: JsonObject, label: str, shown: list[str]
) -> None:
    (part,) = step_parts(step, Sight(content=True))
    assert part.label == label
    assert part.text is not None
    assert all(text in part.text for text in shown)
    assert ("step_1" in part.text) == (not step.get("step_details"))


def test_who_may_not_see_content_sees_how_long_it_is() -> None:
    (part,) = step_parts({"step_details": CREATION}, Sight(content=False))
    assert part.text is None
    assert part.length


@pytest.mark.parametrize(
    ("item", "label", "text"),
    [
        (
            {"type": "function_call", "name": "ship", "arguments": '{"to": "x"}'},
            "function ship",
            '{"to": "x"}',
        ),
        ({"type": "function_call_output", "output": "done"}, "output", "done"),
        ({"type": "message", "content": "hello"}, "text", "hello"),
        ({"type": "message", "content": [{"type": "input_text", "text": "hello"}]}, "text", "hello"),
        ({"type": "message", "content": [{"type": "refusal", "refusal": "no"}]}, "refusal", "no"),
        (
            {"type": "message", "content": [{"type": "input_image", "file_id": "file-1"}]},
            "image: file-1",
            None,
        ),
    ],
)
def test_each_kind_of_item_is_shown_with_its_content(item: JsonObject, label: str, text: str | None) -> None:
    (part,) = item_parts(item, Sight(content=True))
    assert (part.label, part.text) == (label, text)


CALL = {"type": "function", "function": {"name": "ship", "arguments": '{"to": "x"}', "output": "done"}}
CODE = {"type": "code_interpreter", "code_interpreter": {"input": "1 + 1"}}


@pytest.mark.parametrize("call", [CALL, CODE])
def test_what_calls_hold_is_shown_as_code(call: JsonObject) -> None:
    step = {"step_details": {"type": "tool_calls", "tool_calls": [call]}}
    assert all(part.code for part in step_parts(step, Sight(content=True)))


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ({"type": "function_call", "name": "ship", "arguments": "{}"}, True),
        ({"type": "function_call_output", "output": "done"}, True),
        ({"type": "message", "content": "hello"}, False),
        ({"type": "message", "content": [{"type": "output_text", "text": "hello"}]}, False),
    ],
)
def test_calls_are_shown_as_code_and_messages_as_text(item: JsonObject, code: bool) -> None:
    (part,) = item_parts(item, Sight(content=True))
    assert part.code == code


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (1_000_000, "1.0 MB"),
        (2_500_000_000, "2.5 GB"),
        (9_999_000_000_000, "9,999.0 GB"),
    ],
)
def test_sizes_are_in_powers_of_a_thousand(size: int, text: str) -> None:
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1_702_014_088, "2023-12-08 05:41:28"), (None, ""), ("soon", ""), (-1e300, ""), (1e300, "")],
)
def test_times_of_the_source_are_read_as_utc(value: object, text: str) -> None:
    assert time_text(value) == text


@pytest.mark.parametrize(
    ("item", "label"),
    [
        ({"type": "message", "role": "user"}, "user"),
        ({"role": "assistant"}, "assistant"),
        ({}, "message"),
        ({"type": "function_call_output", "role": "user"}, "function call output"),
    ],
)
def test_an_item_is_called_by_its_role_or_its_type(item: JsonObject, label: str) -> None:
    assert item_label(item) == label


@pytest.mark.parametrize(
    ("annotation", "label"),
    [
        ({"type": "file_citation", "file_citation": {"file_id": "file-1"}}, "file citation: file-1"),
        ({"type": "url_citation", "url_citation": {"url": "https://x"}}, "url citation: https://x"),
        ({"type": "file_citation", "file_id": "file-2"}, "file citation: file-2"),
        ({"type": "url_citation", "url": "https://y"}, "url citation: https://y"),
        ({}, "annotation"),
    ],
)
def test_annotations_are_named_by_what_they_point_to(annotation: JsonObject, label: str) -> None:
    content = [{"type": "text", "text": {"value": "hi", "annotations": [annotation]}}]
    text, reference = message_parts({"content": content}, Sight(content=True))
    assert (text.text, reference.label, reference.text) == ("hi", label, None)
    hidden = message_parts({"content": content}, Sight(content=False))[1]
    assert hidden.label == label.partition(":")[0]


@pytest.mark.parametrize(
    ("message", "labels"),
    [
        ({"content": "hello"}, ["text"]),
        ({"content": None}, []),
        ({"content": 7}, ["content of unknown shape"]),
        ({"content": [{"type": "hologram"}]}, ["part of type hologram"]),
        ({"content": [{"text": "x"}]}, ["part without type"]),
        ({"content": [{"type": "image_file", "image_file": {"file_id": "file-1"}}]}, ["image file: file-1"]),
        ({"content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}, ["image address: https://x"]),
        ({"content": [{"type": "input_file", "filename": "a.pdf"}]}, ["file: a.pdf"]),
        (
            {"attachments": [{"file_id": "file-1", "tools": [{"type": "a"}, {"type": "b"}]}]},
            ["attachment (a, b): file-1"],
        ),
        (
            {"attachments": [{"file_id": "file-1"}], "file_ids": ["file-2"]},
            ["attachment: file-1", "attachment: file-2"],
        ),
    ],
)  # fmt: skip
def test_a_message_is_shown_whatever_shape_it_has(message: JsonObject, labels: list[str]) -> None:
    assert [part.label for part in message_parts(message, Sight(content=True))] == labels


def test_what_no_json_can_hold_is_shown_as_it_is() -> None:
    assert pretty_json({"a": "\ud800"}) == '{\n  "a": "\ufffd"\n}'
    deep: list[object] = []
    deep.append(deep)
    assert pretty_json(deep) == "[[...]]"
