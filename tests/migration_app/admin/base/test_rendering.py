"""Pieces of source objects as pages show them."""

from __future__ import annotations

import pytest

from migration_app.admin.base.rendering import Sight, item_parts, step_parts
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
