from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from migration_app.admin.base import workers
from migration_app.models import AuditEvent, FormerConversation, OrphanConversation, TargetBehaviour, Thread
from tests.migration_app.admin.conftest import LogIn
from tests.migration_app.admin.estate import (
    batch_made,
    conversation_made,
    import_made,
    object_made,
    thread_made,
    threads_made,
)


def needs(context: Any) -> list[str]:
    return [f"{need['count']} {need['noun']} {need['text']}" for need in context["needs"]]


def test_each_status_is_counted_and_linked(log_in: LogIn) -> None:
    threads_made(3, status="verified")
    thread_made(status="failed")
    context = log_in("viewer").get("/admin/").context
    cards = {card["status"]: card for card in context["cards"]}
    assert set(cards) == set(Thread.Status.values)
    assert (cards["verified"]["count"], cards["failed"]["count"], cards["queued"]["count"]) == ("3", "1", "0")
    assert cards["verified"]["url"] == "/admin/migration_app/thread/?status__exact=verified"
    assert context["verified_percent"] == 75


def test_what_needs_a_person_is_listed_with_errors_by_code(log_in: LogIn) -> None:
    threads_made(2, status="failed", error_code="rate_limited")
    thread_made(status="needs_review")
    conversation = conversation_made()
    OrphanConversation.objects.create(
        thread=conversation.thread, intended_at=conversation.intended_at, reason="lost"
    )
    object_made(state="conflict")
    assert needs(log_in("viewer").get("/admin/").context) == [
        "1 thread need review: their conversation is not what was planned",
        "2 threads failed: rate_limited",
        "1 unconfirmed create on the orphan ledger",
        "1 conflict between versions of an assistant, file or vector store",
    ]


def test_running_batches_and_imports_show_live_progress(log_in: LogIn) -> None:
    thread_made()
    batch = batch_made(state="running")
    row = import_made()
    batch_made(state="finished")
    page = log_in("viewer").get("/admin/").content.decode()
    assert page.count("data-progress-url") == 2
    assert f"/admin/migration_app/batch/{batch.pk}/progress.json" in page
    assert f"/admin/migration_app/sourceimport/{row.pk}/progress.json" in page


def test_an_empty_estate_offers_to_import(log_in: LogIn) -> None:
    assert b"Import an archive" in log_in("operator").get("/admin/").content
    assert b"Import an archive" not in log_in("viewer").get("/admin/").content


def test_staff_without_a_role_are_told_whom_to_ask(log_in: LogIn) -> None:
    thread_made(status="failed")
    AuditEvent.objects.create(actor="ada", verb="x.y", subject_kind="thread", subject_id="t_secret")
    page = log_in("newcomer").get("/admin/").content.decode()
    assert "have no role yet" in page
    assert "t_secret" not in page
    assert "/admin/migration_app/" not in page


def test_a_stranger_sees_the_login_page_only(log_in: LogIn) -> None:
    assert log_in("anonymous").get("/admin/")["Location"] == "/admin/login/?next=/admin/"


def test_signing_in_without_a_destination_leads_to_the_dashboard(log_in: LogIn) -> None:
    assert b'name="next" value="/admin/"' in log_in("anonymous").get("/admin/login/").content


@pytest.mark.parametrize(("alive", "text"), [(0, "No worker is alive"), (2, "2 workers are alive")])
def test_the_workers_are_counted(
    alive: int, text: str, log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread_made()
    monkeypatch.setattr(workers, "workers_alive", lambda: alive)
    assert text in log_in("viewer").get("/admin/").content.decode()


def test_a_queue_that_is_down_is_said_and_breaks_no_page(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_args: Any, **_kwargs: Any) -> None:
        raise RedisConnectionError("refused")

    monkeypatch.setattr(Redis, "execute_command", down)
    response = log_in("viewer").get("/admin/")
    assert response.status_code == 200
    assert "server can't be reached" in response.content.decode()
    assert "No worker is alive" not in response.content.decode()


def test_the_dashboard_takes_a_bounded_number_of_queries(
    log_in: LogIn, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    client = log_in("operator")
    for status in Thread.Status.values:
        fields = {"pending_work": "backfill", "batch": batch_made(state="running")}
        thread_made(status=status, error_code="x", **(fields if status in {"queued", "backfilling"} else {}))
    for _ in range(10):
        batch_made(state="running")
        import_made()
    with django_assert_max_num_queries(24):
        client.get("/admin/")


def test_the_dashboard_says_what_is_known_of_the_target_and_when_it_was_found_out(
    log_in: LogIn, settings: Any
) -> None:
    settings.TARGET_PROBE_HOURS = 24
    row = TargetBehaviour.objects.create(
        target="https://api.example.org/v1",
        repeats="refused",
        repeats_seen_at=timezone.now(),
        repeats_note="A repeated append was refused (x, 400) and added nothing.",
        list_lag_seconds=2.5,
    )
    thread_made()
    client = log_in("viewer")
    html = client.get("/admin/").content.decode()
    assert "A repeated append is refused" in html
    assert "Its lists were up to 2.5 s behind." in html
    row.repeats_seen_at = timezone.now() - dt.timedelta(days=3)
    row.save()
    assert "Not known whether it refuses" in client.get("/admin/").content.decode()


def test_conversations_that_the_target_does_not_delete_need_a_person(log_in: LogIn) -> None:
    thread = thread_made()
    for number, fields in enumerate(({}, {"delete_after": timezone.now()}, {"deleted_at": timezone.now()})):
        FormerConversation.objects.create(
            thread=thread, conversation_id=f"conv_{number}", outcome="given_up", actor="w", **fields
        )
    html = log_in("viewer").get("/admin/").content.decode()
    assert "given up in doubt, which the target does not delete" in html
    assert '<b class="mc-strong">1</b>' in html
