"""A session that ends while somebody types: signing in leads back to the form, with all of it still there."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from migration_app.contracts import Actor
from migration_app.models import Batch, Prompt, PromptVersion, Reconciliation
from migration_app.prompts.versions import version_create
from tests.browser.conftest import OpenAs
from tests.migration_app.admin.estate import assistant_made, batch_made, thread_made

pytestmark = pytest.mark.browser


NOTHING_DONE = "nothing was started, decided or changed"


def sign_in_again(page: Page, name: str = "operator") -> None:
    page.wait_for_selector("#login-form")
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    page.fill("#id_username", name)
    page.fill("#id_password", "pw")
    page.click("#login-form button[type=submit]")


def test_what_was_typed_is_there_after_signing_in_again(open_as: OpenAs, console: LiveServer) -> None:
    prompt = Prompt.objects.create(slug="desk", assistant=assistant_made())
    version_create(
        prompt=prompt,
        spec={"model": "gpt-4o", "instructions": "One."},
        origin="edited",
        author=Actor("ada"),
        note="",
    )
    batch = batch_made(state="running")
    in_review = thread_made(status="needs_review", error_code="difference")
    at = f"{console.url}/admin/migration_app"
    page = open_as("operator")
    page.on("dialog", lambda dialog: dialog.accept())

    # A prompt's edit, larger than a stranger may send.
    page.goto(f"{at}/prompt/{prompt.pk}/edit/")
    long = "Be kind. " * 12_000
    page.locator("#instructions").fill(long)
    page.get_by_label("What changed, and why").fill("kinder")
    Session.objects.all().delete()
    page.get_by_role("button", name="Save as a new version").click()
    sign_in_again(page)
    expect(page.get_by_label("What changed, and why")).to_have_value("kinder")
    expect(page.locator("#instructions")).to_have_value(long)
    assert PromptVersion.objects.count() == 1
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.get_by_text("Version 2 was made.")).to_be_visible()
    page.goto(f"{at}/prompt/{prompt.pk}/edit/?version=1")
    expect(page.get_by_label("What changed, and why")).to_have_value("")

    # A comment of its review, which is posted to another address than the page's.
    page.goto(f"{at}/prompt/{prompt.pk}/change/")
    page.get_by_label("Comment").fill("please have a look")
    Session.objects.all().delete()
    page.get_by_role("button", name="Ask for a review").click()
    sign_in_again(page)
    expect(page.get_by_label("Comment")).to_have_value("please have a look")

    # A decision about a thread in review, for which nothing needs to be typed.
    page.goto(f"{console.url}/admin/review/{in_review.pk}/")
    Session.objects.all().delete()
    page.locator("#decide").get_by_role("button", name="Retry").click()
    expect(page.get_by_text(NOTHING_DONE)).to_be_visible()
    sign_in_again(page)
    expect(page.locator("#decide").get_by_text(NOTHING_DONE)).to_be_visible()
    assert Batch.objects.count() == 1
    page.reload()
    expect(page.get_by_text(NOTHING_DONE)).to_have_count(0)

    # The start of a reconciliation, with boxes and choices.
    page.goto(f"{at}/reconciliation/start/")
    page.locator("#seed").fill("42")
    page.locator("input[name=check][value=orphans]").uncheck()
    page.get_by_label("Reason").fill("before the cut-over")
    Session.objects.all().delete()
    page.get_by_role("button", name="Start").click()
    sign_in_again(page)
    expect(page.locator("#seed")).to_have_value("42")
    expect(page.locator("input[name=check][value=orphans]")).not_to_be_checked()
    expect(page.get_by_label("Reason")).to_have_value("before the cut-over")
    assert not Reconciliation.objects.exists()

    # A reason on a batch's page, and the one of an upload.
    page.goto(f"{at}/batch/{batch.pk}/change/")
    page.get_by_label("Reason to pause or cancel").fill("the target is slow")
    Session.objects.all().delete()
    page.get_by_role("button", name="Pause").click()
    sign_in_again(page)
    expect(page.get_by_label("Reason to pause or cancel")).to_have_value("the target is slow")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("is paused. Workers")).to_be_visible()
    assert Batch.objects.get().held_text == "Paused by operator: the target is slow"
    page.goto(f"{at}/sourceimport/upload/")
    page.get_by_label("Reason").fill("the first archive")
    page.locator("input[type=file]").set_input_files(
        {"name": "a.jsonl", "mimeType": "text/plain", "buffer": b'{"object": "thread", "id": "thread_a"}\n'}
    )
    Session.objects.all().delete()
    page.locator("form [type=submit]", has_text="Import").click()
    sign_in_again(page)
    expect(page.get_by_label("Reason")).to_have_value("the first archive")
    expect(page.get_by_text("Choose the file again.")).to_be_visible()


def test_another_person_in_the_same_tab_sees_nothing_of_it(open_as: OpenAs, console: LiveServer) -> None:
    other = User.objects.create_user("other", password="pw", is_staff=True)
    other.groups.add(Group.objects.get_or_create(name="operator")[0])
    page = open_as("operator")
    upload = f"{console.url}/admin/migration_app/sourceimport/upload/"
    page.goto(upload)
    page.get_by_label("Reason").fill("private")
    Session.objects.all().delete()
    page.goto(upload)
    sign_in_again(page, "other")
    page.wait_for_url(upload)
    expect(page.get_by_label("Reason")).to_have_value("")
    assert page.evaluate("Object.keys(sessionStorage)") == []
