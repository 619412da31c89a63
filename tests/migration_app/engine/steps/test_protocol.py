from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from migration_app.engine.steps import protocol
from migration_app.gateways.connection import Answer, Connection
from migration_app.gateways.errors import GatewayError
from migration_app.gateways.target import Created, conversation_create
from migration_app.models import (
    AuditEvent,
    Chunk,
    Conversation,
    FormerConversation,
    OrphanConversation,
    Thread,
)
from migration_app.threads.assessments import thread_assess
from tests.migration_app.conftest import Run
from tests.migration_app.engine.conftest import (
    ACTOR,
    add_page,
    assert_conversation_holds_exactly_the_thread,
    backfilled,
    call,
    claim,
    continued_by_its_application,
    message,
    resumed,
    start,
    verified,
)
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.django_db(transaction=True)
MakeThread = Callable[..., Thread]
S = Thread.Status


def test_a_thread_ends_verified_with_its_items_in_order(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread(messages=45)
    backfilled(claim(start("backfill", thread)))
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert (thread.status, thread.pending_work, thread.lease_token) == (S.VERIFIED, "", None)
    assert thread.conversation.item_count == 45
    assert list(thread.conversation.chunks.values_list("first_item", "item_count", "state")) == [
        (0, 20, "appended"),
        (20, 20, "appended"),
        (40, 5, "appended"),
    ]


def test_the_calls_are_those_that_preflight_counts(make_thread: MakeThread, sandbox: RunningSandbox) -> None:
    thread = make_thread(messages=105)
    backfilled(claim(start("backfill", thread)))
    methods = [request.method for request in sandbox.control.requests()]
    assert (methods.count("POST"), methods.count("GET")) == (1 + thread.chunk_count, 3)


def test_the_conversation_carries_the_threads_metadata_and_its_id(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread())))
    stored = sandbox.control.conversation(thread.conversation.conversation_id)
    assert stored.conversation["metadata"] == {"user_id": "u1", "thread_id": "thread_1"}


def test_an_empty_thread_becomes_an_empty_conversation(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=0))))
    assert thread.status == S.VERIFIED
    assert sandbox.control.state().items == {thread.conversation.conversation_id: 0}


def test_chunks_name_the_messages_they_cover_and_the_items_they_became(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=3))))
    chunk = thread.conversation.chunks.get()
    stored = sandbox.control.conversation(thread.conversation.conversation_id)
    assert chunk.source_ids == ["msg_thread_1_0", "msg_thread_1_1", "msg_thread_1_2"]
    assert chunk.item_ids == [item["id"] for item in stored.items]
    assert chunk.request_id


