from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.responses import Response

from tests.sandbox import RunningSandbox

from .api import Json, call, get, output, post, user

FUNCTION = {"type": "function", "name": "look_up", "parameters": {"type": "object"}, "strict": False}


def add(client: OpenAI, conversation_id: str, *items: Json) -> None:
    post(client, f"/conversations/{conversation_id}/items", {"items": list(items)})


def refusal(client: OpenAI, **body: Any) -> BadRequestError:
    with pytest.raises(BadRequestError) as refused:
        post(client, "/responses", {"model": "gpt-4o", **body})
    return refused.value


def test_response_appends_its_input_and_its_answer(client: OpenAI) -> None:
    made = client.conversations.create()
    answered = client.responses.create(model="gpt-4o", conversation=made.id, input="Where is my case?")
    assert answered.output_text == "The sandbox heard: Where is my case?"
    assert answered.conversation is not None
    assert answered.conversation.id == made.id
    items = get(client, f"/conversations/{made.id}/items?order=asc")["data"]
    assert [(item["role"], item["content"][0]["text"]) for item in items] == [
        ("user", "Where is my case?"),
        ("assistant", "The sandbox heard: Where is my case?"),
    ]


def test_same_request_gets_the_same_words(client: OpenAI) -> None:
    answers = {client.responses.create(model="gpt-4o", input="hi").output_text for _ in range(2)}
    assert answers == {"The sandbox heard: hi"}


def test_response_has_the_sdk_s_own_shape_and_shows_what_was_asked(client: OpenAI) -> None:
    body = {
        "model": "gpt-4o",
        "input": "hi",
        "instructions": "Be brief.",
        "tools": [FUNCTION],
        "temperature": 0.5,
        "text": {"format": {"type": "json_object"}},
        "metadata": {"topic": "luggage"},
    }
    answer = post(client, "/responses", body).json()
    Response.model_validate(answer)
    assert {name: answer[name] for name in body if name != "input"} == {
        name: value for name, value in body.items() if name != "input"
    }


def test_conversation_is_given_as_an_object_too(client: OpenAI) -> None:
    made = client.conversations.create()
    answered = client.responses.create(model="gpt-4o", conversation={"id": made.id}, input="hi")
    assert answered.conversation is not None
    assert answered.conversation.id == made.id


def test_unknown_conversation_is_a_404(client: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="Conversation with id 'conv_none' not found"):
        client.responses.create(model="gpt-4o", conversation="conv_none", input="hi")


def test_stored_output_without_its_call_fails_the_next_response(client: OpenAI) -> None:
    made = client.conversations.create()
    add(client, made.id, output("call_1"))
    refused = refusal(client, conversation=made.id, input="hi")
    assert "No tool call found for function call output with call_id call_1." in refused.message
    assert refused.param == "input"


def test_stored_call_without_its_output_fails_the_next_response(client: OpenAI) -> None:
    made = client.conversations.create()
    add(client, made.id, call("call_1"), user("and then"))
    refused = refusal(client, conversation=made.id, input="hi")
    assert "No tool output found for function call call_1." in refused.message


def test_output_before_its_call_fails(client: OpenAI) -> None:
    refused = refusal(client, input=[output("call_1"), call("call_1")])
    assert "No tool call found" in refused.message


def test_output_in_the_input_answers_a_stored_call(client: OpenAI) -> None:
    made = client.conversations.create()
    add(client, made.id, call("call_1"))
    post(client, "/responses", {"model": "gpt-4o", "conversation": made.id, "input": [output("call_1")]})
    items = get(client, f"/conversations/{made.id}/items?order=asc")["data"]
    assert [item["type"] for item in items] == ["function_call", "function_call_output", "message"]


def test_foreign_container_fails_the_next_response(client: OpenAI) -> None:
    made = client.conversations.create()
    add(client, made.id, {"type": "code_interpreter_call", "id": "ci_1", "container_id": "thread_1"})
    assert "Expected container_id: cntr_" in refusal(client, conversation=made.id, input="hi").message


