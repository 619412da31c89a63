"""Deleting conversations whole: in which order, what is confirmed, and what is said of what stays."""

from __future__ import annotations

import pytest

from migration_app.gateways.connection import Connection
from migration_app.gateways.deletion import AT_ONCE, conversation_purge, conversation_remove, items_delete
from migration_app.gateways.errors import GatewayError, LeaseUncertainError
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


def test_deletes_are_sent_several_at_once_but_not_all(
    target: Connection, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation_id, item_ids = filled(run, target, 30)
    under_way: list[int] = [0]
    delete = Connection.delete

    async def counted(self: Connection, path: str) -> str:
        under_way.append(under_way[-1] + 1)
        try:
            return await delete(self, path)
        finally:
            under_way.append(under_way[-1] - 1)

    monkeypatch.setattr(Connection, "delete", counted)
    run(items_delete(target, conversation_id=conversation_id, item_ids=item_ids))
    assert max(under_way) == AT_ONCE


def test_after_a_refused_delete_no_other_is_sent(
    target: Connection, run: Run, sandbox: RunningSandbox
) -> None:
    conversation_id, item_ids = filled(run, target, 30)
    sandbox.control.add_faults("error_500:DELETE .*/items/:after=4:times=1")
    with pytest.raises(GatewayError) as found:
        run(items_delete(target, conversation_id=conversation_id, item_ids=item_ids))
    assert found.value.code == "server_error"
    deletes = [request for request in sandbox.control.requests() if request.method == "DELETE"]
    assert 5 <= len(deletes) <= 5 + AT_ONCE
    # All that were on their way have ended.
    assert sandbox.control.state().stored_items == 30 - len(deletes) + 1


def test_a_lease_that_is_no_longer_certain_stops_all_deletes(
    target: Connection, run: Run, sandbox: RunningSandbox
) -> None:
    conversation_id, item_ids = filled(run, target, 30)
    certain = iter([True] * 4)
    fenced = target.fenced(lambda: next(certain, False))
    sandbox.control.add_faults("error_500:DELETE .*/items/:times=1")
    with pytest.raises(LeaseUncertainError):
        run(items_delete(fenced, conversation_id=conversation_id, item_ids=item_ids))
    assert sandbox.control.state().stored_items >= 26


def test_whoever_says_stop_between_two_deletes_is_heard(
    target: Connection, run: Run, sandbox: RunningSandbox
) -> None:
    conversation_id, item_ids = filled(run, target, 30)
    steps = iter([None] * 11)

    def between() -> None:
        if next(steps, "stop") == "stop":
            raise StopHeardError

    with pytest.raises(StopHeardError):
        run(items_delete(target, conversation_id=conversation_id, item_ids=item_ids, between=between))
    assert sandbox.control.state().stored_items == 30 - 11


class StopHeardError(Exception):
    """Told to stop."""
