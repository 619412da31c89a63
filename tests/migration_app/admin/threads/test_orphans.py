from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from migration_app.models import AuditEvent, OrphanConversation, Thread
from tests.migration_app.admin.conftest import HOSTILE, LogIn, MakeThread
from tests.migration_app.admin.estate import thread_made

LIST = "/admin/migration_app/orphanconversation/"


def orphan(thread: Thread | None = None, **fields: Any) -> OrphanConversation:
    return OrphanConversation.objects.create(
        thread=thread or thread_made(), **{"intended_at": timezone.now(), "reason": "lost", **fields}
    )


def url(entry: OrphanConversation, act: str = "change") -> str:
    return f"{LIST}{entry.pk}/{act if act == 'change' else f'act/{act}'}/"


def test_the_ledger_links_the_thread_and_says_by_what_it_is_recognised(log_in: LogIn) -> None:
    thread = thread_made(thread_id="thread_lost")
    orphan(thread, metadata_keys=["thread_id", "plan"])
    orphan(metadata_keys=["plan"], note="n" * 100)
    page = log_in("viewer").get(LIST).content.decode()
    assert reverse("admin:migration_app_thread_change", args=[thread.pk]) in page
    assert "thread_id = thread_lost" in page


def test_the_ledger_is_counted_and_narrowed_by_state(log_in: LogIn) -> None:
    for state in ("open", "open", "accepted"):
        orphan(state=state)
    client = log_in("viewer")
    figures = client.get(LIST).context["figures"]
    assert [figure["count"] for figure in figures] == ["2", "0", "1"]
    narrowed = client.get(LIST, {"state__exact": "accepted"}).context["cl"].result_list
    assert [entry.state for entry in narrowed] == ["accepted"]


def test_the_search_finds_by_exact_thread_id(log_in: LogIn) -> None:
    entry = orphan(thread_made(thread_id="thread_x"))
    orphan()
    found = log_in("viewer").get(LIST, {"q": "thread_x"}).context["cl"].result_list
    assert list(found) == [entry]


def test_the_ledger_takes_as_many_queries_for_forty_rows_as_for_one(
    log_in: LogIn, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = log_in("viewer")
    for _ in range(40):
        orphan()
    with django_assert_max_num_queries(13):
        client.get(LIST)


def test_an_entry_tells_all_that_is_known(log_in: LogIn, make_thread: MakeThread) -> None:
    thread = make_thread("hello")
    other = orphan(thread)
    entry = orphan(thread, reason="the answer broke off", request_id="req_7", metadata_keys=["thread_id"])
    page = log_in("viewer").get(url(entry)).content.decode()
    for text in ("the answer broke off", "req_7", thread.thread_id, url(other)):
        assert text in page
    assert "hello" not in page


def test_metadata_values_are_shown_to_those_who_may_see_content_and_that_is_audited(
    log_in: LogIn, make_thread: MakeThread
) -> None:
    entry = orphan(make_thread("hello"), metadata_keys=["thread_id", "gone"])
    viewer = log_in("viewer").get(url(entry)).content.decode()
    assert "for users who may see content" in viewer
    assert not AuditEvent.objects.filter(verb="orphan.metadata_viewed").exists()
    operator = log_in("operator").get(url(entry)).content.decode()
    assert "no longer in the snapshot" in operator
    assert AuditEvent.objects.get(verb="orphan.metadata_viewed").subject_id == entry.thread.thread_id


def test_a_person_closes_an_entry_with_a_note_and_opens_it_again(log_in: LogIn) -> None:
    entry = orphan()
    client = log_in("operator")
    client.post(url(entry, "close"), {"state": "deleted", "note": "found by its time"})
    entry.refresh_from_db()
    assert (entry.state, entry.note, entry.closed_by_name) == ("deleted", "found by its time", "operator")
    assert "found by its time" in client.get(url(entry)).content.decode()
    client.post(url(entry, "reopen"), {"note": "the wrong one"})
    entry.refresh_from_db()
    assert (entry.state, entry.closed_by_name) == ("open", "")
    assert list(AuditEvent.objects.order_by("pk").values_list("verb", flat=True)) == [
        "orphan.closed",
        "orphan.reopened",
    ]


@pytest.mark.parametrize(
    "posted", [{"state": "deleted", "note": " "}, {"note": "x"}, {"state": "open", "note": "x"}]
)
def test_closing_without_a_note_or_an_end_is_refused_with_what_is_missing(
    posted: dict[str, str], log_in: LogIn
) -> None:
    entry = orphan()
    response = log_in("operator").post(url(entry, "close"), posted)
    assert response.status_code == 400
    assert b'role="alert"' in response.content
    entry.refresh_from_db()
    assert entry.state == "open"


def test_an_entry_that_is_open_cant_be_opened(log_in: LogIn) -> None:
    assert log_in("operator").post(url(orphan(), "reopen")).status_code == 400


@pytest.mark.parametrize("act", ["close", "reopen"])
@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("newcomer", 403), ("anonymous", 302)])
def test_the_acts_need_the_permission(act: str, role: str, status: int, log_in: LogIn) -> None:
    entry = orphan()
    response = log_in(role).post(url(entry, act), {"state": "accepted", "note": "x"})
    assert response.status_code == status
    entry.refresh_from_db()
    assert entry.state == "open"


@pytest.mark.parametrize("act", ["close", "reopen"])
def test_looking_changes_nothing(act: str, log_in: LogIn) -> None:
    assert log_in("operator").get(url(orphan(), act)).status_code == 302


def test_hostile_words_are_shown_as_text(log_in: LogIn) -> None:
    entry = orphan(thread_made(thread_id=HOSTILE), metadata_keys=[HOSTILE], note=HOSTILE, state="accepted")
    client = log_in("viewer")
    OrphanConversation.objects.update(closed_at=timezone.now())
    assert "<script>alert('x')" not in client.get(url(entry)).content.decode()
    assert "<script>alert('x')" not in client.get(LIST).content.decode()


def test_an_unknown_entry_is_not_found(log_in: LogIn) -> None:
    client = log_in("operator")
    assert client.get(f"{LIST}987654/change/").status_code == 404
    assert client.post(f"{LIST}987654/act/close/").status_code == 404
