"""What people do with a batch on its page, and what the page shows while others act on it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from migration_app.models import AuditEvent, Batch, Thread
from tests.browser.conftest import OpenAs
from tests.migration_app.admin.estate import batch_made, result_made, thread_made, threads_made

pytestmark = pytest.mark.browser


def running(threads: int = 4, **fields: Any) -> Batch:
    batch = batch_made(**{"state": "running", "taken_count": threads, "selected_count": threads, **fields})
    threads_made(threads, batch=batch, status="queued", pending_work="backfill")
    return batch


def show(page: Page, console: LiveServer, batch: Batch) -> None:
    page.goto(f"{console.url}/admin/migration_app/batch/{batch.pk}/change/")


def test_an_operator_pauses_a_batch_with_a_reason_and_resumes_it(
    open_as: OpenAs, console: LiveServer
) -> None:
    batch = running()
    page = open_as("operator")
    show(page, console, batch)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#reason:invalid")).to_have_count(1)  # the browser itself asks for a reason
    page.get_by_label("Reason to pause or cancel").fill("lunch")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#held")).to_contain_text("Paused by operator: lunch")
    expect(page.get_by_role("button", name="Pause")).to_have_count(0)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text(f"Batch {batch.pk} is resumed.")).to_be_visible()
    expect(page.locator("#held")).to_have_count(0)
    verbs = list(
        AuditEvent.objects.filter(subject_kind="batch").order_by("pk").values_list("verb", flat=True)
    )
    assert verbs == ["batch.paused", "batch.resumed"]


def test_an_operator_changes_the_speed_while_a_batch_runs(open_as: OpenAs, console: LiveServer) -> None:
    batch = running()
    page = open_as("operator")
    show(page, console, batch)
    page.get_by_label("Calls in flight").fill("64")
    page.get_by_label("Requests a minute").fill("600")
    page.get_by_label("High priority").check()
    page.get_by_role("button", name="Change throttle").click()
    expect(page.get_by_text("has another speed within a second")).to_be_visible()
    expect(page.get_by_label("Calls in flight")).to_have_value("64")
    batch.refresh_from_db()
    assert (batch.window, batch.requests_per_minute, batch.urgent) == (64, 600, True)


def test_a_page_shows_what_the_breaker_did_without_being_asked(open_as: OpenAs, console: LiveServer) -> None:
    batch = running()
    page = open_as("viewer")
    show(page, console, batch)
    expect(page.get_by_text("0 of 4 threads done.")).to_be_visible()
    text = "5 threads in a row were refused (unauthorized). Set another key for the workers, then resume."
    Batch.objects.filter(pk=batch.pk).update(state="paused", held_text=text)
    expect(page.locator("#held")).to_contain_text(text)
    expect(page.get_by_role("button", name="Resume")).to_have_count(0)


def test_a_page_does_not_take_away_what_somebody_is_typing(open_as: OpenAs, console: LiveServer) -> None:
    batch = running()
    page = open_as("operator")
    show(page, console, batch)
    page.get_by_label("Reason to pause or cancel").fill("the wrong thr")
    Batch.objects.filter(pk=batch.pk).update(state="paused", held_text="Paused by grace: lunch")
    expect(page.locator("#held")).to_contain_text("Paused by grace: lunch")
    note = page.locator("#batch-control [data-live-note]")
    expect(note).to_contain_text("It continues when the form here is sent or emptied.")
    expect(page.get_by_label("Reason to pause or cancel")).to_have_value("the wrong thr")


def test_a_cancelled_batch_is_followed_to_its_end(open_as: OpenAs, console: LiveServer) -> None:
    batch = running()
    page = open_as("operator")
    show(page, console, batch)
    page.get_by_label("Reason to pause or cancel").fill("wrong ones")
    page.get_by_role("button", name="Cancel batch").click()
    expect(page.locator("#held")).to_contain_text("Cancelled by operator: wrong ones")
    expect(page.get_by_text("4 to go.")).to_be_visible()
    Thread.objects.filter(batch=batch).update(status="snapshotted", pending_work="")
    counted = {"taken_back": {"threads": 4, "partly_sent": 1}}
    Batch.objects.filter(pk=batch.pk).update(state="cancelled", settings=counted)
    expect(page.get_by_text("work removed from 4, 1 of them partly sent.")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel batch")).to_have_count(0)


def test_a_batch_that_ends_takes_its_buttons_away_also_while_somebody_types(
    open_as: OpenAs, console: LiveServer
) -> None:
    batch = running()
    page = open_as("operator")
    show(page, console, batch)
    page.get_by_label("Reason to pause or cancel").fill("too slow")
    Thread.objects.filter(batch=batch).update(status="verified", pending_work="")
    Batch.objects.filter(pk=batch.pk).update(state="finished", finished_at=timezone.now())
    expect(page.get_by_role("button", name="Pause")).to_be_hidden()
    expect(page.get_by_role("button", name="Cancel batch")).to_be_hidden()
    expect(page.locator("#batch-about")).to_contain_text("Finished", timeout=10_000)
    expect(page.locator("#batch-about")).to_contain_text("Throttle")


def test_a_second_person_approves_what_the_first_one_cannot(
    open_as: OpenAs, console: LiveServer, settings: Settings
) -> None:
    settings.APPROVAL_ABOVE_THREADS = 2
    batch = batch_made(kind="rollback", state="waiting", created_by_name="superuser", reason="ticket 12")
    first = open_as("superuser")
    show(first, console, batch)
    expect(first.locator("#approval")).to_contain_text("You requested it yourself")
    expect(first.get_by_role("link", name="Review and approve")).to_have_count(0)
    second = open_as("admin")
    show(second, console, batch)
    expect(second.locator("#approval")).to_contain_text("ticket 12")
    second.get_by_role("link", name="Review and approve").click()
    expect(second.locator("#consequence")).to_contain_text("can't be restored")
    second.get_by_role("button", name="Approve").click()
    expect(second.get_by_text("is approved and starts")).to_be_visible()
    batch.refresh_from_db()
    assert (batch.state, batch.approved_by_name) == ("preparing", "admin")


def test_only_the_failed_of_one_reason_are_retried(open_as: OpenAs, console: LiveServer) -> None:
    batch = running(1)
    for code in ("timeout", "timeout", "timeout", "unauthorized"):
        result_made(thread_made(batch=batch, status="failed", error_code=code), "failed", error_code=code)
    page = open_as("operator")
    show(page, console, batch)
    page.locator("#errors tr", has_text="timeout").get_by_role("link", name="Retry these").click()
    expect(page.get_by_role("heading", name="Retry: 3 threads")).to_be_visible()
    page.get_by_label("Reason").fill("the network is back")
    page.get_by_role("button", name="Start retry").click()
    expect(page.get_by_role("heading", name=re.compile("Batch .*: retry"))).to_be_visible()
    retry = Batch.objects.order_by("pk").last()
    assert retry is not None
    assert retry.filter["filters"] == {"batch__id__exact": str(batch.pk), "error_code__exact": "timeout"}


def test_the_confirm_page_asks_how_fast(open_as: OpenAs, console: LiveServer) -> None:
    thread_made(status="snapshotted", thread_id="thread_one")
    page = open_as("operator")
    page.goto(f"{console.url}/admin/migration_app/thread/act/backfill/?thread_id__exact=thread_one")
    expect(page.get_by_label("Calls in flight")).to_have_value("32")
    expect(page.get_by_label("High priority")).to_be_checked()
    page.get_by_label("Requests a minute").fill("60")
    page.get_by_label("Reason").fill("a customer waits")
    page.get_by_role("button", name="Start backfill").click()
    expect(page.get_by_text("was started: backfill")).to_be_visible()
    batch = Batch.objects.get()
    assert (batch.window, batch.requests_per_minute, batch.urgent) == (32, 60, True)
