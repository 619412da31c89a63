"""Sizes and values too large, or too odd, for a readable golden file."""

from __future__ import annotations

import json
from typing import Any

from migration_app.contracts import Fidelity, ThreadPlan
from migration_app.conversion.items.parts import MAX_IMAGE_URL, MAX_TEXT
from migration_app.conversion.prompts.assistants import convert_assistant
from migration_app.conversion.threads import convert_thread
from tests.migration_app.conversion.support import assert_acceptable, codes, thread_of


def text_message(value: str) -> dict[str, Any]:
    """A user's message of one text part."""
    return {"id": "msg_ask", "role": "user", "content": [{"type": "text", "text": {"value": value}}]}


def call_step(arguments: Any, output: Any) -> dict[str, Any]:
    """A step of one function call."""
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "f", "arguments": arguments, "output": output},
    }
    return {"id": "step_1", "created_at": 5, "step_details": {"type": "tool_calls", "tool_calls": [call]}}


def test_text_of_the_longest_length_is_carried() -> None:
    plan = convert_thread(thread_of(text_message("x" * MAX_TEXT)))
    assert plan.findings == ()
    assert plan.items[0].item["content"][0]["text"] == "x" * MAX_TEXT


def test_longer_text_blocks_the_thread_and_is_left_out() -> None:
    plan = convert_thread(thread_of(text_message("x" * (MAX_TEXT + 1))))
    assert codes(plan.findings) == ["text_too_long", "message_not_carried"]
    assert plan.fidelity is Fidelity.BLOCKED
    assert plan.items == ()


def test_longer_image_address_blocks_the_thread() -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * MAX_IMAGE_URL}}
    plan = convert_thread(thread_of({"id": "msg_ask", "role": "user", "content": [part]}))
    assert codes(plan.findings) == ["image_too_long", "message_not_carried"]


def test_longer_function_output_blocks_and_takes_its_call_along() -> None:
    plan = convert_thread(thread_of(text_message("Hi."), steps=[call_step("{}", "x" * (MAX_TEXT + 1))]))
    assert "function_text_too_long" in codes(plan.findings)
    assert [planned.item["type"] for planned in plan.items] == ["message"]


def test_longer_function_arguments_block_too() -> None:
    plan = convert_thread(thread_of(steps=[call_step("x" * (MAX_TEXT + 1), "done")]))
    assert codes(plan.findings) == ["arguments_not_json", "function_text_too_long"]


def test_output_of_ten_megabytes_and_no_more_is_carried() -> None:
    plan = convert_thread(thread_of(steps=[call_step("{}", "x" * MAX_TEXT)]))
    assert_acceptable([planned.item for planned in plan.items])
    assert codes(plan.findings) == ["step_place_unknown"]


def calculated(length: int) -> ThreadPlan:
    """The plan of a thread with a code interpreter call of that many characters."""
    call = {"id": "call_1", "code_interpreter": {"input": "x" * length, "outputs": []}}
    step = {"id": "step_1", "created_at": 5, "step_details": {"type": "tool_calls", "tool_calls": [call]}}
    return convert_thread(thread_of(text_message("Hi."), steps=[step]))


def test_a_note_of_ten_megabytes_is_carried_whole() -> None:
    plan = calculated(MAX_TEXT - 200)
    assert codes(plan.findings) == ["code_interpreter_as_note", "step_place_unknown"]
    assert "x" * (MAX_TEXT - 200) in plan.items[1].item["content"][0]["text"]


def test_a_longer_note_blocks_the_thread_and_is_left_out() -> None:
    plan = calculated(MAX_TEXT)
    assert codes(plan.findings) == ["code_interpreter_as_note", "tool_call_note_too_long"]
    assert plan.fidelity is Fidelity.BLOCKED
    assert len(plan.items) == 1


def test_numbers_that_json_cannot_carry_become_null() -> None:
    output = {"nan": float("nan"), "big": 10**2000, "fine": 10**30}
    plan = convert_thread(thread_of(steps=[call_step("{}", output)]))
    assert codes(plan.findings) == ["json_value_unusable", "output_not_string", "step_place_unknown"]
    assert json.loads(plan.items[1].item["output"]) == {"nan": None, "big": None, "fine": 10**30}


def test_arguments_nested_beyond_the_parser_are_carried_as_they_are() -> None:
    plan = convert_thread(thread_of(steps=[call_step("[" * 100_000, "done")]))
    assert codes(plan.findings) == ["arguments_not_json", "step_place_unknown"]
    assert plan.items[0].item["arguments"] == "[" * 100_000


def test_deep_function_parameters_are_cut_with_a_finding() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"items": deep}
    tool = {"type": "function", "function": {"name": "f", "parameters": deep}}
    plan = convert_assistant({"id": "asst_clerk", "model": "gpt-4o", "tools": [tool]})
    assert codes(plan.findings) == ["json_too_deep", "truncation_as_in_runs"]
    json.dumps(plan.spec)


def test_an_assistant_that_is_no_object_is_blocked() -> None:
    plan = convert_assistant("asst_clerk")
    assert codes(plan.findings) == ["assistant_unreadable", "model_missing"]
    assert plan.fidelity is Fidelity.BLOCKED


def test_a_thousand_ids_in_a_finding_are_counted_not_listed() -> None:
    files = [f"file-{number}" for number in range(1000)]
    plan = convert_assistant({"id": "asst_clerk", "model": "gpt-4o", "file_ids": files})
    assert plan.findings[0].text.endswith("file-19 and 980 more.")


def test_names_in_findings_are_clipped_and_on_one_line() -> None:
    message = text_message("Hi.") | {"status": "line\nbreak " + "x" * 500}
    finding = convert_thread(thread_of(message)).findings[0]
    assert "\n" not in finding.text
    assert len(finding.text) < 200


def test_an_image_of_the_code_interpreter_that_is_given_by_its_address_is_said_so() -> None:
    image = {"type": "image", "url": "https://pictures.example/chart.png"}
    call = {
        "id": "call_1",
        "type": "code_interpreter",
        "code_interpreter": {"input": "plot()", "outputs": [image]},
    }
    step = {
        "id": "step_1",
        "type": "tool_calls",
        "step_details": {"type": "tool_calls", "tool_calls": [call]},
    }
    plan = convert_thread(thread_of(steps=[step]))
    (finding,) = (found for found in plan.findings if found.code == "code_interpreter_image_named")
    assert "given by its address" in finding.text
    assert "https://pictures.example/chart.png" in str(plan.items[0].item)
