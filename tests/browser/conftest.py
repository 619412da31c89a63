"""A real Chromium, a running console, and people of each role."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

CHROMIUM = "/usr/bin/chromium"

OpenAs = Callable[[str], Page]


@pytest.fixture
def console(
    transactional_db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LiveServer]:
    """The console on a port of its own, over http.

    Not pytest-django's live_server: that one lives for the whole session and has read the settings before.
    """
    settings.SECURE_SSL_REDIRECT = False
    settings.SESSION_COOKIE_SECURE = False
    settings.CSRF_COOKIE_SECURE = False
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    # Playwright keeps an event loop in this thread; Django would refuse its ORM here.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    server = LiveServer("127.0.0.1")
    yield server
    server.stop()


@pytest.fixture
def chromium(console: LiveServer) -> Iterator[Browser]:
    """A browser for one test: the event loop that comes with it must not meet other tests."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_as(chromium: Browser, console: LiveServer) -> Iterator[OpenAs]:
    """Sign in as a role by the login form; returns the page that this leads to. Errors of scripts fail the test."""
    errors: list[str] = []
    contexts = []

    def open_page(role: str) -> Page:
        user = User.objects.create_user(role, password="pw", is_staff=True, is_superuser=role == "superuser")
        if role != "superuser":
            user.groups.add(Group.objects.get_or_create(name=role)[0])
        context = chromium.new_context(viewport={"width": 1400, "height": 900})
        contexts.append(context)
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{console.url}/admin/login/")
        page.fill("#id_username", role)
        page.fill("#id_password", "pw")
        page.click("#login-form button[type=submit]")
        page.wait_for_url(f"{console.url}/admin/")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
