"""What people decide about threads: keep, begin anew, roll back. Their pages, and what is left of conversations."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from migration_app.admin.threads import confirm_pages
from migration_app.models import AuditEvent, Batch, Chunk, FormerConversation, Thread
from migration_app.threads.selections import selection_of_pks
from tests.migration_app.admin.addresses import confirm_url
from tests.migration_app.admin.conftest import LogIn, MakeThread
from tests.migration_app.admin.estate import batch_made, conversation_made, thread_made

DECISIONS = ("accept", "remigrate", "rollback")


@pytest.fixture
def enqueued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    pks: list[int] = []
    monkeypatch.setattr(confirm_pages, "enqueue", lambda _kind, pk: pks.append(pk))
    return pks


def in_review(code: str = "conversation_continued", **fields: Any) -> Thread:
    thread = thread_made(status="needs_review", error_code=code, snapshot_at=timezone.now())
    conversation_made(thread=thread, **{"state": "complete", **fields})
    return thread


def page(name: str, thread: Thread) -> str:
    return f"{reverse('admin:migration_app_thread_act', args=[name])}?thread_id__exact={thread.thread_id}"


def confirm(log_in: LogIn, role: str, name: str, *threads: Thread, **data: str) -> Any:
    return log_in(role).post(confirm_url(name, selection_of_pks([thread.pk for thread in threads])), data)


def thread_page(thread: Thread) -> str:
    return reverse("admin:migration_app_thread_change", args=[thread.pk])


@pytest.mark.parametrize("name", DECISIONS)
def test_each_decision_needs_its_permission(log_in: LogIn, name: str) -> None:
    thread = in_review()
    assert log_in("viewer").get(page(name, thread)).status_code == 403
    assert log_in("admin").get(page(name, thread)).status_code == 200
    assert log_in("operator").get(page(name, thread)).status_code == (403 if name == "rollback" else 200)


@pytest.mark.parametrize("name", DECISIONS)
def test_each_decision_needs_a_reason(log_in: LogIn, enqueued: list[int], name: str) -> None:
    answer = confirm(log_in, "admin", name, in_review(), reason=" ")
    assert b"Say why" in answer.content
    assert not Batch.objects.exists()


@pytest.mark.parametrize("name", DECISIONS)
def test_each_decision_starts_a_batch_with_its_audit_row(
    log_in: LogIn, enqueued: list[int], name: str
) -> None:
    confirm(log_in, "admin", name, in_review(), in_review(), reason="ticket 9")
    batch = Batch.objects.get()
    assert (batch.kind, batch.reason, enqueued) == (name, "ticket 9", [batch.pk])
    assert AuditEvent.objects.get(verb=f"batch.{name}_started").actor == "admin"


def test_the_pages_say_what_can_not_be_undone(log_in: LogIn) -> None:
    client, thread = log_in("admin"), in_review()
    assert b"lossy finding" in client.get(page("accept", thread)).content
    assert b"The mapping will change" in client.get(page("remigrate", thread)).content
    assert b"Deleted items can&#x27;t be restored" in client.get(page("rollback", thread)).content


def test_deleting_what_is_not_ours_has_a_box_of_its_own_that_nobody_ticked(log_in: LogIn) -> None:
    answer = log_in("admin").get(page("rollback", in_review()))
    html = answer.content.decode()
    assert 'type="checkbox" name="foreign_too"' in html
    assert not answer.context["form"]["foreign_too"].value()
    assert "it is lost for good" in html


@pytest.mark.parametrize(("data", "chosen"), [({}, {}), ({"foreign_too": "1"}, {"foreign_too": True})])
def test_what_was_ticked_goes_with_the_batch(
    log_in: LogIn, enqueued: list[int], data: dict[str, str], chosen: dict[str, bool]
) -> None:
    confirm(log_in, "admin", "rollback", in_review(), reason="ticket 9", **data)
    assert Batch.objects.get().settings == chosen
    said = AuditEvent.objects.get(verb__startswith="batch.rollback_").reason
    assert Batch.objects.get().state == ("waiting" if data else "preparing")
    assert ("[what is not ours too]" in said) == bool(data)


def test_who_approves_sees_that_more_than_ours_is_deleted(log_in: LogIn) -> None:
    batch = batch_made(kind="rollback", state="waiting", settings={"foreign_too": True})
    url = reverse("admin:migration_app_batch_change", args=[batch.pk])
    assert b"content that applications added to these conversations" in log_in("admin").get(url).content


def test_a_box_that_was_ticked_is_still_ticked_when_the_reason_is_missing(log_in: LogIn) -> None:
    answer = confirm(log_in, "admin", "rollback", in_review(), reason="", foreign_too="1")
    assert answer.context["form"]["foreign_too"].value() is True
    assert b'name="foreign_too"' in answer.content


def test_beginning_anew_counts_the_whole_thread_under_the_policies_chosen(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("hi", "hello", status="needs_review", error_code="conversation_continued")
    conversation_made(thread=thread, state="complete")
    html = log_in("admin").get(page("remigrate", thread)).content.decode()
    assert '<span class="mc-soft">Items</span><b>2</b>' in html
    assert "have a conversation already" not in html
    assert "regardless of the old ones" in html


def test_appending_what_the_source_has_beyond_counts_only_the_items_that_are_not_there_yet(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    counts = {"message_count": 3, "item_count": 3, "chunk_count": 1, "fidelity": "exact"}
    thread = make_thread("hi", "hello", "more", status="needs_review", error_code="source_grown", **counts)
    conversation = conversation_made(thread=thread, state="complete")
    Chunk.objects.create(
        conversation=conversation, sequence=0, first_item=0, item_count=2, source_ids=[], state="appended"
    )
    html = log_in("operator").get(page("backfill", thread)).content.decode()
    assert '<span class="mc-soft">Items</span><b>1</b>' in html
    assert '<span class="mc-soft">Messages</span><b>at most 3</b>' in html
    assert "2 items are there" in html


def test_a_roll_back_tells_how_much_is_to_be_deleted(log_in: LogIn) -> None:
    thread = thread_made(status="verified", item_count=250, chunk_count=13, snapshot_at=timezone.now())
    html = log_in("admin").get(page("rollback", thread)).content.decode()
    assert '<span class="mc-soft">Items</span><b>250</b>' in html
    assert '<span class="mc-soft">API calls, about</span><b>508</b>' in html


def test_the_page_of_a_thread_in_review_leads_to_its_review_where_it_is_decided(log_in: LogIn) -> None:
    response = log_in("admin").get(thread_page(in_review()))
    assert [kind.name for kind, _url in response.context["actions"]] == ["snapshot", "resources"]
    assert "Open in review" in response.content.decode()


@pytest.mark.parametrize(
    ("code", "offered"),
    [
        ("conversation_continued", ["accept", "remigrate", "verify", "rollback", "exclude"]),
        ("accepted_source_grown", ["accept", "remigrate", "rollback", "exclude"]),
        ("source_grown", ["backfill", "remigrate", "rollback", "exclude"]),
        ("append_in_doubt", ["accept", "remigrate", "verify", "rollback", "exclude"]),
    ],
)
def test_a_thread_in_review_offers_what_can_be_decided(log_in: LogIn, code: str, offered: list[str]) -> None:
    response = log_in("admin").get(reverse("review_case", args=[in_review(code).pk]))
    assert [offer["kind"].name for offer in response.context["offers"]] == offered


def test_a_kept_thread_is_marked_and_says_which_items_are_left_out(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    thread = make_thread("one", "two", "three", status="verified")
    conversation_made(thread=thread, state="verified", verified_at=timezone.now(), continued_after=2)
    html = log_in("operator").get(thread_page(thread)).content.decode()
    assert "accepted as is after item 2" in html
    assert (
        html.count("left out: the conversation was accepted as is") == 3
    )  # no chunk of it is on record here
    assert "later_messages_left_out" in html


def test_a_threads_page_names_its_former_conversations_and_their_residue(log_in: LogIn) -> None:
    thread = thread_made(status="rolled_back")
    FormerConversation.objects.create(
        thread=thread,
        conversation_id="conv_old",
        outcome="rolled_back",
        left_behind="Two items.",
        actor="ada",
    )
    html = log_in("viewer").get(thread_page(thread)).content.decode()
    assert "none yet" in html
    assert "conv_old" in html
    assert "Two items." in html


def test_former_conversations_are_listed_and_found_by_their_id(log_in: LogIn) -> None:
    for name in ("conv_a", "conv_b"):
        FormerConversation.objects.create(
            thread=thread_made(),
            conversation_id=name,
            outcome="left",
            item_count=3,
            reason="why",
            actor="ada",
        )
    client = log_in("viewer")
    url = reverse("admin:migration_app_formerconversation_changelist")
    assert b"conv_b" in client.get(url).content
    found = client.get(f"{url}?q=conv_a").content
    assert b"conv_a" in found
    assert b"conv_b" not in found
    former = FormerConversation.objects.get(conversation_id="conv_a")
    detail = client.get(reverse("admin:migration_app_formerconversation_change", args=[former.pk])).content
    assert b"confirmed by reading" in detail
