from __future__ import annotations

import pytest

from migration_app.gateways.connection import CallCounts, Connection, source_connection, target_connection
from migration_app.gateways.errors import GatewayError, NotConfiguredError, Outcome
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
