"""What is counted of a run, whatever shape it has."""

from __future__ import annotations

from typing import Any

from migration_app.contracts import SourceThread
from migration_app.conversion.run_facts import run_facts, tool_calls_by_run


def source(*runs: Any, steps: tuple[Any, ...] = ()) -> SourceThread:
    return SourceThread("thread_1", None, (), runs=runs, steps=steps)


def step(run_id: object, *calls: object) -> dict[str, Any]:
    return {"run_id": run_id, "step_details": {"type": "tool_calls", "tool_calls": list(calls)}}


def test_a_run_tells_its_status_times_tokens_and_error() -> None:
    (facts,) = run_facts(
        source(
            {
                "id": "run_1",
                "assistant_id": "asst_1",
                "status": "failed",
                "model": "gpt-4o",
                "created_at": 100,
                "started_at": 101,
                "failed_at": 109,
                "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
                "last_error": {"code": "server_error", "message": "something private"},
                "incomplete_details": {"reason": "max_completion_tokens"},
            }
        )
    )
    assert facts == {
        "run_id": "run_1",
        "assistant_id": "asst_1",
        "status": "failed",
        "model": "gpt-4o",
        "created_at": 100,
        "started_at": 101,
        "ended_at": 109,
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "error_code": "server_error",
        "incomplete_reason": "max_completion_tokens",
        "tool_calls": {},
    }


def test_a_run_without_anything_is_named_by_its_place() -> None:
    first, second = run_facts(source({}, "no object"))
    assert (first["run_id"], second["run_id"]) == ("(run 1 without id)", "(run 2 without id)")
    assert first["total_tokens"] is None


def test_tool_calls_are_counted_by_run_and_kind() -> None:
    steps = (
        step("run_1", {"type": "function"}, {"type": "file_search"}),
        step("run_1", {"type": "function"}, {}),
        step("run_2", "broken"),
        step("", {"type": "function"}),
        step("run_3"),
        "no step",
    )
    counted = tool_calls_by_run(source(steps=steps))
    assert counted == {"run_1": {"function": 3, "file_search": 1}, "run_2": {"function": 1}}


def test_kinds_beyond_what_anybody_reads_are_counted_together() -> None:
    calls = [{"type": f"kind_{number}"} for number in range(500)]
    (counted,) = tool_calls_by_run(source(steps=(step("run_1", *calls),))).values()
    assert len(counted) == 21
    assert (sum(counted.values()), counted["other"]) == (500, 480)
