from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from migration_app.models import AuditEvent, Batch, SourceImport, Thread
from tests.browser.conftest import OpenAs
from tests.migration_app.admin.estate import (
    assistant_made,
    batch_made,
    conversation_made,
    page_made,
    result_made,
    thread_made,
    threads_made,
)

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=\"document.title='broken in'\"><script>document.title='broken in'</script>"


def snapshotted(*texts: str, thread_id: str) -> Thread:
    thread: Thread = thread_made(
        thread_id=thread_id,
        status="snapshotted",
        fidelity="exact",
        snapshot_at=timezone.now(),
        message_count=len(texts),
        item_count=len(texts),
        chunk_count=1,
    )
    messages = [
        {
            "id": f"msg_{number}",
            "object": "thread.message",
            "thread_id": thread_id,
            "created_at": 1_700_000_000 + number,
            "role": "user" if number % 2 == 0 else "assistant",
            "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        }
        for number, text in enumerate(texts)
    ]
    page_made(thread, [json.dumps(message).encode() for message in messages])
    return thread


def test_an_operator_walks_from_the_list_over_the_confirm_page_to_the_batch(
    open_as: OpenAs, console: LiveServer
) -> None:
    snapshotted("hi", thread_id="thread_one")
    thread_made(thread_id="thread_two", status="verified")
    page = open_as("operator")
    page.locator("#nav-sidebar a[href='/admin/migration_app/thread/']").click()
    page.locator("tr", has_text="thread_one").locator("input.action-select").check()
    page.locator("tr", has_text="thread_two").locator("input.action-select").check()
    page.locator("select[name=action]").select_option("backfill")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("heading", name="Backfill: 1 thread")).to_be_visible()
    expect(page.get_by_text("migrated and verified already")).to_be_visible()
    expect(page.get_by_text("No worker is alive")).to_be_visible()
    page.get_by_label("Reason").fill("ticket 12")
    page.get_by_role("button", name="Start backfill").click()
    expect(page.get_by_text("was started: backfill")).to_be_visible()
    batch = Batch.objects.get()
    assert page.url == f"{console.url}/admin/migration_app/batch/{batch.pk}/change/"
    assert (batch.kind, batch.reason, batch.created_by_name) == ("backfill", "ticket 12", "operator")


def test_selecting_all_across_pages_starts_a_batch_that_carries_the_filter(
    open_as: OpenAs, console: LiveServer
) -> None:
    threads_made(60, status="registered")
    thread_made(status="excluded")
    page = open_as("admin")
    page.goto(f"{console.url}/admin/migration_app/thread/?status__exact=registered")
    page.locator("#action-toggle").check()
    page.get_by_text("Select all 60 threads").click()
    page.locator("select[name=action]").select_option("exclude")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_role("heading", name="Exclude: 60 threads")).to_be_visible()
    page.get_by_label("Reason").fill("test tenants")
    page.get_by_role("button", name="Exclude threads").click()
    expect(page.get_by_role("heading", name=re.compile("Batch .*: exclude"))).to_be_visible()
    assert Batch.objects.get().filter == {"filters": {"status__exact": "registered"}, "search": ""}


def test_a_viewer_finds_a_thread_and_sees_its_structure_only(open_as: OpenAs) -> None:
    snapshotted("the secret recipe", "a secret answer", thread_id="thread_one")
    page = open_as("viewer")
    page.locator("#nav-sidebar a[href='/admin/migration_app/thread/']").click()
    expect(page.locator("select[name=action]")).to_have_count(0)
    page.locator("#searchbar").fill("thread_one")
    page.locator("#searchbar").press("Enter")
    page.get_by_role("link", name="thread_one", exact=True).click()
    expect(page.get_by_text("17 characters").first).to_be_visible()
    expect(page.get_by_text("secret")).to_have_count(0)
    assert not AuditEvent.objects.filter(verb="thread.content_viewed").exists()