def test_refused_response_appends_nothing(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = client.conversations.create()
    refusal(client, conversation=made.id, input=[user("hi"), output("call_1")])
    assert sandbox.control.conversation(made.id).items == []


def test_bad_input_item_is_named_by_its_path(client: OpenAI) -> None:
    refused = refusal(client, input=[user("hi"), {"role": "user"}])
    assert (refused.param, refused.code) == ("input[1].content", "missing_required_parameter")


def test_input_may_have_more_than_twenty_items(client: OpenAI) -> None:
    assert post(client, "/responses", {"model": "gpt-4o", "input": [user("x")] * 21}).status_code == 200


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": None}, "model"),
        ({"model": "gpt-gone"}, "model"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"assistant_id": "asst_1"}, "assistant_id"),
        ({"tools": [{"type": "function", "function": {"name": "look_up"}}]}, "tools[0].name"),
        ({"tools": [{"type": "file_search"}]}, "tools[0].vector_store_ids"),
        ({"tools": [{"type": "code_interpreter"}]}, "tools[0].container"),
        ({"tools": [{"type": "retrieval"}]}, "tools[0]"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": ["function"]}, "tools[0]"),
        ({"text": {"format": {"type": "json_schema", "json_schema": {}}}}, "text.format.name"),
        ({"temperature": 2.5}, "temperature"),
        ({"top_p": "1"}, "top_p"),
        ({"metadata": {"k": 1}}, "metadata.k"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"stream": True}, "stream"),
        ({"conversation": 5}, "conversation"),
    ],
)
def test_what_responses_do_not_take_is_refused_by_name(client: OpenAI, body: Json, param: str) -> None:
    assert refusal(client, input="hi", **body).param == param


def test_reusable_prompt_stands_in_for_a_model(client: OpenAI) -> None:
    answer = post(client, "/responses", {"prompt": {"id": "pmpt_1", "version": "2"}, "input": "hi"}).json()
    assert answer["prompt"] == {"id": "pmpt_1", "version": "2"}


def test_models_are_listed_and_one_shows_its_shutdown(client: OpenAI) -> None:
    models = {model.id: model for model in client.models.list()}
    assert models["o4-mini"].to_dict()["shutdown_date"] == "2027-04-30"
    assert client.models.retrieve("gpt-4o").id == "gpt-4o"


def test_unknown_model_is_a_404(client: OpenAI) -> None:
    with pytest.raises(NotFoundError) as refused:
        client.models.retrieve("gpt-gone")
    assert refused.value.code == "model_not_found"


def test_seeded_model_can_be_used(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([{"id": "local", "object": "model", "created": 1, "owned_by": "us"}])
    assert client.responses.create(model="local", input="hi").model == "local"


ASKS = 'Where is it? [[call look_up {"case": 7}]]'


def test_a_user_can_have_a_function_called_and_its_output_is_answered(client: OpenAI) -> None:
    made = client.conversations.create()
    body = {"model": "gpt-4o", "conversation": made.id, "tools": [FUNCTION]}
    first = Response.model_validate(post(client, "/responses", {**body, "input": ASKS}).json())
    (asked,) = first.output
    assert asked.type == "function_call"
    assert (asked.name, asked.arguments) == ("look_up", '{"case": 7}')
    second = post(client, "/responses", {**body, "input": [output(asked.call_id)]}).json()
    assert second["output"][0]["content"][0]["text"].startswith("The sandbox was told: ")
    kinds = [item["type"] for item in get(client, f"/conversations/{made.id}/items?order=asc")["data"]]
    assert kinds == ["message", "function_call", "function_call_output", "message"]


def test_a_function_that_is_no_tool_is_not_called(client: OpenAI) -> None:
    assert client.responses.create(model="gpt-4o", input=ASKS).output_text.startswith("The sandbox heard: ")


def test_a_stored_response_is_deleted_once(client: OpenAI) -> None:
    made = client.responses.create(model="gpt-4o", input="hi")
    client.responses.delete(made.id)
    with pytest.raises(NotFoundError):
        client.responses.delete(made.id)


def test_a_response_that_is_not_stored_cannot_be_deleted(client: OpenAI) -> None:
    made = client.responses.create(model="gpt-4o", input="hi", store=False)
    with pytest.raises(NotFoundError):
        client.responses.delete(made.id)


def test_a_conversation_that_answered_is_emptied_and_deleted(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = client.conversations.create()
    client.responses.create(model="gpt-4o", conversation=made.id, input="hi")
    for item in get(client, f"/conversations/{made.id}/items")["data"]:
        client.conversations.items.delete(item["id"], conversation_id=made.id)
    client.conversations.delete(made.id)
    stored = sandbox.control.conversation(made.id)
    assert (stored.deleted, stored.items) == (True, [])
