from __future__ import annotations

import pytest

from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError
from migration_app.gateways.newest import newest_message_id
from tests.migration_app.conftest import Run
from tests.migration_app.copied import source_objects
from tests.sandbox import RunningSandbox


def test_the_newest_message_is_told_by_one_call(
    source: Connection, sandbox: RunningSandbox, run: Run
) -> None:
    sandbox.control.seed(source_objects("thread_1", 150))
    added = sandbox.control.add_message("thread_1", "user", "one more")
    assert run(newest_message_id(source, thread_id="thread_1")) == added["id"]
    (request,) = sandbox.control.requests()
    assert (request.method, request.path) == ("GET", "/v1/threads/thread_1/messages")


def test_a_thread_without_messages_has_no_newest(
    source: Connection, sandbox: RunningSandbox, run: Run
) -> None:
    sandbox.control.seed(source_objects("thread_1", 0))
    assert run(newest_message_id(source, thread_id="thread_1")) is None


def test_a_thread_that_is_gone_is_not_found(source: Connection, run: Run) -> None:
    with pytest.raises(GatewayError) as caught:
        run(newest_message_id(source, thread_id="thread_x"))
    assert caught.value.code == "not_found"


def test_an_answer_that_breaks_off_is_no_newest_message(
    source: Connection, sandbox: RunningSandbox, run: Run
) -> None:
    sandbox.control.seed(source_objects("thread_1", 1))
    sandbox.control.add_fault("garbage", "GET .*/messages")
    with pytest.raises(GatewayError) as caught:
        run(newest_message_id(source, thread_id="thread_1"))
    assert caught.value.code == "unreadable_answer"
