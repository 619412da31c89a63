from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest

from console.sandbox.testing import RunningSandbox
from migration_app.contracts import JsonObject
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.gateways.target import conversation_create, items_append, items_list, with_item_id

IMAGE_URLS = "message.input_image.image_url"


def user(text: str) -> JsonObject:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def assistant(text: str) -> JsonObject:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "role": "assistant", "status": "completed", "content": [part]}


def texts(items: list[JsonObject]) -> list[str]:
    return [item["content"][0]["text"] for item in items]


def test_items_come_back_in_the_order_in_which_they_were_appended(target: Connection) -> None:
    created = conversation_create(target, metadata={"thread_id": "thread_1"})
    for first in range(0, 120, 20):
        items_append(
            target,
            conversation_id=created.conversation_id,
            first_position=first,
            items=[user(f"{position}") for position in range(first, first + 20)],
        )
    found = list(items_list(target, conversation_id=created.conversation_id))
    assert texts(found) == [str(position) for position in range(120)]


def test_append_returns_the_ids_of_the_items_in_order(target: Connection) -> None:
    created = conversation_create(target, metadata={})
    appended = items_append(
        target, conversation_id=created.conversation_id, first_position=0, items=[user("a"), assistant("b")]
    )
    found = list(items_list(target, conversation_id=created.conversation_id))
    assert list(appended.item_ids) == [item["id"] for item in found]


@pytest.mark.parametrize("count", [0, 21])
def test_append_refuses_other_than_1_to_20_items_before_sending(
    target: Connection, sandbox: RunningSandbox, count: int
) -> None:
    created = conversation_create(target, metadata={})
    with pytest.raises(ValueError, match="1 to 20"):
        items_append(
            target, conversation_id=created.conversation_id, first_position=0, items=[user("x")] * count
        )
    assert sandbox.control.state().items == {created.conversation_id: 0}


def test_the_same_append_sent_twice_by_mistake_is_refused_by_the_target(target: Connection) -> None:
    created = conversation_create(target, metadata={})
    again: dict[str, Any] = {
        "conversation_id": created.conversation_id,
        "first_position": 0,
        "items": [assistant("once")],
    }
    items_append(target, **again)
    with pytest.raises(GatewayError) as caught:
        items_append(target, **again)
    assert (caught.value.code, caught.value.outcome) == ("item_already_in_conversation", Outcome.NOTHING)
    assert len(list(items_list(target, conversation_id=created.conversation_id))) == 1


def test_ids_of_assistant_messages_differ_between_conversations_and_positions() -> None:
    ids = {
        with_item_id(assistant("same"), conversation_id=conversation, position=position)["id"]
        for conversation in ("conv_1", "conv_2")
        for position in (0, 1)
    }
    assert len(ids) == 4
    assert all(item_id.startswith("msg_") and len(item_id) <= 64 for item_id in ids)


def test_items_other_than_assistant_messages_are_sent_without_an_id() -> None:
    assert "id" not in with_item_id(user("hi"), conversation_id="conv_1", position=0)


def test_a_conversation_that_does_not_exist_is_not_found(target: Connection) -> None:
    with pytest.raises(GatewayError) as caught:
        list(items_list(target, conversation_id="conv_none"))
    assert (caught.value.code, caught.value.permanent) == ("not_found", True)


def test_an_id_with_slashes_and_question_marks_stays_one_path_segment(
    target: Connection, sandbox: RunningSandbox
) -> None:
    with pytest.raises(GatewayError):
        list(items_list(target, conversation_id="conv/../x?y"))
    seen = sandbox.control.requests()[-1]
    assert (seen.path, seen.query) == ("/v1/conversations/conv/../x?y/items", "order=asc&limit=100")


def test_a_server_that_refuses_include_is_read_without_it(
    target: Connection, sandbox: RunningSandbox
) -> None:
    created = conversation_create(target, metadata={})
    items_append(target, conversation_id=created.conversation_id, first_position=0, items=[user("a")])
    sandbox.control.add_fault("unauthorized", "GET ", times=1, status=400)
    found = items_list(target, conversation_id=created.conversation_id, include=[IMAGE_URLS])
    assert texts(list(found)) == ["a"]
    assert [("include" in request.query) for request in sandbox.control.requests()[-2:]] == [True, False]


@pytest.mark.parametrize(("kind", "prefix"), [("code_interpreter_call", "ci_"), ("file_search_call", "fs_")])
def test_native_calls_get_the_id_that_the_description_demands(kind: str, prefix: str) -> None:
    assert with_item_id({"type": kind}, conversation_id="conv_1", position=0)["id"].startswith(prefix)


def test_what_to_include_is_asked_for_as_the_sdk_spells_lists(
    target: Connection, sandbox: RunningSandbox
) -> None:
    created = conversation_create(target, metadata={})
    list(
        items_list(
            target, conversation_id=created.conversation_id, include=[IMAGE_URLS, "file_search_call.results"]
        )
    )
    query = parse_qs(sandbox.control.requests()[-1].query)
    assert query["include[]"] == [IMAGE_URLS, "file_search_call.results"]
