"""Appends whose answer was lost: whatever still arrives, it arrives in no conversation that is mapped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.utils import timezone

from migration_app.engine.behaviour import Behaviour
from migration_app.engine.steps import doubts, protocol, readback
from migration_app.engine.steps.protocol import thread_backfill
from migration_app.engine.work import Work
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.models import AuditEvent, Chunk, Conversation, FormerConversation, Thread
from tests.migration_app.engine.conftest import (
    add_page,
    assert_conversation_holds_exactly_the_thread,
    backfilled,
    claim,
    message,
    resumed,
    see_through,
    start,
)
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
MakeThread = Callable[..., Thread]
S = Thread.Status
LOST = "POST .*/items"


def in_doubt(
    thread: Thread, sandbox: RunningSandbox, *, fault: str = "reset_before", after: int = 1
) -> Thread:
    """The answer to one of its appends is lost."""
    sandbox.control.add_fault(fault, LOST, times=1, after=after)
    thread = claim(start("backfill", thread))
    with pytest.raises(GatewayError):
        backfilled(thread)
    sandbox.control.clear_faults()
    return thread


def wait_until_stored(sandbox: RunningSandbox, conversation_id: str, items: int) -> None:
    end = time.monotonic() + 20
    while len(sandbox.control.conversation(conversation_id).items) < items:
        assert time.monotonic() < end, "the late append never arrived"
        time.sleep(0.05)


def tried(thread: Thread) -> str:
    """Seen through once more; the code of the error that ended it, or nothing."""
    try:
        resumed(thread)
    except GatewayError as error:
        return error.code
    finally:
        thread.refresh_from_db()
    return ""


def grown_by(thread: Thread, numbers: range) -> Thread:
    add_page(thread, [message("thread_1", number) for number in numbers], "import-2")
    Thread.objects.update(status=S.NEEDS_REVIEW, error_code="source_grown")
    return thread


def arriving_late(make_thread: MakeThread, sandbox: RunningSandbox, *, seconds: float) -> tuple[Thread, str]:
    """A thread whose second append arrives so much later, and its conversation's id."""
    sandbox.control.add_fault("reset_act_late", LOST, times=1, after=1, seconds=seconds)
    thread = claim(start("backfill", make_thread(messages=45)))
    with pytest.raises(GatewayError):
        backfilled(thread)
    return thread, Conversation.objects.get().conversation_id


