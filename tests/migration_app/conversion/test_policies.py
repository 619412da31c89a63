"""Policies: reading them, telling of them, and that every choice is shown and documented."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from migration_app.contracts import (
    POLICIES_VERSION,
    Policies,
    policies_as_dict,
    policies_from,
    policy_choices,
)
from migration_app.conversion.policies import POLICY_TEXTS
from migration_app.conversion.threads import convert_thread
from tests.migration_app.conversion.support import codes, golden_files, source_thread, thread_of

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "conversion.md"


def test_nothing_chosen_means_the_defaults() -> None:
    assert policies_from({}) == Policies()


def test_the_default_is_the_first_choice() -> None:
    assert policies_as_dict(Policies()) == {name: choices[0] for name, choices in policy_choices().items()}


def test_what_is_written_down_is_read_again() -> None:
    chosen = policies_from({"assistant_images": "block", "attachments": "note"})
    assert policies_from(policies_as_dict(chosen)) == chosen
    assert chosen.assistant_images == "block"


def test_an_unknown_policy_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no policy 'imges'; there are: assistant_images, code_interpreter"):
        policies_from({"imges": "block"})


@pytest.mark.parametrize("choice", ["hide", None, ["note"]])
def test_an_unknown_choice_is_refused_with_those_there_are(choice: object) -> None:
    with pytest.raises(
        ValueError, match=r"attachments cannot be .*; it can be: input_file, note, vector_store_only"
    ):
        policies_from({"attachments": choice})


def test_converting_without_policies_takes_the_defaults() -> None:
    for path in golden_files("policies"):
        source = source_thread(json.loads(path.read_text(encoding="utf-8"))["source"])
        assert convert_thread(source) == convert_thread(source, Policies())


def test_every_choice_has_its_golden_file() -> None:
    wanted = {f"{name}__{choice}" for name, choices in policy_choices().items() for choice in choices}
    assert {path.stem for path in golden_files("policies")} == wanted


def test_golden_files_of_one_policy_start_from_the_same_thread() -> None:
    sources: dict[str, str] = {}
    for path in golden_files("policies"):
        golden = json.loads(path.read_text(encoding="utf-8"))
        name, choice = path.stem.split("__")
        assert golden["policies"] == {name: choice}
        assert sources.setdefault(name, json.dumps(golden["source"])) == json.dumps(golden["source"])


def test_words_and_documentation_cover_every_choice() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"version {POLICIES_VERSION}." in page
    assert {name: tuple(text.choices) for name, text in POLICY_TEXTS.items()} == policy_choices()
    for name, text in POLICY_TEXTS.items():
        assert f"### {text.title}\n\n`{name}` – {text.reason}\n" in page
        for choice, shown in text.choices.items():
            assert f"| `{choice}` | {shown} |" in page


def test_block_always_blocks_and_sends_nothing_of_it() -> None:
    for path in golden_files("policies"):
        golden = json.loads(path.read_text(encoding="utf-8"))
        blocking = [finding for finding in golden["findings"] if finding["severity"] == "blocking"]
        assert bool(blocking) == (path.stem.endswith("__block") or path.stem == "deletions__leave_out")
        assert "[migrated: " not in json.dumps(golden["items"]) or not blocking


RESULT: dict[str, Any] = {"file_id": "file-a", "content": [{"type": "text", "text": "06:12"}]}


@pytest.mark.parametrize(
    "result",
    [
        RESULT | {"content": [*RESULT["content"], *RESULT["content"]]},
        RESULT | {"file_name": "a", "filename": "b"},
        RESULT | {"attributes": {"year": None}},
        RESULT | {"attributes": {"year": "x" * 513}},
        RESULT | {"attributes": dict.fromkeys(map(str, range(17)), 1)},
        RESULT | {"content": [{"type": "text", "text": "cut \ud83c"}]},
        "file-a",
    ],
)
def test_a_native_search_whose_results_do_not_fit_is_a_note(result: Any) -> None:
    for results, kind in (([RESULT], "file_search_call"), ([RESULT, result], "message")):
        call = {"type": "file_search", "file_search": {"queries": ["tides"], "results": results}}
        step = {"id": "step_1", "created_at": 5, "step_details": {"tool_calls": [call]}}
        plan = convert_thread(thread_of(steps=[step]), policies_from({"file_search": "native"}))
        assert [planned.item["type"] for planned in plan.items] == [kind]


@pytest.mark.parametrize(
    "search",
    [
        {"queries": [1]},
        {"queries": []},
        {"queries": ["tides"], "results": "many"},
        {"queries": ["a"], "x": 1},
    ],
)
def test_a_native_search_without_usable_queries_is_a_note(search: dict[str, Any]) -> None:
    step = {"id": "step_1", "step_details": {"tool_calls": [{"type": "file_search", "file_search": search}]}}
    plan = convert_thread(thread_of(steps=[step]), policies_from({"file_search": "native"}))
    assert [planned.item["type"] for planned in plan.items] == ["message"]


def test_a_call_that_is_no_object_and_that_a_run_waits_for_is_told() -> None:
    run = {"id": "run_1", "required_action": {"submit_tool_outputs": {"tool_calls": ["call_1"]}}}
    plan = convert_thread(thread_of(runs=[run]))
    assert plan.items == ()
    assert codes(plan.findings) == ["tool_call_unreadable"]


def test_a_skipped_message_leaves_its_calls() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": "1"}}
    step = {"id": "step_1", "run_id": "run_1", "created_at": 5, "step_details": {"tool_calls": [call]}}
    answer = {"id": "msg_1", "role": "assistant", "created_at": 6, "run_id": "run_1", "status": "incomplete"}
    plan = convert_thread(thread_of(answer, steps=[step]), policies_from({"incomplete_messages": "skip"}))
    assert [planned.item["type"] for planned in plan.items] == ["function_call", "function_call_output"]
    assert codes(plan.findings) == ["message_skipped"]
