"""Threads in review: kept as they are, begun anew; and growth of the source while and after the engine is at work."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from migration_app.batches.cancel import batch_take_back
from migration_app.batches.control import batch_cancel
from migration_app.batches.kinds import BATCH_KINDS
from migration_app.engine.steps.protocol import thread_backfill
from migration_app.engine.steps.review import thread_accept, thread_remigrate
from migration_app.engine.steps.snapshot import thread_snapshot
from migration_app.models import AuditEvent, Chunk, Conversation, FormerConversation, SnapshotPage, Thread
from migration_app.threads.assessments import threads_assess
from migration_app.threads.plans import thread_plan
from tests.guards import unguarded
from tests.migration_app.engine.conftest import (
    ACTOR,
    add_page,
    assert_conversation_holds_exactly_the_thread,
    backfilled,
    call,
    claim,
    continued_by_its_application,
    message,
    objects_of,
    see_through,
    start,
    verified,
)
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
MakeThread = Callable[..., Thread]
S = Thread.Status


def sent(thread: Thread) -> Thread:
    backfilled(claim(start("backfill", thread)))
    thread.refresh_from_db()
    return thread


def grown(thread: Thread, numbers: range, origin: str = "import-2") -> Thread:
    """More messages arrive by an import, and are assessed."""
    add_page(thread, [message(thread.thread_id, number) for number in numbers], origin)
    threads_assess(thread_pks=[thread.pk], actor=ACTOR, reason="import 2")
    thread.refresh_from_db()
    return thread


def continued(thread: Thread, sandbox: RunningSandbox) -> Thread:
    """Sent, then continued by its application and by the source: in review."""
    sent(thread)
    continued_by_its_application(sandbox, thread.conversation.conversation_id, "and another thing")
    grown(thread, range(25, 30))
    backfilled(claim(start("backfill", thread)))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "conversation_continued")
    return thread


def kept(thread: Thread) -> Thread:
    see_through(thread_accept, claim(start("accept", thread)))
    return Thread.objects.get(pk=thread.pk)


def texts(sandbox: RunningSandbox, conversation_id: str) -> list[str]:
    stored = sandbox.control.conversation(conversation_id)
    return [part["text"] for item in stored.items for part in item["content"]]


# --- growth -----------------------------------------------------------------------------------------


def test_growth_after_the_backfill_goes_to_review_and_backfill_takes_it_as_a_delta(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = grown(sent(make_thread(messages=25)), range(25, 30))
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "source_grown")
    sent(thread)
    assert thread.status == S.VERIFIED
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_growth_between_two_chunks_is_found_when_the_thread_is_complete_and_appended_as_a_delta(
    make_thread: MakeThread, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "DJANGO_ALLOW_ASYNC_UNSAFE", "1"
    )  # the import runs between two steps of the event loop
    thread = make_thread(messages=45)
    batch = start("backfill", thread)
    looks = iter(range(100))

    def import_then_go_on() -> bool:
        if next(looks) == 1:
            grown(Thread.objects.get(pk=thread.pk), range(45, 50))
            connection.close()
        return False

    see_through(thread_backfill, claim(batch), stopping=import_then_go_on)
    thread.refresh_from_db()
    assert (thread.status, thread.error_code, thread.pending_work) == (S.NEEDS_REVIEW, "source_grown", "")
    assert thread.item_count == 50
    assert thread.conversation.item_count == 45
    sent(thread)
    assert thread.status == S.VERIFIED
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_a_worker_that_takes_over_after_growth_sends_what_is_missing_once(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=45)
    batch = start("backfill", thread)
    steps = iter([False, False])
    see_through(thread_backfill, claim(batch), stopping=lambda: next(steps, True))
    grown(thread, range(45, 50))
    backfilled(claim(batch))
    thread.refresh_from_db()
    assert thread.status == S.VERIFIED
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_a_worker_that_takes_over_appends_nothing_after_what_the_application_added(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=45)
    batch = start("backfill", thread)
    steps = iter([False, False])
    see_through(thread_backfill, claim(batch), stopping=lambda: next(steps, True))
    conversation_id = Conversation.objects.get().conversation_id
    continued_by_its_application(sandbox, conversation_id, "too early")
    assert backfilled(claim(batch)).error_code == "conversation_continued"
    assert texts(sandbox, conversation_id)[-1] == "too early"


def test_a_snapshot_batch_fetches_later_messages_of_what_is_backfilled_and_leads_to_review(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = sent(make_thread(messages=3))
    objects = [
        {"id": "thread_1", "object": "thread", "created_at": 1_700_000_000, "metadata": {"user_id": "u1"}},
        *(message("thread_1", number) for number in range(5)),
    ]
    sandbox.control.seed(objects)
    see_through(thread_snapshot, claim(start("snapshot", thread)))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code, thread.pending_work) == (S.NEEDS_REVIEW, "source_grown", "")
    sent(thread)
    assert (thread.status, thread.conversation.item_count) == (S.VERIFIED, 5)
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_a_snapshot_batch_leaves_a_backfilled_thread_that_did_not_grow_as_it_is(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = sent(make_thread(messages=3))
    sandbox.control.seed(
        [
            {
                "id": "thread_1",
                "object": "thread",
                "created_at": 1_700_000_000,
                "metadata": {"user_id": "u1"},
            },
            *(message("thread_1", number) for number in range(3)),
        ]
    )
    see_through(thread_snapshot, claim(start("snapshot", thread)))
    thread.refresh_from_db()
    assert (thread.status, thread.pending_work) == (S.VERIFIED, "")


# --- keep -------------------------------------------------------------------------------------------


def test_a_kept_thread_is_verified_as_far_as_it_was_sent_and_the_rest_is_a_finding(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = kept(continued(make_thread(messages=25), sandbox))
    assert (thread.status, thread.error_code, thread.pending_work) == (S.VERIFIED, "", "")
    conversation = thread.conversation
    assert (conversation.continued_after, conversation.item_count, conversation.state) == (25, 25, "verified")
    assert (thread.fidelity, thread.finding_counts) == ("lossy", {"later_messages_left_out": 1})
    (finding,) = thread_plan(thread).plan.findings
    assert (finding.source_id, finding.severity.value) == ("msg_thread_1_25", "lossy")
    assert "5 items (from number 26)" in finding.text
    assert len(texts(sandbox, conversation.conversation_id)) == 26
    reason = AuditEvent.objects.get(verb="thread.accepted").reason
    assert reason == "a test Ours: the first 25 items, read and equal. Not ours: 1 after them."


def test_verifying_a_kept_thread_compares_only_what_was_sent(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = kept(continued(make_thread(messages=25), sandbox))
    continued_by_its_application(sandbox, thread.conversation.conversation_id, "one", "two")
    verified(claim(start("verify", thread)))
    thread.refresh_from_db()
    assert (thread.status, thread.pending_work) == (S.VERIFIED, "")


def test_verifying_a_kept_thread_notices_that_an_item_of_it_is_gone(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = kept(continued(make_thread(messages=25), sandbox))
    conversation_id = thread.conversation.conversation_id
    first = sandbox.control.conversation(conversation_id).items[0]["id"]
    call(sandbox, "DELETE", f"/conversations/{conversation_id}/items/{first}")
    verified(claim(start("verify", thread)))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "difference")
    assert "Items 1 to 20 (chunk 1)" in thread.error_text


def test_a_thread_is_not_kept_where_what_was_sent_no_longer_stands(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = continued(make_thread(messages=25), sandbox)
    conversation_id = thread.conversation.conversation_id
    last = sandbox.control.conversation(conversation_id).items[24]["id"]
    call(sandbox, "DELETE", f"/conversations/{conversation_id}/items/{last}")
    thread = kept(thread)
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "difference")
    assert thread.conversation.continued_after is None


def test_a_thread_whose_plan_changed_is_kept_by_what_was_sent(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = sent(make_thread(messages=25))
    with unguarded(SnapshotPage):
        thread.pages.all().delete()
    add_page(thread, objects_of("thread_1", 2), "import-2")
    thread = grown(thread, range(3, 25), "import-3")
    assert backfilled(claim(start("backfill", thread))).error_code == "plan_changed"
    thread = kept(thread)
    assert (thread.status, thread.finding_counts) == (S.VERIFIED, {"accepted_from_other_plan": 1})
    verified(claim(start("verify", thread)))
    assert Thread.objects.get().status == S.VERIFIED


def test_a_chunk_in_doubt_that_never_arrived_is_forgotten_when_the_thread_is_kept(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = continued(make_thread(messages=25), sandbox)
    Chunk.objects.create(
        conversation=thread.conversation,
        sequence=2,
        first_item=25,
        item_count=5,
        digest="0" * 64,
        source_ids=[],
        state="sending",
    )
    thread = kept(thread)
    assert (thread.status, thread.conversation.continued_after) == (S.VERIFIED, 25)
    assert list(Chunk.objects.values_list("state", flat=True)) == ["appended", "appended"]


def test_later_growth_of_a_kept_thread_comes_to_review_and_backfill_does_not_take_it(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = grown(kept(continued(make_thread(messages=25), sandbox)), range(30, 33), "import-3")
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "accepted_source_grown")
    assert "accept it again, or re-migrate" in thread.error_text
    assert not Thread.objects.filter(BATCH_KINDS["backfill"].takes).exists()
    thread = kept(thread)
    assert (thread.status, thread.finding_counts) == (S.VERIFIED, {"later_messages_left_out": 1})


@pytest.mark.parametrize("kind", ["retry", "accept", "verify"])
def test_no_choice_appends_after_what_is_not_ours(
    make_thread: MakeThread, sandbox: RunningSandbox, kind: str
) -> None:
    thread = continued(make_thread(messages=25), sandbox)
    conversation_id = thread.conversation.conversation_id
    step = {"retry": thread_backfill, "accept": thread_accept, "verify": thread_backfill}[kind]
    for _ in range(2):
        Thread.objects.filter(status=S.VERIFIED).update(
            status=S.NEEDS_REVIEW, error_code="conversation_continued"
        )
        if kind == "verify":
            verified(claim(start("verify", thread)))
        else:
            see_through(step, claim(start(kind, thread)))
        assert texts(sandbox, conversation_id)[-1] == "and another thing"
        assert len(texts(sandbox, conversation_id)) == 26


def test_retry_of_a_kept_thread_sends_nothing_and_says_what_can_be_done(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = grown(kept(continued(make_thread(messages=25), sandbox)), range(30, 33), "import-3")
    thread = backfilled(claim(start("retry", thread)))
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "conversation_continued")
    assert len(texts(sandbox, thread.conversation.conversation_id)) == 26


# --- begin anew -------------------------------------------------------------------------------------


def test_beginning_anew_leaves_the_old_conversation_and_fills_a_new_one(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = continued(make_thread(messages=25), sandbox)
    old = thread.conversation.conversation_id
    batch = start("remigrate", thread)
    see_through(thread_remigrate, claim(batch))
    thread = Thread.objects.get()
    assert (thread.status, thread.pending_work, thread.lease_token) == (S.QUEUED, "backfill", None)
    assert not Conversation.objects.exists()
    former = FormerConversation.objects.get()
    assert (former.conversation_id, former.outcome, former.item_count) == (old, "left", 25)
    backfilled(claim(batch))
    thread = Thread.objects.get()
    assert (thread.status, thread.error_code) == (S.VERIFIED, "")
    assert thread.conversation.conversation_id != old
    assert thread.conversation.item_count == 30
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert len(texts(sandbox, old)) == 26


def test_a_batch_that_is_cancelled_after_parting_leaves_a_thread_without_a_conversation_and_says_so(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = continued(make_thread(messages=25), sandbox)
    batch = start("remigrate", thread)
    see_through(thread_remigrate, claim(batch))
    batch_cancel(batch_pk=batch.pk, actor=ACTOR, reason="not now")
    batch_take_back(batch_pk=batch.pk, actor=ACTOR)
    thread = Thread.objects.get()
    assert (thread.status, thread.error_code, thread.pending_work) == (S.SNAPSHOTTED, "", "")
    assert FormerConversation.objects.count() == 1


def test_a_kept_conversation_in_which_others_say_the_same_goes_to_a_person(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = kept(continued(make_thread(messages=25), sandbox))
    chunk = thread.conversation.chunks.get(sequence=1)
    Chunk.objects.filter(pk=chunk.pk).update(item_ids=["msg_other", *chunk.item_ids[1:]])
    verified(claim(start("verify", thread)))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "difference")
    assert "were replaced by equal ones" in thread.error_text
