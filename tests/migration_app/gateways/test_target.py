from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import pytest

from migration_app.contracts import JsonObject
from migration_app.gateways.connection import Answer, Connection
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.gateways.target import (
    conversation_create,
    conversation_delete,
    conversation_get,
    conversation_is_there,
    item_delete,
    item_id,
    items_append,
    items_pages,
)
from tests.migration_app.conftest import Run
from tests.sandbox import RunningSandbox

IMAGE_URLS = "message.input_image.image_url"


def user(text: str) -> JsonObject:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def assistant(text: str) -> JsonObject:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"type": "message", "role": "assistant", "status": "completed", "content": [part]}


def texts(items: list[JsonObject]) -> list[str]:
    return [item["content"][0]["text"] for item in items]


def listed(
    run: Run, target: Connection, conversation_id: str, include: Sequence[str] = ()
) -> list[JsonObject]:
    async def read() -> list[JsonObject]:
        pages = items_pages(target, conversation_id=conversation_id, include=include)
        return [item async for page in pages for item in page]

    return run(read())


def filled(run: Run, target: Connection, count: int) -> tuple[str, list[str]]:
    """A conversation with items: its id and theirs."""
    created = run(conversation_create(target, metadata={}))
    item_ids: list[str] = []
    for first in range(0, count, 20):
        appended = run(
            items_append(
                target,
                conversation_id=created.conversation_id,
                first_position=first,
                items=[user(f"{position}") for position in range(first, min(first + 20, count))],
            )
        )
        item_ids += appended.item_ids
    return created.conversation_id, item_ids


def test_items_come_back_in_the_order_in_which_they_were_appended(target: Connection, run: Run) -> None:
    created = run(conversation_create(target, metadata={"thread_id": "thread_1"}))
    for first in range(0, 120, 20):
        run(
            items_append(
                target,
                conversation_id=created.conversation_id,
                first_position=first,
                items=[user(f"{position}") for position in range(first, first + 20)],
            )
        )
    found = listed(run, target, created.conversation_id)
    assert texts(found) == [str(position) for position in range(120)]


def test_append_returns_the_ids_of_the_items_in_order(target: Connection, run: Run) -> None:
    created = run(conversation_create(target, metadata={}))
    appended = run(
        items_append(
            target,
            conversation_id=created.conversation_id,
            first_position=0,
            items=[user("a"), assistant("b")],
        )
    )
    found = listed(run, target, created.conversation_id)
    assert list(appended.item_ids) == [item["id"] for item in found]


@pytest.mark.parametrize("count", [0, 21])
def test_append_refuses_other_than_1_to_20_items_before_sending(
    target: Connection, run: Run, sandbox: RunningSandbox, count: int
) -> None:
    created = run(conversation_create(target, metadata={}))
    with pytest.raises(ValueError, match="1 to 20"):
        run(
            items_append(
                target, conversation_id=created.conversation_id, first_position=0, items=[user("x")] * count
            )
        )
    assert sandbox.control.state().items == {created.conversation_id: 0}


def test_the_same_append_sent_twice_by_mistake_is_refused_by_the_target(target: Connection, run: Run) -> None:
    created = run(conversation_create(target, metadata={}))
    again: dict[str, Any] = {
        "conversation_id": created.conversation_id,
        "first_position": 0,
        "items": [assistant("once")],
    }
    run(items_append(target, **again))
    with pytest.raises(GatewayError) as caught:
        run(items_append(target, **again))
    assert (caught.value.code, caught.value.outcome) == ("item_already_in_conversation", Outcome.NOTHING)
    assert len(listed(run, target, created.conversation_id)) == 1


@pytest.mark.parametrize("status", [404, 405, 410])
def test_a_create_at_an_address_without_conversations_speaks_of_the_address(
    target: Connection, run: Run, sandbox: RunningSandbox, status: int
) -> None:
    sandbox.control.add_fault("unauthorized", "POST ", status=status)
    with pytest.raises(GatewayError, match="Check the base URL") as caught:
        run(conversation_create(target, metadata={}))
    assert (caught.value.code, caught.value.outcome) == ("create_unknown", Outcome.NOTHING)


def test_a_conversation_is_read_with_its_metadata(target: Connection, run: Run) -> None:
    created = run(conversation_create(target, metadata={"a": "b"}))
    found = run(conversation_get(target, conversation_id=created.conversation_id))
    assert found is not None
    assert found["metadata"] == {"a": "b"}


@pytest.mark.parametrize("status", [405, 501])
def test_a_target_that_can_not_give_a_conversation_gives_none(
    target: Connection, run: Run, sandbox: RunningSandbox, status: int
) -> None:
    sandbox.control.add_fault("unauthorized", "GET ", status=status)
    assert run(conversation_get(target, conversation_id="conv_1")) is None


def test_another_conversation_than_was_asked_for_is_no_answer(
    target: Connection, run: Run, sandbox: RunningSandbox
) -> None:
    created = [run(conversation_create(target, metadata={})).conversation_id for _ in range(2)]
    run(conversation_get(target, conversation_id=created[0]))
    sandbox.control.add_fault("anothers_answer", "GET ")
    with pytest.raises(GatewayError, match="another conversation"):
        run(conversation_get(target, conversation_id=created[1]))


