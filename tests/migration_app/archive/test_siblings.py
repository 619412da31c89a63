"""Which fields are the API's own, which describe a file, and which are named as unknown."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from migration_app.archive.siblings import (
    holds_objects,
    is_of_thread,
    opened,
    others,
    says_more,
    unknown_fields,
)

DOCUMENT = Path(__file__).parents[3] / "docs" / "conversion.md"
SECTION = DOCUMENT.read_text(encoding="utf-8").partition("### Fields of files\n")[2].partition("\n#")[0]
ENVELOPE = re.findall(r"`(\w+)`", SECTION)
# As the API's description has them, and what files have besides ("deleted").
FIELDS = {
    "thread": "id object created_at metadata tool_resources deleted",
    "thread.run": "id object created_at thread_id assistant_id status required_action last_error expires_at"
    " started_at cancelled_at failed_at completed_at incomplete_details model instructions"
    " additional_instructions additional_messages tools tool_resources file_ids metadata usage temperature top_p"
    " max_prompt_tokens max_completion_tokens truncation_strategy response_format tool_choice"
    " parallel_tool_calls reasoning_effort deleted",
}


@pytest.mark.parametrize(("name", "fields"), FIELDS.items())
def test_no_field_of_the_api_is_unknown(name: str, fields: str) -> None:
    value = {field: {"said": "something"} for field in fields.split()} | {"object": name}
    assert not says_more(value)
    assert others(value, ()) == {}
    assert says_more(value | {"customer": "acme"})
    assert others(value | {"customer": "acme"}, ()) == {"customer": "acme"}


def test_other_objects_than_threads_and_runs_are_not_asked_for_more() -> None:
    assert not says_more({"object": "thread.message", "customer": "acme"})


@pytest.mark.parametrize("field", ENVELOPE)
def test_fields_of_files_are_the_documented_ones_unless_they_hold_something(field: str) -> None:
    assert others({field: "text"}, ()) == {}
    assert others({field: ["text"]}, ()) == {field: ["text"]}


def test_a_field_that_is_known_to_the_caller_is_not_named() -> None:
    assert "has_more" in ENVELOPE
    assert others({"customer": "acme", "cursor": 7}, ["cursor"]) == {"customer": "acme"}


@pytest.mark.parametrize("nothing", [None, "", False, [], {}, 0])
def test_a_field_that_says_nothing_is_not_named(nothing: object) -> None:
    assert others({"customer": nothing}, ()) == {}


@pytest.mark.parametrize(
    ("part", "held"),
    [
        ({"object": "thread"}, True),
        ({"object": "thread.message"}, True),
        ({"object": "thread.run"}, True),
        ({"object": "thread.run.step"}, True),
        ({"object": "assistant"}, False),
        ({"object": ["thread"]}, False),
        ({"role": "user", "content": "x"}, True),
        ({"role": "user"}, False),
        ({"content": "x"}, False),
        ({"object": "note", "role": "user", "content": "x"}, False),
        ("thread", False),
    ],
)
def test_objects_of_a_thread_are_known_by_their_type_or_by_role_and_content(part: Any, held: bool) -> None:
    assert is_of_thread(part) == held
    assert holds_objects([{"deep": part}]) == held


def test_objects_are_found_in_texts_and_six_levels_deep() -> None:
    part: Any = {"object": "thread"}
    assert holds_objects('[{"object": "thread"}]')
    for _level in range(6):
        part = [part]
    assert holds_objects(part)
    assert not holds_objects([part])


@pytest.mark.parametrize(
    "name",
    [
        "messages",
        "runs",
        "run_steps",
        "steps",
        "data",
        "thread",
        "threads",
        "message",
        "run",
        "run_step",
        "step",
    ],
)
def test_parts_that_are_json_text_are_decoded(name: str) -> None:
    assert opened({name: ' [{"id": 1}]'}) == {name: [{"id": 1}]}
    assert opened({name: '{"id": 1}'}) == {name: {"id": 1}}
    assert opened({name: {"object": "list", "data": "[1]"}}) == {name: {"object": "list", "data": [1]}}


@pytest.mark.parametrize(
    "value", [{"notes": "[1]"}, {"messages": "[1"}, {"messages": "7"}, {"messages": [1]}]
)
def test_other_parts_stay_as_they_are(value: dict[str, Any]) -> None:
    assert opened(value) is value


def test_unknown_fields_are_named_up_to_twenty() -> None:
    names = [f"field_{number:02}" for number in range(22)]
    assert unknown_fields(reversed(names)) == f"{', '.join(names[:20])} and 2 more"
    assert unknown_fields(names[:20]) == ", ".join(names[:20])
    assert unknown_fields(["x" * 81]) == "x" * 80
