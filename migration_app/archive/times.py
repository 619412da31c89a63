"""Timestamps as archives write them: seconds, milliseconds, digits in a string, ISO 8601, or nothing.

Standard library only.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable

from migration_app.contracts import JsonObject

# Seconds since 1970 stay below 1e11 until the year 5138; what is larger counts milli- or microseconds.
_MILLISECONDS_FROM = 1e11
_MICROSECONDS_FROM = 1e14
_LAST_SECOND = 253_402_300_799.0  # 9999-12-31T23:59:59Z, the last that datetime holds


def seconds_of(value: object) -> float | None:
    """Seconds since 1970 (UTC), None if ``value`` is no time."""
    if type(value) is int and 0 < value < _MILLISECONDS_FROM:
        return float(value)  # nearly all
    if isinstance(value, str):
        return _seconds_of_text(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value <= 0 or value > 1e18 or not math.isfinite(value):
        return None
    if value >= _MICROSECONDS_FROM:
        value = value / 1e6
    elif value >= _MILLISECONDS_FROM:
        value = value / 1e3
    return float(value) if value <= _LAST_SECOND else None


def _seconds_of_text(text: str) -> float | None:
    try:
        return seconds_of(float(text))
    except ValueError:
        pass
    try:
        moment = datetime.datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return seconds_of(moment.timestamp())


def moment_of(value: object) -> datetime.datetime | None:
    """The same as an aware datetime."""
    seconds = seconds_of(value)
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def message_times(
    messages: Iterable[JsonObject],
) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    """Times of the first and the last message, by their timestamps; None if there are none."""
    first = last = None
    for message in messages:
        seconds = seconds_of(message.get("created_at"))
        if seconds is not None:
            first = seconds if first is None or seconds < first else first
            last = seconds if last is None or seconds > last else last
    return moment_of(first), moment_of(last)
