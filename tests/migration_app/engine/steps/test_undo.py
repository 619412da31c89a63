"""Rolling threads back: what was sent goes, what is not ours stays, and nothing is called gone that is not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from migration_app.admin.batches.confirm import calls_of
from migration_app.batches.batches import batch_create
from migration_app.batches.cancel import batch_take_back
from migration_app.batches.control import batch_approve, batch_cancel
from migration_app.batches.kinds import BATCH_KINDS
from migration_app.batches.preflight import preflight_of
from migration_app.contracts import Actor
from migration_app.engine.steps.undo import thread_rollback
from migration_app.gateways.errors import GatewayError
from migration_app.models import (
    AuditEvent,
    Batch,
    Chunk,
    Conversation,
    FormerConversation,
    OrphanConversation,
    SnapshotPage,
    Thread,
)
from migration_app.threads.assessments import threads_assess
from migration_app.threads.selections import selection_of_pks
from migration_app.threads.statuses import LeaseLostError
from tests.guards import unguarded
from tests.migration_app.engine.conftest import (
    ACTOR,
    add_page,
    assert_conversation_holds_exactly_the_thread,
    backfilled,
    call,
    claim,
    continued_by_its_application,
    expire_leases,
    message,
    see_through,
    start,
)
from tests.prepared import batch_prepare
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
S = Thread.Status
MakeThread = Callable[..., Thread]


def sent(thread: Thread) -> str:
    """Backfill it; returns the conversation's id."""
    backfilled(claim(start("backfill", thread)))
    thread.refresh_from_db()
    assert thread.status == S.VERIFIED
    return thread.conversation.conversation_id


def rollback(thread: Thread, **settings: Any) -> Batch:
    batch = batch_create(
        kind="rollback",
        selection=selection_of_pks([thread.pk]),
        actor=ACTOR,
        reason="wrong project",
        settings=settings,
    )
    if batch.state == Batch.State.WAITING:
        batch_approve(batch_pk=batch.pk, actor=Actor("grace"))
    batch_prepare(batch_pk=batch.pk, actor=ACTOR)
    return batch


def interrupted(batch: Batch) -> None:
    """The worker is told to stop after seven items of the thread are deleted."""
    steps = iter([False] * 8)
    see_through(thread_rollback, claim(batch), stopping=lambda: next(steps, True))


def rolled_back(thread: Thread, **settings: Any) -> Thread:
    return see_through(thread_rollback, claim(rollback(thread, **settings)))


def again(thread: Thread) -> Thread:
    """Taken up by the next worker."""
    expire_leases()
    Thread.objects.update(not_before=None)
    assert thread.batch is not None
    return see_through(thread_rollback, claim(thread.batch))


def test_items_go_first_then_the_conversation_and_a_record_of_it_stays(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=45)
    conversation_id = sent(thread)
    rolled_back(thread)
    thread.refresh_from_db()
    assert (thread.status, thread.pending_work, thread.error_code) == (S.ROLLED_BACK, "", "")
    assert not Conversation.objects.exists()
    assert not Chunk.objects.exists()
    former = FormerConversation.objects.get()
    assert (former.conversation_id, former.outcome, former.item_count) == (conversation_id, "rolled_back", 45)
    assert (former.left_behind, former.reason, former.actor) == ("", "wrong project", "ada")
    stored = sandbox.control.conversation(conversation_id)
    assert stored.deleted
    assert stored.items == []
    assert sandbox.control.state().stored_items == 0
    deletes = [r.path for r in sandbox.control.requests() if r.method == "DELETE"]
    assert len(deletes) == 46
    assert deletes[-1].endswith(conversation_id)


@pytest.mark.parametrize("messages", [2, 45])
def test_a_roll_back_makes_as_many_calls_as_its_page_estimated(
    messages: int, make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=messages)
    sent(thread)
    estimated = calls_of(BATCH_KINDS["rollback"], preflight_of(selection_of_pks([thread.pk]), "rollback"))
    before = sum(sandbox.control.state().requests.values())
    rolled_back(thread)
    assert sum(sandbox.control.state().requests.values()) - before == estimated


