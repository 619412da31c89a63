"""Each golden file shows one row of docs/conversion.md: a source, and what becomes of it."""

from __future__ import annotations

import json
import pathlib

import pytest

from migration_app.contracts import PlannedItem, Replacement, ThreadPlan, policies_from
from migration_app.conversion.fallbacks import apply_replacements
from migration_app.conversion.prompts.assistants import convert_assistant
from migration_app.conversion.threads import convert_thread
from tests.migration_app.conversion.support import (
    assert_acceptable,
    assert_request_bodies,
    dump_findings,
    golden_files,
    source_thread,
    validator,
)


def name_of(path: pathlib.Path) -> str:
    """A golden file's name as a test's name."""
    return path.stem


@pytest.mark.parametrize("path", [*golden_files("threads"), *golden_files("policies")], ids=name_of)
def test_thread_becomes_what_the_golden_file_says(path: pathlib.Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    plan = convert_thread(source_thread(golden["source"]), policies_from(golden.get("policies", {})))
    assert [planned.item for planned in plan.items] == golden["items"]
    assert plan.metadata == golden["metadata"]
    assert dump_findings(plan.findings) == golden["findings"]
    assert_acceptable([planned.item for planned in plan.items])
    assert_request_bodies([planned.item for planned in plan.items])
    validator("root_create_conversation").validate({"metadata": plan.metadata})


@pytest.mark.parametrize("path", golden_files("assistants"), ids=name_of)
def test_assistant_becomes_what_the_golden_file_says(path: pathlib.Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    plan = convert_assistant(golden["source"])
    assert plan.spec == golden["spec"]
    assert dump_findings(plan.findings) == golden["findings"]
    validator("root_create_response").validate(plan.spec)
    assert (plan.assistant_id, plan.name) == (golden["source"]["id"], golden["source"]["name"] or "")


@pytest.mark.parametrize("path", golden_files("fallbacks"), ids=name_of)
def test_what_the_target_refuses_falls_back_as_the_golden_file_says(path: pathlib.Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    source = golden["source"]
    items = tuple(PlannedItem(item, source["kind"], source["id"], 0) for item in source["items"])
    plan = ThreadPlan("thread_mill", {}, items, ())
    for level, sent in enumerate(golden["levels"]):
        refused = apply_replacements(plan, {0: Replacement(0, level)})
        assert [planned.item for planned in refused.items] == sent["items"]
        assert dump_findings(refused.findings) == sent["findings"]
        assert_acceptable(sent["items"])
    blocked = apply_replacements(plan, {0: Replacement(0, len(golden["levels"]))})
    assert blocked.items == items
    assert dump_findings(blocked.findings) == golden["refused_at_every_level"]
