"""How long something took, or will take, for people. No queries."""

from __future__ import annotations

import datetime as dt

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def duration_text(duration: dt.timedelta | None) -> str:
    """The two largest units: "3 min 20 s", "2 d 4 h"; a dash where it is not known."""
    if duration is None:
        return "–"
    seconds = max(0, round(duration.total_seconds()))
    for position, (size, unit) in enumerate(_UNITS):
        if seconds >= size or unit == "s":
            whole, rest = divmod(seconds, size)
            parts = [f"{whole:,} {unit}"]
            if position + 1 < len(_UNITS):
                next_size, next_unit = _UNITS[position + 1]
                if rest // next_size:
                    parts.append(f"{rest // next_size} {next_unit}")
            return " ".join(parts)
    raise AssertionError("seconds are the last unit")
