from collections.abc import Iterable
from typing import Any

import httpx2
import pytest
from openai import APIStatusError, BadRequestError, NotFoundError, OpenAI
from openai.types.conversations import ConversationItem, ConversationItemList
from pydantic import TypeAdapter

from tests.sandbox import RunningSandbox

from .api import Json, call, get, output, post, user


def texts(items: Iterable[Any]) -> list[str]:
    return [item.content[0].text for item in items]


def add(client: OpenAI, conversation_id: str, *items: Json) -> Json:
    answer: Json = post(client, f"/conversations/{conversation_id}/items", {"items": list(items)}).json()
    return answer


def refusal(client: OpenAI, path: str, body: object) -> BadRequestError:
    with pytest.raises(BadRequestError) as refused:
        post(client, path, body)
    assert set(refused.value.response.json()["error"]) == {"message", "type", "param", "code"}
    return refused.value


def test_conversation_is_created_retrieved_updated_and_deleted(client: OpenAI) -> None:
    made = client.conversations.create(metadata={"topic": "luggage"})
    assert made.id.startswith("conv_")
    assert client.conversations.retrieve(made.id) == made
    updated = client.conversations.update(made.id, metadata={"stage": "2"})
    assert updated.metadata == {"stage": "2"}
    deleted = client.conversations.delete(made.id)
    assert (deleted.id, deleted.deleted, deleted.object) == (made.id, True, "conversation.deleted")
    with pytest.raises(NotFoundError, match=f"Conversation with id '{made.id}' not found"):
        client.conversations.retrieve(made.id)


def test_conversation_needs_no_body(client: OpenAI) -> None:
    made = client.post("/conversations", cast_to=httpx2.Response).json()
    assert set(made) == {"id", "object", "created_at", "metadata"}
    assert made["metadata"] == {}


def test_conversation_takes_its_first_items_at_once(client: OpenAI) -> None:
    made = client.conversations.create(items=[{"role": "user", "content": "hi"}])
    assert texts(client.conversations.items.list(made.id)) == ["hi"]


def test_conversations_can_not_be_listed(client: OpenAI) -> None:
    with pytest.raises(APIStatusError, match="Not allowed to GET") as refused:
        get(client, "/conversations")
    assert refused.value.status_code == 405


def test_items_are_appended_in_order_and_answered_in_order(client: OpenAI) -> None:
    made = client.conversations.create()
    first = client.conversations.items.create(
        made.id, items=[{"role": "user", "content": str(n)} for n in range(3)]
    )
    assert isinstance(first, ConversationItemList)
    assert (texts(first.data), first.has_more) == (["0", "1", "2"], False)
    assert (first.first_id, first.last_id) == (first.data[0].id, first.data[2].id)
    client.conversations.items.create(made.id, items=[{"role": "user", "content": "3"}])
    assert texts(client.conversations.items.list(made.id, order="asc")) == ["0", "1", "2", "3"]


def test_items_are_listed_newest_first_by_default(client: OpenAI) -> None:
    made = client.conversations.create()
    add(client, made.id, *(user(str(n)) for n in range(3)))
    assert texts(client.conversations.items.list(made.id)) == ["2", "1", "0"]


def test_auto_paging_meets_every_item_once_in_order(client: OpenAI) -> None:
    made = client.conversations.create()
    for start in (0, 20, 40):
        add(client, made.id, *(user(str(n)) for n in range(start, start + 20)))
    found = texts(client.conversations.items.list(made.id, order="asc", limit=25))
    assert found == [str(n) for n in range(60)]


def test_item_list_has_twenty_by_default(client: OpenAI) -> None:
    made = client.conversations.create()
    for _ in range(2):
        add(client, made.id, *(user("hi") for _ in range(20)))
    page = get(client, f"/conversations/{made.id}/items")
    assert (len(page["data"]), page["has_more"]) == (20, True)


def test_unknown_cursor_is_a_404(client: OpenAI) -> None:
    made = client.conversations.create()
    with pytest.raises(NotFoundError, match="No item found with id 'msg_none'") as refused:
        client.conversations.items.list(made.id, after="msg_none")
    assert (refused.value.param, refused.value.code) == ("after", None)


def test_removed_item_is_no_cursor_any_more(client: OpenAI) -> None:
    made = client.conversations.create()
    item_id = add(client, made.id, user("a"), user("b"))["first_id"]
    client.conversations.items.delete(item_id, conversation_id=made.id)
    with pytest.raises(NotFoundError):
        client.conversations.items.list(made.id, after=item_id)


def test_page_of_no_items_has_empty_ids(client: OpenAI) -> None:
    made = client.conversations.create()
    page = get(client, f"/conversations/{made.id}/items")
    assert page == {"object": "list", "data": [], "first_id": "", "last_id": "", "has_more": False}


