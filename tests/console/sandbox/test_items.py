from typing import Any

import pytest

from console.sandbox.errors import ApiError
from console.sandbox.items import check_items, id_prefix

from .api import Json, assistant, call, output, user


def refused(item: object) -> ApiError:
    with pytest.raises(ApiError) as error:
        check_items([user("good"), item])
    return error.value


def said(role: str, *parts: Json) -> Json:
    return {"type": "message", "role": role, "content": list(parts)}


def without(item: Json, name: str) -> Json:
    return {key: value for key, value in item.items() if key != name}


def test_input_text_under_an_assistant_is_refused_in_the_service_s_words() -> None:
    error = refused(said("assistant", {"type": "input_text", "text": "x"}))
    assert error.message == "Invalid value: 'input_text'. Supported values are: 'output_text' and 'refusal'."
    assert (error.status, error.param, error.code) == (400, "items[1].content[0]", "invalid_value")


@pytest.mark.parametrize("kind", ["input_image", "input_file", "input_text", "text"])
def test_assistant_says_only_output_text_and_refusal(kind: str) -> None:
    assert refused(said("assistant", {"type": kind, "text": "x"})).code == "invalid_value"


@pytest.mark.parametrize("role", ["user", "system", "developer"])
@pytest.mark.parametrize("kind", ["output_text", "refusal", "image_url"])
def test_other_roles_say_only_input_parts(role: str, kind: str) -> None:
    error = refused(said(role, {"type": kind, "text": "x"}))
    assert error.message.endswith("Supported values are: 'input_text', 'input_image', and 'input_file'.")


@pytest.mark.parametrize(
    ("item", "param"),
    [
        (said("user", {"type": "input_text"}), "items[1].content[0].text"),
        (said("user", {"text": "x"}), "items[1].content[0].type"),
        (said("assistant", {"type": "output_text"}), "items[1].content[0].text"),
        (said("assistant", {"type": "refusal"}), "items[1].content[0].refusal"),
        ({"role": "user"}, "items[1].content"),
        ({"type": "message", "content": "x"}, "items[1].role"),
        ({"content": "x"}, "items[1].type"),
        (without(call("call_1"), "call_id"), "items[1].call_id"),
        (without(call("call_1"), "name"), "items[1].name"),
        (without(call("call_1"), "arguments"), "items[1].arguments"),
        (without(output("call_1"), "call_id"), "items[1].call_id"),
        (without(output("call_1"), "output"), "items[1].output"),
        ({"type": "code_interpreter_call", "container_id": "cntr_1"}, "items[1].id"),
        ({"type": "code_interpreter_call", "id": "ci_1"}, "items[1].container_id"),
        ({"type": "file_search_call", "queries": ["x"]}, "items[1].id"),
        ({"type": "file_search_call", "id": "fs_1"}, "items[1].queries"),
        ({"type": "mcp_call", "id": "mcp_1", "name": "x", "arguments": "{}"}, "items[1].server_label"),
    ],
)
def test_missing_field_is_named_by_its_path(item: Json, param: str) -> None:
    error = refused(item)
    assert (error.param, error.code) == (param, "missing_required_parameter")
    assert error.message == f"Missing required parameter: '{param}'."


@pytest.mark.parametrize(
    ("item", "param"),
    [
        ("hello", "items[1]"),
        ({"role": "user", "content": None}, "items[1].content"),
        ({"role": "user", "content": 5}, "items[1].content"),
        (said("user", {"type": "input_text", "text": None}), "items[1].content[0].text"),
        ({"role": "user", "content": ["x"]}, "items[1].content[0]"),
        (call("call_1", arguments={}), "items[1].arguments"),
        (output("call_1", output={"a": 1}), "items[1].output"),
        (output("call_1", output=None), "items[1].output"),
        ({"type": "file_search_call", "id": "fs_1", "queries": "x"}, "items[1].queries"),
    ],
)
def test_field_of_another_type_is_named_by_its_path(item: object, param: str) -> None:
    error = refused(item)
    assert (error.param, error.code) == (param, "invalid_type")


@pytest.mark.parametrize(
    ("item", "param"),
    [
        (user("x", metadata={}), "items[1].metadata"),
        (user("x", created_at=1), "items[1].created_at"),
        (
            said("user", {"type": "input_text", "text": "x", "annotations": []}),
            "items[1].content[0].annotations",
        ),
        (call("call_1", output="x"), "items[1].output"),
    ],
)
def test_field_that_items_do_not_have_is_refused(item: Json, param: str) -> None:
    error = refused(item)
    assert (error.param, error.code) == (param, "unknown_parameter")


@pytest.mark.parametrize(
    "item",
    [
        user("x", status="done"),
        {"role": "tool", "content": "x"},
        {"type": "assistant_message", "content": "x"},
        {"type": ["message"], "content": "x"},
        said("user", {"type": "input_image", "file_id": "file-1", "detail": "huge"}),
        said("user", {"type": "input_image", "image_url": "no url"}),
        said("user", {"type": "input_file", "file_url": "file.txt"}),
    ],
)
def test_value_outside_its_list_is_refused(item: Json) -> None:
    assert refused(item).code == "invalid_value"


@pytest.mark.parametrize(
    ("annotation", "code"),
    [
        ({"type": "file_citation", "file_id": "file-1", "index": 0}, "missing_required_parameter"),
        ({"type": "file_path", "file_id": "file-1"}, "missing_required_parameter"),
        ({"type": "file_path", "file_id": "file-1", "index": "0"}, "invalid_type"),
        ({"type": "file_path", "file_id": "file-1", "index": True}, "invalid_type"),
        ({"type": "footnote"}, "invalid_value"),
        ({"file_id": "file-1"}, "missing_required_parameter"),
        ("footnote", "invalid_type"),
    ],
)
def test_annotation_has_the_shape_of_its_type(annotation: object, code: str) -> None:
    error = refused(said("assistant", {"type": "output_text", "text": "x", "annotations": [annotation]}))
    assert error.code == code
    assert str(error.param).startswith("items[1].content[0].annotations[0]")


def test_output_longer_than_its_limit_is_refused() -> None:
    assert refused(output("c" * 65)).code == "string_above_max_length"


@pytest.mark.parametrize("value", [None, "x", {"role": "user"}])
def test_items_are_an_array(value: object) -> None:
    with pytest.raises(ApiError) as error:
        check_items(value)
    assert (error.value.param, error.value.code) == ("items", "invalid_type")


def test_status_of_a_message_is_kept() -> None:
    (item,) = check_items([assistant("half", status="incomplete")])
    assert item["status"] == "incomplete"


def test_message_without_content_parts_is_taken() -> None:
    (item,) = check_items([said("user")])
    assert item["content"] == []


def test_image_gets_a_detail_and_both_places() -> None:
    (item,) = check_items([said("user", {"type": "input_image", "file_id": "file-1"})])
    expected: Json = {"type": "input_image", "detail": "auto", "file_id": "file-1", "image_url": None}
    assert item["content"] == [expected]


def test_what_was_sent_is_not_changed_on_the_way() -> None:
    sent: list[Any] = [assistant("x"), {"role": "user", "content": "hi"}]
    check_items(sent)
    assert sent == [assistant("x"), {"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("kind", "prefix"), [("message", "msg"), ("function_call_output", "fc"), ("web_search_call", "wsc")]
)
def test_each_kind_of_item_has_its_id_prefix(kind: str, prefix: str) -> None:
    assert id_prefix(kind) == prefix