def test_every_status_change_stands_in_the_audit_trail_with_job_and_batch(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = make_thread()
    batch = start("backfill", thread)
    backfilled(claim(batch))
    trail = AuditEvent.objects.filter(subject_id="thread_1", batch_pk=batch.pk).order_by("pk")
    assert list(trail.values_list("verb", "before", "after", "job_id")) == [
        ("thread.queued", "snapshotted", "queued", "job-1"),
        ("thread.backfill_started", "queued", "backfilling", "job-1"),
        ("conversation.created", "", trail[2].after, "job-1"),
        ("thread.backfilled", "backfilling", "backfilled", "job-1"),
        ("thread.verified", "backfilled", "verified", "job-1"),
    ]
    assert trail[2].request_id


@pytest.mark.parametrize("status", [S.BACKFILLING, S.BACKFILLED])
def test_a_thread_whose_worker_died_is_resumed_and_the_trail_says_so(
    make_thread: MakeThread, sandbox: RunningSandbox, status: str
) -> None:
    thread = claim(start("backfill", make_thread()))
    if status == S.BACKFILLED:
        sandbox.control.add_fault("reset_before", "GET .*/items")
        with pytest.raises(GatewayError):
            backfilled(thread)
        sandbox.control.clear_faults()
    else:
        Thread.objects.update(status=status)
    before = AuditEvent.objects.order_by("-pk")[0].pk
    resumed(thread)
    event = AuditEvent.objects.filter(pk__gt=before).order_by("pk")[0]
    assert (event.verb, event.subject_id) == ("thread.resumed", thread.thread_id)
    assert (event.before, event.after) == (status, status)
    assert event.reason == "The worker that had it did not finish."
    assert not AuditEvent.objects.filter(pk__gt=before, verb="thread.backfill_started").exists()
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_a_lost_answer_to_create_becomes_an_orphan_and_content_goes_to_a_new_conversation(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    sandbox.control.add_fault("reset_after", "POST /conversations$", times=1)
    thread = claim(start("backfill", make_thread()))
    with pytest.raises(GatewayError):
        backfilled(thread)
    resumed(thread)
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    orphan = OrphanConversation.objects.get()
    assert orphan.metadata_keys == ["thread_id", "user_id"]
    assert sorted(sandbox.control.state().items.values()) == [0, 3]


@pytest.mark.parametrize("fault", ["reset_after", "garbage", "error_500_after"])
def test_a_lost_answer_to_an_append_that_acted_is_looked_up_and_not_repeated(
    make_thread: MakeThread, sandbox: RunningSandbox, fault: str
) -> None:
    sandbox.control.add_fault(fault, "POST .*/items", times=1, after=1)
    thread = claim(start("backfill", make_thread(messages=45)))
    with pytest.raises(GatewayError):
        backfilled(thread)
    resumed(thread)
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert thread.status == S.VERIFIED
    assert sandbox.control.state().requests["POST /conversations/{conversation_id}/items"] == 3


@pytest.mark.parametrize("fault", ["reset_before", "error_500", "error_503"])
def test_an_append_in_doubt_that_is_not_there_is_sent_again_where_repeats_are_refused(
    make_thread: MakeThread, sandbox: RunningSandbox, fault: str
) -> None:
    sandbox.control.add_fault(fault, "POST .*/items", times=1, after=1)
    thread = claim(start("backfill", make_thread(messages=45)))
    with pytest.raises(GatewayError):
        backfilled(thread)
    resumed(thread, repeats_refused=True)
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert thread.status == S.VERIFIED
    assert not FormerConversation.objects.exists()


@pytest.mark.parametrize("fault", ["rate_limit", "conversation_locked"])
def test_a_refused_append_leaves_no_doubt_behind(
    make_thread: MakeThread, sandbox: RunningSandbox, fault: str
) -> None:
    sandbox.control.add_fault(fault, "POST .*/items", times=1)
    thread = claim(start("backfill", make_thread()))
    with pytest.raises(GatewayError):
        backfilled(thread)
    assert not Chunk.objects.exists()
    resumed(thread)
    assert_conversation_holds_exactly_the_thread(thread, sandbox)


def test_a_refused_create_leaves_neither_a_conversation_row_nor_an_orphan(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    sandbox.control.add_fault("rate_limit", "POST /conversations$", times=1)
    with pytest.raises(GatewayError):
        backfilled(claim(start("backfill", make_thread())))
    assert not Conversation.objects.exists()
    assert not OrphanConversation.objects.exists()


def test_a_stranger_in_the_conversation_sends_the_thread_to_a_person(
    make_thread: MakeThread, target: Connection, sandbox: RunningSandbox, run: Run
) -> None:
    sandbox.control.add_fault("reset_after", "POST .*/items", times=1)
    thread = claim(start("backfill", make_thread()))
    with pytest.raises(GatewayError):
        backfilled(thread)
    conversation_id = Conversation.objects.get().conversation_id
    run(
        target.post(
            f"/conversations/{conversation_id}/items", {"items": [{"role": "user", "content": "me too"}]}
        )
    )
    assert resumed(thread).status == S.NEEDS_REVIEW
    thread.refresh_from_db()
    assert thread.error_code == "difference"
    assert len(sandbox.control.conversation(conversation_id).items) == 4


def test_a_difference_found_by_verify_goes_to_a_person_in_words_without_content(
    make_thread: MakeThread, target: Connection, run: Run
) -> None:
    thread = backfilled(claim(start("backfill", make_thread())))
    item_id = thread.conversation.chunks.get().item_ids[1]
    run(target.delete(f"/conversations/{thread.conversation.conversation_id}/items/{item_id}"))
    claimed = claim(start("verify", thread))
    verified(claimed)
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "difference")
    assert "item 2 (message by assistant)" in thread.error_text
    assert "assistant says" not in thread.error_text
    assert thread.conversation.state == "complete"


def test_a_conversation_that_the_target_lost_goes_to_a_person(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread())))
    sandbox.control.reset()
    verified(claim(start("verify", thread)))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "conversation_missing")