def test_what_is_not_there_may_still_arrive_so_the_thread_starts_over_in_a_fresh_conversation(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread, doubtful = arriving_late(make_thread, sandbox, seconds=2.0)
    thread = resumed(thread)
    assert thread.status == S.VERIFIED
    former = FormerConversation.objects.get()
    assert (former.conversation_id, former.outcome, former.item_count) == (doubtful, "given_up", 40)
    assert len(former.item_ids) == 20
    assert former.delete_after is not None
    assert former.delete_after > timezone.now()
    wait_until_stored(sandbox, doubtful, 40)
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert thread.conversation.conversation_id != doubtful


def test_the_trail_says_which_conversation_was_given_up_and_why(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = in_doubt(make_thread(messages=45), sandbox)
    doubtful = Conversation.objects.get().conversation_id
    thread = resumed(thread)
    told = AuditEvent.objects.get(verb="conversation.given_up")
    assert told.after == doubtful
    assert told.reason == (
        "The answer to the append of items 21 to 40 was lost, and they are not there: they may still be on their way."
    )


def test_where_repeats_are_refused_it_is_sent_again_and_the_late_one_is_refused(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    sandbox.control.add_fault("reset_act_late", LOST, times=1, after=1, seconds=2.0)
    thread = claim(start("backfill", make_thread(messages=45)))
    with pytest.raises(GatewayError):
        backfilled(thread)
    thread = resumed(thread, repeats_refused=True)
    assert thread.status == S.VERIFIED
    assert not FormerConversation.objects.exists()
    time.sleep(2.5)  # what was late has acted by now
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_a_chunk_without_an_id_of_ours_is_never_sent_again(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=1)
    thread = in_doubt(thread, sandbox, after=0)
    thread = resumed(thread, repeats_refused=True)
    assert thread.status == S.VERIFIED
    assert FormerConversation.objects.count() == 1


def test_a_repeat_that_is_refused_for_its_items_starts_over_instead_of_being_cut(
    make_thread: MakeThread, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = in_doubt(make_thread(messages=45), sandbox)
    post = Connection.post
    refused: list[str] = []

    async def refusing_once(self: Connection, path: str, *args: Any, **options: Any) -> Any:
        if path.endswith("/items") and not refused:
            refused.append(path)
            raise GatewayError("invalid_item", "no", outcome=Outcome.NOTHING, permanent=True, status=400)
        return await post(self, path, *args, **options)

    monkeypatch.setattr(Connection, "post", refusing_once)
    thread = resumed(thread, repeats_refused=True)
    assert thread.status == S.VERIFIED
    assert FormerConversation.objects.get().reason == "Its repeat was refused: invalid_item."
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_a_repeat_that_could_not_be_sent_leaves_the_doubt_as_it_is(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = in_doubt(make_thread(messages=45), sandbox)
    sandbox.control.add_fault("rate_limit", LOST, times=1)
    with pytest.raises(GatewayError):
        resumed(thread, repeats_refused=True)
    assert Chunk.objects.get(sequence=1).state == "sending"
    thread = resumed(thread)  # by then nobody knows any more what the target does with repeats
    assert FormerConversation.objects.count() == 1
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_a_list_that_lags_is_read_again_until_it_shows_what_was_acknowledged(
    make_thread: MakeThread, sandbox: RunningSandbox, settings: Any
) -> None:
    settings.READ_PATIENCE_SECONDS = 20
    for fault in ("list_lag", "list_grows", "list_newest_first"):
        sandbox.control.add_fault(fault, LOST, seconds=1.0)
        thread = backfilled(claim(start("backfill", make_thread(f"thread_{fault}", messages=45))))
        sandbox.control.clear_faults()
        assert (thread.status, thread.error_code) == (S.VERIFIED, "")
        assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert not FormerConversation.objects.exists()


def test_a_target_that_forgets_what_it_acknowledged_is_tried_later_and_then_started_over(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    sandbox.control.add_fault("forgets_items", LOST, times=1, after=1)
    thread = make_thread(messages=45)
    start("backfill", thread)
    thread.refresh_from_db()
    assert [tried(thread) for _ in range(4)] == ["list_behind"] * 3 + [""]
    assert thread.status == S.VERIFIED
    assert FormerConversation.objects.count() == 1
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


@pytest.mark.parametrize(
    ("fault", "seconds", "conversations"), [("create_lag", 0.5, 1), ("forgets_conversation", 0.0, 2)]
)
def test_a_conversation_that_is_acknowledged_and_not_known_is_tried_later_before_the_thread_starts_over(
    make_thread: MakeThread, sandbox: RunningSandbox, fault: str, seconds: float, conversations: int
) -> None:
    sandbox.control.add_fault(fault, "POST /conversations$", times=1, seconds=seconds)
    thread = make_thread(messages=3)
    start("backfill", thread)
    thread.refresh_from_db()
    codes = []
    while code := tried(thread):
        codes.append(code)
        time.sleep(0.3)
    assert set(codes) <= {"list_behind"}
    assert thread.status == S.VERIFIED
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert 1 + FormerConversation.objects.count() == conversations


def test_what_arrives_while_a_doubt_is_settled_does_not_send_the_thread_to_a_person(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread, doubtful = arriving_late(make_thread, sandbox, seconds=1.0)
    settle = doubts.settle

    async def arriving(work: Work, conversation: Conversation, chunk: Chunk) -> bool:
        found = await settle(work, conversation, chunk)
        await asyncio.to_thread(wait_until_stored, sandbox, doubtful, 40)
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(protocol, "settle", arriving)
        with pytest.raises(GatewayError) as caught:
            resumed(thread, repeats_refused=True)
    assert caught.value.code == "append_in_doubt"
    thread = resumed(thread, repeats_refused=True)
    assert thread.status == S.VERIFIED
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_an_append_in_doubt_to_a_mapped_conversation_waits_and_then_goes_to_a_person(
    make_thread: MakeThread, sandbox: RunningSandbox, settings: Any
) -> None:
    settings.DOUBT_WAIT_SECONDS = 600
    thread = backfilled(claim(start("backfill", make_thread(messages=25))))
    mapped = thread.conversation.conversation_id
    thread = in_doubt(grown_by(thread, range(25, 30)), sandbox, after=0)
    with pytest.raises(GatewayError) as caught:
        resumed(thread)
    assert caught.value.code == "append_may_arrive"
    thread.refresh_from_db()
    assert thread.attempts == 1  # the lost answer alone: waiting costs no try
    assert thread.not_before is not None
    assert (thread.not_before - timezone.now()).total_seconds() > 500
    settings.DOUBT_WAIT_SECONDS = 0
    thread = resumed(thread)
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "append_in_doubt")
    assert thread.conversation.conversation_id == mapped
    assert not FormerConversation.objects.exists()


def test_an_append_to_a_mapped_conversation_that_arrives_meanwhile_is_recorded(
    make_thread: MakeThread, sandbox: RunningSandbox, settings: Any
) -> None:
    settings.DOUBT_WAIT_SECONDS = 600
    thread = backfilled(claim(start("backfill", make_thread(messages=25))))
    mapped = thread.conversation.conversation_id
    sandbox.control.add_fault("reset_act_late", LOST, times=1, seconds=1.0)
    thread = claim(start("backfill", grown_by(thread, range(25, 30))))
    with pytest.raises(GatewayError):
        backfilled(thread)
    wait_until_stored(sandbox, mapped, 30)
    thread = resumed(thread)
    assert thread.status == S.VERIFIED
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_a_thread_that_starts_over_often_waits_with_growing_pauses_and_ends_with_a_person(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    sandbox.control.add_fault("reset_before", LOST)
    thread = make_thread(messages=3)
    start("backfill", thread)
    thread.refresh_from_db()
    waits = []
    while code := tried(thread):
        assert code in {"connection_lost", "starting_over"}
        if code == "starting_over":
            assert thread.not_before is not None
            waits.append(round((thread.not_before - timezone.now()).total_seconds()))
        Thread.objects.update(attempts=0)
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "started_over_too_often")
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert FormerConversation.objects.filter(outcome="given_up").count() == 10
    assert thread.restarts == 0


def test_a_conversation_that_was_mapped_is_never_given_up(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=25))))
    mapped = thread.conversation.conversation_id
    sandbox.control.reset()
    Thread.objects.update(status=S.BACKFILLED, pending_work="")
    thread = claim(start("backfill", Thread.objects.get()))
    backfilled(thread)
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "conversation_missing")
    assert Conversation.objects.get().conversation_id == mapped


def test_nothing_is_sent_when_the_lease_may_have_run_out_by_the_time_of_sending(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = claim(start("backfill", make_thread(messages=45)))

    async def unsure(work: Work) -> None:
        work.connection = work.connection.fenced(lambda: False)
        await thread_backfill(work)

    with pytest.raises(GatewayError) as caught:
        see_through(unsure, thread)
    assert caught.value.code == "lease_uncertain"
    assert sandbox.control.requests() == []
    assert not Conversation.objects.exists()


def test_another_conversations_answer_to_a_create_is_no_conversation_of_ours(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    other = backfilled(claim(start("backfill", make_thread("thread_other"))))
    sandbox.control.add_fault("anothers_answer", "POST /conversations$", times=1)
    thread = claim(start("backfill", make_thread()))
    with pytest.raises(GatewayError) as caught:
        backfilled(thread)
    assert caught.value.code == "unreadable_answer"
    thread = resumed(thread)
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert_conversation_holds_exactly_the_thread(other, sandbox)


def test_the_pauses_between_reads_grow_and_end(settings: Any) -> None:
    settings.READ_PATIENCE_SECONDS = 10
    work = cast("Work", SimpleNamespace(behaviour=Behaviour()))
    waits = list(readback.pauses(work))
    assert waits[:4] == [0.25, 0.5, 1.0, 2.0]
    assert sum(waits) == 10