def test_an_operator_reads_message_beside_item_copies_the_id_and_comes_to_no_harm(
    open_as: OpenAs, console: LiveServer
) -> None:
    thread = snapshotted(HOSTILE, "שלום", thread_id="thread_one")
    page = open_as("operator")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=console.url)
    page.goto(f"{console.url}/admin/migration_app/thread/{thread.pk}/change/")
    expect(page.locator("article").nth(1).get_by_text("שלום", exact=True)).to_have_count(2)
    expect(page.get_by_text("document.title=").first).to_be_visible()
    assert page.title() != "broken in"
    page.get_by_role("button", name="copy").first.click()
    expect(page.get_by_role("button", name="copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "thread_one"
    assert AuditEvent.objects.get(verb="thread.content_viewed").actor == "operator"


def test_a_batch_page_follows_the_work_and_shows_its_end(open_as: OpenAs, console: LiveServer) -> None:
    batch = batch_made(state="running", taken_count=4, filter={"filters": {}, "search": ""})
    threads = threads_made(4, batch=batch, status="queued", pending_work="backfill")
    page = open_as("viewer")
    page.goto(f"{console.url}/admin/migration_app/batch/{batch.pk}/change/")
    expect(page.get_by_text("0 of 4 threads done.")).to_be_visible()
    Thread.objects.filter(pk__in=[thread.pk for thread in threads[:3]]).update(
        status="verified", pending_work=""
    )
    expect(page.get_by_text("3 of 4 threads done.")).to_be_visible(timeout=15_000)
    for thread in threads[:3]:
        result_made(thread, "verified")
    expect(page.locator("[data-result=verified]")).to_have_text("3")
    Thread.objects.filter(pk=threads[3].pk).update(status="failed", error_code="refused", pending_work="")
    result_made(threads[3], "failed", error_code="refused")
    Batch.objects.filter(pk=batch.pk).update(state="finished", finished_at=timezone.now())
    expect(page.get_by_text("finished, 1 needs attention")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("link", name="refused")).to_be_visible()


def test_a_batch_that_is_handed_out_shows_what_was_looked_at_and_its_state_without_a_reload(
    open_as: OpenAs, console: LiveServer
) -> None:
    batch = batch_made(state="preparing", filter={"filters": {}, "search": ""})
    page = open_as("viewer")
    page.goto(f"{console.url}/admin/migration_app/batch/{batch.pk}/change/")
    expect(page.locator("#outcome")).to_have_text("preparing")
    page.evaluate("window.sameDocument = true")
    thread_made(batch=batch, status="queued", pending_work="backfill")
    Batch.objects.filter(pk=batch.pk).update(state="running", selected_count=1234, taken_count=1000)
    expect(page.locator("#outcome")).to_have_text("running", timeout=15_000)
    expect(page.locator("#figures")).to_contain_text("of 1,234 matched")
    expect(page.locator("#figures")).to_contain_text("1,000")
    assert page.evaluate("window.sameDocument")


def test_an_operator_chooses_policies_counts_again_and_starts_under_them(
    open_as: OpenAs, console: LiveServer
) -> None:
    thread = thread_made(
        thread_id="thread_one", status="snapshotted", snapshot_at=timezone.now(), fidelity="lossy"
    )
    image = {"type": "image_file", "image_file": {"file_id": "file-a"}}
    answer = {
        "id": "msg_1",
        "object": "thread.message",
        "thread_id": "thread_one",
        "role": "assistant",
        "content": [image],
    }
    page_made(thread, [json.dumps(answer).encode()])
    Thread.objects.filter(pk=thread.pk).update(item_count=1, finding_counts={"image_on_assistant": 1})
    page = open_as("operator")
    page.goto(f"{console.url}/admin/migration_app/thread/act/backfill/")
    page.get_by_label("Images under the assistant").select_option("block")
    expect(page.get_by_text("the thread is blocked until a person has chosen otherwise")).to_be_visible()
    page.get_by_label("Reason").fill("ticket 12")
    page.get_by_role("button", name="Start backfill").click()
    expect(page.get_by_text("confirm again")).to_be_visible()
    expect(page.get_by_text("Will be blocked")).to_be_visible()
    assert not Batch.objects.exists()
    page.get_by_label("Images under the assistant").select_option("developer_note")
    page.get_by_role("button", name="Recalculate", exact=True).click()
    expect(page.get_by_text("Will be blocked")).to_have_count(0)
    expect(page.get_by_label("Reason")).to_have_value("ticket 12")
    page.get_by_role("button", name="Start backfill").click()
    expect(page.get_by_text("assistant_images=developer_note (version 2)")).to_be_visible()
    assert Batch.objects.get().settings["policies"]["assistant_images"] == "developer_note"


def test_all_columns_of_the_thread_list_fit_the_window(open_as: OpenAs, console: LiveServer) -> None:
    thread = thread_made(
        thread_id="thread_" + "W9m" * 8,
        status="needs_review",
        error_code="conversation_continued",
        fidelity="transformed",
        snapshot_at=timezone.now(),
        message_count=2500,
        item_count=2600,
        user_ref="user_" + "0" * 30,
        batch=batch_made(),
        assistant=assistant_made(name="An assistant with a long name"),
    )
    conversation_made(thread=thread, conversation_id="conv_" + "0a" * 24)
    page = open_as("viewer")
    page.goto(f"{console.url}/admin/migration_app/thread/")
    table, frame = page.locator("#result_list"), page.locator("#result_list").locator("..")
    assert table.evaluate("one => one.scrollWidth") <= frame.evaluate("one => one.clientWidth")


def test_a_run_s_call_is_copied_and_its_items_lead_to_their_place(
    open_as: OpenAs, console: LiveServer
) -> None:
    thread = thread_made(thread_id="thread_one", status="snapshotted", snapshot_at=timezone.now())
    run = {
        "id": "run_1",
        "object": "thread.run",
        "thread_id": "thread_one",
        "status": "completed",
        "model": "gpt-4o",
        "created_at": 1,
    }
    said = {
        "id": "msg_1",
        "object": "thread.message",
        "thread_id": "thread_one",
        "role": "assistant",
        "run_id": "run_1",
        "content": "hi",
    }
    page_made(thread, [json.dumps(value).encode() for value in (said, run)])
    page = open_as("operator")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=console.url)
    page.goto(f"{console.url}/admin/migration_app/thread/{thread.pk}/change/")
    page.get_by_text("equivalent request: responses.create").click()
    page.locator("#runs").get_by_role("button", name="copy").click()
    expect(page.get_by_role("button", name="copied")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()"))["model"] == "gpt-4o"
    page.locator("#runs").get_by_role("link", name="1", exact=True).click()
    assert page.url.endswith("?page=1#item-1")
    expect(page.locator("#item-1")).to_be_in_viewport()


def test_a_file_is_uploaded_unless_it_is_too_large(
    open_as: OpenAs, console: LiveServer, settings: Settings, tmp_path: Path
) -> None:
    settings.UPLOAD_MAX_MB = 1
    large, small = tmp_path / "large.jsonl", tmp_path / "small.jsonl"
    large.write_bytes(b"x" * 1_100_000)
    small.write_bytes(b'{"object": "thread", "id": "thread_a"}\n')
    page = open_as("operator")
    page.get_by_role("link", name="Import an archive").click()
    page.get_by_label("Reason").fill("first import")
    page.locator("input[type=file]").set_input_files(large)
    expect(page.get_by_text("manage.py import_archive")).to_be_visible()
    page.locator("form [type=submit]", has_text="Import").click()
    assert urlsplit(page.url).path.endswith("/upload/")
    page.locator("input[type=file]").set_input_files(small)
    page.locator("form [type=submit]", has_text="Import").click()
    expect(page.get_by_text("Waiting for a worker.")).to_be_visible()
    row = SourceImport.objects.get()
    assert (row.file_name, row.state, row.reason) == ("small.jsonl", "waiting", "first import")


def test_every_page_of_the_navigation_opens_in_the_dark_for_a_superuser(
    open_as: OpenAs, console: LiveServer
) -> None:
    snapshotted("hi", thread_id="thread_one")
    page = open_as("superuser")
    page.emulate_media(color_scheme="dark")
    links = page.locator("#nav-sidebar a[href^='/admin/']").evaluate_all(
        "all => all.map(a => a.getAttribute('href'))"
    )
    assert len(set(links)) >= 13
    for link in dict.fromkeys(links):
        response = page.goto(console.url + link)
        assert response is not None
        assert response.status == 200, link
        expect(page.locator("html")).to_have_class(re.compile("dark"))
