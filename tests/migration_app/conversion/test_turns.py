from __future__ import annotations

from typing import Any

import pytest

from migration_app.contracts import SourceThread
from migration_app.conversion.comparison.answers import read_answer
from migration_app.conversion.threads import convert_thread
from migration_app.conversion.turns import (
    RecordedAnswer,
    RecordedCall,
    asked_text,
    call_key,
    message_text,
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


def asking(number: int, run: str, *calls: Any) -> dict[str, Any]:
    return {
        "id": f"step_{number}",
        "run_id": run,
        "type": "tool_calls",
        "created_at": 1_700_000_000 + number,
        "step_details": {"type": "tool_calls", "tool_calls": list(calls)},
    }


def waiting(run: str, *calls: Any) -> dict[str, Any]:
    return {
        "id": run,
        "created_at": 1_700_000_002,
        "required_action": {"submit_tool_outputs": {"tool_calls": list(calls)}},
    }


def function(call_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "mill_state", **fields}}


def only_answer(source: SourceThread) -> RecordedAnswer:
    (turn,) = thread_turns(source, convert_thread(source))
    return recorded_answer(source, turn)


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


def test_arguments_nested_deeper_than_a_writer_takes_are_compared_by_their_text() -> None:
    deep = "[" * 600 + "]" * 600
    assert call_key("f", deep) == call_key("f", deep)
    assert call_key("f", deep) != call_key("f", f" {deep}")


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


def test_a_turn_has_the_calls_of_its_own_steps_in_order() -> None:
    source = thread_of(
        said(0, "user", "Does it grind?"),
        said(4, "assistant", "It does.", run_id="run_1"),
        said(5, "user", "And now?"),
        said(8, "assistant", "No.", run_id="run_2"),
        runs=[{"id": "run_1"}, {"id": "run_2"}],
        steps=[
            asking(1, "run_1", function("call_1", arguments='{"stone": 1}', output="grinds")),
            asking(2, "run_1", {"id": "call_2", "type": "file_search", "file_search": {}}),
            asking(3, "run_1", function("call_3", arguments="{}")),
            asking(6, "run_2", function("call_4", arguments='{"stone": 1}', output="rests")),
        ],
    )
    first, second = (recorded_answer(source, turn) for turn in thread_turns(source, convert_thread(source)))
    assert first.calls == (
        RecordedCall("mill_state", '{"stone": 1}', "grinds", is_function=True),
        RecordedCall("file_search", "", None, is_function=False),
        RecordedCall("mill_state", "{}", None, is_function=True),
    )
    assert replayed_output(first.calls, "mill_state", '{"stone":1.0}', 1) == "grinds"
    assert replayed_output(first.calls, "mill_state", "{}", 0) is None
    assert replayed_output(second.calls, "mill_state", '{"stone": 1}', 0) == "rests"


def test_calls_that_runs_waited_for_count_once_beside_those_of_steps() -> None:
    in_step = function("call_1", arguments='{"stone": 1}', output="grinds")
    source = thread_of(
        said(0, "user", "Does it grind?"),
        runs=[
            waiting("run_1", function("call_1", arguments="{}"), function("call_2", arguments="{}")),
            waiting("run_2", function("call_3"), "torn"),
        ],
        steps=[asking(1, "run_1", in_step)],
    )
    answer = only_answer(source)
    assert [(call.name, call.arguments, call.output) for call in answer.calls] == [
        ("mill_state", '{"stone": 1}', "grinds"),
        ("mill_state", "{}", None),
        ("mill_state", "", None),
        ("", "", None),
    ]
    assert all(call.is_function for call in answer.calls)
    assert (answer.text, answer.tokens_in, answer.seconds) == ("", None, None)


