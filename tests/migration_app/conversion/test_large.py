"""A thread in a file gives what it gives in memory, to the last byte and finding."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration_app.contracts import Policies, Replacement, SourceThread, ThreadPlan
from migration_app.conversion.chunking import chunk_items, plan_size
from migration_app.conversion.comparison.canonical import fingerprint
from migration_app.conversion.fallbacks import apply_replacements
from migration_app.conversion.resources import thread_resources
from migration_app.conversion.threads import convert_thread, thread_places
from migration_app.spill import FINDINGS, JSON, Codec, Gathering, is_spilled
from tests.migration_app.conversion.strategies import policies, threads
from tests.migration_app.conversion.support import compare_items, golden_files, source_thread
from tests.migration_app.conversion.test_properties import fixed

FILES = golden_files("threads") + golden_files("policies")
NATIVE = Policies(code_interpreter="native", file_search="native")


def in_a_file(values: Sequence[Any], codec: Codec[Any] = JSON) -> Sequence[Any]:
    """The values as a large thread has them."""
    gathering = Gathering(codec, spill=True)
    for value in values:
        gathering.append(value)
    return gathering.sequence()


def large(source: SourceThread) -> SourceThread:
    """The thread as if it were large."""
    return dataclasses.replace(
        source,
        messages=in_a_file(source.messages),
        runs=in_a_file(source.runs),
        steps=in_a_file(source.steps),
        findings=in_a_file(source.findings, FINDINGS),
    )


def in_memory(plan: ThreadPlan) -> ThreadPlan:
    """The plan with its items and findings in memory."""
    return dataclasses.replace(plan, items=tuple(plan.items), findings=tuple(plan.findings))


def assert_same_plan(found: ThreadPlan, wanted: ThreadPlan) -> None:
    assert is_spilled(found.items)
    assert is_spilled(found.findings)
    assert in_memory(found) == wanted
    assert found.fidelity == wanted.fidelity
    assert [planned.body for planned in found.items] == [planned.body for planned in wanted.items]
    assert chunk_items(found.items) == chunk_items(wanted.items)
    assert chunk_items(found.items, 1, 3, 400) == chunk_items(wanted.items, 1, 3, 400)
    assert plan_size(found.items) == plan_size(wanted.items)
    items = [planned.item for planned in wanted.items]
    assert fingerprint(planned.item for planned in found.items) == fingerprint(items)
    assert compare_items(items, [planned.item for planned in found.items]) is None


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_golden_thread_is_the_same_in_a_file(path: pathlib.Path) -> None:
    source = source_thread(json.loads(path.read_text(encoding="utf-8"))["source"])
    for chosen in (Policies(), NATIVE):
        plan, found = convert_thread(source, chosen), convert_thread(large(source), chosen)
        assert_same_plan(found, plan)
        for level in range(2):
            refused = {at: Replacement(at, level) for at in range(0, len(plan.items), 2)}
            if refused:
                assert_same_plan(apply_replacements(found, refused), apply_replacements(plan, refused))
    assert thread_places(large(source)) == thread_places(source)
    assert thread_resources(large(source)) == thread_resources(source)


@fixed
@given(threads(), policies(), st.integers(0, 1))
def test_any_thread_is_the_same_in_a_file(source: SourceThread, chosen: Policies, level: int) -> None:
    plan, found = convert_thread(source, chosen), convert_thread(large(source), chosen)
    assert_same_plan(found, plan)
    refused = {at: Replacement(at, level) for at in range(0, len(plan.items), 3)}
    assert in_memory(apply_replacements(found, refused)) == apply_replacements(plan, refused)
    assert thread_places(large(source)) == thread_places(source)


def test_a_thread_in_memory_is_planned_in_memory() -> None:
    source = source_thread(json.loads(FILES[0].read_text(encoding="utf-8"))["source"])
    plan = convert_thread(source)
    assert isinstance(plan.items, tuple)
    assert isinstance(plan.findings, tuple)
