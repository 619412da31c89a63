"""The example application: what it does with a mapping, with functions, and with a turn that was cut off."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx2
import pytest
from openai import BadRequestError, OpenAI

PATH = Path(__file__).parents[2] / "docs" / "examples" / "chat.py"


@pytest.fixture(scope="module")
def chat() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_chat", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


def response(*output: dict[str, Any]) -> dict[str, Any]:
    return {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-4o", "output": list(output)}


def said(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}


def called(name: str, arguments: str, call_id: str = "call_1") -> dict[str, Any]:
    return {"id": "fc_1", "type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


class Service:
    """Answers one request after the other with what it was given, and keeps what was asked."""

    def __init__(self, *answers: tuple[int, dict[str, Any]]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        transport = httpx2.MockTransport(self.answer)
        self.client = OpenAI(
            api_key="sk-test",
            base_url="http://target.invalid/v1",
            max_retries=0,
            http_client=httpx2.Client(transport=transport),
        )

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(json.loads(request.content) if request.content else {"url": request.url.path})
        status, body = self.answers.pop(0)
        return httpx2.Response(status, json=body)


def outputs_of(body: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        (item["call_id"], json.loads(item["output"]))
        for item in body["input"]
        if item.get("type") == "function_call_output"
    ]


def test_a_function_that_the_model_asks_for_is_run_and_its_output_sent(chat: ModuleType) -> None:
    service = Service(
        (200, response(called("order_status", '{"order": "A-17"}'))),
        (200, response(said("It is on its way."))),
    )
    assert chat.turn(service.client, {"model": "gpt-4o"}, "conv_1", "Where is A-17?") == "It is on its way."
    first, second = service.asked
    assert first == {
        "model": "gpt-4o",
        "conversation": "conv_1",
        "input": [{"role": "user", "content": "Where is A-17?"}],
    }
    assert outputs_of(second) == [("call_1", {"order": "A-17", "status": "on its way"})]
    assert second["conversation"] == "conv_1"


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("delete_everything", "{}", "There is no function delete_everything."),
        ("order_status", "{not json", "order_status failed"),
        ("order_status", "[1]", "order_status failed"),
        ("order_status", '{"number": 3}', "order_status failed"),
    ],
)
def test_a_call_that_can_not_be_answered_gets_an_error_and_nothing_made_up(
    name: str, arguments: str, text: str, chat: ModuleType
) -> None:
    service = Service((200, response(called(name, arguments))), (200, response(said("I could not look."))))
    chat.turn(service.client, {"model": "gpt-4o"}, "conv_1", "Where is A-17?")
    ((call_id, output),) = outputs_of(service.asked[1])
    assert call_id == "call_1"
    assert set(output) == {"error"}
    assert text in output["error"]


def test_a_model_that_never_stops_calling_must_answer_in_the_last_round_and_leaves_no_call_open(
    chat: ModuleType,
) -> None:
    calls = [(200, response(called("order_status", '{"order": "A"}', f"call_{n}"))) for n in range(8)]
    service = Service(*calls, (200, response(said("Enough."))))
    assert chat.turn(service.client, {"model": "gpt-4o"}, "conv_1", "Go on.") == "Enough."
    assert [body.get("tool_choice") for body in service.asked] == [None] * 8 + ["none"]
    assert outputs_of(service.asked[-1])[0][0] == "call_7"


def test_a_turn_that_was_cut_off_before_an_output_is_made_good_with_the_next(chat: ModuleType) -> None:
    refusal = {
        "error": {
            "message": "No tool output found for function call call_9.",
            "type": "invalid_request_error",
        }
    }
    newest_first = [
        called("order_status", "{}", "call_9"),
        {"id": "fco_1", "type": "function_call_output", "call_id": "call_8", "output": "{}"},
        said("Hello."),
        called("order_status", "{}", "call_8"),
    ]
    listed = {"object": "list", "data": newest_first, "first_id": "a", "last_id": "b", "has_more": False}
    service = Service((400, refusal), (200, listed), (200, response(said("Sorry for that."))))
    assert chat.turn(service.client, {"model": "gpt-4o"}, "conv_1", "Hello?") == "Sorry for that."
    assert outputs_of(service.asked[2]) == [("call_9", {"error": "The call was interrupted."})]
    assert service.asked[2]["input"][-1] == {"role": "user", "content": "Hello?"}


def test_another_refusal_is_not_hidden(chat: ModuleType) -> None:
    listed = {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}
    service = Service(
        (400, {"error": {"message": "no such model", "code": "model_not_found"}}), (200, listed)
    )
    with pytest.raises(BadRequestError, match="no such model"):
        chat.turn(service.client, {"model": "gpt-0"}, "conv_1", "Hello?")


def mapped_text(*rows: str) -> str:
    head = "thread_id,conversation_id,status,fidelity,user_ref,assistant_id,resources"
    return "".join(f"{row}\n" for row in (head, *rows))


def mapped(tmp_path: Path, chat: ModuleType, *rows: str) -> sqlite3.Connection:
    path = tmp_path / "mapping.csv"
    path.write_text(mapped_text(*rows), encoding="utf-8")
    database = sqlite3.connect(":memory:")
    assert chat.mapping_load(database, str(path)) == len(rows)
    return database


def test_a_later_export_replaces_what_was_loaded(tmp_path: Path, chat: ModuleType) -> None:
    database = mapped(tmp_path, chat, "thread_1,,snapshotted,exact,,asst_1,")
    with pytest.raises(chat.NotMovedError, match="snapshotted"):
        chat.conversation_of(database, "thread_1")
    later = mapped_text("thread_1,conv_1,verified,lossy,,asst_1,vector_store:vs_1")
    (tmp_path / "later.csv").write_text(later, encoding="utf-8")
    chat.mapping_load(database, str(tmp_path / "later.csv"))
    moved = chat.conversation_of(database, "thread_1")
    assert moved == chat.Moved("conv_1", "asst_1", "lossy", "vector_store:vs_1")


def test_a_conversation_that_was_not_verified_is_not_gone_on_with(tmp_path: Path, chat: ModuleType) -> None:
    database = mapped(tmp_path, chat, "thread_1,conv_1,backfilled,exact,,asst_1,")
    with pytest.raises(chat.NotMovedError, match="backfilled"):
        chat.conversation_of(database, "thread_1")


def test_a_thread_that_nobody_knows_is_said_so(tmp_path: Path, chat: ModuleType) -> None:
    with pytest.raises(chat.NotMovedError, match="not in the mapping"):
        chat.conversation_of(mapped(tmp_path, chat), "thread_9")


def test_ids_that_were_made_safe_for_spreadsheets_are_read_as_they_were(
    tmp_path: Path, chat: ModuleType
) -> None:
    database = mapped(tmp_path, chat, "'=thread,conv_1,verified,exact,,'-asst,")
    moved = chat.conversation_of(database, "=thread")
    assert (moved.conversation_id, moved.assistant_id) == ("conv_1", "-asst")


def test_the_threads_own_vector_stores_are_searched_beside_those_of_the_assistant(chat: ModuleType) -> None:
    prompt = {
        "model": "gpt-4o",
        "tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}, {"type": "function", "name": "f"}],
    }
    found = chat.with_stores(prompt, "vector_store:vs_2 file:file-3 vector_store:vs_1")
    assert found["tools"] == [
        {"type": "file_search", "vector_store_ids": ["vs_1", "vs_2"]},
        {"type": "function", "name": "f"},
    ]
    assert prompt["tools"][0] == {"type": "file_search", "vector_store_ids": ["vs_1"]}
    assert chat.with_stores({"model": "gpt-4o"}, "vector_store:vs_2") == {"model": "gpt-4o"}