def metadata_of(sandbox: RunningSandbox, thread: Thread) -> dict[str, str]:
    stored = sandbox.control.conversation(thread.conversation.conversation_id)
    metadata: dict[str, str] = stored.conversation["metadata"]
    return metadata


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"user_id": "u2"}, "another value: user_id"),
        ({"user_id": None}, "missing: user_id"),
        ({"topic": "tides"}, "not planned: topic"),
    ],
)
def test_metadata_that_differs_goes_to_a_person(
    make_thread: MakeThread, sandbox: RunningSandbox, change: dict[str, str | None], text: str
) -> None:
    thread = backfilled(claim(start("backfill", make_thread())))
    changed = {
        name: value for name, value in (metadata_of(sandbox, thread) | change).items() if value is not None
    }
    path = f"/conversations/{thread.conversation.conversation_id}"
    call(sandbox, "POST", path, {"metadata": changed})
    verified(claim(start("verify", thread)))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "difference")
    assert text in thread.error_text


def test_metadata_lost_in_the_create_is_never_verified(
    make_thread: MakeThread, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def forgetful(connection: Connection, *, metadata: dict[str, str]) -> Created:
        return await conversation_create(connection, metadata={})

    monkeypatch.setattr(protocol, "conversation_create", forgetful)
    thread = backfilled(claim(start("backfill", make_thread())))
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "difference")
    assert "missing: user_id, thread_id" in thread.error_text


def test_metadata_that_the_target_can_not_give_is_said_and_stays_said(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    sandbox.control.add_fault("unauthorized", "GET /conversations/[^/]+$", status=405)
    thread = backfilled(claim(start("backfill", make_thread())))
    assert (thread.status, thread.conversation.not_shown) == (S.VERIFIED, "metadata")
    assert thread.finding_counts == {"metadata_not_shown": 1}
    assert "could not be compared" in AuditEvent.objects.get(verb="thread.verified").reason
    thread_assess(thread=thread, actor=ACTOR)
    assert thread.finding_counts == {"metadata_not_shown": 1}
    sandbox.control.clear_faults()
    verified(claim(start("verify", thread)))
    thread.refresh_from_db()
    thread.conversation.refresh_from_db()
    assert (thread.status, thread.finding_counts, thread.conversation.not_shown) == (S.VERIFIED, {}, "")


def test_an_item_put_in_the_place_of_another_with_the_same_words_goes_to_a_person(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread())))
    path = f"/conversations/{thread.conversation.conversation_id}/items"
    last = sandbox.control.conversation(thread.conversation.conversation_id).items[-1]
    call(sandbox, "DELETE", f"{path}/{last.pop('id')}")
    call(sandbox, "POST", path, {"items": [last]})
    verified(claim(start("verify", thread)))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "difference")
    assert "item 3 is not the one that was appended" in thread.error_text


