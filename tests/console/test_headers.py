"""What every answer tells browsers, and the cookies of production."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

POLICY = {
    "default-src 'none'",
    "script-src 'self' 'unsafe-eval'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
}


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["/", "/healthz", "/admin/login/", "/admin/", "/nowhere", "/admin/r/1/1/"])
@pytest.mark.parametrize("secure", [True, False])
def test_every_answer_carries_both_policies(url: str, secure: bool) -> None:
    response = Client().get(url, secure=secure)
    assert set(response["Content-Security-Policy"].split("; ")) == POLICY
    assert "camera=()" in response["Permissions-Policy"]


@pytest.mark.django_db
def test_what_is_refused_for_its_size_carries_them_too() -> None:
    response = Client().post("/admin/login/", {"a": "x" * 100_000}, secure=True)
    assert response.status_code == 413
    assert set(response["Content-Security-Policy"].split("; ")) == POLICY


@pytest.mark.django_db
def test_cookies_of_production_are_bound_to_their_host() -> None:
    cookies = Client().get("/admin/login/", secure=True).cookies
    assert list(cookies) == ["__Host-csrftoken"]
    found = cookies["__Host-csrftoken"]
    assert (found["secure"], found["path"], found["domain"]) == (True, "/", "")
    assert settings.SESSION_COOKIE_NAME == "__Host-sessionid"
    assert (settings.SESSION_COOKIE_SECURE, settings.SESSION_COOKIE_PATH, settings.SESSION_COOKIE_DOMAIN) == (
        True,
        "/",
        None,
    )
    assert settings.SESSION_COOKIE_AGE == 8 * 3600
