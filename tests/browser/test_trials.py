"""Two versions compared in a browser: counted, confirmed, run, judged blind, revealed."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from migration_app import jobs
from migration_app.models import Trial
from tests.browser.conftest import OpenAs
from tests.migration_app.trials.estate import nothing_left, plain_thread, tool_thread, version_made
from tests.sandbox import RunningSandbox

pytestmark = pytest.mark.browser


def worked(trial: Trial) -> None:
    """As a worker does, which has no browser's event loop in its thread."""

    def work() -> None:
        try:
            jobs.task_job("trial", trial.pk)
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    worker.join()


def test_two_versions_are_counted_run_judged_blind_and_revealed(
    open_as: OpenAs, console: LiveServer, sandbox: RunningSandbox
) -> None:
    plain_thread("thread_1", 2)
    tool_thread()
    version_made()
    version_made(instructions="Be brief.")

    page = open_as("operator")
    page.get_by_role("link", name="Try-outs").click()
    page.get_by_role("link", name="Try a prompt out").click()
    page.get_by_label("Prompt version").fill("clerk@1")
    page.get_by_label("Compare with").fill("clerk@2")
    page.get_by_label("Threads, one id a line").fill("thread_1\nthread_tool")
    page.get_by_role("button", name="Estimate").click()
    costs = page.locator("#costs")
    expect(costs).to_contain_text("Creates4")
    expect(costs).to_contain_text("Responses4 to 12")
    assert sandbox.control.requests() == []
    page.get_by_label("Reason").fill("which is better")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("is in the queue").first).to_be_visible()

    trial = Trial.objects.get()
    worked(trial)
    assert nothing_left(sandbox)
    # The page follows the trial to its end by itself.
    expect(page.locator(".mc-progress-done")).to_be_visible()
    expect(page.locator(".mc-figure", has_text="Answered").locator("b")).to_have_text("4")
    expect(page.get_by_role("button", name="CSV")).to_have_count(0)
    page.get_by_role("link", name="Judge").click()
    expect(page.locator("#asked")).to_have_text("user says 0")
    expect(page.locator("#trial-turn-page")).not_to_contain_text("clerk v")
    page.get_by_label("Comment").fill("clearer")
    page.get_by_role("button", name="Left is better").click()
    expect(page.locator("#calls")).to_contain_text("look_up")
    page.get_by_role("button", name="No difference that matters").click()
    expect(page.get_by_text("Every turn that can be judged is judged.").first).to_be_visible()
    page.get_by_role("button", name="Reveal").click()
    expect(page.locator("#tally")).to_contain_text("If neither were better in truth")
    expect(page.locator("#tally")).to_contain_text("clerk v1")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    assert download.value.suggested_filename == f"try-out-{trial.pk}.csv"
