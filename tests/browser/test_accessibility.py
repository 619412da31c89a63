"""Every page for people who use no mouse, a screen reader or the dark: axe finds nothing wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from migration_app.models import Batch, Thread
from tests.browser.conftest import OpenAs, Watched
from tests.migration_app.admin.estate import batch_made, conversation_made, thread_made
from tests.migration_app.admin.whole_estate import list_urls, row_urls, whole_estate

pytestmark = pytest.mark.browser

AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
"""axe-core 4.14.1; see the folder."""

# With the whole set of rules once, and the colours of the other theme after it.
RUN = r"""async ([only, seen]) => {
    const options = { resultTypes: ["violations"], preload: false, ...(only ? { runOnly: only } : {}) };
    const { violations } = await axe.run(seen ? { exclude: [seen] } : document, options);
    const html = (nodes) => nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ");
    // What a mouse alone can press has no place in the order of Tab.
    const pressed = [...document.querySelectorAll("[x-on\\:click], [data-dialog], [data-copy]")];
    const mouseOnly = pressed.filter((one) => !one.matches("a[href], button, input, select, summary"));
    const nodes = mouseOnly.map((one) => ({ html: one.outerHTML }));
    if (nodes.length) violations.push({ id: "mouse only", nodes });
    return violations.map(({ id, nodes }) => `${id}: ${html(nodes)}`);
}"""

OTHERS = (
    "admin:index",
    "admin:password_change",
    "admin:migration_app_sourceimport_upload",
    "admin:migration_app_reconciliation_start",
    "admin:migration_app_trial_start",
    "admin:migration_app_run_totals",
    "django_rq:home",
    "review_queue",
)
ACTS = ("backfill", "rollback", "preflight", "export")


def violations(page: Page, seen: str = "") -> list[str]:
    """What axe finds wrong with a page, in the light and in the dark; ``seen``: a part that other pages have too."""
    page.evaluate("document.documentElement.classList.remove('dark')")
    if not page.evaluate("Boolean(window.axe)"):
        page.context.add_init_script(AXE)  # from the next page on: sent once
        page.evaluate(AXE)
    found: list[str] = page.evaluate(RUN, [None, seen])
    page.evaluate("document.documentElement.classList.add('dark')")
    # What fades from one theme to the other is not there yet.
    page.evaluate("document.getAnimations().forEach((one) => one.finish())")
    dark: list[str] = page.evaluate(RUN, [["color-contrast"], seen])
    return [*found, *(f"in the dark, {what}" for what in dark)]


def test_axe_finds_nothing_on_any_page(open_as: OpenAs, console: LiveServer) -> None:
    whole_estate()
    page = open_as("superuser")
    other_pages = False
    found: dict[str, list[str]] = {}
    acts = [reverse("admin:migration_app_thread_act", args=[name]) for name in ACTS]
    case = Thread.objects.get(status="needs_review")
    acts += [reverse("review_case", args=[case.pk]), f"{reverse('review_queue')}?code={case.error_code}"]
    acts.append(reverse("admin:migration_app_batch_results", args=[Batch.objects.get().pk]))
    narrowed = f"{reverse('admin:migration_app_thread_changelist')}?status__exact=failed&q=thread"
    for url in (*map(reverse, OTHERS), *list_urls(), *row_urls(), *acts, narrowed):
        response = page.goto(console.url + url)
        assert response is not None
        assert response.status == 200, url
        if wrong := violations(page, "#nav-sidebar" if other_pages else ""):
            found[url] = wrong
        other_pages = True
    assert found == {}, "\n".join(f"{url}\n  " + "\n  ".join(wrong) for url, wrong in found.items())


def test_axe_finds_nothing_on_what_opens_within_a_page(open_as: OpenAs, console: LiveServer) -> None:
    page = open_as("viewer")
    page.goto(f"{console.url}/admin/migration_app/thread/?status__exact=failed")
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Error code").wait_for()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Save filter").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="User menu of viewer").click()
    page.get_by_role("button", name="Log out").wait_for()
    assert violations(page) == []


def test_axe_finds_nothing_where_nobody_is_signed_in(console: LiveServer, watched: Watched) -> None:
    page = watched().new_page()
    page.goto(f"{console.url}/admin/login/")
    assert violations(page) == []


def test_the_frame_is_walked_by_keyboard_alone(open_as: OpenAs, console: LiveServer) -> None:
    page = open_as("viewer")
    page.goto(f"{console.url}/admin/migration_app/batch/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Filters")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Kind")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Filters")).to_be_focused()
    page.get_by_role("button", name="Navigation").press("Enter")
    expect(page.locator("#nav-sidebar")).to_be_hidden()


def test_a_phone_shows_pages_in_its_width(open_as: OpenAs, console: LiveServer) -> None:
    thread = whole_estate()
    batch = batch_made(kind="rollback", state="waiting", taken_count=200, reason="x" * 300)
    conversation_made(
        thread=thread_made(thread_id="thread_" + "W" * 200), conversation_id="conv_" + "0" * 200
    )
    page = open_as("admin")
    page.set_viewport_size({"width": 390, "height": 844})
    case = Thread.objects.get(status="needs_review")
    threads = reverse("admin:migration_app_thread_changelist")
    wide = []
    for url in (
        reverse("admin:index"),
        threads,
        f"{threads}?status__exact=failed&q=thread",
        reverse("admin:migration_app_thread_change", args=[thread.pk]),
        reverse("admin:migration_app_batch_changelist"),
        reverse("admin:migration_app_batch_change", args=[batch.pk]),
        reverse("admin:migration_app_thread_act", args=["rollback"]),
        reverse("admin:migration_app_auditevent_changelist"),
        reverse("review_queue"),
        reverse("review_case", args=[case.pk]),
    ):
        page.goto(console.url + url)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 390:
            wide.append((url, width))
    assert wide == []
    page.goto(f"{console.url}{reverse('admin:migration_app_batch_change', args=[batch.pk])}")
    expect(page.get_by_role("link", name="Review and approve")).to_be_visible()
    page.get_by_role("button", name="Navigation").click()
    page.get_by_role("link", name="Batches").first.click()
    page.wait_for_url("**/batch/")
