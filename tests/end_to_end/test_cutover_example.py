"""The cut-over of docs/cutover.md, done: an archived thread is gone on with by the example application."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from migration_app.batches.batches import batch_create
from migration_app.contracts import Actor
from migration_app.engine.runner import batch_work
from migration_app.gateways.configured import target_connection
from migration_app.models import Assistant, Thread
from migration_app.prompts.assistants import assistant_convert_next, conversions_request
from migration_app.prompts.review import version_activate, version_approve, version_submit
from migration_app.tasks.connections import Connections
from migration_app.threads.selections import selection_of_filters
from tests.migration_app.conversion.support import validator
from tests.prepared import batch_prepare, turn_of
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "chat.py"
AUTHOR, APPROVER = Actor("ada"), Actor("grace")
FUNCTION = {
    "type": "function",
    "function": {
        "name": "order_status",
        "description": "Where an order is.",
        "parameters": {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
    },
}


def archive(path: Path) -> Path:
    """A support desk's thread, with a function call in its middle, and its assistant."""

    def message(number: int, role: str, text: str) -> dict[str, object]:
        return {
            "id": f"msg_{number}",
            "object": "thread.message",
            "thread_id": "thread_desk",
            "created_at": 1_750_000_000 + 10 * number,
            "role": role,
            "run_id": "run_1" if role == "assistant" else None,
            "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        }

    call = {
        "id": "call_1",
        "type": "function",
        "function": {
            "name": "order_status",
            "arguments": '{"order":"A-17"}',
            "output": '{"status":"packed"}',
        },
    }
    objects: list[dict[str, object]] = [
        {
            "id": "asst_desk",
            "object": "assistant",
            "name": "Support Desk",
            "model": "gpt-4o",
            "instructions": "You answer for {{ company }}.",
            "tools": [FUNCTION],
        },
        {"id": "thread_desk", "object": "thread", "created_at": 1_750_000_000, "metadata": {}},
        message(1, "user", "Where is order A-17?"),
        {
            "id": "run_1",
            "object": "thread.run",
            "thread_id": "thread_desk",
            "assistant_id": "asst_desk",
            "status": "completed",
            "created_at": 1_750_000_011,
            "model": "gpt-4o",
        },
        {
            "id": "step_1",
            "object": "thread.run.step",
            "thread_id": "thread_desk",
            "run_id": "run_1",
            "created_at": 1_750_000_012,
            "type": "tool_calls",
            "step_details": {"type": "tool_calls", "tool_calls": [call]},
        },
        {
            "id": "step_2",
            "object": "thread.run.step",
            "thread_id": "thread_desk",
            "run_id": "run_1",
            "created_at": 1_750_000_020,
            "type": "message_creation",
            "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_2"}},
        },
        message(2, "assistant", "It is packed."),
    ]
    path.write_text("".join(json.dumps(value) + "\n" for value in objects), encoding="utf-8")
    return path


def quiet(name: str, *arguments: str) -> None:
    call_command(name, *arguments, stdout=io.StringIO(), stderr=io.StringIO())


def backfill() -> None:
    batch = batch_create(kind="backfill", selection=selection_of_filters({}), actor=AUTHOR, reason="cut-over")
    batch_prepare(batch_pk=batch.pk, actor=AUTHOR)
    connections = Connections(
        source=lambda: target_connection(timeout_seconds=10),
        target=lambda: target_connection(timeout_seconds=10),
    )
    batch_work(batch_pk=batch.pk, connections=connections, turn=turn_of(AUTHOR))


def activate_the_prompt() -> None:
    assistant = Assistant.objects.get(assistant_id="asst_desk")
    conversions_request(assistant_pks=[assistant.pk], actor=AUTHOR, reason="cut-over")
    while assistant_convert_next(actor=AUTHOR):
        pass
    assistant.refresh_from_db()
    version = assistant.prompt.current_version
    assert version is not None
    version_submit(version_pk=version.pk, actor=AUTHOR)
    version_approve(version_pk=version.pk, actor=APPROVER)
    version_activate(version_pk=version.pk, actor=APPROVER)


@pytest.fixture
def application(sandbox: RunningSandbox, tmp_path: Path, transactional_db: None) -> Path:
    """The example, its prompts and its mapping, made by the console's own commands."""
    quiet("import_archive", str(archive(tmp_path / "archive.jsonl")))
    backfill()
    activate_the_prompt()
    quiet("export_mapping", "-o", str(tmp_path / "mapping.csv"))
    quiet("export_prompts", str(tmp_path / "prompts"))
    shutil.copy(EXAMPLE, tmp_path)
    return tmp_path


def chat(application: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "chat.py", *arguments],
        cwd=application,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def text(item: dict[str, object]) -> str:
    content = item.get("content")
    if isinstance(content, list):
        return f"{item['role']}: {content[0]['text']}"
    return str(item["type"])


def test_the_application_goes_on_behind_the_old_items_in_order(
    application: Path, sandbox: RunningSandbox
) -> None:
    loaded = chat(application, "load", "mapping.csv")
    assert (loaded.returncode, loaded.stdout) == (0, "1 threads are known.\n"), loaded.stderr
    said = chat(application, "say", "thread_desk", "Has it left by now?")
    assert (said.returncode, said.stdout) == (0, "The sandbox heard: Has it left by now?\n"), said.stderr

    conversation_id = Thread.objects.get().conversation.conversation_id
    stored = sandbox.control.conversation(conversation_id)
    assert [text(item) for item in stored.items] == [
        "user: Where is order A-17?",
        "function_call",
        "function_call_output",
        "assistant: It is packed.",
        "user: Has it left by now?",
        "assistant: The sandbox heard: Has it left by now?",
    ]


def test_a_function_is_called_by_the_model_and_answered_by_the_application(
    application: Path, sandbox: RunningSandbox
) -> None:
    chat(application, "load", "mapping.csv")
    said = chat(application, "say", "thread_desk", '[[call order_status {"order": "B-4"}]]')
    assert said.stdout == 'The sandbox was told: {"order": "B-4", "status": "on its way"}\n', said.stderr
    stored = sandbox.control.conversation(Thread.objects.get().conversation.conversation_id)
    assert [text(item) for item in stored.items][5:7] == ["function_call", "function_call_output"]


def test_the_request_carries_the_exported_prompt_and_the_conversation(
    application: Path, sandbox: RunningSandbox
) -> None:
    chat(application, "load", "mapping.csv")
    chat(application, "say", "thread_desk", "Hello?")
    request = sandbox.control.requests()[-1]
    assert (request.method, request.path) == ("POST", "/v1/responses")
    validator("root_create_response").validate(request.body)
    assert request.body["instructions"] == "You answer for Meadow & Sons."
    assert request.body["conversation"] == Thread.objects.get().conversation.conversation_id
    assert [tool["name"] for tool in request.body["tools"]] == ["order_status"]


def test_a_thread_that_was_not_moved_is_told_and_nothing_is_sent(
    application: Path, sandbox: RunningSandbox
) -> None:
    chat(application, "load", "mapping.csv")
    before = len(sandbox.control.requests())
    said = chat(application, "say", "thread_unknown", "Hello?")
    assert said.returncode == 1
    assert "thread_unknown is not in the mapping" in said.stderr
    assert len(sandbox.control.requests()) == before
