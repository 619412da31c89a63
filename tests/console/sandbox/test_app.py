import httpx2
import pytest
from openai import AuthenticationError, BadRequestError, OpenAI

from tests.sandbox import RunningSandbox, running_sandbox

JSON_TYPE = {"Content-Type": "application/json"}


def test_call_without_a_key_is_refused(sandbox: RunningSandbox, transport: httpx2.Client) -> None:
    answer = transport.post(f"{sandbox.base_url}/conversations", json={})
    assert answer.status_code == 401
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert sandbox.control.state().conversations == 0


def test_call_with_an_empty_key_is_refused(sandbox: RunningSandbox, transport: httpx2.Client) -> None:
    answer = transport.get(f"{sandbox.base_url}/models", headers={"Authorization": "Bearer"})
    assert answer.status_code == 401


def test_sdk_sees_a_missing_key_as_its_own_error(sandbox: RunningSandbox, client: OpenAI) -> None:
    with pytest.raises(AuthenticationError):
        client.get("/models", cast_to=httpx2.Response, options={"headers": {"Authorization": "Basic x"}})


@pytest.mark.parametrize("path", ["/models", "/nowhere", "/conversations/conv_none"])
def test_every_answer_has_a_request_id(sandbox: RunningSandbox, transport: httpx2.Client, path: str) -> None:
    headers = {"Authorization": "Bearer k"}
    ids = {transport.get(sandbox.base_url + path, headers=headers).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2
    assert all(request_id.startswith("req_") for request_id in ids)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"metadata":NaN}', b"[" * 100_000, b""])
def test_body_that_is_no_json_object_is_a_400(sandbox: RunningSandbox, client: OpenAI, body: bytes) -> None:
    made = client.conversations.create()
    with pytest.raises(BadRequestError):
        client.post(
            f"/conversations/{made.id}/items",
            content=body,
            options={"headers": JSON_TYPE},
            cast_to=httpx2.Response,
        )


def test_body_of_another_content_type_is_a_400(client: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="only accepts 'application/json'"):
        client.post(
            "/conversations",
            content=b"{}",
            options={"headers": {"Content-Type": "text/plain"}},
            cast_to=httpx2.Response,
        )


def test_latency_of_the_whole_sandbox_comes_before_every_answer() -> None:
    # No clock: a client that waits less than the latency gets nothing.
    with (
        running_sandbox(latency_ms=5_000) as slow,
        httpx2.Client(trust_env=False, timeout=0.1) as impatient,
        pytest.raises(httpx2.ReadTimeout),
    ):
        impatient.get(f"{slow.base_url}/models", headers={"Authorization": "Bearer k"})
