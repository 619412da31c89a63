"""What an archive says less of later, or in two ways, leaves a finding on its thread and is not gone."""

from __future__ import annotations

from migration_app.archive.order.assemble import assemble_thread
from migration_app.contracts import JsonObject
from migration_app.conversion.threads import convert_thread
from tests.migration_app.archive.support import assembled, codes, message, page

RUN = {"id": "run_1", "object": "thread.run", "thread_id": "thread_1", "created_at": 5}
STEP = {**RUN, "id": "step_1", "object": "thread.run.step", "run_id": "run_1", "type": "tool_calls"}


def step(status: str, *calls: JsonObject) -> JsonObject:
    return {**STEP, "status": status, "step_details": {"type": "tool_calls", "tool_calls": list(calls)}}


def call(name: str, output: str | None) -> JsonObject:
    return {
        "id": name,
        "type": "function",
        "function": {"name": "f", "arguments": "{}", "output": output},
    }


def test_a_call_that_only_an_earlier_state_of_its_run_names_is_in_the_plan() -> None:
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [call("call_1", None)]}}
    waiting = {**RUN, "status": "requires_action", "required_action": action}
    done = {**RUN, "status": "completed", "required_action": None}
    for states in ([waiting, done], [done, waiting]):
        plan = convert_thread(assembled(page(message("m1", 4), *states)))
        assert "call_1" in str(plan.items[1].item)
        assert [finding.code for finding in plan.findings][-1] == "function_call_as_note"
    recorded = page(step("completed", call("call_1", "42")), origin="import-2")
    plan = convert_thread(assembled(page(waiting, done), recorded))
    assert [planned.item["type"] for planned in plan.items] == ["function_call", "function_call_output"]


def test_states_that_disagree_leave_one_finding_with_the_places() -> None:
    source = assembled(
        page(
            step("in_progress", *(call(f"call_{n}", "a") for n in range(7))),
            step("completed", *(call(f"call_{n}", "b") for n in range(7))),
        )
    )
    (finding,) = source.findings[:1]
    assert (finding.code, finding.severity, finding.source_id) == (
        "object_states_disagree",
        "lossy",
        "step_1",
    )
    assert finding.place == "step_details.tool_calls[0].function.output"
    assert "and 2 more places" in finding.text
    assert codes(assemble_thread("thread_1", [page(step("in_progress", call("a", None)))], {})) == []
