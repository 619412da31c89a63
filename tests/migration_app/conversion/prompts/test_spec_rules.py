"""What responses.create takes: every rule once, and the description beside it."""

from __future__ import annotations

from typing import Any

import pytest

from migration_app.conversion.prompts.assistants import convert_assistant
from migration_app.conversion.prompts.model_rules import refuses_reasoning, refuses_sampling
from migration_app.conversion.prompts.spec_rules import spec_problems
from migration_app.conversion.prompts.specs import prompt_findings, spec_text, spec_variables
from tests.migration_app.conversion.support import codes, described_properties, description, validator

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


# --- what the description allows ------------------------------------------------------------------

ARGUMENTS = described_properties("root_create_response")
OF_EACH_CALL = {
    *("input", "conversation", "previous_response_id", "stream", "stream_options", "background"),
    *("user", "safety_identifier"),
}
TOOLS = {
    kind: set(tool["required"]) - {"type"}
    for ref in description()["Tool"]["anyOf"]
    for tool in [description()[ref["$ref"].rpartition("/")[2]]]
    for kind in tool["properties"]["type"]["enum"]
}


def choices(name: str) -> list[str]:
    component = description()[name]
    return [choice for part in component.get("anyOf", [component]) for choice in part.get("enum", ())]


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_every_argument_of_the_description_is_known_and_those_of_a_call_are_refused(name: str) -> None:
    texts = [text for _place, text in problems(**{name: {}})]
    assert not any("no such argument" in text for text in texts)
    assert any("belongs to each call" in text for text in texts) == (name in OF_EACH_CALL)


@pytest.mark.parametrize("kind", sorted(TOOLS))
def test_every_tool_of_the_description_is_known_by_what_it_must_name(kind: str) -> None:
    missing = {place for place, text in problems(tools=[{"type": kind}]) if text == "it is missing"}
    assert missing == {f"tools[0].{name}" for name in TOOLS[kind]}


@pytest.mark.parametrize("effort", choices("ReasoningEffort"))
def test_every_effort_of_the_description_is_taken(effort: str) -> None:
    assert problems(model="harbour-deployment", reasoning={"effort": effort}) == []


@pytest.mark.parametrize("included", choices("IncludeEnum"))
def test_everything_that_may_be_included_is_taken(included: str) -> None:
    assert problems(include=[included]) == []


@pytest.mark.parametrize("ranker", choices("RankerVersionType"))
def test_every_ranker_of_the_description_is_taken(ranker: str) -> None:
    search = {"type": "file_search", "vector_store_ids": ["vs_1"], "ranking_options": {"ranker": ranker}}
    assert problems(tools=[search]) == []


@pytest.mark.parametrize(
    "changes",
    [
        *({"truncation": value} for value in ("auto", "disabled")),
        *({"prompt_cache_retention": value} for value in ("in_memory", "24h")),
        *({"text": {"verbosity": value}} for value in ("low", "medium", "high")),
        *({"text": {"format": {"type": value}}} for value in ("text", "json_object")),
        *({"reasoning": {"summary": value}} for value in ("auto", "concise", "detailed")),
        *({"tool_choice": value} for value in ("none", "auto", "required")),
    ],
)
def test_every_other_choice_is_taken_by_the_rules_and_by_the_description(changes: dict[str, Any]) -> None:
    assert problems(**changes) == []
    validator("root_create_response").validate(WHOLE | changes)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("top_logprobs", 0, 20),
        ("max_output_tokens", 16, None),
        ("max_tool_calls", 1, None),
    ],
)
def test_a_number_may_be_its_bound_and_no_further(name: str, least: int, most: int | None) -> None:
    assert problems(**{name: least}) == []
    assert [place for place, _text in problems(**{name: least - 1})] == [name]
    assert problems(**{name: most or 1_000_000}) == []
    if most is not None:
        assert [place for place, _text in problems(**{name: most + 1})] == [name]


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"max_num_results": 0}, "max_num_results"),
        ({"max_num_results": 51}, "max_num_results"),
        ({"ranking_options": {"score_threshold": 1.1}}, "ranking_options.score_threshold"),
        ({"ranking_options": {"score_threshold": -0.1}}, "ranking_options.score_threshold"),
        ({"ranking_options": {"ranker": "best"}}, "ranking_options.ranker"),
        ({"filters": []}, "filters"),
        ({"max_num_results": 1}, None),
        ({"max_num_results": 50}, None),
        ({"ranking_options": {"score_threshold": 0}}, None),
        ({"ranking_options": {"score_threshold": 1}}, None),
    ],
)
def test_a_search_keeps_to_its_bounds(options: dict[str, Any], place: str | None) -> None:
    search = {"type": "file_search", "vector_store_ids": ["vs_1"], **options}
    assert [at for at, _text in problems(tools=[search])] == ([f"tools[0].{place}"] if place else [])


@pytest.mark.parametrize(
    ("tool", "place"),
    [
        (FUNCTION | {"parameters": []}, "parameters"),
        (FUNCTION | {"strict": "yes"}, "strict"),
        (FUNCTION | {"description": ""}, "description"),
        ({"type": "mcp", "server_label": 5}, "server_label"),
        ({"type": "mcp", "server_label": "x", "server_url": ""}, "server_url"),
        ({"type": "mcp", "server_label": "x", "connector_id": 5}, "connector_id"),
        ({"type": "code_interpreter", "container": {"type": "own"}}, "container.type"),
        ({"type": "code_interpreter", "container": {}}, "container.type"),
        (
            {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [5]}},
            "container.file_ids[0]",
        ),
    ],
)
def test_a_field_of_a_tool_is_what_it_must_be(tool: dict[str, Any], place: str) -> None:
    assert [at for at, _text in problems(tools=[tool])] == [f"tools[0].{place}"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ({"verbosity": "loud"}, "text.verbosity"),
        ({"format": {}}, "text.format.type"),
        ({"format": {"type": "json_schema", "schema": {}}}, "text.format.name"),
        ({"format": {"type": "json_schema", "name": "a", "schema": []}}, "text.format.schema"),
        ({"format": {"type": "json_schema", "name": "a", "schema": {}, "strict": 1}}, "text.format.strict"),
        (
            {"format": {"type": "json_schema", "name": "a", "schema": {}, "description": 1}},
            "text.format.description",
        ),
    ],
)
def test_a_format_is_what_it_must_be(text: dict[str, Any], place: str) -> None:
    assert [at for at, _text in problems(text=text)] == [place]


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
