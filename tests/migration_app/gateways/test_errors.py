from __future__ import annotations

import json
from typing import Any

import pytest

from migration_app.gateways.configured import source_connection, target_connection
from migration_app.gateways.connection import CallCounts, Connection
from migration_app.gateways.errors import GatewayError, NotConfiguredError, Outcome, from_response, too_slow
from migration_app.gateways.target import conversation_create, conversation_is_there
from tests.migration_app.conftest import Run
from tests.sandbox import RunningSandbox

# fault → (code, may have acted, permanent)
MEANING = {
    "rate_limit": ("rate_limited", False, False),
    "quota": ("quota_exhausted", False, True),
    "error_500": ("server_error", True, False),
    "error_503": ("server_error", True, False),
    "reset_before": ("connection_lost", True, False),
    "reset_after": ("connection_lost", True, False),
    "garbage": ("unreadable_answer", True, False),
    "conversation_locked": ("conversation_locked", False, False),
    "unauthorized": ("unauthorized", False, True),
}


@pytest.mark.parametrize("fault", MEANING)
def test_a_failed_create_says_whether_it_may_have_acted_and_whether_to_try_again(
    sandbox: RunningSandbox, target: Connection, run: Run, fault: str
) -> None:
    sandbox.control.add_fault(fault, "POST /conversations$")
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(target, metadata={}))
    code, may_have_acted, permanent = MEANING[fault]
    assert caught.value.code == code
    assert (caught.value.outcome is Outcome.UNKNOWN) == may_have_acted
    assert caught.value.permanent == permanent


@pytest.mark.parametrize("fault", MEANING)
def test_a_create_is_sent_once_whatever_happens(
    sandbox: RunningSandbox, target: Connection, run: Run, fault: str
) -> None:
    sandbox.control.add_fault(fault, "POST /conversations$")
    with pytest.raises(GatewayError):
        run(conversation_create(target, metadata={}))
    assert len(sandbox.control.requests()) == 1


def test_a_hanging_answer_is_a_timeout_that_may_have_acted(sandbox: RunningSandbox, run: Run) -> None:
    sandbox.control.add_fault("hang", "POST /conversations$")
    connection = target_connection(timeout_seconds=0.2)
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(connection, metadata={}))
    assert (caught.value.code, caught.value.outcome) == ("timeout", Outcome.UNKNOWN)
    run(connection.close())


def test_retry_after_is_read_in_seconds(sandbox: RunningSandbox, target: Connection, run: Run) -> None:
    sandbox.control.add_fault("rate_limit", "POST /conversations$", retry_after=7)
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(target, metadata={}))
    assert caught.value.retry_after == 7


def test_a_read_is_tried_again_by_itself(sandbox: RunningSandbox, target: Connection, run: Run) -> None:
    created = run(conversation_create(target, metadata={}))
    sandbox.control.add_fault("error_503", "GET ", times=1)
    assert run(conversation_is_there(target, conversation_id=created.conversation_id))


def test_calls_repeats_and_refusals_are_counted(
    sandbox: RunningSandbox, target: Connection, run: Run
) -> None:
    created = run(conversation_create(target, metadata={}))
    sandbox.control.add_fault("error_503", "GET ", times=1)
    assert run(conversation_is_there(target.fenced(lambda: True), conversation_id=created.conversation_id))
    sandbox.control.add_fault("rate_limit", "POST /conversations$", times=1)
    with pytest.raises(GatewayError):
        run(conversation_create(target, metadata={}))
    assert target.counts == CallCounts(calls=4, retries=1, throttled=1)


def test_a_server_that_is_not_there_did_nothing(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    connection = target_connection(timeout_seconds=1)
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(connection, metadata={}))
    assert (caught.value.code, caught.value.outcome) == ("unreachable", Outcome.NOTHING)
    assert not caught.value.permanent
    run(connection.close())


def test_without_a_key_the_target_is_not_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with pytest.raises(NotConfiguredError, match="OPENAI_API_KEY"):
        target_connection(timeout_seconds=1)


def test_an_unknown_authentication_scheme_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_API_KEY", "k")
    monkeypatch.setenv("SOURCE_AUTH", "beerer")
    with pytest.raises(NotConfiguredError, match="beerer"):
        source_connection(base_url="http://localhost", api_version="", timeout_seconds=1)