def test_the_audit_trail_says_who_why_and_which_conversation(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    conversation_id = sent(thread)
    rolled_back(thread)
    events = AuditEvent.objects.filter(subject_id=thread.thread_id).order_by("pk")
    last = list(events.values_list("verb", "before", "after"))[-3:]
    assert last == [
        ("thread.rollback_started", "verified", "rolling_back"),
        ("conversation.deleting", "", conversation_id),
        ("thread.rolled_back", "rolling_back", "rolled_back"),
    ]
    reason = events.get(verb="thread.rolled_back").reason
    assert reason == (
        f"wrong project Conversation {conversation_id}, 3 items of ours. Reading confirmed that they are gone."
    )


def test_a_rolled_back_thread_is_backfilled_anew_into_another_conversation(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    first = sent(thread)
    rolled_back(thread)
    assert sent(Thread.objects.get()) != first
    assert_conversation_holds_exactly_the_thread(Thread.objects.get(), sandbox)


def test_a_thread_without_a_conversation_is_rolled_back_without_a_call(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    Thread.objects.update(status=S.NEEDS_REVIEW, error_code="conversation_missing")
    rolled_back(thread)
    thread.refresh_from_db()
    assert thread.status == S.ROLLED_BACK
    assert sandbox.control.requests() == []
    assert "nothing was deleted" in AuditEvent.objects.get(verb="thread.rolled_back").reason


def test_a_create_in_doubt_goes_to_the_orphan_ledger_and_the_audit_says_so(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    sandbox.control.add_faults("reset_after:POST /conversations$")
    with pytest.raises(GatewayError):
        backfilled(claim(start("backfill", thread)))
    Thread.objects.update(status=S.NEEDS_REVIEW, pending_work="", lease_token=None, lease_until=None)
    rolled_back(thread)
    assert OrphanConversation.objects.count() == 1
    assert (
        "nobody can find: 1 create without an answer"
        in AuditEvent.objects.get(verb="thread.rolled_back").reason
    )


def test_what_the_application_added_stops_the_roll_back_before_its_first_delete(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    conversation_id = sent(thread)
    continued_by_its_application(sandbox, conversation_id, "and another thing")
    rolled_back(thread)
    thread.refresh_from_db()
    assert (thread.status, thread.error_code, thread.pending_work) == (
        S.NEEDS_REVIEW,
        "conversation_continued",
        "",
    )
    assert "Nothing was deleted." in thread.error_text
    assert len(sandbox.control.conversation(conversation_id).items) == 26
    assert not [r for r in sandbox.control.requests() if r.method == "DELETE"]


def test_the_operator_may_choose_to_delete_what_is_not_ours_too(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    conversation_id = sent(thread)
    for number in range(130):
        continued_by_its_application(sandbox, conversation_id, f"another thing {number}")
    rolled_back(thread, foreign_too=True)
    thread.refresh_from_db()
    assert thread.status == S.ROLLED_BACK
    assert sandbox.control.state().stored_items == 0
    started = AuditEvent.objects.get(verb="thread.rollback_started").reason
    assert "130 items that are not ours" in started


def test_a_conversation_that_is_gone_already_is_recorded_with_what_nobody_can_tell(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    conversation_id = sent(thread)
    call(sandbox, "DELETE", f"/conversations/{conversation_id}")
    rolled_back(thread)
    thread.refresh_from_db()
    assert thread.status == S.ROLLED_BACK
    former = FormerConversation.objects.get()
    assert former.item_count == 25
    assert former.left_behind.startswith("The target no longer knew the conversation")


def test_a_target_without_a_delete_of_items_leads_to_review_and_nothing_is_claimed(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    conversation_id = sent(thread)
    sandbox.control.add_faults("error_500:DELETE .*/items/:status=405")
    rolled_back(thread)
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "not_deleted")
    assert "25 items stay" in thread.error_text
    assert thread.conversation.state == "deleting"
    assert not FormerConversation.objects.exists()
    assert len(sandbox.control.conversation(conversation_id).items) == 25


@pytest.mark.parametrize("fault", ["ignored:DELETE .*/items/", "error_500:DELETE .*/items/:status=404"])
def test_a_target_that_answers_deletes_and_deletes_nothing_is_found_out_after_one_chunk(
    make_thread: MakeThread, sandbox: RunningSandbox, fault: str
) -> None:
    thread = make_thread(messages=45)
    sent(thread)
    sandbox.control.add_faults(fault)
    batch = rollback(thread)
    for _ in range(3):
        with pytest.raises(GatewayError):
            see_through(thread_rollback, claim(batch))
        Thread.objects.update(not_before=None)
    see_through(thread_rollback, claim(batch))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "not_deleted")
    assert "still lists 20 items" in thread.error_text
    deletes = [r for r in sandbox.control.requests() if r.method == "DELETE"]
    assert len(deletes) == 4 * 20


def test_a_conversation_that_can_not_be_deleted_is_told_as_residue_once_it_is_empty(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    conversation_id = sent(thread)
    sandbox.control.add_faults("error_500:DELETE /conversations/[^/]+$:status=405")
    rolled_back(thread)
    thread.refresh_from_db()
    assert thread.status == S.ROLLED_BACK
    assert FormerConversation.objects.get().left_behind == (
        "The target has no way to delete a conversation (405). The conversation itself, read as empty, is still "
        "there."
    )
    assert sandbox.control.conversation(conversation_id).items == []


def test_a_conversation_that_stays_although_the_target_says_otherwise_is_told_as_residue(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    sent(thread)
    sandbox.control.add_faults("ignored:DELETE /conversations/[^/]+$")
    batch = rollback(thread)
    for _ in range(3):
        with pytest.raises(GatewayError):
            see_through(thread_rollback, claim(batch))
        Thread.objects.update(not_before=None)
    see_through(thread_rollback, claim(batch))
    assert Thread.objects.get().status == S.ROLLED_BACK
    assert (
        "The conversation itself, read as empty, is still there."
        in FormerConversation.objects.get().left_behind
    )


@pytest.mark.parametrize("fault", ["reset_after", "reset_before", "error_500", "error_500_after", "garbage"])
@pytest.mark.parametrize("path", ["/items/", "/conversations/[^/]+$"])
def test_a_delete_whose_answer_is_lost_is_looked_up_and_the_roll_back_goes_on(
    make_thread: MakeThread, sandbox: RunningSandbox, fault: str, path: str
) -> None:
    thread = make_thread(messages=25)
    conversation_id = sent(thread)
    sandbox.control.add_faults(f"{fault}:DELETE .*{path}:times=1")
    batch = rollback(thread)
    try:
        see_through(thread_rollback, claim(batch))
    except GatewayError:
        thread.refresh_from_db()
        assert (thread.status, thread.pending_work) == (S.ROLLING_BACK, "rollback")
        again(thread)
    thread.refresh_from_db()
    assert (thread.status, FormerConversation.objects.get().left_behind) == (S.ROLLED_BACK, "")
    assert sandbox.control.conversation(conversation_id).deleted
    assert sandbox.control.state().stored_items == 0


def test_a_delete_refused_among_others_leaves_all_of_them_announced_and_the_next_worker_completes_them(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    conversation_id = sent(thread)
    sandbox.control.add_faults("error_500:DELETE .*/items/:after=5:times=1")
    batch = rollback(thread)
    with pytest.raises(GatewayError):
        see_through(thread_rollback, claim(batch))
    first, last = Chunk.objects.order_by("sequence")
    assert (first.state, len(first.item_ids)) == ("deleting", 20)
    assert last.state == "appended"
    left = {item["id"] for item in sandbox.control.conversation(conversation_id).items}
    assert left <= {*first.item_ids, *last.item_ids}
    assert left >= set(last.item_ids)
    again(Thread.objects.get())
    assert Thread.objects.get().status == S.ROLLED_BACK
    assert sandbox.control.state().stored_items == 0


def test_a_roll_back_that_is_given_up_half_way_goes_to_review_and_says_that_it_was_begun(
    make_thread: MakeThread, sandbox: RunningSandbox, settings: Any
) -> None:
    settings.MAX_ATTEMPTS = 1
    thread = make_thread(messages=25)
    sent(thread)
    sandbox.control.add_faults("error_500:DELETE .*/items/")
    with pytest.raises(GatewayError):
        rolled_back(thread)
    thread.refresh_from_db()
    assert (thread.status, thread.error_code, thread.pending_work) == (S.NEEDS_REVIEW, "server_error", "")
    assert "A roll back has started and is not finished" in thread.error_text
    event = AuditEvent.objects.get(verb="thread.rollback_failed")
    assert (event.before, event.after) == ("rolling_back", "needs_review")


def test_a_roll_back_of_what_an_earlier_one_left_half_deleted_is_rolling_back_again(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    sent(thread)
    batch = rollback(thread)
    interrupted(batch)
    batch_cancel(batch_pk=batch.pk, actor=ACTOR, reason="wrong ones")
    assert batch_take_back(batch_pk=batch.pk, actor=ACTOR)
    interrupted(rollback(thread))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.ROLLING_BACK, "")
    again(thread)
    assert FormerConversation.objects.get().item_count == 25
    assert sandbox.control.state().stored_items == 0


def test_a_paused_roll_back_stops_after_the_item_at_hand_and_says_what_it_is(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    conversation_id = sent(thread)
    interrupted(rollback(thread))
    thread.refresh_from_db()
    assert len(sandbox.control.conversation(conversation_id).items) == 25 - 7
    assert (thread.status, thread.error_code, thread.pending_work) == (
        S.ROLLING_BACK,
        "",
        "rollback",
    )
    assert thread.lease_token is None
    again(thread)
    thread.refresh_from_db()
    assert thread.status == S.ROLLED_BACK
    assert sandbox.control.state().stored_items == 0


def test_what_the_application_adds_while_it_is_deleted_is_left_and_goes_to_a_person(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    conversation_id = sent(thread)
    interrupted(rollback(thread))
    continued_by_its_application(sandbox, conversation_id, "where is everything?")
    again(Thread.objects.get())
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "conversation_continued")
    assert "it is not whole" in thread.error_text
    assert len(sandbox.control.conversation(conversation_id).items) == 25 - 7 + 1


def test_a_half_deleted_conversation_is_never_sent_to(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    conversation_id = sent(thread)
    batch = rollback(thread)
    interrupted(batch)
    batch_cancel(batch_pk=batch.pk, actor=ACTOR, reason="wrong ones")
    assert batch_take_back(batch_pk=batch.pk, actor=ACTOR)
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "rollback_begun")
    backfilled(claim(start("retry", thread)))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "rollback_begun")
    assert len(sandbox.control.conversation(conversation_id).items) == 25 - 7


def test_a_thread_whose_snapshot_says_something_else_by_now_is_rolled_back_by_what_was_sent(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    sent(thread)
    with unguarded(SnapshotPage):
        thread.pages.all().delete()
    rolled_back(thread)
    assert sandbox.control.state().stored_items == 0


def test_items_that_the_target_calls_otherwise_than_it_answered_are_known_by_what_they_say(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    sent(thread)
    Chunk.objects.update(item_ids=["other"] * 20)
    interrupted(rollback(thread))
    again(Thread.objects.get())
    assert sandbox.control.state().stored_items == 0


def test_a_worker_that_lost_its_lease_stops_before_the_next_chunk_and_harms_nobody(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=45)
    conversation_id = sent(thread)
    batch = rollback(thread)
    thief: list[Thread] = []

    def steal_after_some() -> bool:
        # Between two deletes another worker takes the thread by force, and sees it through.
        if len([r for r in sandbox.control.requests() if r.method == "DELETE"]) >= 7 and not thief:
            thief.append(thread)
            worker = threading.Thread(target=stolen, args=[batch])
            worker.start()
            worker.join()
        return False

    with pytest.raises(LeaseLostError):
        see_through(thread_rollback, claim(batch), stopping=steal_after_some)
    assert Thread.objects.get().status == S.ROLLED_BACK
    assert FormerConversation.objects.count() == 1
    assert sandbox.control.conversation(conversation_id).items == []


def stolen(batch: Batch) -> None:
    try:
        expire_leases()
        see_through(thread_rollback, claim(batch))
    finally:
        connection.close()


def test_an_import_that_brings_more_while_a_thread_is_deleted_does_not_take_its_work_away(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=25)
    sent(thread)
    batch = rollback(thread)
    interrupted(batch)
    add_page(thread, [message("thread_1", number) for number in range(25, 30)], "import-2")
    threads_assess(thread_pks=[thread.pk], actor=ACTOR, reason="import 2")
    thread.refresh_from_db()
    assert (thread.status, thread.error_code, thread.pending_work) == (
        S.ROLLING_BACK,
        "",
        "rollback",
    )
    again(thread)
    sent(Thread.objects.get())
    assert_conversation_holds_exactly_the_thread(Thread.objects.get(), sandbox)
