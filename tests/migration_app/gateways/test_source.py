from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from migration_app.gateways.configured import source_connection
from migration_app.gateways.connection import Answer, Connection
from migration_app.gateways.errors import GatewayError
from migration_app.gateways.source import loose_document, thread_documents
from tests.migration_app.conftest import Run
from tests.sandbox import RunningSandbox

THREAD = {
    "id": "thread_1",
    "object": "thread",
    "created_at": 1700000000,
    "metadata": {},
    "tool_resources": {},
}


def message(number: int) -> dict[str, Any]:
    return {
        "id": f"msg_{number}",
        "object": "thread.message",
        "created_at": 1700000000 + number,
        "thread_id": "thread_1",
        "role": "user",
        "content": [{"type": "text", "text": {"value": f"message {number}", "annotations": []}}],
        "metadata": {},
    }


RUN = {
    "id": "run_1",
    "object": "thread.run",
    "created_at": 1700000500,
    "thread_id": "thread_1",
    "status": "completed",
}
STEP = {
    "id": "step_1",
    "object": "thread.run.step",
    "created_at": 1700000501,
    "thread_id": "thread_1",
    "run_id": "run_1",
    "type": "message_creation",
    "status": "completed",
    "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_1"}},
}


def documents(run: Run, source: Connection, thread_id: str) -> list[Answer]:
    async def read() -> list[Answer]:
        return [answer async for answer in thread_documents(source, thread_id=thread_id)]

    return run(read())


def test_a_thread_is_read_whole_and_oldest_first(
    sandbox: RunningSandbox, source: Connection, run: Run
) -> None:
    sandbox.control.seed([THREAD, *(message(number) for number in range(230)), RUN, STEP])
    received = documents(run, source, "thread_1")
    objects = [document.value for document in received]
    assert objects[0]["object"] == "thread"
    ids = [entry["id"] for page in objects[1:] for entry in page["data"]]
    assert ids == [*(f"msg_{number}" for number in range(230)), "run_1", "step_1"]


@pytest.mark.parametrize("last_id", ["absent", None, ""])
def test_a_server_that_names_no_last_id_is_read_on_behind_the_last_object(
    last_id: str | None,
    sandbox: RunningSandbox,
    source: Connection,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sandbox.control.seed([THREAD, *(message(number) for number in range(230))])
    get = Connection.get

    async def without(self: Connection, *arguments: Any, **options: Any) -> Answer:
        answer = await get(self, *arguments, **options)
        kept = {name: part for name, part in answer.value.items() if name != "last_id"}
        return dataclasses.replace(
            answer, value=kept if last_id == "absent" else {**kept, "last_id": last_id}
        )

    monkeypatch.setattr(Connection, "get", without)
    pages = [document.value for document in documents(run, source, "thread_1")[1:]]
    assert [entry["id"] for page in pages for entry in page["data"]] == [
        f"msg_{number}" for number in range(230)
    ]


def test_the_bytes_are_those_that_the_server_sent(
    sandbox: RunningSandbox, source: Connection, run: Run
) -> None:
    sandbox.control.seed([THREAD])
    received = documents(run, source, "thread_1")[0]
    assert json.loads(received.raw) == received.value
    assert received.request_id


def test_a_thread_that_is_gone_is_not_found(sandbox: RunningSandbox, source: Connection, run: Run) -> None:
    with pytest.raises(GatewayError) as caught:
        documents(run, source, "thread_none")
    assert caught.value.code == "not_found"


def test_the_api_version_goes_along_as_a_query(sandbox: RunningSandbox, run: Run) -> None:
    sandbox.control.seed([THREAD])
    connection = source_connection(
        base_url=sandbox.base_url, api_version="2025-05-15-preview", timeout_seconds=5
    )
    documents(run, connection, "thread_1")
    assert all("api-version=2025-05-15-preview" in request.query for request in sandbox.control.requests())
    run(connection.close())


def test_a_key_can_go_in_azures_header(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setenv("SOURCE_AUTH", "api-key")
    sandbox.control.seed([THREAD])
    connection = source_connection(base_url=sandbox.base_url, api_version="", timeout_seconds=5)
    assert documents(run, connection, "thread_1")[0].value["id"] == "thread_1"
    run(connection.close())


def test_a_server_that_refuses_include_is_asked_without_it(
    sandbox: RunningSandbox, source: Connection, run: Run
) -> None:
    sandbox.control.seed([THREAD, RUN, STEP])
    sandbox.control.add_fault("unauthorized", "GET .*/steps", times=1, status=400)
    received = documents(run, source, "thread_1")
    assert received[-1].value["data"][0]["id"] == "step_1"


def test_an_assistant_is_read(sandbox: RunningSandbox, source: Connection, run: Run) -> None:
    sandbox.control.seed([{"id": "asst_1", "object": "assistant", "created_at": 1, "model": "gpt-4o"}])
    assert run(loose_document(source, kind="assistant", object_id="asst_1")).value["model"] == "gpt-4o"
