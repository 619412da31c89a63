"""A target that refuses certain items, and says no more than 400."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from migration_app.contracts import PlannedItem
from migration_app.engine.steps import protocol
from migration_app.engine.steps.refusals import halves, is_about_items
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.models import AuditEvent, Conversation, FormerConversation, ServerMessage, Thread
from migration_app.threads.assessments import thread_assess
from tests.migration_app.engine.conftest import (
    ACTOR,
    add_page,
    assert_conversation_holds_exactly_the_thread,
    backfilled,
    claim,
    expire_leases,
    message,
    objects_of,
    resumed,
    start,
    verified,
)
from tests.sandbox import RunningSandbox

Refusing = Callable[[Callable[[dict[str, Any]], bool]], None]


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal counts at once; the test of patience says otherwise."""
    monkeypatch.setattr(protocol, "_TRIES_BEFORE_LOSS", 0)


IMAGE = {"type": "image_url", "image_url": {"url": "https://pictures.example/pan.png", "detail": "low"}}


def refusal(
    text: str = "The server refused the request (400).",
) -> GatewayError:
    return GatewayError(
        "invalid_item", text, outcome=Outcome.NOTHING, permanent=True, status=400, said="Invalid item."
    )


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> Refusing:
    """Make the target refuse every append with an item that the predicate picks; it names none."""

    def refuse(predicate: Callable[[dict[str, Any]], bool]) -> None:
        send = Connection.post

        async def post(self: Connection, path: str, body: Any, *, items: int = 0) -> Any:
            if any(predicate(item) for item in decoded(body).get("items", ())):
                raise refusal()
            return await send(self, path, body, items=items)

        monkeypatch.setattr(Connection, "post", post)

    return refuse


def decoded(body: Any) -> dict[str, Any]:
    """A request's body, which the gateway may have made bytes of already."""
    value: dict[str, Any] = json.loads(body) if isinstance(body, bytes) else body
    return value


def has_image(item: dict[str, Any]) -> bool:
    return "input_image" in json.dumps(item)


def thread_with(*extra: dict[str, Any], messages: int = 24) -> Thread:
    thread = Thread.objects.create(thread_id="thread_1")
    add_page(thread, [*objects_of("thread_1", messages), *extra])
    thread_assess(thread=thread, actor=ACTOR)
    return thread


def picture(number: int) -> dict[str, Any]:
    part = {"type": "text", "text": {"value": "Look at this.", "annotations": []}}
    return message("thread_1", number, content=[part, IMAGE])


@pytest.mark.django_db(transaction=True)
def test_the_refused_item_is_found_and_replaced_and_all_others_arrive_as_they_are(
    sandbox: RunningSandbox, refusing: Refusing
) -> None:
    thread = thread_with(picture(24), message("thread_1", 25))
    refusing(has_image)
    backfilled(claim(start("backfill", thread)))
    thread.refresh_from_db()
    assert thread.status == "verified"
    stored = sandbox.control.conversation(thread.conversation.conversation_id).items
    assert [item["role"] for item in stored] == ["user", "assistant"] * 13
    assert "pan.png" in json.dumps(stored[24])
    assert [entry["position"] for entry in thread.conversation.replacements] == [24]
    assert thread.finding_counts.keys() & {"item_refused_reshaped", "item_refused_replaced"}
    assert_conversation_holds_exactly_what_verify_expects(thread)


@pytest.mark.django_db(transaction=True)
def test_what_was_refused_is_replaced_at_once_in_the_conversation_that_a_thread_starts_over_in(
    sandbox: RunningSandbox, refusing: Refusing
) -> None:
    thread = thread_with(picture(24), message("thread_1", 25))
    refused: list[dict[str, Any]] = []

    def picture_is_noted(item: dict[str, Any]) -> bool:
        if has_image(item):
            refused.append(item)
        return has_image(item)

    refusing(picture_is_noted)
    sandbox.control.add_fault("reset_before", "POST .*/items", times=1, after=4)
    with pytest.raises(GatewayError):
        backfilled(claim(start("backfill", thread)))
    times = len(refused)
    thread = resumed(Thread.objects.get())
    assert thread.status == "verified"
    assert FormerConversation.objects.count() == 1
    assert [entry["position"] for entry in thread.conversation.replacements] == [24]
    assert len(refused) == times
    assert_conversation_holds_exactly_what_verify_expects(thread)


def assert_conversation_holds_exactly_what_verify_expects(thread: Thread) -> None:
    """Verified again from its snapshot, policies and replacements alone."""
    verified(claim(start("verify", thread)))
    thread.refresh_from_db()
    assert thread.status == "verified"


