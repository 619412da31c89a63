"""An operator looks before starting: preflight, then the backfill from it, whatever happens in between."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from migration_app.models import Batch
from tests.browser.conftest import OpenAs
from tests.migration_app.admin.estate import thread_made

pytestmark = pytest.mark.browser

LIST = "/admin/migration_app/thread/?status__exact=snapshotted"


def parameters(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


def sign_in(page: Page) -> None:
    page.fill("#id_username", "operator")
    page.fill("#id_password", "pw")
    page.click("#login-form button[type=submit]")


def test_an_operator_starts_the_backfill_from_its_preflight(
    open_as: OpenAs, console: LiveServer, settings: Settings
) -> None:
    settings.TARGET_REQUESTS_PER_MINUTE = 60
    for name in ("thread_one", "thread_two"):
        thread_made(
            thread_id=name,
            status="snapshotted",
            fidelity="exact",
            snapshot_at=timezone.now(),
            item_count=4,
            chunk_count=1,
        )
    page = open_as("operator")

    # From the list to the preflight of what is ticked: an address that can be reloaded, and left the way one came.
    page.goto(console.url + LIST)
    page.locator("tr", has_text="thread_one").locator("input.action-select").check()
    page.locator("select[name=action]").select_option("preflight")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("heading", name="Preflight: 1 thread")).to_be_visible()
    expect(page.locator("#duration")).to_contain_text("About 4 s at the target's limit")
    preflight = page.url
    page.reload()
    expect(page.get_by_role("heading", name="Preflight: 1 thread")).to_be_visible()
    page.get_by_role("link", name="Back", exact=True).click()
    assert page.url == console.url + LIST
    page.go_back()
    assert page.url == preflight

    # Other policies have an address of their own: Back and Forward go between them.
    page.locator("#policy-attachments").select_option("note")
    page.get_by_role("button", name="Recalculate", exact=True).click()
    page.wait_for_url(re.compile("policy-attachments=note"))
    page.go_back()
    assert page.url == preflight
    expect(page.locator("#policy-attachments")).not_to_have_value("note")
    page.go_forward()
    expect(page.locator("#policy-attachments")).to_have_value("note")

    # On to the backfill: the same thread, the same policies; Cancel leads back.
    page.get_by_role("button", name="Continue to the backfill").click()
    expect(page.get_by_role("heading", name="Backfill: 1 thread")).to_be_visible()
    confirm = page.url
    assert parameters(page)["policy-attachments"] == ["note"]
    page.get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("heading", name="Preflight: 1 thread")).to_be_visible()
    assert parameters(page)["policy-attachments"] == ["note"]
    page.go_back()

    # The session ends while the reason is typed: after signing in it is all still there, and nothing was started.
    page.get_by_label("Reason").fill("ticket 12")
    page.get_by_label("Calls in flight").fill("7")
    Session.objects.all().delete()
    page.get_by_role("button", name="Start backfill").click()
    sign_in(page)
    page.wait_for_url(confirm)
    expect(page.get_by_label("Reason")).to_have_value("ticket 12")
    expect(page.get_by_label("Calls in flight")).to_have_value("7")
    expect(page.get_by_text("Your unsaved input was restored.")).to_be_visible()
    assert not Batch.objects.exists()

    # A second tab with the same page: the first one starts, the second is led to that batch.
    second = page.context.new_page()
    second.goto(confirm)
    second.get_by_label("Reason").fill("twice")
    page.get_by_role("button", name="Start backfill").click()
    expect(page.get_by_text("was started: backfill")).to_be_visible()
    batch = Batch.objects.get()
    assert (batch.reason, batch.window, batch.estimated_calls) == ("ticket 12", 7, 4)
    assert batch.settings["policies"]["attachments"] == "note"
    second.get_by_role("button", name="Start backfill").click()
    expect(second.get_by_text("Nothing was started")).to_be_visible()
    assert urlsplit(second.url).path == f"/admin/migration_app/batch/{batch.pk}/change/"
    assert Batch.objects.count() == 1

    # A person who comes later reads it on the page itself; the input that has arrived is not offered again.
    page.goto(confirm)
    expect(page.get_by_text("A batch for the same threads is open")).to_be_visible()
    expect(page.get_by_label("Reason")).to_have_value("")


def test_a_form_from_before_another_sign_in_is_sent_again_with_its_text(
    open_as: OpenAs, console: LiveServer
) -> None:
    thread_made(thread_id="thread_one", status="snapshotted", snapshot_at=timezone.now())
    page = open_as("operator")
    page.goto(f"{console.url}/admin/migration_app/thread/act/backfill/")
    page.get_by_label("Reason").fill("typed before")
    other = page.context.new_page()
    Session.objects.all().delete()
    other.goto(f"{console.url}/admin/")
    sign_in(other)
    other.wait_for_url(f"{console.url}/admin/")
    page.get_by_role("button", name="Start backfill").click()
    expect(page.get_by_role("heading", name="Send this form again")).to_be_visible()
    page.get_by_role("link", name="Back to the form").click()
    expect(page.get_by_label("Reason")).to_have_value("typed before")
    page.get_by_role("button", name="Start backfill").click()
    expect(page.get_by_text("was started: backfill")).to_be_visible()
    assert Batch.objects.get().reason == "typed before"
