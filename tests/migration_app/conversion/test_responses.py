"""Runs as the console keeps them, and as responses that would do the same."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.conversion.responses import run_record
from tests.migration_app.conversion.support import codes, validator

ASSISTANT: dict[str, Any] = {
    "id": "asst_clerk",
    "name": "Clerk",
    "model": "gpt-4o",
    "instructions": "Answer briefly.",
    "tools": [{"type": "file_search"}],
    "tool_resources": {"file_search": {"vector_store_ids": ["vs_clerk"]}},
    "metadata": {"team": "harbour"},
    "temperature": 0.2,
}
RUN: dict[str, Any] = {
    "id": "run_1",
    "assistant_id": "asst_clerk",
    "status": "completed",
    "created_at": 100,
    "started_at": 101,
    "completed_at": 108,
}


def test_a_run_that_overrides_nothing_is_its_assistant() -> None:
    record = run_record(RUN | {"instructions": "Answer briefly."}, ASSISTANT)
    assert record.equivalent == {
        "model": "gpt-4o",
        "instructions": "Answer briefly.",
        "tools": [{"type": "file_search", "vector_store_ids": ["vs_clerk"]}],
        "temperature": 0.2,
    }
    assert record.instructions_override == ""
    assert (record.model, record.assistant_id, record.findings) == ("gpt-4o", "asst_clerk", ())


def test_a_runs_own_settings_win() -> None:
    own = {
        "model": "gpt-4o-mini",
        "instructions": "Answer at length.",
        "tools": [],
        "temperature": 1,
        "parallel_tool_calls": False,
        "max_completion_tokens": 500,
        "tool_choice": "required",
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "metadata": {"case": "17"},
        "response_format": {"type": "json_object"},
    }
    record = run_record(RUN | own, ASSISTANT)
    assert record.equivalent == {
        "model": "gpt-4o-mini",
        "instructions": "Answer at length.",
        "temperature": 1,
        "text": {"format": {"type": "json_object"}},
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "max_output_tokens": 500,
        "truncation": "auto",
        "metadata": {"case": "17"},
    }
    validator("root_create_response").validate(record.equivalent)
    assert record.instructions_override == "Answer at length."
    assert codes(record.findings) == ["tool_resources_unused"]


def test_findings_belong_to_the_run() -> None:
    record = run_record(RUN | {"top_p": 7}, ASSISTANT)
    assert [(one.code, one.source_kind, one.source_id) for one in record.findings] == [
        ("setting_unusable", "run", "run_1")
    ]


def test_stores_of_assistant_thread_and_run_stand_together() -> None:
    def resources(*stores: str) -> dict[str, Any]:
        return {"tool_resources": {"file_search": {"vector_store_ids": list(stores)}}}

    record = run_record(RUN | resources("vs_clerk", "vs_run"), ASSISTANT, resources("vs_thread"))
    assert record.equivalent["tools"][0]["vector_store_ids"] == ["vs_clerk", "vs_thread", "vs_run"]


@pytest.mark.parametrize(
    ("choice", "carried"),
    [
        ("none", "none"),
        ({"type": "function", "function": {"name": "tide"}}, {"type": "function", "name": "tide"}),
        ({"type": "file_search"}, {"type": "file_search"}),
    ],
)
def test_tool_choice_is_carried(choice: Any, carried: Any) -> None:
    record = run_record(RUN | {"tool_choice": choice}, ASSISTANT)
    assert record.equivalent["tool_choice"] == carried
    validator("root_create_response").validate(record.equivalent)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tool_choice", "sometimes"),
        ("tool_choice", {"type": "function"}),
        ("parallel_tool_calls", "yes"),
        ("max_completion_tokens", 3),
        ("max_completion_tokens", "many"),
        ("max_prompt_tokens", 900),
        ("truncation_strategy", {"type": "last_messages", "last_messages": 5}),
    ],
)
def test_what_a_response_has_no_place_for_is_told(name: str, value: Any) -> None:
    record = run_record(RUN | {name: value}, ASSISTANT)
    assert [(one.code, one.place) for one in record.findings] == [("setting_unusable", name)]
    assert record.equivalent == run_record(RUN, ASSISTANT).equivalent


def test_usage_is_counted_in_every_spelling() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": True,
        "prompt_token_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    counted = {"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 4, "reasoning_tokens": 2}
    assert run_record(RUN | {"usage": usage}, None).usage == counted
    usage["prompt_tokens_details"] = usage.pop("prompt_token_details")
    assert run_record(RUN | {"usage": usage}, None).usage == counted
    assert run_record(RUN | {"usage": None}, None).usage == {}


def test_timing_is_read() -> None:
    record = run_record(RUN, None)
    assert (record.created_at, record.started_at, record.ended_at, record.seconds) == (100, 101, 108, 7)
    assert run_record(RUN | {"started_at": None}, None).seconds is None
    assert run_record(RUN | {"completed_at": None, "failed_at": "105"}, None).seconds == 4


@pytest.mark.parametrize(
    ("ending", "reason", "text"),
    [
        (
            {"last_error": {"code": "rate_limit_exceeded", "message": "Slow down."}},
            "rate_limit_exceeded",
            "Slow down.",
        ),
        ({"incomplete_details": {"reason": "max_prompt_tokens"}}, "max_prompt_tokens", ""),
        ({}, "", ""),
    ],
)
def test_why_it_ended_is_read(ending: dict[str, Any], reason: str, text: str) -> None:
    record = run_record(RUN | ending, None)
    assert (record.reason, record.reason_text) == (reason, text)


def test_a_run_without_its_assistant_says_what_is_missing() -> None:
    record = run_record({}, None)
    assert record.equivalent == {}
    assert codes(record.findings) == ["model_missing"]
    assert (record.id, record.status, record.seconds) == ("", "", None)