@pytest.mark.django_db(transaction=True)
def test_the_audit_trail_says_which_item_was_refused_and_the_words_stand_beside_the_thread(
    sandbox: RunningSandbox, refusing: Refusing
) -> None:
    refusing(has_image)
    backfilled(claim(start("backfill", thread_with(picture(24)))))
    event = AuditEvent.objects.get(verb="item.refused")
    assert "Item 25, from message msg_thread_1_24" in event.reason
    assert event.reason.endswith(": invalid_item (400).")
    text = ServerMessage.objects.get()
    assert (text.thread.thread_id, text.code, text.item, text.status) == (
        "thread_1",
        "item_refused",
        25,
        400,
    )
    assert text.text == "Invalid item."


@pytest.mark.django_db(transaction=True)
def test_two_refused_items_in_one_chunk_are_both_found(sandbox: RunningSandbox, refusing: Refusing) -> None:
    thread = thread_with(picture(24), message("thread_1", 25), picture(26), messages=24)
    refusing(has_image)
    assert backfilled(claim(start("backfill", thread))).status == "verified"
    assert sorted(entry["position"] for entry in thread.conversation.replacements) == [24, 26]


@pytest.mark.django_db(transaction=True)
def test_a_target_that_refuses_everything_leaves_the_thread_blocked_and_its_words_apart(
    sandbox: RunningSandbox, refusing: Refusing
) -> None:
    refusing(lambda _item: True)
    thread = backfilled(claim(start("backfill", thread_with(messages=3))))
    assert (thread.status, thread.error_code, thread.pending_work) == ("blocked", "item_refused", "")
    assert thread.error_text == "The target refused item 1 (message by user) and every fallback."
    assert ServerMessage.objects.get(item=1).text == "Invalid item."


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_after_a_replacement_resumes_with_the_same_plan(
    sandbox: RunningSandbox, refusing: Refusing
) -> None:
    thread = thread_with(picture(24), message("thread_1", 25))
    batch = start("backfill", thread)
    refusing(has_image)
    sandbox.control.add_fault("error_503", "POST .*/items", times=1, after=2)
    with pytest.raises(GatewayError):
        backfilled(claim(batch))
    expire_leases()
    Thread.objects.update(not_before=None)
    again = backfilled(claim(batch))
    assert again.status == "verified"
    assert_conversation_holds_exactly_what_verify_expects(again)


@pytest.mark.django_db(transaction=True)
def test_importing_the_archive_again_does_not_take_a_replacement_for_growth(
    sandbox: RunningSandbox, refusing: Refusing
) -> None:
    refusing(has_image)
    thread = backfilled(claim(start("backfill", thread_with(picture(24)))))
    before = (thread.item_count, thread.payload_bytes, thread.fidelity)
    thread_assess(thread=thread, actor=ACTOR)
    thread.refresh_from_db()
    assert (thread.item_count, thread.payload_bytes, thread.fidelity) == before


@pytest.mark.django_db(transaction=True)
def test_an_append_that_arrived_late_is_looked_up_and_not_taken_for_a_refusal(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = thread_with(messages=3)
    batch = start("backfill", thread)
    send = Connection.post

    async def late(self: Connection, path: str, body: Any, *, items: int = 0) -> Any:
        if path.endswith("/items"):
            await send(self, path, body, items=items)  # what an earlier try sent arrives only now
        return await send(self, path, body, items=items)

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "post", late)
        with pytest.raises(GatewayError) as caught:
            backfilled(claim(batch))
    assert (caught.value.code, caught.value.permanent) == ("append_in_doubt", False)
    expire_leases()
    Thread.objects.update(not_before=None)
    again = backfilled(claim(batch))
    assert_conversation_holds_exactly_the_thread(again, sandbox)
    assert not again.conversation.replacements


def planned(*kinds: str) -> list[PlannedItem]:
    """m: a message; c, o: a call and its output, of the number that follows."""
    items = []
    for kind in kinds:
        body: dict[str, Any] = (
            {"type": "message"} if kind == "m" else {"type": "function_call", "call_id": kind[1:]}
        )
        items.append(PlannedItem(body, "message", "x", 0))
    return items


@pytest.mark.parametrize(
    ("kinds", "cut"),
    [
        (["m", "m"], 1),
        (["m", "m", "m", "m"], 2),
        (["m", "c1", "o1", "m"], 1),
        (["c1", "o1", "c2", "o2"], 2),
        (["m", "c1", "o1"], 1),
        (["c1", "o1"], None),
        (["m"], None),
    ],
)
def test_parts_are_cut_near_the_middle_and_never_between_a_call_and_its_output(
    kinds: list[str], cut: int | None
) -> None:
    found = halves(planned(*kinds), range(len(kinds)))
    assert found == (None if cut is None else (range(cut), range(cut, len(kinds))))


