"""Conversions and checks of assistants as jobs, on a real Valkey, against the sandbox."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from migration_app import jobs
from migration_app.contracts import Actor
from migration_app.models import Assistant, AuditEvent
from migration_app.prompts.assistant_checks import checks_request
from migration_app.prompts.assistants import conversions_request
from migration_app.prompts.tasks import ASSISTANT_CHECKS_TASK
from tests.factories import AssistantFactory, SourceObjectFactory
from tests.sandbox import RunningSandbox
from tests.workers import work_off

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("queue")]

ADA = Actor("ada")


@pytest.fixture(autouse=True)
def live_source(sandbox: RunningSandbox, settings: Settings) -> None:
    settings.SOURCE_BASE_URL = sandbox.base_url


@pytest.fixture
def assistant() -> Assistant:
    value = {"id": "asst_gone", "object": "assistant", "model": "gpt-4o"}
    source = SourceObjectFactory.create(
        kind="assistant", object_id="asst_gone", raw=json.dumps(value).encode()
    )
    made: Assistant = AssistantFactory.create(assistant_id="asst_gone", source=source, status="snapshotted")
    return made


def test_an_assistant_that_the_source_has_no_more_is_said_to_be_gone(
    queue: Any, assistant: Assistant
) -> None:
    checks_request(assistant_pks=[assistant.pk], actor=ADA, reason="a test")
    jobs.enqueue(ASSISTANT_CHECKS_TASK)
    work_off(queue)
    assistant.refresh_from_db()
    assert (assistant.source_check, assistant.source_check_text) == (
        "missing",
        "The source has no such assistant any more.",
    )
    assert AuditEvent.objects.get(verb="assistant.checked").job_id.startswith("assistant_checks-0-")


def test_checks_and_conversions_that_the_queue_lost_are_found_in_the_database(
    queue: Any, assistant: Assistant
) -> None:
    checks_request(assistant_pks=[assistant.pk], actor=ADA, reason="a test")
    conversions_request(assistant_pks=[assistant.pk], actor=ADA, reason="a test")
    jobs.sweep()
    work_off(queue)
    assistant.refresh_from_db()
    assert (assistant.source_check, assistant.status) == ("missing", "converted")


def test_conversions_make_room_for_urgent_work_and_come_back(
    queue: Any, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "urgent_work_waits", lambda _pk: True)
    conversions_request(assistant_pks=[assistant.pk], actor=ADA, reason="a test")
    jobs.task_job("conversions", 0)
    assert [job_id for job_id in queue.get_job_ids() if job_id.startswith("conversions-0-")]
