"""A real Chromium, a running console, and people of each role."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import Group, User
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

CHROMIUM = "/usr/bin/chromium"

OpenAs = Callable[[str], Page]
Watched = Callable[[], BrowserContext]

VIOLATIONS = """
    document.addEventListener("securitypolicyviolation", (refused) => {
        const from = `${refused.sourceFile || refused.documentURI}:${refused.lineNumber}`;
        window.policyViolated(`${refused.violatedDirective} refused ${refused.blockedURI} at ${from}`);
    });
"""
"""Run in each page before anything else: tells the test what the page's policy refuses."""


@pytest.fixture
def console(transactional_db: None, settings: Settings) -> Iterator[LiveServer]:
    """The console on a port of its own, over http.

    Not pytest-django's live_server: that one lives for the whole session and has read the settings before.
    """
    settings.SECURE_SSL_REDIRECT = False
    settings.SESSION_COOKIE_SECURE = False
    settings.CSRF_COOKIE_SECURE = False
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = (
        "sessionid",
        "csrftoken",
    )  # as without HTTPS_ONLY
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    # The real one takes its time.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    server = LiveServer("127.0.0.1")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a file, which open windows of their own; starting it takes a second."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        # Playwright keeps an event loop in this thread; Django would refuse its ORM here.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def watched(chromium: Browser) -> Iterator[Watched]:
    """Make windows that are watched: an error of a script, or what the content policy refuses, fails the test."""
    errors: list[str] = []
    contexts: list[BrowserContext] = []

    def make() -> BrowserContext:
        context = chromium.new_context(viewport={"width": 1400, "height": 900})
        contexts.append(context)
        context.set_default_timeout(15_000)
        context.expose_binding("policyViolated", lambda _source, text: errors.append(text))
        context.add_init_script(VIOLATIONS)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        context.on(
            "console", lambda said: errors.append(said.text) if "Content Security" in said.text else None
        )
        return context

    yield make
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def open_as(watched: Watched, console: LiveServer) -> OpenAs:
    """Sign in as a role by the login form; returns the page that this leads to."""

    def open_page(role: str) -> Page:
        user = User.objects.create_user(role, password="pw", is_staff=True, is_superuser=role == "superuser")
        if role != "superuser":
            user.groups.add(Group.objects.get_or_create(name=role)[0])
        page = watched().new_page()
        page.goto(f"{console.url}/admin/login/")
        page.fill("#id_username", role)
        page.fill("#id_password", "pw")
        page.click("#login-form button[type=submit]")
        page.wait_for_url(f"{console.url}/admin/")
        return page

    return open_page
