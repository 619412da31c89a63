from __future__ import annotations

from typing import Any

import pytest

from migration_app.conversion.answers import read_answer
from migration_app.conversion.threads import convert_thread
from migration_app.conversion.turns import (
    RecordedCall,
    asked_text,
    call_key,
    recorded_answer,
    replayed_output,
    thread_turns,
)
from tests.migration_app.conversion.support import thread_of


def said(number: int, role: str, text: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": f"msg_{number}",
        "object": "thread.message",
        "created_at": 1_700_000_000 + number,
        "role": role,
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        **more,
    }


def test_messages_in_a_row_are_one_turn_and_what_follows_is_its_answer() -> None:
    source = thread_of(
        said(0, "assistant", "Welcome"),
        said(1, "user", "Where"),
        said(2, "user", "is it?"),
        said(3, "assistant", "Here."),
        said(4, "user", "Thanks"),
    )
    plan = convert_thread(source)
    first, second = thread_turns(source, plan)
    assert (first.first_item, first.end_item, asked_text(source, first)) == (1, 3, "Where\n\nis it?")
    assert recorded_answer(source, first).text == "Here."
    assert (second.number, second.first_item, second.is_answered) == (2, 4, False)


def test_a_turn_with_nothing_to_send_is_left_out() -> None:
    source = thread_of(said(0, "user", "x", content=[]), said(1, "assistant", "What?"), said(2, "user", "Hm"))
    (turn,) = thread_turns(source, convert_thread(source))
    assert (turn.message_id, turn.number) == ("msg_2", 2)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ('{"a": 1, "b": [2]}', '{"b":[2.0],"a":1}', True),
        ('{"a": 1}', '{"a": "1"}', False),
        ('{"a": true}', '{"a": 1}', False),
        ("", "{}", True),
        ("not json", "not json", True),
        ("not json", "not  json", False),
        ("[" * 100_000, "[" * 100_000, True),
    ],
)
def test_arguments_are_the_same_when_they_say_the_same_as_json(one: str, other: str, same: bool) -> None:
    assert (call_key("f", one) == call_key("f", other)) is same


def test_outputs_are_replayed_in_their_order_and_the_last_one_from_then_on() -> None:
    calls = [
        RecordedCall("f", "{}", "first", True),
        RecordedCall("g", "{}", "other", True),
        RecordedCall("f", "{ }", "second", True),
        RecordedCall("f", "{}", None, True),
        RecordedCall("file_search", "", None, False),
    ]
    assert [replayed_output(calls, "f", "{}", nth) for nth in range(4)] == [
        "first",
        "second",
        "second",
        "second",
    ]
    assert replayed_output(calls, "h", "{}", 0) is None
    assert replayed_output(calls, "file_search", "", 0) is None


def test_an_answer_is_read_whatever_is_missing_of_it() -> None:
    read = read_answer(
        {"output": ["x", {"type": "message", "content": [{"text": 5}, None]}], "usage": "none"}
    )
    assert (read.status, read.text, read.functions, read.tokens_in) == ("completed", "\n", (), None)


def test_calls_are_told_apart_by_who_makes_them() -> None:
    read = read_answer(
        {
            "id": "resp_1",
            "status": "incomplete",
            "incomplete_details": {"reason": "max_output_tokens"},
            "output": [
                {"type": "reasoning"},
                {"type": "file_search_call", "id": "fs_1"},
                {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
                {"type": "mcp_approval_request", "id": "mcpr_1"},
                {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]},
            ],
            "usage": {"input_tokens": 7, "output_tokens": 3},
        }
    )
    assert (read.hosted, read.waiting) == (("file_search_call",), ("mcp_approval_request",))
    assert [(asked.call_id, asked.name) for asked in read.functions] == [("call_1", "f")]
    assert (read.reason, read.text, read.tokens_in, read.tokens_out) == ("max_output_tokens", "No.", 7, 3)
