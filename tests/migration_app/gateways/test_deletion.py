"""Deleting conversations whole: in which order, what is confirmed, and what is said of what stays."""

from __future__ import annotations

import pytest

from migration_app.gateways.connection import Connection
from migration_app.gateways.deletion import conversation_purge, conversation_remove, items_delete
from migration_app.gateways.errors import GatewayError
from tests.migration_app.conftest import Run
from tests.migration_app.gateways.test_target import filled
from tests.sandbox import RunningSandbox


def test_a_conversation_goes_after_all_its_items(
    target: Connection, run: Run, sandbox: RunningSandbox
) -> None:
    conversation_id, _item_ids = filled(run, target, 120)
    assert run(conversation_purge(target, conversation_id=conversation_id)) == ""
    assert (sandbox.control.state().conversations, sandbox.control.state().stored_items) == (0, 0)
    deletes = [request.path for request in sandbox.control.requests() if request.method == "DELETE"]
    assert len(deletes) == 121
    assert deletes[-1].endswith(conversation_id)


@pytest.mark.parametrize("no_id", ["", ".", ".."])
def test_nothing_is_deleted_where_an_item_has_no_id(
    no_id: str, target: Connection, run: Run, sandbox: RunningSandbox
) -> None:
    conversation_id, item_ids = filled(run, target, 2)
    with pytest.raises(GatewayError, match="items without ids") as found:
        run(items_delete(target, conversation_id=conversation_id, item_ids=[*item_ids, no_id]))
    assert (found.value.code, found.value.permanent) == ("not_deleted", True)
    assert sandbox.control.state().stored_items == 2


def test_a_target_that_says_it_deleted_and_did_not_is_found_out(
    target: Connection, run: Run, sandbox: RunningSandbox
) -> None:
    conversation_id, _item_ids = filled(run, target, 1)
    sandbox.control.add_fault("ignored", "DELETE .*/items")
    with pytest.raises(GatewayError, match="still lists items"):
        run(conversation_purge(target, conversation_id=conversation_id))
    sandbox.control.clear_faults()
    sandbox.control.add_fault("ignored", "DELETE")
    with pytest.raises(GatewayError, match="still knows it"):
        run(conversation_remove(target, conversation_id=conversation_id))


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ("DELETE .*/items", "The target has no way to delete items of a conversation (405): they stay."),
        (
            "DELETE .*/conversations/[^/]*$",
            "The target has no way to delete a conversation (405). It stays, empty.",
        ),
    ],
)
def test_what_a_target_has_no_way_to_delete_is_said(
    match: str, said: str, target: Connection, run: Run, sandbox: RunningSandbox
) -> None:
    conversation_id, _item_ids = filled(run, target, 1)
    sandbox.control.add_fault("error_500", match, status=405)
    assert run(conversation_purge(target, conversation_id=conversation_id)) == said


def test_where_a_conversation_cant_be_asked_for_its_list_tells_that_it_is_gone(
    target: Connection, run: Run, sandbox: RunningSandbox
) -> None:
    conversation_id, _item_ids = filled(run, target, 0)
    sandbox.control.add_fault("error_500", "GET .*/conversations/[^/]*$", status=405)
    assert run(conversation_remove(target, conversation_id=conversation_id)) == ""


def test_one_that_is_gone_already_leaves_nothing_to_do(target: Connection, run: Run) -> None:
    assert run(conversation_purge(target, conversation_id="conv_gone", recorded=["msg_1"])) == ""
