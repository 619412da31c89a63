"""A server that acts or answers late, and one that gives somebody an answer meant for another."""

import time
from collections.abc import Callable

import httpx2
import pytest
from openai import APIConnectionError, APITimeoutError, InternalServerError, OpenAI

from tests.sandbox import RunningSandbox

from .api import Json, get, post, user

PATIENCE_SECONDS = 20.0


def create(client: OpenAI) -> str:
    return str(post(client, "/conversations", {}).json()["id"])


def append(client: OpenAI, conversation_id: str, *texts: str) -> httpx2.Response:
    return post(client, f"/conversations/{conversation_id}/items", {"items": [user(text) for text in texts]})


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def stored(sandbox: RunningSandbox, conversation_id: str) -> int:
    return len(sandbox.control.conversation(conversation_id).items)


def test_append_acts_after_its_client_gave_up(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    sandbox.control.add_fault("act_late", "POST .*/items", seconds=1.5, times=1)
    with pytest.raises(APITimeoutError):
        append(client.with_options(timeout=0.1), made, "a", "b")
    assert (stored(sandbox, made), sandbox.control.state().late) == (0, 1)
    wait_until(lambda: stored(sandbox, made) == 2)
    assert sandbox.control.state().late == 0


def test_client_that_waits_gets_the_late_answer(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    sandbox.control.add_fault("act_late", "POST .*/items", seconds=0.05)
    assert append(client, made, "a").json()["data"][0]["content"][0]["text"] == "a"


def test_late_append_lands_behind_what_was_sent_meanwhile(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    sandbox.control.add_fault("act_late", "POST .*/items", seconds=1.5, times=1)
    with pytest.raises(APITimeoutError):
        append(client.with_options(timeout=0.1), made, "first")
    append(client, made, "second")
    wait_until(lambda: stored(sandbox, made) == 2)
    items = sandbox.control.conversation(made).items
    assert [item["content"][0]["text"] for item in items] == ["second", "first"]


def test_proxy_that_gave_up_says_so_at_once_and_the_append_acts_later(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    made = create(client)
    sandbox.control.add_fault("act_late", "POST .*/items", seconds=1, status=504, times=1)
    with pytest.raises(InternalServerError) as refused:
        append(client, made, "a")
    assert refused.value.status_code == 504
    assert stored(sandbox, made) == 0
    wait_until(lambda: stored(sandbox, made) == 1)


def test_connection_may_break_long_before_the_act(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    sandbox.control.add_fault("reset_act_late", "POST .*/items", seconds=1, times=1)
    with pytest.raises(APIConnectionError):
        append(client, made, "a")
    assert stored(sandbox, made) == 0
    wait_until(lambda: stored(sandbox, made) == 1)


def test_create_and_delete_act_late_too(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    sandbox.control.add_faults("reset_act_late:DELETE :seconds=0.2;reset_act_late:POST :seconds=0.2")
    for act in (lambda: client.conversations.delete(made), lambda: create(client)):
        with pytest.raises(APIConnectionError):
            act()

    def done() -> bool:
        state = sandbox.control.state()
        return (state.conversations, state.deleted_conversations) == (1, 1)

    wait_until(done)


def test_late_act_leaves_no_trace_in_a_world_that_was_reset(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_faults("act_late:POST :seconds=0.5:times=1")
    with pytest.raises(APITimeoutError):
        create(client.with_options(timeout=0.1))
    sandbox.control.reset()
    sandbox.control.add_faults("act_late:POST :seconds=0.8")
    create(client)  # the other one's time is over when this one has been answered
    assert sandbox.control.state().conversations == 1


def test_answer_may_be_late_where_the_act_was_not(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    sandbox.control.add_fault("answer_late", "POST .*/items", seconds=20)
    with pytest.raises(APITimeoutError):
        append(client.with_options(timeout=0.1), made, "a")
    assert stored(sandbox, made) == 1


def test_create_is_answered_with_another_conversation(sandbox: RunningSandbox, client: OpenAI) -> None:
    other = create(client)
    sandbox.control.add_fault("anothers_answer", "POST /conversations$")
    assert create(client) == other
    assert sandbox.control.state().conversations == 2


def test_append_is_answered_with_what_another_append_got(sandbox: RunningSandbox, client: OpenAI) -> None:
    one, two = create(client), create(client)
    answer: Json = append(client, one, "one").json()
    sandbox.control.add_fault("anothers_answer", "POST .*/items")
    assert append(client, two, "two").json() == answer
    assert stored(sandbox, two) == 1


def test_list_is_answered_with_another_conversations_list(sandbox: RunningSandbox, client: OpenAI) -> None:
    one, two = create(client), create(client)
    append(client, one, "one")
    append(client, two, "two")
    answer = get(client, f"/conversations/{one}/items")
    get(client, f"/conversations/{two}/items")
    sandbox.control.add_fault("anothers_answer", "GET ")
    assert get(client, f"/conversations/{two}/items") == answer


def test_first_request_of_all_gets_its_own_answer(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("anothers_answer")
    assert create(client) in sandbox.control.state().items


def test_what_is_not_there_is_answered_with_what_another_got(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    sandbox.control.add_fault("anothers_answer", "GET /conversations/conv_x$")
    assert get(client, "/conversations/conv_x")["id"] == made
