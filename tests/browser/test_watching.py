"""An operator watches the operation from the dashboard: sees trouble come up, resumes a batch, trusts no stale page."""

from __future__ import annotations

import pytest
from django.utils import timezone
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from migration_app.models import Batch, Reconciliation
from tests.browser.conftest import OpenAs
from tests.browser.test_accessibility import violations
from tests.migration_app.admin.estate import batch_made, import_made, threads_made

pytestmark = pytest.mark.browser


@pytest.fixture
def batch(console: LiveServer) -> Batch:
    threads_made(6, status="verified", fidelity="exact", message_count=12)
    batch = batch_made(state="running", started_at=timezone.now(), taken_count=4, selected_count=4)
    threads_made(4, batch=batch, status="queued", pending_work="backfill", fidelity="exact")
    return batch


def test_an_operator_sees_a_batch_pause_itself_and_resumes_it(open_as: OpenAs, batch: Batch) -> None:
    page = open_as("operator")
    expect(page.get_by_role("heading", name="6 of 10 threads verified")).to_be_visible()
    expect(page.locator("#health")).to_contain_text("Trouble")
    expect(page.locator("#health")).to_contain_text("Workers none alive")
    expect(page.locator("#attention")).to_contain_text("Nothing needs your attention.")
    text = "5 threads in a row failed with the same error (unauthorized). Check the API key, then resume."
    Batch.objects.filter(pk=batch.pk).update(state="paused", held_text=text)
    expect(page.locator("#attention")).to_contain_text(text)  # nobody loaded the page again
    expect(page.locator("#active")).to_contain_text("paused")
    page.locator("#attention").get_by_role("button", name="Resume").click()
    expect(page.get_by_text(f"Batch {batch.pk} is resumed.")).to_be_visible()
    expect(page.locator("#attention")).to_contain_text("Nothing needs your attention.")


def test_an_operator_pauses_a_batch_in_place_while_the_page_stays_live(open_as: OpenAs, batch: Batch) -> None:
    page = open_as("operator")
    page.locator("#active summary", has_text="Pause").click()
    page.get_by_label("Reason").fill("lunch")
    page.locator("#active").get_by_role("button", name="Pause").click()
    expect(page.get_by_text(f"Batch {batch.pk} is paused.")).to_be_visible()
    expect(page.locator("#active").get_by_role("button", name="Resume")).to_be_visible()


def test_eleven_things_that_need_attention_are_seen_without_scrolling_a_list(
    open_as: OpenAs, console: LiveServer
) -> None:
    for number in range(8):
        threads_made(1, status="failed", error_code=f"code_{number}")
    for _ in range(3):
        import_made(state="finished", finished_at=timezone.now(), reject_count=3)
    page = open_as("viewer")
    page.set_viewport_size({"width": 1440, "height": 900})
    expect(page.locator("#needs > li")).to_have_count(11)
    assert page.locator("#needs").evaluate("list => list.scrollHeight - list.clientHeight") == 0


def test_a_page_that_gets_no_answer_says_since_when_and_recovers(open_as: OpenAs, batch: Batch) -> None:
    page = open_as("viewer")
    page.locator("#health-details > summary").click()
    page.locator("#health-details > summary").focus()
    page.route("**/admin/dashboard/live/", lambda route: route.abort())
    note = page.locator("#dashboard > .mc-live-note")
    expect(note).to_contain_text("Not updated since")
    expect(note).to_contain_text("The console does not answer.")
    assert violations(page) == []
    page.unroute("**/admin/dashboard/live/")
    threads_made(1, status="verified")
    expect(page.get_by_role("heading", name="7 of 11 threads verified")).to_be_visible()
    expect(note).to_be_hidden()
    expect(page.locator("#health-details")).to_have_attribute("open", "")  # as the person left it
    assert page.evaluate("document.activeElement.textContent") == "Workers and details"


def test_a_page_of_a_person_who_was_signed_out_says_so(open_as: OpenAs, batch: Batch) -> None:
    page = open_as("viewer")
    page.context.clear_cookies()
    expect(page.locator("#dashboard > .mc-live-note")).to_contain_text("You are signed out")
    expect(page.get_by_role("heading", name="6 of 10 threads verified")).to_be_visible()


def test_a_page_of_a_task_follows_it_to_its_end(open_as: OpenAs, console: LiveServer) -> None:
    row = Reconciliation.objects.create(
        checks=["records"], state="running", started_at=timezone.now(), created_by_name="ada"
    )
    page = open_as("viewer")
    page.goto(f"{console.url}/admin/migration_app/reconciliation/{row.pk}/change/")
    expect(page.locator("#task-page")).to_contain_text("Nothing so far.")
    Reconciliation.objects.filter(pk=row.pk).update(state="finished", finished_at=timezone.now())
    expect(page.locator("#task-page")).to_contain_text("Nothing differs.")
    expect(page.locator("#task-page")).to_have_attribute("data-live", "closed")
