"""Whether the operation is healthy: one signal for each thing that work depends on, and one for all, with its reason.

Everything is read from the database and the queue's server; no API is called. A signal that nobody gave lately says so.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Literal

from django.conf import settings
from django.db.models import F, Sum
from django.db.models.functions import Greatest
from django.utils import timezone

from migration_app.engine.target_behaviour import repeats_are_refused
from migration_app.models import ApiHealth, ApiMinute, Reconciliation, TargetBehaviour
from migration_app.operation.heartbeats import WorkerHeartbeat
from migration_app.tasks.breaker import LASTING

State = Literal["good", "idle", "warning", "bad"]
"""idle: nothing says that it is bad, and nothing lately that it is good."""

_ORDER: Sequence[State] = ("bad", "warning", "idle", "good")
_NEEDED = "target"
_FRESH = dt.timedelta(minutes=15)
_RECOVERED_AFTER = dt.timedelta(seconds=5)
_REMEMBERED = dt.timedelta(minutes=10)
"""How long trouble that is over stays visible: long enough to decide whether to resume."""
_SOME_FAILED, _IN_CALLS = 3, 20
"""Passing failures are trouble from so many in a minute, if they are one in so many calls."""
_SAID_IN_SECONDS = 120
_THROTTLE_WINDOW = dt.timedelta(minutes=5)
_MANY_THROTTLED = 20
_OLD_RECONCILIATION = dt.timedelta(days=7)

_FAILED = {
    "unauthorized": ("refuses the key", "refused the key"),
    "forbidden": ("refuses what the key does", "refused what the key does"),
    "quota_exhausted": ("reports a used-up quota", "reported a used-up quota"),
    "not_configured": (
        "is not configured where the workers run",
        "was not configured where the workers run",
    ),
    "redirected": ("redirects to another address", "redirected to another address"),
    "create_unknown": ("has no conversations at this address", "had no conversations at this address"),
    "unreachable": ("can't be reached", "could not be reached"),
    "timeout": ("does not answer in time", "did not answer in time"),
    "server_error": ("answers with server errors", "answered with server errors"),
    "connection_lost": ("breaks connections", "broke connections"),
}
"""What an API does, and what it did."""


@dataclasses.dataclass(frozen=True, slots=True)
class Signal:
    """One thing that work depends on. ``text``: its state in a few words; ``detail``: the rest, for who asks."""

    name: str
    state: State
    text: str
    detail: str = ""

    @property
    def sentence(self) -> str:
        """As a reason for the whole."""
        return f"{self.name} {self.text}"


@dataclasses.dataclass(frozen=True, slots=True)
class Throttling:
    """The target's answers of the last minutes: all, and those refused for their rate (429)."""

    calls: int
    throttled: int

    @property
    def percent(self) -> int:
        """Share of 429s, rounded up: none means none."""
        return -(-100 * self.throttled // self.calls) if self.calls else 0


def overall(signals: Iterable[Signal]) -> Signal:
    """One signal for all: the worst state, and what is in it.

    Of what is idle only the target counts: without a source or a reconciliation work can go well.
    """
    found = [signal for signal in signals if signal.state != "idle" or signal.name == _NEEDED]
    state = min((signal.state for signal in found), key=_ORDER.index)
    reasons = "; ".join(signal.sentence for signal in found if signal.state == state)
    names = {"bad": "Trouble", "warning": "Degraded", "idle": "No trouble known", "good": "Healthy"}
    if state == "good":
        return Signal(names[state], state, "Everything that work depends on answers.")
    return Signal(names[state], state, reasons[:1].upper() + reasons[1:])


def target_signal() -> Signal:
    """The target: does it answer, does it accept the key, does it refuse repeats."""
    row = _newest(ApiHealth.Api.TARGET)
    if row is None:
        return Signal(_NEEDED, "idle", "not asked yet", "No worker has called it so far.")
    state, text, detail = _answers(row)
    behaviour = TargetBehaviour.objects.filter(target=row.address).first()
    text = f"{text}, {_repeats(behaviour)}" if state == "good" else text
    return Signal(_NEEDED, state, text, f"{detail} {_behaviour_text(behaviour)}")


def source_signal() -> Signal:
    """The live source; archives need none."""
    row = _newest(ApiHealth.Api.SOURCE)
    if row is None:
        configured = bool(settings.SOURCE_BASE_URL)
        text = "not asked yet" if configured else "archives only"
        detail = (
            "No worker has called it so far."
            if configured
            else "No live source is configured (SOURCE_BASE_URL)."
        )
        return Signal("source", "idle" if configured else "good", text, detail)
    state, text, detail = _answers(row)
    return Signal("source", state, text, detail)


def queue_signal(waiting: int | None) -> Signal:
    """The queue; None: its server can't be reached."""
    if waiting is None:
        detail = (
            "Its server does not answer (REDIS_URL). What you start is stored, and begins once it is back."
        )
        return Signal("queue", "bad", "unreachable", detail)
    return Signal("queue", "good", f"reachable, {waiting:,} waiting" if waiting else "reachable, empty")


def workers_signal(workers: Sequence[WorkerHeartbeat] | None) -> Signal:
    """The workers; None: the queue's server, which knows them, can't be reached."""
    if workers is None:
        return Signal("workers", "bad", "unknown", "Only the queue's server knows which workers are alive.")
    alive = sum(worker.is_alive for worker in workers)
    dead = len(workers) - alive
    detail = "Start one with: manage.py rqworker urgent default"
    if not alive:
        return Signal("workers", "bad", f"none alive, {dead} dead" if dead else "none alive", detail)
    if dead:
        return Signal("workers", "warning", f"{alive} alive, {dead} dead", detail)
    return Signal("workers", "good", f"{alive} alive")


def throttling(now: dt.datetime | None = None) -> Throttling:
    """Count the target's answers of the last minutes."""
    since = (now or timezone.now()) - _THROTTLE_WINDOW
    sums = ApiMinute.objects.filter(api=ApiHealth.Api.TARGET, minute__gte=since).aggregate(
        calls=Sum("calls"), throttled=Sum("throttled")
    )
    return Throttling(sums["calls"] or 0, sums["throttled"] or 0)


def throttling_signal() -> Signal:
    """The share of 429s."""
    found = throttling()
    if not found.calls:
        return Signal("429s", "good", "no calls lately")
    state: State = "warning" if found.percent >= _MANY_THROTTLED else "good"
    detail = (
        f"{found.throttled:,} of {found.calls:,} calls in 5 minutes were refused for their rate and repeated."
    )
    return Signal("429s", state, f"{found.percent}%", detail)


def reconciliation_signal() -> Signal:
    """The last reconciliation that came to its end."""
    row = Reconciliation.objects.filter(state=Reconciliation.State.FINISHED).order_by("-id").first()
    if row is None or row.finished_at is None:
        return Signal(
            "reconciliation", "idle", "never done", "Nobody has compared the database with the target yet."
        )
    counts = row.counts.values() if isinstance(row.counts, dict) else ()
    errors = sum(int(count.get("error", 0)) for count in counts if isinstance(count, dict))
    when = f"{row.finished_at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
    if errors:
        plural = "" if errors == 1 else "s"
        return Signal("reconciliation", "warning", f"found {errors:,} error{plural}", f"Finished {when}.")
    if timezone.now() - row.finished_at > _OLD_RECONCILIATION:
        return Signal(
            "reconciliation", "idle", f"clean, last {row.finished_at:%Y-%m-%d}", f"Finished {when}."
        )
    return Signal("reconciliation", "good", "clean", f"Finished {when}.")


def _newest(api: str) -> ApiHealth | None:
    rows = ApiHealth.objects.filter(api=api).annotate(last=Greatest("answered_at", "failed_at"))
    return rows.order_by("-last").first()


def _answers(row: ApiHealth) -> tuple[State, str, str]:
    """State, words and detail of an API, by its last answers."""
    last = max(moment for moment in (row.answered_at, row.failed_at) if moment is not None)
    detail = f"{row.address}: last asked {last.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC."
    if _fails(row):
        at = row.failed_at or last
        text = _FAILED.get(row.failed_code, (f"fails ({row.failed_code})",))[0]
        since = "" if timezone.now() - at < _FRESH else f" (last asked {at.astimezone(dt.UTC):%H:%M} UTC)"
        return "bad", text + since, detail
    if _failed_lately(row):
        return "warning", _recovered_text(row), f"{detail} Watch it for some minutes before you rely on it."
    if timezone.now() - last >= _FRESH:
        return (
            "idle",
            f"not asked since {last.astimezone(dt.UTC):%H:%M} UTC",
            f"{detail} It took the key then.",
        )
    return "good", "reachable, key accepted", detail


def _fails(row: ApiHealth) -> bool:
    """Whether the last that is known is a failure. One failed call between good ones is none."""
    if row.failed_at is None:
        return False
    if row.accepted_at is None:
        return True
    patience = dt.timedelta() if row.failed_code in LASTING else _RECOVERED_AFTER
    return row.failed_at - row.accepted_at > patience


def _failed_lately(row: ApiHealth) -> bool:
    """Whether an API that answers now was in trouble some minutes ago: more than single calls failed."""
    now = timezone.now()
    if row.failed_at is None or now - row.failed_at >= _REMEMBERED:
        return False
    if row.failed_code in LASTING:
        return True
    minutes = ApiMinute.objects.filter(api=row.api, minute__gt=now - _REMEMBERED - dt.timedelta(minutes=1))
    return minutes.filter(failed__gte=_SOME_FAILED, calls__lte=F("failed") * _IN_CALLS).exists()


def _recovered_text(row: ApiHealth) -> str:
    """What was wrong, how long ago, and that it is over."""
    seconds = (timezone.now() - (row.failed_at or timezone.now())).total_seconds()
    ago = f"{seconds:.0f} s" if seconds < _SAID_IN_SECONDS else f"{seconds / 60:.0f} min"
    text = _FAILED.get(row.failed_code, ("", f"failed ({row.failed_code})"))[1]
    return f"{text} {ago} ago, {'accepted' if row.failed_code in LASTING else 'answers'} since"


def _repeats(row: TargetBehaviour | None) -> str:
    if row is not None and repeats_are_refused(row, now=timezone.now()):
        return "repeats refused"
    if row is not None and row.repeats == TargetBehaviour.Repeats.TAKEN:
        return "repeats taken again"
    return "repeats not tested"


def _behaviour_text(row: TargetBehaviour | None) -> str:
    """What was found out about it, and when."""
    text = f"{_repeats(row).capitalize()}."
    if row is None:
        return text
    if row.repeats_seen_at is not None:
        text = f"{text} Tested {row.repeats_seen_at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC."
    if row.list_lag_seconds:
        text = f"{text} Its lists were up to {row.list_lag_seconds:.1f} s behind."
    return text
