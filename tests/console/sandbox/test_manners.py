"""Servers that forget, that take repeated ids, and a proxy that answers from a stale cache."""

import httpx2
import pytest
from openai import BadRequestError, NotFoundError, OpenAI

from tests.sandbox import RunningSandbox

from .api import Json, assistant, get, post, user
from .test_late import append, create, stored

MINE = "msg_mine"


def append_mine(client: OpenAI, conversation_id: str, *texts: str) -> list[Json]:
    items = [user("before"), *(assistant(text, id=MINE) for text in texts)]
    answer = post(client, f"/conversations/{conversation_id}/items", {"items": items}).json()
    data: list[Json] = answer["data"]
    return data


def texts(sandbox: RunningSandbox, conversation_id: str) -> list[str]:
    return [item["content"][0]["text"] for item in sandbox.control.conversation(conversation_id).items]


def test_server_forgets_what_it_acknowledged(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    append(client, made, "kept")
    sandbox.control.add_fault("forgets_items", "POST .*/items", times=1)
    assert len(append(client, made, "lost", "lost too").json()["data"]) == 2
    assert texts(sandbox, made) == ["kept"]


def test_server_forgets_a_conversation_it_acknowledged(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("forgets_conversation", "POST .*/items", times=1)
    made = create(client)
    append(client, made, "lost")
    with pytest.raises(NotFoundError):
        get(client, f"/conversations/{made}")
    state = sandbox.control.state()
    assert (state.conversations, state.deleted_conversations, state.stored_items) == (0, 0, 0)


def test_server_forgets_after_a_while(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    sandbox.control.add_fault("forgets_items", "POST .*/items", seconds=1000)
    append(client, made, "not yet")
    assert stored(sandbox, made) == 1


def test_repeated_id_is_refused_unless_told_otherwise(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    append_mine(client, made, "a")
    with pytest.raises(BadRequestError) as refused:
        append_mine(client, made, "a")
    assert refused.value.code == "item_already_in_conversation"
    assert texts(sandbox, made) == ["before", "a"]


def test_server_that_drops_ids_appends_a_repeat_again(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = create(client)
    sandbox.control.add_fault("ids_dropped", "POST .*/items")
    first, second = append_mine(client, made, "a"), append_mine(client, made, "a")
    assert texts(sandbox, made) == ["before", "a", "before", "a"]
    assert len({item["id"] for item in (*first, *second)} | {MINE}) == 5


def test_server_that_takes_repeats_keeps_the_first_id_and_appends_again(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    made = create(client)
    sandbox.control.add_fault("repeats_taken", "POST .*/items")
    assert append_mine(client, made, "a")[1]["id"] == MINE
    assert append_mine(client, made, "a")[1]["id"] != MINE
    assert texts(sandbox, made) == ["before", "a", "before", "a"]


def test_server_that_swallows_repeats_appends_only_what_it_does_not_know(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    made = create(client)
    sandbox.control.add_fault("repeats_swallowed", "POST .*/items")
    append_mine(client, made, "a")
    assert append_mine(client, made, "other")[1]["content"][0]["text"] == "a"
    assert texts(sandbox, made) == ["before", "a", "before"]


def items(client: OpenAI, conversation_id: str, **headers: str) -> int:
    answer = client.get(
        f"/conversations/{conversation_id}/items", cast_to=httpx2.Response, options={"headers": headers}
    )
    return len(answer.json()["data"])


def test_cache_answers_as_before_unless_it_is_told_to_ask(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("cache", "GET ", seconds=1000)
    made = create(client)
    assert items(client, made) == 0
    append(client, made, "a")
    assert items(client, made) == 0
    assert items(client, made, **{"Cache-Control": "max-age=0, no-cache"}) == 1
    assert items(client, made) == 1  # what was asked for is what it holds now


def test_cache_holds_an_answer_for_its_time_only(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("cache", "GET ", seconds=0)
    made = create(client)
    assert items(client, made) == 0
    append(client, made, "a")
    assert items(client, made) == 1


def test_cache_keeps_no_refusals_and_no_writes(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("cache", "", seconds=1000)
    first, second = create(client), create(client)
    assert first != second
    with pytest.raises(NotFoundError):
        get(client, "/conversations/conv_x")
    with pytest.raises(NotFoundError):
        get(client, "/conversations/conv_x")


def test_manners_are_counted_beside_a_fault(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_faults("error_500:POST:times=1;ids_dropped:POST;list_lag:POST:seconds=3")
    create(client.with_options(max_retries=1))
    fired = {rule["kind"]: rule["fired"] for rule in sandbox.control.faults()}
    assert fired == {"error_500": 1, "ids_dropped": 2, "list_lag": 2}


def test_reset_forgets_what_was_cached_what_lags_and_what_is_still_to_be_lost(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    made = create(client)
    sandbox.control.add_faults(
        "forgets_items:POST .*/items:seconds=1000;list_lag:POST:seconds=1000;cache:GET"
    )
    append(client, made, "a")
    items(client, made)
    sandbox.control.reset()
    with pytest.raises(NotFoundError):
        items(client, made)
