from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from migration_app.contracts import Actor
from migration_app.gateways.connection import Answer
from migration_app.gateways.errors import GatewayError, NotConfiguredError, Outcome
from migration_app.models import Assistant, AuditEvent, SourceObject
from migration_app.prompts.assistant_check_work import checks_work
from migration_app.prompts.assistant_checks import checks_request
from migration_app.prompts.drift import assistant_other_dismiss
from tests.factories import AssistantFactory, SourceObjectFactory

pytestmark = pytest.mark.django_db

ADA = Actor("ada")
DESK = {"id": "asst_1", "object": "assistant", "created_at": 1, "name": "Desk", "model": "gpt-4o"}


class Source:
    """A live source that says one thing of every assistant."""

    def __init__(self, says: Any) -> None:
        self.says = says
        self.asked: list[str] = []

    async def __aenter__(self) -> Source:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await asyncio.sleep(0)

    async def get(self, path: str) -> Answer:
        self.asked.append(path)
        if isinstance(self.says, Exception):
            raise self.says
        return Answer(json.dumps(self.says).encode(), self.says, "req_1")


@pytest.fixture
def assistant() -> Assistant:
    source = SourceObjectFactory.create(kind="assistant", object_id="asst_1", raw=json.dumps(DESK).encode())
    made: Assistant = AssistantFactory.create(assistant_id="asst_1", source=source, status="snapshotted")
    return made


def look(assistant: Assistant, says: Any) -> Assistant:
    connect: Callable[[], Any] = says if callable(says) else lambda: Source(says)
    assert checks_request(assistant_pks=[assistant.pk], actor=ADA, reason="a test") == 1
    assert checks_request(assistant_pks=[assistant.pk], actor=ADA, reason="twice") == 0
    checks_work(connect=connect, actor=Actor("worker"), stop=threading.Event())
    assistant.refresh_from_db()
    return assistant


def test_an_unchanged_assistant_is_the_same(assistant: Assistant) -> None:
    look(assistant, DESK)
    assert assistant.source_check_text == ""
    assert (assistant.source_check, SourceObject.objects.count()) == ("same", 1)
    assert assistant.source_checked_at is not None
    verbs = list(AuditEvent.objects.order_by("id").values_list("verb", "actor"))
    assert verbs == [("assistant.check_asked", "ada"), ("assistant.checked", "worker")]


def test_a_changed_assistant_is_kept_beside_the_snapshot_for_a_person_to_decide(assistant: Assistant) -> None:
    look(assistant, DESK | {"model": "gpt-4.1"})
    assert (assistant.source_check, assistant.source and assistant.source.state) == ("changed", "current")
    assert SourceObject.objects.get(state="conflict").object_id == "asst_1"


def test_a_change_that_was_dismissed_and_is_still_there_is_put_before_a_person_again(
    assistant: Assistant,
) -> None:
    look(assistant, DESK | {"model": "gpt-4.1"})
    other = SourceObject.objects.get(state="conflict")
    assistant_other_dismiss(source_object_pk=other.pk, actor=ADA, reason="no")
    look(assistant, DESK | {"model": "gpt-4.1"})
    other.refresh_from_db()
    assert (assistant.source_check, other.state) == ("changed", "conflict")


@pytest.mark.parametrize(("code", "look_is"), [("not_found", "missing"), ("unreachable", "failed")])
def test_a_source_that_does_not_answer_with_it_is_said(assistant: Assistant, code: str, look_is: str) -> None:
    error = GatewayError(code, "The server said: away.", permanent=True, outcome=Outcome.NOTHING)
    look(assistant, error)
    assert assistant.source_check == look_is
    assert assistant.source_check_text
    assert AuditEvent.objects.order_by("-id")[0].reason == code


def test_another_object_in_its_place_is_no_answer(assistant: Assistant) -> None:
    look(assistant, DESK | {"id": "asst_2"})
    assert (assistant.source_check, SourceObject.objects.count()) == ("failed", 1)


def test_without_a_configured_source_every_look_fails_with_what_to_set(assistant: Assistant) -> None:
    def refuse() -> Any:
        raise NotConfiguredError("SOURCE_BASE_URL and SOURCE_API_KEY must be set where the worker runs.")

    look(assistant, refuse)
    assert (assistant.source_check, "SOURCE_BASE_URL" in assistant.source_check_text) == ("failed", True)


def test_a_worker_that_is_to_stop_leaves_the_rest(assistant: Assistant) -> None:
    checks_request(assistant_pks=[assistant.pk], actor=ADA, reason="a test")
    stop = threading.Event()
    stop.set()
    connect: Callable[[], Any] = lambda: Source(DESK)  # noqa: E731 - typed as what stands for a connection
    checks_work(connect=connect, actor=ADA, stop=stop)
    assistant.refresh_from_db()
    assert assistant.source_check == "asked"
