"""What responses.create takes: every rule once, and the description beside it."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.conversion.prompts.assistants import convert_assistant
from migration_app.conversion.prompts.model_rules import refuses_reasoning, refuses_sampling
from migration_app.conversion.prompts.spec_rules import spec_problems
from migration_app.conversion.prompts.specs import prompt_findings, spec_text, spec_variables
from tests.migration_app.conversion.support import codes, validator

FUNCTION = {"type": "function", "name": "tide", "parameters": {"type": "object"}, "strict": True}
MANY_FILES = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-1"] * 51}}
WHOLE: dict[str, Any] = {
    "model": "gpt-5.1",
    "instructions": "Be brief.",
    "tools": [
        FUNCTION | {"description": "Looks up the tide."},
        {"type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 5}
        | {
            "ranking_options": {"ranker": "auto", "score_threshold": 0.5},
            "filters": {"type": "and", "filters": []},
        },
        {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file-1"]}},
        {"type": "code_interpreter", "container": "cntr_1"},
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "function", "name": "tide"},
    "text": {
        "verbosity": "low",
        "format": {"type": "json_schema", "name": "tide", "schema": {"type": "object"}, "strict": True}
        | {"description": "The tide."},
    },
    "reasoning": {"effort": "none", "summary": "auto"},
    "temperature": 1,
    "top_p": 0.5,
    "top_logprobs": 3,
    "metadata": {"team": "harbour"},
    "max_output_tokens": 16,
    "max_tool_calls": 4,
    "parallel_tool_calls": False,
    "truncation": "auto",
    "include": ["file_search_call.results"],
    "store": True,
    "service_tier": "auto",
}


def problems(**changes: Any) -> list[tuple[str, str]]:
    spec = {name: value for name, value in (WHOLE | changes).items() if value != "absent"}
    return [(problem.place, problem.text) for problem in spec_problems(spec)]


def test_a_spec_with_every_argument_is_taken_by_the_rules_and_by_the_description() -> None:
    assert problems() == []
    validator("root_create_response").validate(WHOLE)
    assert problems(tool_choice="required", text={"format": {"type": "text"}}) == []


@pytest.mark.parametrize(
    ("changes", "place", "shown"),
    [
        ({"model": "absent"}, "model", "must name its model"),
        ({"model": ""}, "model", "it is empty"),
        ({"instructions": 5}, "instructions", "it is a number, and must be a text"),
        ({"instructions": None}, "instructions", "it is null"),
        ({"input": "hi"}, "input", "belongs to each call"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "end on 2026-11-30"),
        ({"max_tokens": 5}, "max_tokens", "no such argument"),
        ({"temperature": 3}, "temperature", "a number from 0 to 2"),
        ({"temperature": True}, "temperature", "a number from 0 to 2"),
        ({"top_p": "1"}, "top_p", "a number from 0 to 1"),
        ({"max_output_tokens": 15}, "max_output_tokens", "a whole number from 16 up"),
        ({"max_output_tokens": 16.5}, "max_output_tokens", "a whole number from 16 up"),
        ({"top_logprobs": 21}, "top_logprobs", "a whole number from 0 to 20"),
        ({"store": "yes"}, "store", "must be true or false"),
        ({"truncation": "last"}, "truncation", "one of auto, disabled"),
        ({"include": "all"}, "include", "must be a list"),
        ({"include": ["all"]}, "include[0]", "one of"),
        ({"metadata": []}, "metadata", "must be an object"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata", "it has 17 pairs"),
        ({"metadata": {"k" * 65: ""}}, "metadata", "one has 65"),
        ({"metadata": {"k": 5}}, "metadata.k", "a text of at most 512"),
        ({"metadata": {"k": "v" * 513}}, "metadata.k", "a text of at most 512"),
        ({"tool_choice": "always"}, "tool_choice", "one of auto, none, required"),
        ({"tool_choice": {}}, "tool_choice.type", "it is missing"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "one of"),
        ({"text": {"format": {"type": "json_schema", "name": "t"}}}, "text.format.schema", "it is missing"),
        ({"text": {"format": {"type": "json_schema", "name": "a b", "schema": {}}}}, "text.format.name", "1 to 64"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort", "one of"),
        ({"reasoning": "high"}, "reasoning", "must be an object"),
        ({"tools": {}}, "tools", "must be a list"),
        ({"tools": ["tide"]}, "tools[0]", "an object with a type"),
        ({"tools": [{"type": "retrieval"}]}, "tools[0].type", "no tool of the type retrieval"),
        ({"tools": [{"type": "function", "function": FUNCTION}]}, "tools[0].function", "belong in the tool itself"),
        ({"tools": [FUNCTION, FUNCTION]}, "tools[1].name", "tools[0] has the same name"),
        ({"tools": [FUNCTION | {"name": "a.b"}]}, "tools[0].name", "1 to 64 letters"),
        ({"tools": [{"type": "file_search", "vector_store_ids": []}]}, "tools[0].vector_store_ids", "no vector store"),
        ({"tools": [{"type": "code_interpreter", "container": ""}]}, "tools[0].container", "it is empty"),
        ({"tools": [{"type": "custom", "name": "a.b"}]}, "tools[0].name", "1 to 64 letters"),
        ({"tools": [{"type": "custom", "name": "x", "description": 5}]}, "tools[0].description", "must be a text"),
        ({"tools": [MANY_FILES]}, "tools[0].container.file_ids", "it names 51 files"),
    ],
)  # fmt: skip
def test_what_the_target_refuses_is_said_with_its_place(
    changes: dict[str, Any], place: str, shown: str
) -> None:
    found = problems(**changes)
    assert any(at == place and shown in text for at, text in found), found


@pytest.mark.parametrize(
    ("model", "effort", "sampling", "reasoning"),
    [
        ("o3-2025-04-16", None, True, False),
        ("gpt-5-mini", "none", True, False),
        ("gpt-5-chat-latest", None, False, True),
        ("gpt-5.1", None, False, False),
        ("gpt-5.2-2025-12-11", "low", True, False),
        ("gpt-5.2-pro", "none", True, False),
        ("gpt-5.6-sol", None, True, False),
        ("gpt-5.6-sol", "none", False, False),
        ("ft:gpt-4o-2024-08-06:harbour::1", None, False, True),
        ("harbour-deployment", "high", False, False),
    ],
)
def test_models_refuse_what_the_table_says(
    model: str, effort: str | None, sampling: bool, reasoning: bool
) -> None:
    assert (refuses_sampling(model, effort), refuses_reasoning(model)) == (sampling, reasoning)


def test_settings_that_the_model_refuses_are_problems_of_an_edited_spec() -> None:
    assert [place for place, _text in problems(model="o3")] == ["temperature", "top_p"]
    assert [place for place, _text in problems(model="gpt-4o")] == ["reasoning.effort"]


def test_nothing_is_left_out_where_an_assistant_of_a_reasoning_model_left_it_open() -> None:
    plan = convert_assistant({"id": "asst_1", "model": "o3"})
    assert (plan.spec, codes(plan.findings)) == (
        {"model": "o3", "truncation": "auto"},
        ["truncation_as_in_runs"],
    )


def test_placeholders_are_variables_once_each_in_their_order() -> None:
    assert spec_variables({"instructions": "{{b}} {{ a }} {{b}} {{5}} {{a b}}"}) == ("b", "a")
    assert spec_variables({"instructions": None}) == ()


def test_findings_of_a_spec_name_what_is_missing_refused_and_to_be_filled() -> None:
    spec = {"instructions": "Greet {{name}}.", "temperature": 9}
    assert codes(prompt_findings(spec)) == ["model_missing", "spec_refused", "prompt_variables"]
    assert prompt_findings({"model": "gpt-4o"}) == ()


def test_a_spec_is_written_the_same_whatever_the_order_of_its_keys() -> None:
    assert spec_text({"b": "ü\x00", "a": 1}) == '{\n  "a": 1,\n  "b": "\\u00fc\\u0000"\n}'