@pytest.mark.parametrize("item_id", [None, "absent", 7])
def test_items_that_are_appended_without_ids_have_none(
    target: Connection, run: Run, monkeypatch: pytest.MonkeyPatch, item_id: object
) -> None:
    created = run(conversation_create(target, metadata={}))
    post = Connection.post

    async def posted(self: Connection, *args: Any, **options: Any) -> Answer:
        answer = await post(self, *args, **options)
        for item in answer.value["data"]:
            item["id"] = item_id
            if item_id == "absent":
                del item["id"]
        return answer

    monkeypatch.setattr(Connection, "post", posted)
    append = items_append(
        target, conversation_id=created.conversation_id, first_position=0, items=[user("a")]
    )
    if item_id == 7:
        with pytest.raises(GatewayError, match="no items with ids"):
            run(append)
    else:
        assert run(append).item_ids == ("",)


def test_ids_of_assistant_messages_differ_between_conversations_and_positions() -> None:
    ids = {
        item_id(assistant("same"), conversation_id=conversation, position=position)
        for conversation in ("conv_1", "conv_2")
        for position in (0, 1)
    }
    assert len(ids) == 4
    assert all(item_id.startswith("msg_") and len(item_id) <= 64 for item_id in ids)


def test_items_other_than_assistant_messages_are_sent_without_an_id() -> None:
    assert item_id(user("hi"), conversation_id="conv_1", position=0) == ""


def test_a_conversation_that_does_not_exist_is_not_found(target: Connection, run: Run) -> None:
    with pytest.raises(GatewayError) as caught:
        listed(run, target, "conv_none")
    assert (caught.value.code, caught.value.permanent) == ("not_found", True)


def test_an_id_with_slashes_and_question_marks_stays_one_path_segment(
    target: Connection, run: Run, sandbox: RunningSandbox
) -> None:
    with pytest.raises(GatewayError):
        listed(run, target, "conv/../x?y")
    seen = sandbox.control.requests()[-1]
    assert (seen.path, seen.query) == ("/v1/conversations/conv/../x?y/items", "order=asc&limit=100")


def test_a_server_that_refuses_include_is_read_without_it(
    target: Connection, run: Run, sandbox: RunningSandbox
) -> None:
    created = run(conversation_create(target, metadata={}))
    run(items_append(target, conversation_id=created.conversation_id, first_position=0, items=[user("a")]))
    sandbox.control.add_fault("unauthorized", "GET ", times=1, status=400)
    assert texts(listed(run, target, created.conversation_id, [IMAGE_URLS])) == ["a"]
    assert [("include" in request.query) for request in sandbox.control.requests()[-2:]] == [True, False]


@pytest.mark.parametrize(("kind", "prefix"), [("code_interpreter_call", "ci_"), ("file_search_call", "fs_")])
def test_native_calls_get_the_id_that_the_description_demands(kind: str, prefix: str) -> None:
    assert item_id({"type": kind}, conversation_id="conv_1", position=0).startswith(prefix)


def test_what_to_include_is_asked_for_as_the_sdk_spells_lists(
    target: Connection, run: Run, sandbox: RunningSandbox
) -> None:
    created = run(conversation_create(target, metadata={}))
    listed(run, target, created.conversation_id, [IMAGE_URLS, "file_search_call.results"])
    query = parse_qs(sandbox.control.requests()[-1].query)
    assert query["include[]"] == [IMAGE_URLS, "file_search_call.results"]


def test_pages_hold_at_most_a_hundred_items_oldest_first(target: Connection, run: Run) -> None:
    conversation_id, item_ids = filled(run, target, 120)

    async def sizes() -> list[int]:
        return [len(page) async for page in items_pages(target, conversation_id=conversation_id)]

    assert run(sizes()) == [100, 20]
    assert [item["id"] for item in listed(run, target, conversation_id)] == item_ids


def test_a_deleted_item_is_gone_and_the_others_stay(target: Connection, run: Run) -> None:
    conversation_id, item_ids = filled(run, target, 3)
    run(item_delete(target, conversation_id=conversation_id, item_id=item_ids[1]))
    assert [item["id"] for item in listed(run, target, conversation_id)] == [item_ids[0], item_ids[2]]


def test_deleting_what_is_gone_is_fine(target: Connection, run: Run) -> None:
    conversation_id, item_ids = filled(run, target, 1)
    for _ in range(2):
        run(item_delete(target, conversation_id=conversation_id, item_id=item_ids[0]))
    for _ in range(2):
        run(conversation_delete(target, conversation_id=conversation_id))
    assert not run(conversation_is_there(target, conversation_id=conversation_id))


def test_a_delete_that_failed_says_whether_it_may_have_acted(
    sandbox: RunningSandbox, target: Connection, run: Run
) -> None:
    conversation_id, _ = filled(run, target, 1)
    sandbox.control.add_fault("error_500", "DELETE ", times=1)
    with pytest.raises(GatewayError) as caught:
        run(conversation_delete(target, conversation_id=conversation_id))
    assert (caught.value.code, caught.value.outcome) == ("server_error", Outcome.UNKNOWN)


def test_bytes_that_are_ready_are_sent_as_they_are(
    sandbox: RunningSandbox, target: Connection, run: Run
) -> None:
    run(target.post("/conversations", b'{"metadata": {"thread_id": "thread_1"}}'))
    assert sandbox.control.requests()[-1].body == {"metadata": {"thread_id": "thread_1"}}
