"""An operator watches a batch to its end and retries what failed; both batches keep what they made of the threads."""

from __future__ import annotations

import re
import threading

import pytest
from django.db import connection
from playwright.sync_api import Page, expect
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


def test_an_operator_watches_a_batch_to_its_end_and_retries_what_failed(
    open_as: OpenAs, console: LiveServer, request: pytest.FixtureRequest, sandbox: RunningSandbox
) -> None:
    make = request.getfixturevalue("make_thread")
    threads = [make(f"thread_{number}", messages=5) for number in range(4)]
    batch = start("backfill", *threads)
    page = open_as("operator")
    page.goto(f"{console.url}/admin/migration_app/batch/{batch.pk}/change/")
    expect(page.get_by_text("0 of 4 threads done.")).to_be_visible()

    sandbox.control.add_fault("unauthorized", "POST /conversations$", status=422, times=1)
    worked(batch)
    expect(page.locator("#outcome")).to_have_text("finished, 1 needs attention")
    expect(page.get_by_text("4 of 4 threads done.")).to_be_visible()
    expect(page.locator("[data-result=verified]")).to_have_text("3")
    expect(page.locator("[data-result=failed]")).to_have_text("1")
    failed = Thread.objects.get(status="failed")
    error = page.locator("#errors tr", has_text=failed.error_code)
    expect(error.get_by_role("link", name=failed.thread_id)).to_be_visible()

    error.get_by_role("link", name="Retry these").click()
    page.get_by_label("Reason").fill("it was the target's fault")
    page.get_by_role("button", name="Start retry").click()
    expect(page.get_by_role("heading", name=re.compile("Batch .*: retry"))).to_be_visible()
    retry = Batch.objects.get(kind="retry")
    worked(retry)
    expect(page.locator("#outcome")).to_have_text("finished")
    expect(page.locator("[data-result=verified]")).to_have_text("1")

    _both_are_kept(page, console, batch, failed)


def _both_are_kept(page: Page, console: LiveServer, batch: Batch, failed: Thread) -> None:
    """The list, the first batch's page and its results still say what failed in it."""
    page.goto(f"{console.url}/admin/migration_app/batch/")
    row = page.locator("#result_list tr", has_text=f"{batch.pk}: backfill")
    expect(row).to_contain_text("finished, 1 needed attention")
    expect(row).to_contain_text("3 verified, 1 failed")
    row.get_by_role("link").first.click()
    page.locator("[data-result=failed]").click()
    result = page.locator("#results tr", has_text=failed.thread_id)
    expect(result).to_contain_text("failed")
    expect(result.locator("td").last).to_contain_text("verified")
