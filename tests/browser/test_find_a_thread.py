"""A viewer finds a thread by a piece of what a customer gave them."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from migration_app.models import FormerConversation, SavedFilter
from tests.browser.conftest import OpenAs
from tests.migration_app.admin.estate import conversation_made, thread_made, threads_made

pytestmark = pytest.mark.browser

WANTED = "thread_a1B2c3D4e5F6g7H8i9J0k1L2"


def test_a_viewer_finds_a_thread_by_a_piece_of_what_the_customer_gave_them(
    open_as: OpenAs, console: LiveServer
) -> None:
    threads_made(60)
    thread = thread_made(
        thread_id=WANTED, user_ref="anna.meyer@example.com", status="failed", error_code="timeout"
    )
    conversation_made(thread=thread, conversation_id="conv_0a1b2c3d4e5f")
    FormerConversation.objects.create(
        thread=thread, conversation_id="conv_gone77", outcome="left", actor="ada"
    )
    page = open_as("viewer")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=console.url)
    page.goto(f"{console.url}/admin/migration_app/thread/")
    link = page.locator(f"a:has(bdi[title='{WANTED}'])")
    for piece in ("i9J0k1L2", "thread_a1B2", "thread_a1B…k1L2", "conv_gone77", "conv_0a1b", "MEYER"):
        page.keyboard.press("/")
        expect(page.get_by_role("searchbox")).to_be_focused()
        page.get_by_role("searchbox").fill(piece)
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name=f"Remove search: {piece}")).to_be_visible()
        expect(link).to_be_visible()
        expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.get_by_role("button", name=f"Copy {WANTED}").click()
    assert page.evaluate("navigator.clipboard.readText()") == WANTED
    link.click()
    expect(page.get_by_role("heading", name=re.compile(WANTED)).first).to_be_visible()


def test_a_viewer_narrows_the_list_by_keyboard_keeps_the_filter_and_finds_it_again(
    open_as: OpenAs, console: LiveServer
) -> None:
    threads_made(3, status="failed", error_code="timeout")
    threads_made(2, status="failed", error_code="refused")
    page = open_as("viewer")
    page.goto(f"{console.url}/admin/migration_app/thread/")
    page.get_by_role("button", name="Filters").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Error code").select_option("timeout")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Apply filters").press("Enter")
    expect(page.locator("#result_list tbody tr")).to_have_count(3)
    assert page.url.endswith("/thread/?error_code__exact=timeout")
    page.get_by_role("button", name="Save filter").click()
    page.get_by_label("Name").fill("Timeouts")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Timeouts")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="Remove error code: timeout").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(5)
    page.get_by_role("link", name="Timeouts").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(3)
    assert SavedFilter.objects.get().query == "error_code__exact=timeout"


def test_moments_are_in_the_zone_of_the_browser(open_as: OpenAs, console: LiveServer) -> None:
    thread = thread_made()
    page = open_as("viewer")
    page.context.add_cookies([{"name": "zone", "value": "Asia/Tokyo", "url": console.url}])
    page.add_init_script(
        "Intl.DateTimeFormat.prototype.resolvedOptions = () => ({ timeZone: 'America/New_York' })"
    )
    page.goto(f"{console.url}/admin/migration_app/thread/")  # which names the zone
    page.reload()
    moment = page.locator("#result_list time").first
    local = thread.updated_at.astimezone(ZoneInfo("America/New_York"))
    expect(moment).to_have_text(f"{local:%Y-%m-%d %H:%M}")
    expect(moment).to_have_attribute("title", f"{thread.updated_at:%Y-%m-%d %H:%M:%S} UTC")
