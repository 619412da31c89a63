from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from migration_app.models import AuditEvent, Chunk, Thread
from tests.migration_app.admin.conftest import HOSTILE, LogIn, MakeThread
from tests.migration_app.admin.estate import conversation_made, thread_made


def page_url(thread: Thread) -> str:
    return reverse("admin:migration_app_thread_change", args=[thread.pk])


def test_messages_and_items_stand_side_by_side(log_in: LogIn, make_thread: MakeThread) -> None:
    thread = make_thread("Is it open on Sunday?", "From ten to six.")
    response = log_in("operator").get(page_url(thread))
    first, second = response.context["entries"].rows
    assert [part.text for part in first.parts] == ["Is it open on Sunday?"]
    assert [part.text for item in first.items for part in item.parts] == ["Is it open on Sunday?"]
    assert second.items[0].label == "assistant"
    assert response.content.decode().count("From ten to six.") >= 2


def test_a_finding_stands_beside_the_message_it_speaks_of(log_in: LogIn, make_thread: MakeThread) -> None:
    thread = make_thread(
        "hi", {"role": "system", "content": [{"type": "text", "text": {"value": "be rude"}}]}
    )
    entries = log_in("operator").get(page_url(thread)).context["entries"].rows
    assert [finding.code for finding in entries[1].findings] == ["role_unknown"]
    assert entries[1].items == []


def test_an_item_shows_the_chunk_it_went_in_and_the_id_it_got(log_in: LogIn, make_thread: MakeThread) -> None:
    thread = make_thread("one", "two", "three")
    conversation = conversation_made(thread=thread)
    for sequence, (first, ids) in enumerate([(0, ["msg_a", "msg_b"]), (2, [])]):
        Chunk.objects.create(
            conversation=conversation,
            sequence=sequence,
            first_item=first,
            item_count=2 - sequence,
            digest="",
            source_ids=[],
            item_ids=ids,
        )
    entries = log_in("operator").get(page_url(thread)).context["entries"].rows
    assert [(item.chunk, item.item_id) for entry in entries for item in entry.items] == [
        (1, "msg_a"),
        (1, "msg_b"),
        (2, ""),
    ]


def test_without_the_permission_there_is_structure_and_no_content(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("the secret recipe", {"content": "a plain secret string"})
    page = log_in("viewer").get(page_url(thread)).content.decode()
    assert "secret" not in page
    assert "17 characters" in page
    assert "not its content" in page


def test_without_the_permission_nothing_is_written_by_looking(log_in: LogIn, make_thread: MakeThread) -> None:
    log_in("viewer").get(page_url(make_thread("hi")))
    assert not AuditEvent.objects.exists()


def test_each_viewing_of_content_is_audited(log_in: LogIn, make_thread: MakeThread) -> None:
    client, thread = log_in("operator"), make_thread("hi")
    client.get(page_url(thread))
    client.get(page_url(thread))
    events = AuditEvent.objects.values_list("verb", "actor", "subject_id", "reason")
    assert list(events) == [("thread.content_viewed", "operator", thread.thread_id, "entries 1–1 of 1")] * 2


def test_a_thread_without_a_snapshot_says_so_and_audits_nothing(log_in: LogIn) -> None:
    page = log_in("operator").get(page_url(thread_made())).content.decode()
    assert "There is no snapshot" in page
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    "message",
    [
        HOSTILE,
        {"content": HOSTILE},
        {"role": HOSTILE, "content": HOSTILE},
        {"content": [{"type": HOSTILE, "x": HOSTILE}]},
        {"content": [{"type": "image_url", "image_url": {"url": f"javascript:{HOSTILE}"}}]},
        {
            "content": [],
            "attachments": [{"file_id": HOSTILE, "tools": [{"type": HOSTILE}]}],
            "status": HOSTILE,
        },
        {"id": HOSTILE, "content": "x", "created_at": HOSTILE, "metadata": {HOSTILE: HOSTILE}},
    ],
    ids=["text", "string", "role", "part type", "image address", "attachment", "id"],
)
def test_hostile_content_is_harmless(message: Any, log_in: LogIn, make_thread: MakeThread) -> None:
    page = log_in("operator").get(page_url(make_thread(message))).content.decode()
    assert "<script>alert(" not in page
    assert "<img" not in page
    assert 'href="javascript:' not in page


@pytest.mark.parametrize(
    "content",
    [
        None,
        7,
        {},
        [None, 7, [], "x"],
        [{"type": "text", "text": None}],
        [{"type": "text", "text": {"value": 7}}],
    ],
)
def test_odd_shapes_are_shown_and_never_fail(content: Any, log_in: LogIn, make_thread: MakeThread) -> None:
    assert log_in("operator").get(page_url(make_thread({"content": content}))).status_code == 200


def test_text_that_no_page_can_carry_is_shown_with_replacements(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("half \ud800 of a pair", "nul \x00 here")
    assert "half \ufffd of a pair" in log_in("operator").get(page_url(thread)).content.decode()


def test_right_to_left_text_keeps_its_own_direction(log_in: LogIn, make_thread: MakeThread) -> None:
    page = log_in("operator").get(page_url(make_thread("שלום"))).content.decode()
    assert '<div class="mc-text" dir="auto">שלום</div>' in page


def test_a_long_thread_is_shown_fifty_entries_a_page(log_in: LogIn, make_thread: MakeThread) -> None:
    client, thread = log_in("operator"), make_thread(*(f"message number {number}." for number in range(120)))
    last = client.get(page_url(thread), {"page": "3"}).content.decode()
    assert "message number 119." in last
    assert "message number 99." not in last
    assert "page 3 of 3" in last


def test_a_long_text_is_cut_with_a_link_to_the_whole_of_it(log_in: LogIn, make_thread: MakeThread) -> None:
    client, thread = log_in("operator"), make_thread("a" * 30_000 + "the end")
    page = client.get(page_url(thread))
    assert page.context["entries"].rows[0].parts[0].cut == 10_007
    whole = client.get(page_url(thread), {"whole": "1"})
    assert whole.context["entries"].rows[0].parts[0].text.endswith("the end")


def test_the_page_takes_no_more_queries_for_many_messages(
    log_in: LogIn, make_thread: MakeThread, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client, thread = log_in("operator"), make_thread(*("hi" for _ in range(120)))
    conversation_made(thread=thread)
    with django_assert_max_num_queries(20):
        client.get(page_url(thread))


def test_only_actions_that_would_take_the_thread_are_offered(log_in: LogIn, make_thread: MakeThread) -> None:
    thread = make_thread("hi", status="failed", error_code="rate_limited", error_text="Slow down.")
    response = log_in("operator").get(page_url(thread))
    assert [kind.name for kind, _url in response.context["actions"]] == ["retry"]
    assert "Slow down." in response.content.decode()


def test_a_thread_with_waiting_work_is_offered_no_action(log_in: LogIn, make_thread: MakeThread) -> None:
    thread = make_thread("hi")
    conversation = conversation_made(thread=thread, state="verified", verified_at=timezone.now())
    page = log_in("viewer").get(page_url(thread))
    assert page.context["actions"] == []
    assert conversation.conversation_id in page.content.decode()