@pytest.mark.parametrize("base_url", ["api.example.org/v1", "http://[::1/v1"])
def test_a_base_url_that_is_none_is_refused_with_a_reason(
    monkeypatch: pytest.MonkeyPatch, base_url: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", base_url)
    with pytest.raises(NotConfiguredError, match="http"):
        target_connection(timeout_seconds=1)


def test_no_error_text_holds_the_key(sandbox: RunningSandbox, target: Connection, run: Run) -> None:
    sandbox.control.add_fault("unauthorized", "POST /conversations$")
    with pytest.raises(GatewayError) as caught:
        run(conversation_create(target, metadata={}))
    assert "sk-test-target" not in f"{caught.value} {caught.value.text} {caught.value.__cause__!r}"


# --- what an answer means -------------------------------------------------------------------------


def meaning(status: int, body: Any = None, headers: dict[str, str] | None = None) -> GatewayError:
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    return from_response(status, headers or {}, content)


@pytest.mark.parametrize(
    ("status", "api_code", "code", "permanent", "may_have_acted"),
    [
        (301, "", "redirected", True, False),
        (399, "", "redirected", True, False),
        (400, "", "refused", True, False),
        (401, "", "unauthorized", True, False),
        (402, "", "quota_exhausted", True, False),
        (403, "", "forbidden", True, False),
        (404, "", "not_found", True, False),
        (407, "", "forbidden", True, False),
        (408, "", "server_error", False, True),
        (409, "", "conflict", False, False),
        (410, "", "not_found", True, False),
        (429, "", "rate_limited", False, False),
        (500, "", "server_error", False, True),
        (511, "", "forbidden", True, False),
        (400, "conversation_locked", "conversation_locked", False, False),
        *(
            (status, api_code, "quota_exhausted", True, False)
            for status in (400, 403, 429)
            for api_code in ("insufficient_quota", "billing_not_active", "billing_hard_limit_reached")
        ),
        (400, "made_up_by_a_server", "refused", True, False),
    ],
)
def test_each_status_has_its_meaning(
    status: int, api_code: str, code: str, permanent: bool, may_have_acted: bool
) -> None:
    error = meaning(status, {"error": {"code": api_code}})
    assert (error.code, error.permanent, error.status) == (code, permanent, status)
    assert (error.outcome is Outcome.UNKNOWN) == may_have_acted
    assert str(status) in error.text or code == "conversation_locked"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": {"message": "No such model."}}, "No such model."),
        ({"error": {"detail": "No such model."}}, "No such model."),
        ({"detail": "No such model."}, "No such model."),
        ({"error": "No such model."}, "No such model."),
        ({"error": {"message": "No.", "code": "invalid_value"}}, "No."),
        ({"error": {"message": "No.", "code": "odd"}}, "(odd) No."),
        ({"error": {"message": "No.", "code": "x" * 70}}, f"({'x' * 64}) No."),
        ({"error": {"message": "No.", "code": 7}}, "No."),
        ({"error": {"message": {"why": "No."}}}, ""),
        ({"error": {"detail": [{"msg": "No."}]}}, ""),
        ({"error": []}, ""),
        ({}, ""),
        (b"<html>\n  Bad\x00 gateway </html>", "<html> Bad gateway </html>"),
        (b"x" * 300, "x" * 300),
        (b"x" * 301, "x" * 300 + "…"),
    ],
)
def test_what_the_server_said_is_kept_apart_and_bounded(body: Any, said: str) -> None:
    error = meaning(400, body)
    assert error.said == said
    assert "No" not in error.text
    assert "gateway" not in error.text


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "86399"}, 86_399),
        ({"retry-after": "86400"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "7"}, 1.5),
        ({"retry-after-ms": "x", "retry-after": "7"}, 7),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "Wed, 21 Oct 2065 07:28:00 GMT"}, 86_400),
    ],
)
def test_seconds_to_wait_are_read_from_either_header(headers: dict[str, str], seconds: float | None) -> None:
    assert meaning(429, headers=headers).retry_after == seconds


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("req_0aZ9", "req_0aZ9"),
        ("8c1d2e3f-aaaa-4bbb-8ccc-0123456789ab", "8c1d2e3f-aaaa-4bbb-8ccc-0123456789ab"),
        ("chat-0123abcd", "chat-0123abcd"),
        ("8c1d2e3f-FRA", "8c1d2e3f-FRA"),
        ("my secret question", ""),
        ("", ""),
    ],
)
def test_a_request_id_is_kept_only_if_it_looks_like_one(header: str, kept: str) -> None:
    assert meaning(500, headers={"x-request-id": header}).request_id == kept


def test_a_call_without_an_answer_has_neither_status_nor_id_nor_words() -> None:
    error = too_slow()
    assert (error.code, error.status, error.request_id, error.said, error.retry_after) == (
        *("timeout", 0, "", ""),
        None,
    )
