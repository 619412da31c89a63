"""The page for a form whose CSRF token was refused: most often its sender signed in again in another tab meanwhile."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import REASON_NO_CSRF_COOKIE
from django.shortcuts import render
from django.urls import reverse


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say that nothing was done and what to do now. Must not read the body, which may be large."""
    context = {
        "no_cookie": reason == REASON_NO_CSRF_COOKIE,
        "is_sign_in": request.path == reverse("admin:login"),
        "has_file": request.content_type == "multipart/form-data",
        # Every address that takes a form leads by GET to the page that shows it.
        "form_url": request.get_full_path(),
        "home": reverse("admin:index"),
    }
    return render(request, "403_csrf.html", context, status=403)
