"""How fast to call: shares between batches, what refusals and headers of a target mean for the pace.

Pure: numbers in, numbers out; no clock, no network. Rates are calls a minute, times are seconds. Must not import
Django, models or services.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping

LEAST_RATE = 6.0
"""Even if a target always refuses, one call in ten seconds is still made."""
LONGEST_HOLD = 300.0
"""A target that says "in an hour" is called again after five minutes: clocks and headers err."""
RECOVERY_SECONDS = 5.0
"""How long one step of recovery takes."""

_MARGIN = 0.02  # for bursts, and for calls that reach the target a little later than they were let go
_CUT = 0.7  # what a refusal leaves of the rate
_STEPS = 20  # a twentieth of the rate at which a target refused is given back at a time
_HEADROOM = 1.25  # what a batch is left beyond what it uses
_URGENT_SHARE = 0.9  # the most that urgent work gets while there is other work
_URGENT_ROOM = 0.1  # the least that is kept free for it while it is announced
_LOW = 0.1  # the part of a target's own limit below which what remains is spread
_PACE_SECONDS = 2.0  # a pace from headers is forgotten unless later answers repeat it


@dataclasses.dataclass(frozen=True, slots=True)
class Bucket:
    """A limit as a leaking bucket: ``rate`` a minute forever, ``burst`` of them at once after a pause."""

    rate: float
    burst: int


def bucket(per_minute: float, *, largest: int = 1) -> Bucket:
    """Return the bucket that gives nearly ``per_minute``, and never more in any 60 seconds.

    A bucket lets ``burst`` pass at once and continues at its rate. The burst is 0.15 seconds' worth, but at least what
    one call may need (``largest``), and comes off the rate where the margin does not cover it. Below 40 a minute
    of something that comes 20 at once no bucket can hold the limit in every single minute; this one holds it
    within twice.
    """
    # Two, where the margin covers it: a late wake-up must not lose permits.
    burst = max(largest, int(per_minute / 400), 2 if per_minute * _MARGIN >= 1 else 1)
    return Bucket(max(min(per_minute * (1 - _MARGIN), per_minute - (burst - 1)), per_minute / 2), burst)


def group_size(rate: float) -> int:
    """Return how many calls to let go at once: a twentieth of a second's worth."""
    return max(1, int(rate / 1200))


@dataclasses.dataclass(frozen=True, slots=True)
class Demand:
    """A worker's report: its batch, recent calls a minute, and whether it had to wait for them."""

    batch: str
    urgent: bool
    used: float
    hungry: bool


def fair_share(rate: float, demands: Iterable[Demand], batch: str) -> float | None:
    """Return what ``batch`` may use of the target's rate, all its workers together; None: it is alone.

    Batches that want more than there is get equal parts of what the others leave; a batch that wants little
    leaves the rest to them. Urgent batches come first: others get what those do not use, at least a tenth.
    """
    batches: dict[str, Demand] = {}
    for demand in demands:
        known = batches.get(demand.batch)
        batches[demand.batch] = (
            demand
            if known is None
            else Demand(
                demand.batch,
                demand.urgent or known.urgent,
                demand.used + known.used,
                demand.hungry or known.hungry,
            )
        )
    if len(batches) < 2 or batch not in batches:
        return None
    mine = batches[batch]
    urgent = [demand for demand in batches.values() if demand.urgent]
    others = [demand for demand in batches.values() if not demand.urgent]
    if not urgent or not others:
        return _part(rate, urgent or others, mine)
    if mine.urgent:
        return _part(rate * _URGENT_SHARE, urgent, mine)
    wanted = sum(demand.used for demand in urgent) * _HEADROOM
    kept = max(_URGENT_ROOM * rate, min(wanted, _URGENT_SHARE * rate))
    if any(demand.hungry for demand in urgent):
        kept = _URGENT_SHARE * rate
    return _part(rate - kept, others, mine)


def _part(rate: float, batches: list[Demand], mine: Demand) -> float:
    equal = rate / len(batches)
    if not mine.hungry:
        return equal
    content = sum(min(demand.used * _HEADROOM, equal) for demand in batches if not demand.hungry)
    return (rate - content) / sum(demand.hungry for demand in batches)


@dataclasses.dataclass(frozen=True, slots=True)
class Lowered:
    """A rate that refusals lowered at time ``at``, and that comes back by ``step`` up to ``ceiling``."""

    rate: float
    ceiling: float
    step: float
    at: float

    def lasts(self) -> float:
        """Return after how many seconds it has come back."""
        return math.ceil((self.ceiling - self.rate) / self.step) * RECOVERY_SECONDS

    def rate_at(self, now: float) -> float | None:
        """Return the rate at a time; None when it has come back, or when the clock was set back."""
        age = now - self.at
        if not -RECOVERY_SECONDS < age < self.lasts():
            return None
        return self.rate + max(0, int(age / RECOVERY_SECONDS)) * self.step


def lowered(*, limit: float | None, known: Lowered | None, peak: float, now: float) -> Lowered:
    """Return the rate after one more refusal. ``limit`` is the one set, ``peak`` the most used of late.

    Where no limit is set, it comes back to twice the rate at which the target refused, and is then forgotten.
    """
    current = known.rate_at(now) if known else None
    rates = [rate for rate in (limit, current, peak) if rate]
    refused_at = max(min(rates, default=LEAST_RATE), LEAST_RATE)
    ceiling = limit or (known.ceiling if known and current else refused_at * 2)
    rate = max(refused_at * _CUT, LEAST_RATE)
    return Lowered(rate, max(ceiling, rate), refused_at / _STEPS, now)


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What an answer's headers ask for: to hold for so long, or to keep a pace for so long."""

    hold: float = 0.0
    pace: float | None = None
    pace_seconds: float = 0.0


_NAMES = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", "x-ratelimit-limit-requests"),
    ("x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-limit"),
    ("ratelimit-remaining", "ratelimit-reset", "ratelimit-limit"),
)
_NOTHING = Told()


def told(headers: Mapping[str, str]) -> Told:
    """Read the rate-limit headers: OpenAI's, Azure's (plain seconds), and those of other gateways.

    Nothing remains: hold until the reset. Little remains: spread it over the time until the reset. That suits
    both kinds of servers: for a fixed window it ends just with the window; in a bucket that fills steadily (the
    reset is then the time until it is full) what remains grows again, and the pace with it.
    """
    for remaining_name, reset_name, limit_name in _NAMES:
        text = headers.get(remaining_name)
        if text is None:
            continue
        remaining, reset = _number(text), duration(headers.get(reset_name, ""))
        if remaining is None or reset is None or not 0 < reset < 86_400:
            return _NOTHING
        if remaining <= 0:
            return Told(hold=min(reset, LONGEST_HOLD))
        limit = _number(headers.get(limit_name, ""))
        if limit is not None and remaining < limit * _LOW:
            return Told(
                pace=max(remaining / reset * 60, LEAST_RATE), pace_seconds=max(min(reset, _PACE_SECONDS), 0.1)
            )
        return _NOTHING
    return _NOTHING


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def duration(text: str) -> float | None:
    """Read ``1s``, ``6m0s``, ``120ms`` or plain seconds; None if it is something else."""
    text = text.strip()
    number = _number(text)
    if number is not None:
        return number
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(value + unit for value, unit in parts) != text:
        return None
    return sum(float(value) * _UNITS[unit] for value, unit in parts)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