def test_item_is_retrieved_and_deleted(client: OpenAI) -> None:
    made = client.conversations.create(metadata={"a": "b"})
    added = add(client, made.id, user("a"), user("b"), user("c"))
    middle = added["data"][1]["id"]
    assert client.conversations.items.retrieve(middle, conversation_id=made.id).id == middle
    assert client.conversations.items.delete(middle, conversation_id=made.id) == made
    assert texts(client.conversations.items.list(made.id, order="asc")) == ["a", "c"]
    with pytest.raises(NotFoundError):
        client.conversations.items.retrieve(middle, conversation_id=made.id)
    with pytest.raises(NotFoundError):
        client.conversations.items.delete(middle, conversation_id=made.id)


def test_twenty_items_are_taken_and_twenty_one_are_refused(client: OpenAI) -> None:
    made = client.conversations.create()
    path = f"/conversations/{made.id}/items"
    assert len(post(client, path, {"items": [user("x")] * 20}).json()["data"]) == 20
    refused = refusal(client, path, {"items": [user("x")] * 21})
    assert (refused.code, refused.param) == ("array_above_max_length", "items")


def test_create_takes_twenty_items_at_most_too(client: OpenAI) -> None:
    assert refusal(client, "/conversations", {"items": [user("x")] * 21}).code == "array_above_max_length"


def test_refused_items_leave_the_conversation_as_it_was(client: OpenAI) -> None:
    made = client.conversations.create()
    add(client, made.id, user("first"))
    refusal(client, f"/conversations/{made.id}/items", {"items": [user("good"), {"role": "user"}]})
    assert texts(client.conversations.items.list(made.id)) == ["first"]


def test_refused_create_makes_no_conversation(sandbox: RunningSandbox, client: OpenAI) -> None:
    refusal(client, "/conversations", {"items": [{"role": "user"}]})
    assert sandbox.control.state().conversations == 0


@pytest.mark.parametrize(
    ("metadata", "code"),
    [
        ({f"key{n}": "v" for n in range(17)}, "object_above_max_properties"),
        ({"k" * 65: "v"}, "property_name_above_max_length"),
        ({"k": "v" * 513}, "string_above_max_length"),
        ({"k": 1}, "invalid_type"),
        ("topic", "invalid_type"),
    ],
)
def test_metadata_has_its_limits(client: OpenAI, metadata: object, code: str) -> None:
    made = client.conversations.create()
    assert refusal(client, "/conversations", {"metadata": metadata}).code == code
    assert refusal(client, f"/conversations/{made.id}", {"metadata": metadata}).code == code


def test_metadata_is_counted_in_characters_and_kept_up_to_its_limits(client: OpenAI) -> None:
    metadata = {f"{n:02}" + "é" * 62: "😀" * 512 for n in range(16)}
    assert client.conversations.create(metadata=metadata).metadata == metadata


def test_update_requires_metadata(client: OpenAI) -> None:
    made = client.conversations.create()
    assert refusal(client, f"/conversations/{made.id}", {}).code == "missing_required_parameter"


def test_unknown_field_of_a_create_is_refused(client: OpenAI) -> None:
    refused = refusal(client, "/conversations", {"messages": []})
    assert (refused.code, refused.param) == ("unknown_parameter", "messages")


def test_string_content_of_a_user_comes_back_in_parts(client: OpenAI) -> None:
    made = client.conversations.create()
    (item,) = add(client, made.id, {"role": "user", "content": "hi"})["data"]
    item_id = item.pop("id")
    assert item_id.startswith("msg_")
    assert item == {
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_text", "text": "hi"}],
    }


def test_string_content_of_an_assistant_comes_back_as_output_text(client: OpenAI) -> None:
    made = client.conversations.create()
    (item,) = add(client, made.id, {"role": "assistant", "content": "hi"})["data"]
    assert item["content"] == [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}]


def test_output_text_gets_annotations_and_logprobs(client: OpenAI) -> None:
    made = client.conversations.create()
    bare = {"role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}
    (item,) = add(client, made.id, bare)["data"]
    assert item["content"] == [{"type": "output_text", "text": "hi", "annotations": [], "logprobs": []}]


def test_text_comes_back_character_by_character(client: OpenAI) -> None:
    made = client.conversations.create()
    text = "\x00 \u202eעברית 😀 e\u0301 \ud83d\r\n"
    posted = client.post(
        f"/conversations/{made.id}/items",
        content=b'{"items":[{"role":"user","content":"\\u0000 \\u202e\\u05e2\\u05d1\\u05e8\\u05d9\\u05ea '
        b'\\ud83d\\ude00 e\\u0301 \\ud83d\\r\\n"}]}',
        options={"headers": {"Content-Type": "application/json"}},
        cast_to=httpx2.Response,
    )
    assert posted.json()["data"][0]["content"][0]["text"] == text
    assert get(client, f"/conversations/{made.id}/items")["data"][0]["content"][0]["text"] == text


def test_every_kind_of_item_comes_back_in_the_sdk_s_own_shape(client: OpenAI) -> None:
    made = client.conversations.create()
    annotations = [
        {"type": "file_citation", "file_id": "file-1", "filename": "a.md", "index": 0},
        {"type": "file_path", "file_id": "file-1", "index": 3},
        {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2},
    ]
    parts: list[Json] = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": "https://a.example/b.png", "detail": "low"},
        {"type": "input_image", "file_id": "file-1"},
        {"type": "input_file", "file_id": "file-2"},
    ]
    told = {"type": "output_text", "text": "ok", "annotations": annotations}
    added = add(
        client,
        made.id,
        {"role": "user", "content": parts},
        {"role": "assistant", "content": [told, {"type": "refusal", "refusal": "no"}]},
        {"role": "developer", "content": "be brief"},
        call("call_1"),
        output("call_1"),
        output("call_1", output=[{"type": "input_text", "text": "found"}]),
        {"type": "code_interpreter_call", "id": "ci_1", "container_id": "cntr_1", "code": "1+1"},
        {"type": "file_search_call", "id": "fs_1", "queries": ["luggage"], "results": []},
    )
    adapter: TypeAdapter[Any] = TypeAdapter(ConversationItem)
    for item in added["data"]:
        adapter.validate_python(item)
    kinds = [item["type"] for item in added["data"]]
    assert kinds == [
        "message",
        "message",
        "message",
        "function_call",
        "function_call_output",
        "function_call_output",
        "code_interpreter_call",
        "file_search_call",
    ]
    assert all(item["status"] == "completed" for item in added["data"])
    assert added["data"][1]["content"][0]["annotations"] == annotations


