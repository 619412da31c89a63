"""The reviewer works through the queue with the keyboard, then decides a group: against a target that was changed."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from migration_app import jobs
from migration_app.models import Batch, ReviewCase, ReviewReading, Thread
from tests.browser.conftest import OpenAs
from tests.browser.test_accessibility import violations
from tests.migration_app.engine.conftest import call, continued_by_its_application, make_thread, start
from tests.sandbox import RunningSandbox

__all__ = ["make_thread"]  # fixtures, used by name
pytestmark = pytest.mark.browser


def worked(kind: str, pk: int) -> None:
    """As a worker does, which has no browser's event loop in its thread."""

    def work() -> None:
        try:
            jobs.task_job(kind, pk)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()


def first_item_replaced(sandbox: RunningSandbox, conversation_id: str, text: str) -> None:
    """Somebody deletes the last item of a conversation, and appends another one: behind the console's back."""
    item = call(sandbox, "GET", f"/conversations/{conversation_id}/items?order=desc&limit=1")["data"][0]
    call(sandbox, "DELETE", f"/conversations/{conversation_id}/items/{item['id']}")
    body = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    call(sandbox, "POST", f"/conversations/{conversation_id}/items", {"items": [body]})


def test_the_reviewer_works_through_the_queue_and_decides_a_group(
    open_as: OpenAs, console: LiveServer, request: pytest.FixtureRequest, sandbox: RunningSandbox
) -> None:
    make = request.getfixturevalue("make_thread")
    threads = [make(f"thread_{number}", messages=5) for number in range(1, 7)]
    worked("batch", start("backfill", *threads).pk)
    ids = [Thread.objects.get(pk=thread.pk).conversation.conversation_id for thread in threads]
    first_item_replaced(sandbox, ids[0], "user says 5, and more")
    call(sandbox, "DELETE", f"/conversations/{ids[1]}")
    for conversation_id in ids[2:]:
        continued_by_its_application(sandbox, conversation_id, "and another thing")
    worked("batch", start("verify", *threads).pk)
    assert ReviewCase.objects.count() == 6

    page = open_as("operator")
    page.get_by_role("link", name="Review").first.click()
    expect(page.get_by_role("row", name="Conversation differs")).to_contain_text("5")
    page.get_by_role("row", name="Conversation differs").get_by_role("link", name="Open first").click()

    # The first one was changed: what differs stands out, and the recommended action asks before it does anything.
    expect(page.locator("#place")).to_have_text("1 of 5")
    expect(page.locator("ins").first).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    expect(page.locator("#key-refused")).to_contain_text("Roll back: you may not do this")
    page.locator("#text").fill("jjj a b")
    expect(page.locator("#place")).to_have_text("1 of 5")
    page.locator("#text").fill("")
    page.locator("#text").blur()
    page.keyboard.press("a")
    expect(page.locator("#confirm-remigrate")).to_be_visible()
    page.locator("#confirm-remigrate").get_by_role("button", name="Re-migrate").click()

    # Deciding opens the next; its application continued it, so it is accepted with one key.
    expect(page.get_by_text("Re-migrate: thread_1. Batch")).to_be_visible()
    expect(page.locator("#place")).to_have_text("1 of 4")
    expect(page.locator("#consequence")).to_contain_text("Nothing is sent")
    page.keyboard.press("j")
    expect(page.locator("#place")).to_have_text("2 of 4")
    page.keyboard.press("k")
    expect(page.locator("#place")).to_have_text("1 of 4")
    page.keyboard.press("a")
    expect(page.locator("#place")).to_have_text("1 of 3")
    assert list(Batch.objects.order_by("id").values_list("kind", flat=True))[-2:] == ["remigrate", "accept"]

    # A fresh reading comes through the queue, and the page follows it.
    case = ReviewCase.objects.filter(pending_work="", code="difference").order_by("entered_at", "thread_id")[
        0
    ]
    continued_by_its_application(sandbox, case.thread.conversation.conversation_id, "one more")
    page.get_by_role("button", name="Read again").click()
    expect(page.locator("#reading-state")).to_contain_text("waits for a worker")
    worked("reading", case.pk)
    expect(page.locator("#reading")).to_contain_text("7 items in the conversation")

    # All that is left of the group, by one decision with a standard reason.
    page.get_by_role("navigation", name="threads of this group").get_by_role(
        "link", name="Conversation differs"
    ).click()
    page.get_by_text("Decide all").first.click()
    page.get_by_role("link", name="Accept as is").click()
    expect(page.get_by_role("heading", name="Accept as is: 3 threads")).to_be_visible()
    page.get_by_label("Reason").select_option("application_continued")
    page.get_by_role("button", name="Accept these conversations").click()
    expect(page.get_by_text("was started")).to_be_visible()
    for batch in Batch.objects.filter(kind__in=["remigrate", "accept"]):
        worked("batch", batch.pk)
    assert list(ReviewCase.objects.values_list("code", flat=True)) == ["conversation_missing"]
    assert ReviewReading.objects.count() == 1
    page.goto(f"{console.url}/admin/review/")
    expect(page.get_by_text("Conversation is missing")).to_be_visible()
    expect(page.get_by_text("Conversation differs")).to_have_count(0)
