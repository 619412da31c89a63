"""What an earlier state of an object says and a later one does not."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from migration_app.archive.versions import Verdict, merged, merged_states
from migration_app.contracts import JsonObject


def call(name: str, output: str | None = None, **more: Any) -> JsonObject:
    function = {"name": "f", "arguments": "{}", "output": output, **more}
    return {"id": name, "type": "function", "function": function}


def step(status: str, *calls: JsonObject) -> JsonObject:
    details = {"type": "tool_calls", "tool_calls": list(calls)}
    return {"id": "step_1", "run_id": "run_1", "status": status, "step_details": details}


def waiting(*calls: JsonObject, status: str = "requires_action") -> JsonObject:
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": list(calls)}}
    return {"id": "run_1", "status": status, "required_action": action}


def calls_of(value: JsonObject) -> list[tuple[str, str | None]]:
    return [(one["id"], one["function"]["output"]) for one in value["step_details"]["tool_calls"]]


def test_a_call_that_a_run_waited_for_stays_when_the_run_is_completed() -> None:
    value, verdict, disagreements = merged_states(
        "run", waiting(call("call_1")), {"id": "run_1", "status": "completed", "required_action": None}
    )
    assert value == waiting(call("call_1"), status="completed")
    assert (verdict, disagreements) == (Verdict.STATE, [])


def test_calls_that_a_run_waited_for_one_after_the_other_all_stay_in_every_order() -> None:
    states = [waiting(call("a")), waiting(call("b")), {"id": "run_1", "status": "completed"}]
    for order in itertools.permutations(states):
        value = order[0]
        for other in order[1:]:
            value, _verdict = merged("run", value, other)
        calls = value["required_action"]["submit_tool_outputs"]["tool_calls"]
        assert {one["id"] for one in calls} == {"a", "b"}
        assert value["status"] == "completed"


@pytest.mark.parametrize("statuses", [("in_progress", "completed"), ("completed", "completed")])
@pytest.mark.parametrize("turned", [False, True])
def test_a_state_with_fewer_calls_loses_none(statuses: tuple[str, str], *, turned: bool) -> None:
    states = [
        step(statuses[0], call("a", "1"), call("b", "2"), call("c", "3")),
        step(statuses[1], call("b", "2")),
    ]
    first, second = states[::-1] if turned else states
    value, verdict, disagreements = merged_states("step", first, second)
    assert calls_of(value) == [("a", "1"), ("b", "2"), ("c", "3")]
    assert (value["status"], verdict, disagreements) == ("completed", Verdict.STATE, [])


def test_an_output_that_only_the_earlier_state_has_stays() -> None:
    value, _verdict = merged("step", step("in_progress", call("a", "1")), step("completed", call("a")))
    assert calls_of(value) == [("a", "1")]


def test_the_order_of_the_later_state_stays() -> None:
    value, _verdict = merged(
        "step", step("in_progress", call("x"), call("a"), call("y")), step("completed", call("b"), call("a"))
    )
    assert [name for name, _output in calls_of(value)] == ["x", "b", "a", "y"]


@pytest.mark.parametrize("turned", [False, True])
def test_where_states_disagree_the_later_one_counts_and_the_place_is_told(*, turned: bool) -> None:
    states = [step("in_progress", call("a", "1", arguments="{1}")), step("completed", call("a", "2"))]
    first, second = states[::-1] if turned else states
    value, verdict, disagreements = merged_states("step", first, second)
    assert (calls_of(value), verdict) == ([("a", "2")], Verdict.STATE)
    place = "step_details.tool_calls[0].function"
    assert disagreements == [f"{place}.arguments", f"{place}.output"]


def test_finished_steps_that_disagree_are_in_conflict_and_their_calls_are_united() -> None:
    known, other = step("completed", call("a", "1")), step("completed", call("a", "2"), call("b", "3"))
    value, verdict, _disagreements = merged_states("step", known, other)
    assert (calls_of(value), verdict) == ([("a", "1"), ("b", "3")], Verdict.CONFLICT)
    failed = step("failed", call("c", "4"))
    value, verdict, _disagreements = merged_states("step", known, failed)
    assert (sorted(calls_of(value)), verdict) == ([("a", "1"), ("c", "4")], Verdict.CONFLICT)
    assert value["status"] == "completed"


def test_text_that_is_still_being_written_grows() -> None:
    first, second = call("a", arguments='{"x"'), call("a", "1", arguments='{"x":1}')
    value, _verdict, disagreements = merged_states(
        "step", step("in_progress", first), step("completed", second)
    )
    assert (calls_of(value), disagreements) == ([("a", "1")], [])
    value, _verdict, disagreements = merged_states(
        "step", step("in_progress", second), step("in_progress", first)
    )
    assert value["step_details"]["tool_calls"][0]["function"]["arguments"] == '{"x":1}'
    assert disagreements == []


def test_calls_without_ids_are_told_apart_by_what_they_say() -> None:
    bare = [{"type": "function", "function": {"name": name}} for name in "abc"]
    value, _verdict, disagreements = merged_states(
        "step", step("in_progress", *bare), step("completed", bare[1])
    )
    assert value["step_details"]["tool_calls"] == bare
    assert disagreements == []


def test_outputs_of_the_code_interpreter_that_only_the_earlier_state_has_stay() -> None:
    logs, image = {"type": "logs", "logs": "1"}, {"type": "image", "image": {"file_id": "file-1"}}

    def interpreted(*outputs: JsonObject) -> JsonObject:
        return {
            "id": "a",
            "type": "code_interpreter",
            "code_interpreter": {"input": "x", "outputs": list(outputs)},
        }

    value, _verdict, disagreements = merged_states(
        "step", step("in_progress", interpreted(logs, image)), step("completed", interpreted(image))
    )
    assert value["step_details"]["tool_calls"] == [interpreted(logs, image)]
    assert disagreements == []


def text(text: str) -> JsonObject:
    return {"type": "text", "text": {"value": text, "annotations": []}}


def message(status: str, *parts: Any, **more: Any) -> JsonObject:
    return {"id": "m1", "role": "assistant", "status": status, "content": list(parts), **more}


def test_what_only_an_earlier_state_of_a_message_says_stays() -> None:
    image = {"type": "image_file", "image_file": {"file_id": "file-1"}}
    files: list[JsonObject] = [{"file_id": name, "tools": []} for name in ("file-1", "file-2")]
    earlier = message(
        "in_progress", text("Hel"), image, attachments=files, metadata={"k": "v"}, file_ids=["a", "b"]
    )
    later = message("completed", text("Hello"), attachments=files[1:], metadata={}, file_ids=["b"])
    value, _verdict, disagreements = merged_states("message", earlier, later)
    whole = message(
        "completed", text("Hello"), image, attachments=files, metadata={"k": "v"}, file_ids=["a", "b"]
    )
    assert (value, disagreements) == (whole, [])


@pytest.mark.parametrize(
    ("earlier", "later"),
    [([text("Hello")], [text("Good day")]), ([text("Hello all")], [text("Hello")]), (["Hello"], ["Good"])],
)
def test_words_that_were_changed_are_not_carried_beside_the_new_ones(
    earlier: list[Any], later: list[Any]
) -> None:
    value, _verdict, disagreements = merged_states(
        "message", message("in_progress", *earlier), message("completed", *later)
    )
    assert value["content"] == later
    assert len(disagreements) == 1


def test_finished_messages_with_other_words_are_in_conflict() -> None:
    known = message("completed", text("one"))
    assert merged("message", known, message("completed", text("one"), text("two"))) == (
        known,
        Verdict.CONFLICT,
    )


def test_a_part_of_another_type_in_the_same_place_stands_beside_it() -> None:
    image = {"type": "image_file", "image_file": {"file_id": "file-1"}}
    value, _verdict, disagreements = merged_states(
        "message", message("in_progress", image), message("completed", text("x"))
    )
    assert value["content"] == [image, text("x")]
    assert disagreements == []


def test_what_holds_for_a_moment_only_is_not_kept() -> None:
    earlier = {"status": "in_progress", "last_error": {"code": "x"}, "expires_at": 5, "model": "m"}
    assert merged("run", earlier, {"status": "completed"}) == (
        {"status": "completed", "model": "m"},
        Verdict.STATE,
    )


def test_values_of_other_types_disagree() -> None:
    first, second = call("a", "1"), call("a", "1")
    first["function"] = "f"
    value, _verdict, disagreements = merged_states(
        "step", step("in_progress", first), step("completed", second)
    )
    assert calls_of(value) == [("a", "1")]
    assert disagreements == ["step_details.tool_calls[0].function"]