@pytest.mark.parametrize(
    ("item", "prefix"),
    [
        (user("x", id="item_1"), "msg"),
        (call("call_1", id="call_1"), "fc"),
        (call("call_1", id="msg_1"), "fc"),
        (output("call_1", id="msg_1"), "fc"),
    ],
)
def test_item_id_with_another_prefix_is_refused(client: OpenAI, item: Json, prefix: str) -> None:
    made = client.conversations.create()
    refused = refusal(client, f"/conversations/{made.id}/items", {"items": [item]})
    assert (refused.code, refused.param) == ("invalid_value", "items[0].id")
    assert f"Expected an ID that begins with '{prefix}'." in refused.message


def test_item_id_of_ones_own_is_kept(client: OpenAI) -> None:
    made = client.conversations.create()
    assert add(client, made.id, user("x", id="msg_mine"))["first_id"] == "msg_mine"


def test_id_that_exists_elsewhere_brings_the_old_content(client: OpenAI) -> None:
    first, second = client.conversations.create(), client.conversations.create()
    add(client, first.id, user("old", id="msg_1"))
    answer = add(client, second.id, user("new", id="msg_1"))
    assert answer["data"][0]["content"][0]["text"] == "old"
    assert texts(client.conversations.items.list(second.id)) == ["old"]


def test_id_of_a_deleted_conversation_s_item_stays_taken(client: OpenAI) -> None:
    first, second = client.conversations.create(), client.conversations.create()
    add(client, first.id, user("old", id="msg_1"))
    client.conversations.delete(first.id)
    assert add(client, second.id, user("new", id="msg_1"))["data"][0]["content"][0]["text"] == "old"


def test_id_of_a_deleted_item_is_free_again(client: OpenAI) -> None:
    first, second = client.conversations.create(), client.conversations.create()
    add(client, first.id, user("old", id="msg_1"))
    client.conversations.items.delete("msg_1", conversation_id=first.id)
    assert add(client, second.id, user("new", id="msg_1"))["data"][0]["content"][0]["text"] == "new"


def test_item_deleted_in_one_conversation_stays_in_the_other(client: OpenAI) -> None:
    first, second = client.conversations.create(), client.conversations.create()
    add(client, first.id, user("old", id="msg_1"))
    add(client, second.id, user("new", id="msg_1"))
    client.conversations.items.delete("msg_1", conversation_id=first.id)
    assert texts(client.conversations.items.list(second.id)) == ["old"]


def test_same_id_again_in_one_conversation_is_refused(client: OpenAI) -> None:
    made = client.conversations.create()
    add(client, made.id, user("a", id="msg_1"))
    refused = refusal(
        client, f"/conversations/{made.id}/items", {"items": [user("b"), user("a", id="msg_1")]}
    )
    assert (refused.code, refused.param) == ("item_already_in_conversation", "items")
    assert texts(client.conversations.items.list(made.id)) == ["a"]


def test_reference_links_an_item_and_an_unknown_one_is_a_404(client: OpenAI) -> None:
    first, second = client.conversations.create(), client.conversations.create()
    add(client, first.id, user("old", id="msg_1"))
    assert add(client, second.id, {"id": "msg_1"})["data"][0]["content"][0]["text"] == "old"
    with pytest.raises(NotFoundError):
        add(client, second.id, {"type": "item_reference", "id": "msg_none"})


def test_items_of_a_deleted_conversation_are_out_of_reach_but_stored(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    made = client.conversations.create()
    item_id = add(client, made.id, user("a"))["first_id"]
    client.conversations.delete(made.id)
    for path in (f"/conversations/{made.id}/items", f"/conversations/{made.id}/items/{item_id}"):
        with pytest.raises(NotFoundError):
            get(client, path)
    assert sandbox.control.state().stored_items == 1


def test_function_output_without_its_call_is_taken(client: OpenAI) -> None:
    made = client.conversations.create()
    assert add(client, made.id, output("call_none"))["data"][0]["call_id"] == "call_none"
