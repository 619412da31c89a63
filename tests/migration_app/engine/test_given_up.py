"""Conversations that were given up in doubt are emptied and deleted after their grace period, until they are gone."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from django.utils import timezone

from migration_app.contracts import JsonObject
from migration_app.engine.given_up import given_up_work
from migration_app.gateways.configured import target_connection
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError
from migration_app.models import AuditEvent, Conversation, FormerConversation, Thread
from migration_app.tasks.connections import Connections
from migration_app.threads.given_up import given_up_claim, given_up_due
from tests.migration_app.engine.conftest import (
    ACTOR,
    assert_conversation_holds_exactly_the_thread,
    backfilled,
    claim,
    resumed,
    start,
)
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def thread(make_thread: Callable[..., Thread], sandbox: RunningSandbox) -> Thread:
    """Verified in its second conversation; the first was given up with twenty items in it."""
    sandbox.control.add_fault("reset_before", "POST .*/items", times=1, after=1)
    thread = claim(start("backfill", make_thread(messages=45)))
    with pytest.raises(GatewayError):
        backfilled(thread)
    sandbox.control.clear_faults()
    return resumed(thread)


def due() -> None:
    FormerConversation.objects.exclude(delete_after=None).update(
        delete_after=timezone.now() - dt.timedelta(seconds=1)
    )


def deleted() -> FormerConversation:
    def connect() -> Connection:
        return target_connection(timeout_seconds=5)

    given_up_work(actor=ACTOR, apis=Connections(source=connect, target=connect), stop=lambda: False)
    return FormerConversation.objects.get()


def test_it_waits_for_the_end_of_its_grace_period(thread: Thread, sandbox: RunningSandbox) -> None:
    assert not given_up_due()
    former = deleted()
    assert former.deleted_at is None
    assert sandbox.control.state().items[former.conversation_id] == 20


def test_it_is_emptied_and_deleted_and_the_threads_own_stays(thread: Thread, sandbox: RunningSandbox) -> None:
    due()
    assert given_up_due()
    former = deleted()
    assert (former.delete_after, former.left_behind) == (None, "")
    assert former.deleted_at is not None
    stored = sandbox.control.conversation(former.conversation_id)
    assert (stored.deleted, stored.items) == (True, [])
    assert sandbox.control.state().stored_items == 45
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    told = AuditEvent.objects.get(verb="conversation.deleted")
    assert former.conversation_id in told.reason


def test_what_its_list_does_not_show_is_deleted_by_its_recorded_id(
    thread: Thread, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def empty(*_args: Any, **_named: Any) -> AsyncIterator[list[JsonObject]]:
        yield []

    monkeypatch.setattr("migration_app.gateways.deletion.items_pages", empty)
    due()
    deleted()
    assert sandbox.control.state().stored_items == 45


@pytest.mark.parametrize("fault", ["error_500", "reset_before", "ignored"])
def test_it_is_tried_again_until_it_is_gone(thread: Thread, sandbox: RunningSandbox, fault: str) -> None:
    sandbox.control.add_fault(fault, "DELETE")
    due()
    former = deleted()
    assert former.deleted_at is None
    assert former.delete_after is not None
    assert former.delete_after > timezone.now()
    assert former.left_behind.startswith("Not deleted yet")
    sandbox.control.clear_faults()
    due()
    assert deleted().deleted_at is not None
    assert FormerConversation.objects.get().left_behind == ""


def test_a_target_without_deletes_keeps_it_and_that_is_said(thread: Thread, sandbox: RunningSandbox) -> None:
    sandbox.control.add_fault("error_500", "DELETE", status=405)
    due()
    former = deleted()
    assert (former.delete_after, former.deleted_at) == (None, None)
    assert "no way to delete items" in former.left_behind


def test_one_that_somebody_deleted_already_is_gone(thread: Thread, sandbox: RunningSandbox) -> None:
    sandbox.control.reset()
    due()
    assert deleted().deleted_at is not None


def test_one_worker_takes_it_and_another_does_not_at_the_same_time(thread: Thread) -> None:
    due()
    assert given_up_claim() is not None
    assert given_up_claim() is None


def test_of_several_the_one_that_is_due_longest_is_taken_first(thread: Thread) -> None:
    due()
    first = FormerConversation.objects.get()
    FormerConversation.objects.create(
        thread=thread,
        conversation_id="conv_later",
        outcome=first.outcome,
        delete_after=timezone.now() - dt.timedelta(milliseconds=1),
    )
    taken = [given_up_claim(), given_up_claim()]
    assert [former.conversation_id for former in taken if former] == [first.conversation_id, "conv_later"]


def test_a_conversation_that_a_thread_points_to_is_never_handed_out(thread: Thread) -> None:
    due()
    FormerConversation.objects.update(conversation_id=Conversation.objects.get().conversation_id)
    assert given_up_claim() is None