def test_ids_are_compared_over_chunks_of_several_workers(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    sandbox.control.add_fault("reset_after", "POST .*/items", times=1, after=1)
    thread = claim(start("backfill", make_thread(messages=45)))
    with pytest.raises(GatewayError):
        backfilled(thread)
    Chunk.objects.filter(sequence=0).update(
        item_ids=[f"msg_{number}" for number in range(20)],
    )
    resumed(thread)
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == (S.NEEDS_REVIEW, "conversation_continued")
    assert "item 1 is not the one that was appended" in thread.error_text


def test_a_target_that_gives_items_no_ids_is_verified_by_what_they_say(
    make_thread: MakeThread, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    get, post = Connection.get, Connection.post

    def without_ids(answer: Answer) -> Answer:
        for item in answer.value.get("data", ()):
            item["id"] = None
        return answer

    async def got(self: Connection, *args: Any) -> Answer:
        return without_ids(await get(self, *args))

    async def posted(self: Connection, *args: Any, **options: Any) -> Answer:
        return without_ids(await post(self, *args, **options))

    monkeypatch.setattr(Connection, "get", got)
    monkeypatch.setattr(Connection, "post", posted)
    thread = backfilled(claim(start("backfill", make_thread())))
    assert (thread.status, thread.conversation.not_shown) == (S.VERIFIED, "")
    assert thread.conversation.chunks.get().item_ids == ["", "", ""]


def test_words_that_stand_there_twice_are_told_so(make_thread: MakeThread, sandbox: RunningSandbox) -> None:
    thread = backfilled(claim(start("backfill", make_thread())))
    continued_by_its_application(sandbox, thread.conversation.conversation_id, "user says 2")
    verified(claim(start("verify", thread)))
    thread.refresh_from_db()
    assert thread.error_text.endswith("1 not planned; 1 of these are there twice")


def test_verifying_again_what_is_verified_stays_verified(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread())))
    verified(claim(start("verify", thread)))
    thread.refresh_from_db()
    assert (thread.status, thread.pending_work) == (S.VERIFIED, "")


def test_a_blocked_thread_sends_nothing(make_thread: MakeThread, sandbox: RunningSandbox) -> None:
    thread = make_thread()
    batch = start("backfill", thread)
    add_page(thread, [message("thread_1", 9, role="system")])
    assert backfilled(claim(batch)).status == S.BLOCKED
    assert sandbox.control.requests() == []


def test_what_the_source_gained_is_appended_as_a_delta(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=25))))
    add_page(thread, [message("thread_1", number) for number in range(25, 30)], "import-2")
    Thread.objects.update(status=S.NEEDS_REVIEW, error_code="source_grown")
    backfilled(claim(start("backfill", thread)))
    assert_conversation_holds_exactly_the_thread(thread, sandbox)
    assert (thread.status, thread.conversation.item_count) == (S.VERIFIED, 30)
    assert len(sandbox.control.state().items) == 1


def test_a_delta_is_not_appended_to_a_conversation_that_its_application_continued(
    make_thread: MakeThread, target: Connection, sandbox: RunningSandbox, run: Run
) -> None:
    thread = backfilled(claim(start("backfill", make_thread(messages=3))))
    conversation_id = thread.conversation.conversation_id
    run(
        target.post(
            f"/conversations/{conversation_id}/items", {"items": [{"role": "user", "content": "go on"}]}
        )
    )
    add_page(thread, [message("thread_1", 3)], "import-2")
    Thread.objects.update(status=S.NEEDS_REVIEW, error_code="source_grown")
    assert backfilled(claim(start("backfill", thread))).error_code == "conversation_continued"
    assert len(sandbox.control.conversation(conversation_id).items) == 4


def test_a_plan_that_changed_under_sent_chunks_goes_to_a_person(
    make_thread: MakeThread, sandbox: RunningSandbox
) -> None:
    thread = backfilled(claim(start("backfill", make_thread())))
    Chunk.objects.update(digest="0" * 64)
    Thread.objects.update(status=S.NEEDS_REVIEW, error_code="source_grown")
    assert backfilled(claim(start("backfill", thread))).error_code == "plan_changed"
