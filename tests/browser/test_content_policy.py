"""Every page under the content policy, in a real browser: what the policy refuses fails the test (conftest.watched)."""

from __future__ import annotations

from typing import Any

import django_rq
import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse
from django_rq.settings import get_queues_list
from playwright.sync_api import Browser, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from migration_app.models import AuditEvent, Prompt
from tests.browser.conftest import OpenAs, Watched
from tests.browser.test_console import snapshotted
from tests.migration_app.admin.estate import (
    assistant_made,
    batch_made,
    conversation_made,
    import_made,
    object_made,
)
from tests.workers import work_off

pytestmark = pytest.mark.browser

DEFAULT = next(number for number, queue in enumerate(get_queues_list()) if queue["name"] == "default")


@pytest.fixture
def queue() -> Any:
    """A queue with a job that has failed, one that has succeeded and one that waits."""
    found = django_rq.get_queue("default")
    found.connection.flushdb()
    found.enqueue("builtins.len", [1])
    found.enqueue("builtins.len", 1)
    work_off(found)
    found.enqueue("builtins.len", [2], job_id="waiting")
    yield found
    found.connection.flushdb()


def rows() -> list[Any]:
    thread = snapshotted("hi", "hello", thread_id="thread_one")
    assistant = assistant_made()
    return [
        thread,
        conversation_made(thread=thread),
        assistant,
        Prompt.objects.create(slug="a", assistant=assistant),
        batch_made(),
        import_made(),
        object_made(),
        AuditEvent.objects.create(actor="ada", verb="x.y", subject_kind="thread", subject_id="t"),
        User.objects.get(),
    ]


def test_no_list_or_row_s_page_breaks_the_policy(open_as: OpenAs, console: LiveServer) -> None:
    page = open_as("superuser")
    urls = [
        reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for model in admin.site._registry
    ]
    urls += [
        reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk]) for row in rows()
    ]
    urls += [
        "/admin/",
        "/admin/password_change/",
        "/admin/auth/user/add/",
        *(
            f"/admin/migration_app/{tail}"
            for tail in (
                "sourceimport/upload/",
                "reconciliation/start/",
                "trial/start/",
                "run/totals/",
                "prompt/files/import/",
                "thread/act/backfill/",
            )
        ),
        "/admin/nowhere/",
    ]
    for url in urls:
        answer = page.goto(f"{console.url}{url}")
        assert answer is not None
        assert answer.status in (200, 404), url
        assert "default-src 'none'" in answer.headers["content-security-policy"], url


def test_no_page_of_the_job_queues_breaks_the_policy(
    open_as: OpenAs, console: LiveServer, queue: Any
) -> None:
    page = open_as("superuser")
    urls = [reverse("django_rq:home")]
    urls += [
        reverse(f"django_rq:{name}", args=[DEFAULT])
        for name in (
            *("jobs", "queue_details", "workers", "finished_jobs", "failed_jobs", "scheduled_jobs"),
            *("started_jobs", "deferred_jobs", "clear", "requeue_all"),
        )
    ]
    done = queue.finished_job_registry.get_job_ids()[0]
    failed = queue.failed_job_registry.get_job_ids()[0]
    urls += [reverse("django_rq:job_detail", args=[DEFAULT, key]) for key in (done, failed, "waiting")]
    for url in urls:
        answer = page.goto(f"{console.url}{url}")
        assert answer is not None
        assert answer.status == 200, url
    page.goto(f"{console.url}{reverse('django_rq:job_detail', args=[DEFAULT, done])}")
    page.get_by_text("View →").click()
    expect(page.get_by_text("SUCCESSFUL")).to_be_visible()


def test_actions_in_a_list_of_jobs_still_work(open_as: OpenAs, console: LiveServer, queue: Any) -> None:
    page = open_as("superuser")
    page.goto(console.url + reverse("django_rq:jobs", args=[DEFAULT]))
    page.locator("input.action-select").check()
    page.locator("select[name=action]").select_option("delete")
    page.get_by_role("button", name="Go").click()
    page.wait_for_url(console.url + reverse("django_rq:confirm_action", args=[DEFAULT]))
    page.locator("#content-main input[type=submit], #content-main button[type=submit]").first.click()
    page.wait_for_url(console.url + reverse("django_rq:jobs", args=[DEFAULT]))
    assert queue.get_job_ids() == []


def test_the_sign_in_page_and_the_lock_out_keep_to_the_policy(
    watched: Watched, console: LiveServer, settings: Settings
) -> None:
    User.objects.create_superuser("ada", password="pw")
    settings.SIGN_IN_FAILURES = settings.AXES_FAILURE_LIMIT = 2
    page = watched().new_page()
    for _ in range(2):
        page.goto(f"{console.url}/admin/login/")
        page.fill("#id_username", "ada")
        page.fill("#id_password", "wrong")
        page.click("#login-form button[type=submit]")
    expect(page.get_by_role("heading", name="Wait before you sign in")).to_be_visible()


def test_the_policy_refuses_a_script_that_got_into_a_page(chromium: Browser, console: LiveServer) -> None:
    """What the other tests rely on: a refusal is told, and what was refused did not run."""
    page = chromium.new_page()
    page.goto(f"{console.url}/admin/login/")
    told = page.evaluate(
        """() => new Promise((resolve) => {
            document.addEventListener("securitypolicyviolation", (refused) =>
                resolve([refused.violatedDirective, window.ran === true]));
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.head.append(script);
        })"""
    )
    assert told == ["script-src-elem", False]
