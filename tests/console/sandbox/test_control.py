from typing import Any

import httpx2
import pytest
from openai import APIConnectionError, APITimeoutError, BadRequestError, OpenAI

from console.sandbox.app import Sandbox
from console.sandbox.world import LOGGED_BODY_BYTES, new_world
from tests.sandbox import ControlError, RunningSandbox

from .api import get, message, post, simple, thread, user


async def status_for(client: tuple[str, int] | None, path: str = "/_sandbox/state") -> int:
    """Ask the app itself, as somebody who calls from that address."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: Any) -> None:
        sent.append(event)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "root_path": "",
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer k")],
        "client": client,
        "state": {},
    }
    await Sandbox(new_world())(scope, receive, send)
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("10.0.0.9", 403), ("somewhere", 403)],
)
def test_control_answers_to_loopback_only(host: str, status: int) -> None:
    assert run(status_for((host, 5000))) == status


def test_control_refuses_a_client_without_an_address() -> None:
    assert run(status_for(None)) == 403


def test_api_answers_to_anybody() -> None:
    assert run(status_for(("10.0.0.9", 5000), "/v1/models")) == 200


def run(asking: Any) -> int:
    """Drive a coroutine that never waits for anything."""
    try:
        asking.send(None)
    except StopIteration as done:
        value: int = done.value
        return value
    raise AssertionError("the app waited")


def test_control_needs_no_key_and_no_fault_hits_it(sandbox: RunningSandbox) -> None:
    sandbox.control.add_fault("error_500")
    assert sandbox.control.state().requests == {}


def test_faults_show_what_they_matched_and_hit(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_faults("garbage:GET:times=1")
    for _ in range(2):
        client.get("/models", cast_to=httpx2.Response)
    (rule,) = sandbox.control.faults()
    assert (rule["kind"], rule["seen"], rule["fired"]) == ("garbage", 2, 1)


def test_cleared_faults_hit_no_more(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("error_500")
    sandbox.control.clear_faults()
    assert sandbox.control.faults() == []
    assert get(client, "/models")["object"] == "list"


def test_bad_fault_is_refused_with_its_reason(sandbox: RunningSandbox) -> None:
    with pytest.raises(ControlError, match="400: 'flood' is no fault"):
        sandbox.control.add_faults("flood")


@pytest.mark.parametrize("path", ["/faults", "/seed", "/threads/thread_1/messages"])
def test_control_body_that_is_not_json_is_refused(sandbox: RunningSandbox, path: str) -> None:
    sandbox.control.seed([thread()])
    with httpx2.Client(trust_env=False) as plain:
        assert plain.post(sandbox.control.url + path, content=b"{nothing").status_code == 400


def test_state_counts_conversations_items_and_requests_by_route(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    sandbox.control.seed([thread(), message(1), message(2), simple("assistant", "asst_1")])
    first, second = client.conversations.create(), client.conversations.create()
    for _ in range(2):
        post(client, f"/conversations/{first.id}/items", {"items": [user("a")]})
    client.conversations.delete(second.id)
    state = sandbox.control.state()
    assert (state.conversations, state.deleted_conversations, state.items) == (1, 1, {first.id: 2})
    assert (state.threads, state.messages, state.assistants) == (1, 2, 1)
    assert state.requests == {
        "POST /conversations": 2,
        "POST /conversations/{conversation_id}/items": 2,
        "DELETE /conversations/{conversation_id}": 1,
    }


def test_requests_are_logged_with_their_bodies_and_answers(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = client.conversations.create(metadata={"a": "b"})
    get(client, f"/conversations/{made.id}/items?limit=5")
    with pytest.raises(BadRequestError):
        post(client, f"/conversations/{made.id}/items", {"items": "none"})
    created, listed, refused = sandbox.control.requests()
    assert (created.method, created.path, created.status) == ("POST", "/v1/conversations", 200)
    assert created.body == {"metadata": {"a": "b"}}
    assert (listed.query, listed.body) == ("limit=5", None)
    assert refused.status == 400


def test_logged_request_id_is_the_one_the_client_saw(sandbox: RunningSandbox, client: OpenAI) -> None:
    seen = post(client, "/conversations", {}).headers["x-request-id"]
    assert [entry.request_id for entry in sandbox.control.requests()] == [seen]


def test_request_whose_answer_was_lost_is_logged_without_a_status(
    sandbox: RunningSandbox, client: OpenAI
) -> None:
    sandbox.control.add_fault("reset_after", times=1)
    with pytest.raises(APIConnectionError):
        client.conversations.create()
    (entry,) = sandbox.control.requests()
    assert (entry.status, entry.fault) == (None, "reset_after")


def test_long_body_is_logged_up_to_its_bound(sandbox: RunningSandbox, client: OpenAI) -> None:
    post(client, "/conversations", {"items": [user("x" * LOGGED_BODY_BYTES)]})
    (entry,) = sandbox.control.requests()
    assert (len(entry.body), entry.body_bytes > LOGGED_BODY_BYTES) == (LOGGED_BODY_BYTES, True)


def test_conversation_shows_all_it_holds_oldest_first(sandbox: RunningSandbox, client: OpenAI) -> None:
    made = client.conversations.create(metadata={"a": "b"})
    for start in (0, 20):
        batch = [user(str(n)) for n in range(start, start + 20)]
        post(client, f"/conversations/{made.id}/items", {"items": batch})
    client.conversations.delete(made.id)
    stored = sandbox.control.conversation(made.id)
    assert stored.deleted is True
    assert stored.conversation["metadata"] == {"a": "b"}
    assert [item["content"][0]["text"] for item in stored.items] == [str(n) for n in range(40)]


def test_conversation_that_never_was_is_a_404(sandbox: RunningSandbox) -> None:
    with pytest.raises(ControlError) as refused:
        sandbox.control.conversation("conv_none")
    assert refused.value.status == 404


def test_thread_grows_by_a_message_at_its_end(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread(), message(1), message(2)])
    added = sandbox.control.add_message("thread_1", "user", "one more")
    page = get(client, "/threads/thread_1/messages?limit=1")
    assert page["data"] == [added]
    assert added["content"][0]["text"]["value"] == "one more"


@pytest.mark.parametrize(
    ("thread_id", "role", "status"), [("thread_none", "user", 404), ("thread_1", "tool", 400)]
)
def test_message_needs_a_thread_and_a_role(
    sandbox: RunningSandbox, thread_id: str, role: str, status: int
) -> None:
    sandbox.control.seed([thread()])
    with pytest.raises(ControlError) as refused:
        sandbox.control.add_message(thread_id, role, "x")
    assert refused.value.status == status


def test_reset_forgets_everything(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread()])
    client.conversations.create(items=[{"role": "user", "content": "a"}])
    sandbox.control.add_fault("hang")
    sandbox.control.reset()
    state = sandbox.control.state()
    assert (state.threads, state.conversations, state.stored_items, state.requests) == (0, 0, 0, {})
    assert sandbox.control.faults() == []
    assert sandbox.control.requests() == []


def test_reset_can_keep_the_source(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.seed([thread()])
    client.conversations.create()
    sandbox.control.reset(keep_source=True)
    state = sandbox.control.state()
    assert (state.threads, state.conversations) == (1, 0)


def test_request_that_waits_over_a_reset_leaves_no_trace(sandbox: RunningSandbox, client: OpenAI) -> None:
    sandbox.control.add_fault("latency", seconds=0.3)
    with pytest.raises(APITimeoutError):
        client.with_options(timeout=0.05).conversations.create()
    sandbox.control.reset()
    # Hits later than the first request's delay ends.
    sandbox.control.add_fault("latency", seconds=0.4)
    get(client, "/models")
    assert sandbox.control.state().conversations == 0


def test_unknown_control_path_is_a_404(sandbox: RunningSandbox) -> None:
    with httpx2.Client(trust_env=False) as plain:
        assert plain.get(f"{sandbox.control.url}/nothing").status_code == 404
