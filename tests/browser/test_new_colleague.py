"""A superuser gives a new colleague a role; until then the colleague is shown whom to ask."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from migration_app.audit.groups import ROLES
from tests.browser.conftest import OpenAs, Watched

pytestmark = pytest.mark.browser

PASSWORD = "correct horse 7 battery"


def sign_in(page: Page, console: LiveServer, name: str) -> None:
    page.goto(f"{console.url}/admin/login/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{console.url}/admin/")


def test_a_new_colleague_is_added_asks_for_a_role_and_gets_it_by_its_name(
    open_as: OpenAs, watched: Watched, console: LiveServer
) -> None:
    for name in ROLES:
        Group.objects.get_or_create(name=name)
    admin = open_as("superuser")
    admin.locator("#nav-sidebar").get_by_role("link", name="Users").click()
    admin.get_by_role("link", name="Add a user").click()
    admin.get_by_label("Username").fill("grace")
    admin.locator("#id_password1").fill(PASSWORD)
    admin.locator("#id_password2").fill(PASSWORD)
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.get_by_text("was added successfully")).to_be_visible()

    grace = watched().new_page()
    sign_in(grace, console, "grace")
    expect(grace.get_by_role("heading", name="You are signed in, but have no role yet")).to_be_visible()
    expect(grace.get_by_text("superuser", exact=True)).to_be_visible()

    admin.locator("#nav-sidebar").get_by_role("link", name="Users").click()
    admin.get_by_role("link", name="grace").click()
    admin.get_by_role("radio", name="operator").check()
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.get_by_role("row", name="grace").get_by_text("operator")).to_be_visible()
    person = User.objects.get(username="grace")
    assert [group.name for group in person.groups.all()] == ["operator"]
    grace.reload()
    expect(grace.get_by_text("have no role yet")).to_have_count(0)
    expect(grace.get_by_role("link", name="Threads", exact=True)).to_be_visible()