@pytest.mark.parametrize(
    ("status", "permanent", "outcome", "about"),
    [
        (400, True, Outcome.NOTHING, True),
        (422, True, Outcome.NOTHING, True),
        (413, True, Outcome.NOTHING, True),
        (401, True, Outcome.NOTHING, False),
        (404, True, Outcome.NOTHING, False),
        (400, False, Outcome.NOTHING, False),
        (500, False, Outcome.UNKNOWN, False),
    ],
)
def test_only_refusals_of_the_body_are_about_items(
    status: int, permanent: bool, outcome: Outcome, about: bool
) -> None:
    error = GatewayError("x", "x", outcome=outcome, permanent=permanent, status=status)
    assert is_about_items(error) is about


@pytest.mark.django_db(transaction=True)
def test_policies_that_this_version_does_not_know_send_the_thread_to_a_person(
    sandbox: RunningSandbox,
) -> None:
    thread = backfilled(claim(start("backfill", thread_with(messages=3))))
    Conversation.objects.update(policies={"assistant_images": "engrave"})
    verified(claim(start("verify", thread)))
    thread.refresh_from_db()
    assert (thread.status, thread.error_code) == ("needs_review", "plan_changed")
    assert "engrave" in thread.error_text


@pytest.mark.django_db(transaction=True)
def test_content_is_replaced_by_less_only_when_the_refusal_holds_for_several_tries(
    sandbox: RunningSandbox, refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "_TRIES_BEFORE_LOSS", 3)
    thread = thread_with(messages=3)
    batch = start("backfill", thread)
    with pytest.MonkeyPatch.context() as patched:
        send = Connection.post

        async def outage(self: Connection, path: str, body: Any, *, items: int = 0) -> Any:
            if path.endswith("/items"):
                raise refusal()
            return await send(self, path, body, items=items)

        patched.setattr(Connection, "post", outage)
        for attempt in range(3):
            expire_leases()
            Thread.objects.update(attempts=attempt, not_before=None)
            with pytest.raises(GatewayError) as caught:
                backfilled(claim(batch))
            assert (caught.value.code, caught.value.permanent) == ("refused_for_now", False)
    expire_leases()
    Thread.objects.update(not_before=None)
    again = backfilled(claim(batch))
    assert again.conversation.replacements == []
    assert_conversation_holds_exactly_the_thread(again, sandbox)


@pytest.mark.django_db(transaction=True)
def test_retry_lets_a_blocked_thread_try_its_own_items_again(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = thread_with(messages=3)
    with monkeypatch.context() as patched:
        send = Connection.post

        async def barred(self: Connection, path: str, body: Any, *, items: int = 0) -> Any:
            if path != "/conversations":
                raise refusal()
            return await send(self, path, body, items=items)

        patched.setattr(Connection, "post", barred)
        assert backfilled(claim(start("backfill", thread))).status == "blocked"
    again = backfilled(claim(start("retry", thread)))
    assert (again.status, again.conversation.replacements) == ("verified", [])
    assert_conversation_holds_exactly_the_thread(again, sandbox)


@pytest.mark.django_db(transaction=True)
def test_a_404_for_a_kind_of_item_that_the_target_does_not_know_is_about_the_item(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = thread_with(picture(24), messages=24)
    send = Connection.post

    async def choosy(self: Connection, path: str, body: Any, *, items: int = 0) -> Any:
        if any(has_image(item) for item in decoded(body).get("items", ())):
            raise GatewayError(
                "not_found", "x", outcome=Outcome.NOTHING, permanent=True, status=404, said="What?"
            )
        return await send(self, path, body, items=items)

    monkeypatch.setattr(Connection, "post", choosy)
    again = backfilled(claim(start("backfill", thread)))
    assert (again.status, [entry["position"] for entry in again.conversation.replacements]) == (
        "verified",
        [24],
    )


@pytest.mark.django_db(transaction=True)
def test_a_404_because_the_conversation_is_gone_is_not_about_the_items(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = thread_with(messages=3)
    send = Connection.post

    async def forgetful(self: Connection, path: str, body: Any, *, items: int = 0) -> Any:
        if path.endswith("/items"):
            sandbox.control.reset()
        return await send(self, path, body, items=items)

    monkeypatch.setattr(Connection, "post", forgetful)
    with pytest.raises(GatewayError) as caught:
        backfilled(claim(start("backfill", thread)))
    assert (caught.value.code, caught.value.permanent) == ("list_behind", False)  # it may not be listed yet
    thread.refresh_from_db()
    assert thread.conversation.replacements == []