@pytest.mark.parametrize(
    ("output", "replayed"),
    [
        pytest.param(10**5000, "null", id="a number longer than any writer takes"),
        ("", ""),
        (0, "0"),
        ({"stones": ["grau", "groß"]}, '{"stones":["grau","groß"]}'),
        ("half a \ud83d", "half a \ufffd"),
        (["\ud83d"], '["\ufffd"]'),
    ],
)
def test_an_output_is_replayed_as_the_text_that_is_migrated(output: Any, replayed: str) -> None:
    source = thread_of(
        said(0, "user", "Does it grind?"),
        steps=[asking(1, "run_1", function("call_1", arguments={"stone": 1}, output=output))],
    )
    items = [planned.item for planned in convert_thread(source).items]
    migrated = [item["output"] for item in items if item.get("type") == "function_call_output"]
    assert migrated == [replayed]
    assert replayed_output(only_answer(source).calls, "mill_state", '{"stone": 1}', 0) == replayed


def test_a_function_without_arguments_is_replayed_for_an_empty_object() -> None:
    source = thread_of(
        said(0, "user", "Does it grind?"),
        steps=[asking(1, "run_1", {"id": "call_1", "function": {"name": "mill_state", "output": "grinds"}})],
    )
    assert replayed_output(only_answer(source).calls, "mill_state", "{}", 0) == "grinds"


def test_tokens_and_seconds_are_those_of_the_runs_that_answered_the_turn() -> None:
    source = thread_of(
        said(0, "user", "Does it grind?"),
        said(3, "assistant", "Let me see.", run_id="run_1"),
        said(6, "assistant", "It does.", run_id="run_2"),
        said(9, "assistant", "Still.", run_id="run_1"),
        said(10, "assistant", "Ever."),
        runs=[
            {
                "id": "run_1",
                "usage": {"prompt_tokens": 7, "completion_tokens": 2},
                "started_at": 1_700_000_001,
                "completed_at": 1_700_000_003,
            },
            {
                "id": "run_2",
                "usage": {"prompt_tokens": 30, "completion_tokens": 5},
                "started_at": "2023-11-14T22:13:24Z",
                "completed_at": "2023-11-14T22:13:26.5Z",
            },
            {"id": "run_elsewhere", "usage": {"prompt_tokens": 900}, "started_at": 1, "completed_at": 99},
            {"usage": {"prompt_tokens": 900}},
        ],
    )
    answer = only_answer(source)
    assert answer.text == "Let me see.\n\nIt does.\n\nStill.\n\nEver."
    assert (answer.tokens_in, answer.tokens_out, answer.seconds) == (37, 7, 4.5)


@pytest.mark.parametrize(
    "run",
    [
        {"usage": None, "started_at": None, "completed_at": 1_700_000_003},
        {"usage": {"prompt_tokens": True}, "started_at": 1_700_000_001, "completed_at": None},
        {"usage": {"prompt_tokens": -1}, "started_at": 1_700_000_003, "completed_at": 1_700_000_001},
        {"usage": {"prompt_tokens": 2**53}, "started_at": "soon", "completed_at": 1_700_000_001},
        {"usage": {"prompt_tokens": "7"}},
    ],
)
def test_what_no_run_recorded_in_earnest_is_not_known(run: dict[str, Any]) -> None:
    source = thread_of(
        said(0, "user", "Does it grind?"),
        said(3, "assistant", "It does.", run_id="run_1"),
        runs=[{"id": "run_1", **run}],
    )
    answer = only_answer(source)
    assert (answer.tokens_in, answer.tokens_out, answer.seconds) == (None, None, None)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("half a \ud83d", "half a \ufffd"),
        ([{"type": "text", "text": "plain"}, {"type": "refusal", "refusal": "No."}], "plain\nNo."),
        (
            [{"type": "text", "text": {"value": "See"}}, {"type": "image_file", "image_file": {}}, None],
            "See\n[image_file]\n[part]",
        ),
        (None, ""),
    ],
)
def test_a_message_reads_as_its_text_with_the_rest_named(content: Any, text: str) -> None:
    assert message_text({"content": content}) == text


def test_tokens_of_runs_that_only_called_tools_count_too() -> None:
    source = thread_of(
        said(0, "user", "Does it grind?"),
        runs=[
            {"id": "run_1", "usage": {"prompt_tokens": 7}},
            waiting("run_2", function("call_2")) | {"usage": {"prompt_tokens": 30}},
        ],
        steps=[asking(1, "run_1", function("call_1", output="grinds"))],
    )
    assert only_answer(source).tokens_in == 37
