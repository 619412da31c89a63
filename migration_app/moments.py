"""Moments in the zone of the person who reads them, with UTC in their title.

The zone comes from the browser: static/migration_app/lists.js keeps it in a cookie. Only what is shown here is
converted, never Django's current time zone: files, forms and the audit trail stay UTC. Imports nothing of the project.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponseBase
from django.utils.html import format_html
from django.utils.safestring import SafeString

ZONE_COOKIE = "zone"
_LONGEST_NAME = 64
_ZONE: ContextVar[dt.tzinfo] = ContextVar("viewer_zone", default=dt.UTC)


def zone_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Show moments in the zone that the browser named; in UTC where it named none that is known."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        token = _ZONE.set(zone_of(request.COOKIES.get(ZONE_COOKIE, "")))
        try:
            return get_response(request)
        finally:
            _ZONE.reset(token)

    return middleware


def zone_of(name: str) -> dt.tzinfo:
    """The zone of this name; UTC for a name that there is not."""
    if not name or len(name) > _LONGEST_NAME:
        return dt.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return dt.UTC


def zone_name() -> str:
    """The name of the zone in which moments are shown."""
    return str(_ZONE.get())


def moment_text(moment: dt.datetime | None, *, seconds: bool = True) -> str:
    """A moment as text, in the person's zone; a dash for none."""
    return f"{moment.astimezone(_ZONE.get()):{_shape(seconds=seconds)}}" if moment else "–"


def moment_html(moment: dt.datetime | None, *, seconds: bool = True) -> str | SafeString:
    """The same for a page, UTC in its title."""
    if moment is None:
        return "–"
    utc = moment.astimezone(dt.UTC)
    return format_html(
        '<time class="mc-nowrap" datetime="{}" title="{} UTC">{}</time>',
        f"{utc:%Y-%m-%dT%H:%M:%SZ}",
        f"{utc:%Y-%m-%d %H:%M:%S}",
        moment_text(moment, seconds=seconds),
    )


def clock_html(moment: dt.datetime) -> SafeString:
    """The time of day alone, for what has just been, whole and in UTC in its title."""
    utc = moment.astimezone(dt.UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        f"{utc:%Y-%m-%dT%H:%M:%SZ}",
        f"{utc:%Y-%m-%d %H:%M:%S}",
        f"{moment.astimezone(_ZONE.get()):%H:%M:%S}",
    )


def _shape(*, seconds: bool) -> str:
    return "%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M"
