"""How large a request may be, asked before anything of it is parsed: a parser keeps what it is sent on the disk.

Only uploads are large, and only for those who may upload. Everything else is a form: a strange one of at most 64 kB,
one of a person who is signed in of at most a megabyte, that of a prompt of ten. The length that a request names is
compared with this first, then the bytes really read. Must come after Django's AuthenticationMiddleware, and before
anything that reads a body.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import Resolver404, resolve, reverse

STRANGER_BYTES = 1 << 16
"""The form of the sign-in page, many times over."""
FORM_BYTES = 1 << 20
"""A form of somebody who is signed in; besides a file, what an upload holds."""
PROMPT_FILES_BYTES = 64 << 20
"""Edited prompts that are brought back together."""


@dataclasses.dataclass(frozen=True, slots=True)
class Allowance:
    """How much more a page takes from those who have all these permissions.

    ``says_so``: the page refuses what names too great a length itself, in its own words, before it reads it.
    """

    permissions: tuple[str, ...]
    limit: Callable[[], int]
    says_so: bool = False


_ALLOWANCES: Mapping[str, Allowance] = {
    "migration_app_sourceimport_upload": Allowance(
        ("migration_app.import_archive", "migration_app.view_sourceimport"),
        lambda: settings.UPLOAD_MAX_MB * 1_000_000 + FORM_BYTES,
        says_so=True,
    ),
    "migration_app_prompt_import": Allowance(
        ("migration_app.change_prompt",), lambda: PROMPT_FILES_BYTES + FORM_BYTES
    ),
    "migration_app_prompt_edit": Allowance(
        ("migration_app.change_prompt",),
        lambda: settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
    ),
}


class BodyLimitMiddleware:
    """Answer 413 to a request that is larger than its page accepts from this user."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Compare the request with its page's limit, before and while it is read."""
        named = content_length(request)
        limit, says_so = STRANGER_BYTES, False
        if named > STRANGER_BYTES:  # who it is costs a query, which a small form need not
            limit, says_so = _limit(request)
        if named > limit and not says_so:
            return _signed_out(request) or _refused(limit)
        counted = _Counted(request, limit)
        response = self._get_response(request)
        return _refused(limit) if counted.exceeded else response


def content_length(request: HttpRequest) -> int:
    """The length that the request names, 0 if none can be read."""
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _limit(request: HttpRequest) -> tuple[int, bool]:
    if not request.user.is_authenticated:
        return STRANGER_BYTES, False
    try:
        name = resolve(request.path_info).url_name or ""
    except Resolver404:
        return FORM_BYTES, False
    allowance = _ALLOWANCES.get(name)
    if allowance is None or not request.user.has_perms(allowance.permissions):
        return FORM_BYTES, False
    return allowance.limit(), allowance.says_so


class _Counted:
    """Stands before the request's stream and counts what is read of it, whatever length was named."""

    def __init__(self, request: HttpRequest, limit: int) -> None:
        held: Any = request  # Django's name for what servers hand over; there is no public one
        self._stream, self._left, self.exceeded = held._stream, limit, False  # noqa: SLF001
        held._stream = self  # noqa: SLF001

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        """Read on, as far as the request may be long."""
        return self._count(self._stream.read(*args, **kwargs))

    def readline(self, *args: Any, **kwargs: Any) -> bytes:
        """Read a line, as far as the request may be long."""
        return self._count(self._stream.readline(*args, **kwargs))

    def close(self) -> None:
        """Let go of what the server handed over."""
        self._stream.close()

    def _count(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            self.exceeded = True
            raise RequestDataTooBig("The request is larger than this page takes.")
        return data


def _signed_out(request: HttpRequest) -> HttpResponse | None:
    """Lead a person whose session has ended to sign in and back, instead of calling a permitted form too large.

    Somebody who never opened the sign-in page here has no CSRF cookie, and is a stranger.
    """
    was_here = settings.CSRF_COOKIE_NAME in request.COOKIES and request.method == "POST"
    if not was_here or request.user.is_authenticated or not _of_the_console(request):
        return None
    return redirect_to_login(request.get_full_path(), reverse("admin:login"))


def _of_the_console(request: HttpRequest) -> bool:
    return request.path.startswith(reverse("admin:index")) and request.path != reverse("admin:login")


def _refused(limit: int) -> HttpResponse:
    """Answer without reading the body."""
    text = f"{limit / 1_000_000:,.1f} MB" if limit >= 1_000_000 else f"{limit // 1_000} kB"
    return HttpResponse(render_to_string("413.html", {"limit": text}), status=413)
