from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models.functions import Now

from migration_app.contracts import Actor
from migration_app.models import AuditEvent, FunctionCalls, ReadinessCheck
from migration_app.prompts.needs import needs_fill
from migration_app.readiness import function_calls
from migration_app.readiness.checks import (
    CHECKS,
    check_finish,
    check_request,
)
from migration_app.readiness.function_calls import calls_count, function_uses
from migration_app.tasks.lifecycle import TaskLostError
from tests.factories import SnapshotPageFactory, SourceObjectFactory, ThreadFactory
from tests.migration_app.prompts.prompt_rows import SPEC, prompt_made, version_made

pytestmark = pytest.mark.django_db
ADA = Actor("ada")


def step(thread_id: str, number: int, *names: object) -> bytes:
    calls = [
        {"id": f"call_{number}_{place}", "type": "function", "function": {"name": name, "arguments": "{}"}}
        for place, name in enumerate(names)
    ]
    value: dict[str, Any] = {
        "id": f"step_{thread_id}_{number}",
        "object": "thread.run.step",
        "thread_id": thread_id,
        "run_id": "run_1",
        "created_at": 1_700_000_000 + number,
        "type": "tool_calls",
        "status": "completed",
        "step_details": {"type": "tool_calls", "tool_calls": calls},
    }
    return json.dumps(value).encode()


def snapshot(thread_id: str, *documents: bytes, times: int = 1) -> None:
    thread = ThreadFactory.create(thread_id=thread_id)
    for _ in range(times):
        SnapshotPageFactory.create(thread=thread, documents=documents)


def claimed() -> ReadinessCheck:
    check_request(kind="calls", actor=ADA)
    row = CHECKS.claim(ReadinessCheck.objects.get(kind="calls").pk)
    assert row is not None
    return row


def count() -> None:
    row = claimed()
    assert calls_count(row, stop=bool)
    check_finish(row, actor=ADA, text="done")


def uses() -> list[tuple[str, int, int | None, int | None, int | None]]:
    return [(use.name, use.prompts, use.assistants, use.calls, use.threads) for use in function_uses()]


def test_calls_are_counted_once_however_many_pages_tell_of_them() -> None:
    snapshot("thread_1", step("thread_1", 1, "look_up", "look_up"), step("thread_1", 2, "book"), times=2)
    snapshot("thread_2", step("thread_2", 1, "look_up"))
    count()
    assert uses() == [("look_up", 0, 0, 3, 2), ("book", 0, 0, 1, 1)]


def test_functions_of_prompts_and_assistants_are_listed_though_nobody_called_them() -> None:
    tool: dict[str, Any] = {"type": "function", "name": "idle", "parameters": {}, "strict": None}
    version_made(prompt_made(), SPEC | {"tools": [tool]})
    assistant = {
        "id": "asst_1",
        "object": "assistant",
        "model": "gpt-4o",
        "tools": [{"type": "function", "function": {"name": "idle"}}],
    }
    SourceObjectFactory.create(kind="assistant", object_id="asst_1", raw=json.dumps(assistant).encode())
    needs_fill()
    assert uses() == [("idle", 1, None, None, None)]
    count()
    assert uses() == [("idle", 1, 1, 0, 0)]


def test_a_pass_that_was_stopped_goes_on_and_counts_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(function_calls, "_GROUP", 1)
    for number in range(3):
        snapshot(f"thread_{number}", step(f"thread_{number}", 1, "look_up"))
    row = claimed()
    assert not calls_count(row, stop=lambda: True)
    CHECKS.hand_back(row)
    again = CHECKS.claim(ReadinessCheck.objects.get(kind="calls").pk)
    assert again is not None
    assert calls_count(again, stop=bool)
    check_finish(again, actor=ADA, text="done")
    assert uses() == [("look_up", 0, 0, 3, 3)]


def test_what_the_last_pass_counted_is_shown_while_the_next_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot("thread_1", step("thread_1", 1, "look_up"))
    count()
    snapshot("thread_2", step("thread_2", 1, "look_up"))
    row = claimed()
    assert calls_count(row, stop=bool)
    assert uses() == [("look_up", 0, 0, 1, 1)]
    check_finish(row, actor=ADA, text="done")
    assert uses() == [("look_up", 0, 0, 2, 2)]
    count()
    assert FunctionCalls.objects.filter(name="look_up").count() == 2


def test_hostile_names_are_counted_under_what_can_be_shown() -> None:
    snapshot("thread_1", step("thread_1", 1, "a\x00b", "\ud800", "x" * 300, None, ""))
    count()
    assert sorted(name for name, *_rest in uses()) == ["a\ufffdb", "x" * 255, "\ufffd"]


def test_a_check_that_is_under_way_answers_for_a_second_request() -> None:
    row = claimed()
    assert check_request(kind="calls", actor=ADA).state == "running"
    assert CHECKS.claim(ReadinessCheck.objects.get(kind="calls").pk) is None
    assert row.pass_number == 1


def taken_over() -> ReadinessCheck:
    """The check in a second worker's hands, its first one having been taken for dead."""
    ReadinessCheck.objects.update(heartbeat_at=Now() - dt.timedelta(hours=1))
    row = CHECKS.claim(ReadinessCheck.objects.get(kind="calls").pk)
    assert row is not None
    return row


@pytest.mark.parametrize(
    "act",
    [
        lambda row: check_finish(row, actor=ADA, text="done"),
        lambda row: CHECKS.fail(row, error_text="the target is away", actor=ADA),
        CHECKS.hand_back,
        lambda row: CHECKS.write(row, done=1, total=1),
        CHECKS.write,
        lambda row: calls_count(row, stop=bool),
    ],
    ids=["finish", "fail", "put down", "progress", "hold", "count"],
)
def test_a_worker_whose_check_was_taken_over_writes_nothing_more(
    act: Callable[[ReadinessCheck], object],
) -> None:
    snapshot("thread_1", step("thread_1", 1, "look_up"))
    first = claimed()
    second = taken_over()
    assert calls_count(second, stop=bool)
    before = ReadinessCheck.objects.values().get(), list(FunctionCalls.objects.values())
    with pytest.raises(TaskLostError):
        act(first)
    assert (ReadinessCheck.objects.values().get(), list(FunctionCalls.objects.values())) == before
    assert not AuditEvent.objects.filter(verb="readiness.looked").exists()
    check_finish(second, actor=ADA, text="done")
    assert uses() == [("look_up", 0, 0, 1, 1)]


def test_a_worker_that_was_taken_for_dead_does_not_end_the_next_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = claimed()
    second = taken_over()
    check_finish(second, actor=ADA, text="done")
    check_request(kind="calls", actor=ADA)
    with pytest.raises(TaskLostError):
        check_finish(first, actor=ADA, text="late")
    assert ReadinessCheck.objects.get().state == "queued"
