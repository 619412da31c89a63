"""A roll back from the list to its end: one person asks, another approves, the target is empty afterwards."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from playwright.sync_api import expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from migration_app import jobs
from migration_app.models import Batch, Thread
from tests.browser.conftest import OpenAs
from tests.migration_app.engine.conftest import make_thread, start
from tests.sandbox import RunningSandbox

__all__ = ["make_thread"]  # fixtures, used by name
pytestmark = pytest.mark.browser


def worked(batch: Batch) -> None:
    """As a worker does, which has no browser's event loop in its thread."""

    def work() -> None:
        try:
            jobs.task_job("batch", batch.pk)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()


def test_one_person_asks_for_a_roll_back_another_approves_it_and_the_target_is_empty(
    open_as: OpenAs,
    console: LiveServer,
    settings: Settings,
    request: pytest.FixtureRequest,
    sandbox: RunningSandbox,
) -> None:
    settings.APPROVAL_ABOVE_THREADS = 1
    make = request.getfixturevalue("make_thread")
    threads = [make("thread_1", messages=25), make("thread_2", messages=3)]
    worked(start("backfill", *threads))
    assert sandbox.control.state().stored_items == 28

    first = open_as("admin")
    first.goto(f"{console.url}/admin/migration_app/thread/")
    for thread in threads:
        first.locator("tr", has_text=thread.thread_id).locator("input.action-select").check()
    first.locator("select[name=action]").select_option("rollback")
    first.get_by_role("button", name="Run").click()
    expect(first.get_by_role("heading", name="Roll back: 2 threads")).to_be_visible()
    expect(first.get_by_label("Delete what is not ours too")).not_to_be_checked()
    first.get_by_label("Reason").fill("wrong project")
    first.get_by_role("button", name="Delete what was sent").click()
    expect(first.get_by_text("a second person must approve it").first).to_be_visible()
    expect(first.locator("#approval")).to_contain_text("You requested it yourself")
    batch = Batch.objects.get(kind="rollback")
    worked(batch)
    assert sandbox.control.state().stored_items == 28

    second = open_as("superuser")
    second.goto(f"{console.url}/admin/migration_app/batch/{batch.pk}/change/")
    second.get_by_role("link", name="Review and approve").click()
    second.get_by_role("button", name="Approve: roll back 2 threads").click()
    expect(second.get_by_text("is approved and starts")).to_be_visible()
    worked(batch)
    state = sandbox.control.state()
    assert (state.conversations, state.stored_items) == (0, 0)

    expect(first.locator("#outcome")).to_have_text("finished")
    expect(first.get_by_text("2 of 2 threads done.")).to_be_visible()
    expect(first.locator("[data-result=rolled_back]")).to_have_text("2")
    first.goto(f"{console.url}/admin/migration_app/thread/{threads[0].pk}/change/")
    expect(first.get_by_text("Reading confirmed that they are gone").first).to_be_visible()
    expect(first.get_by_role("link", name="Backfill")).to_be_visible()
    assert set(Thread.objects.values_list("status", flat=True)) == {"rolled_back"}
