"""How a thread's turn ended, said truthfully: tried later, given up with a reason, or handed back.

Each function adds to the thread's entry; the caller writes it. Must not import jobs or rq.
"""

from __future__ import annotations

import dataclasses
import math
import traceback

from django.conf import settings

from migration_app.archive.ids import storable_text
from migration_app.engine.converting.converter import ConverterEndedError
from migration_app.engine.journal.entries import Entry
from migration_app.engine.steps.records import work_ended
from migration_app.gateways.errors import GatewayError
from migration_app.models import BatchResult, Thread
from migration_app.spill import TemporarySpaceError
from migration_app.tasks.breaker import LASTING
from migration_app.threads.statuses import ROLLBACK_BEGUN_TEXT

S = Thread.Status
W = Thread.Work
_LONGEST_DELAY = 120.0
_TRIES_OF_LASTING = 3
_OUR_PAUSES = frozenset({"append_may_arrive", "starting_over"})
"""Pauses that the console makes for its own reasons, and knows how long they must be."""


@dataclasses.dataclass(frozen=True, slots=True)
class Trouble:
    """What is recorded of an error. ``said`` is the server's own, and goes nowhere but beside the thread."""

    code: str
    text: str
    request_id: str = ""
    status: int = 0
    said: str = ""

    @property
    def reason(self) -> str:
        """What the audit trail keeps of it."""
        return f"{self.code}: {self.text}"


def call_failed(entry: Entry, error: GatewayError) -> None:
    """Try the thread later, or give it up if the same would happen again or its tries are used up."""
    trouble = Trouble(error.code, error.text, error.request_id, error.status, error.said)
    # A rate limit says nothing about the thread: it never counts as one of its tries. Neither does a pause of ours.
    counts = error.code not in {"rate_limited", *_OUR_PAUSES}
    attempts = entry.parts.get("set", {}).get("attempts", entry.thread.attempts)
    # What speaks of key or account gets a few tries too: by then the breaker has seen whether others meet it.
    tries = min(_TRIES_OF_LASTING, settings.MAX_ATTEMPTS) if error.code in LASTING else settings.MAX_ATTEMPTS
    if (error.permanent and error.code not in LASTING) or (counts and attempts + 1 >= tries):
        give_up(entry, trouble)
        return
    longest = math.inf if error.code in _OUR_PAUSES else _LONGEST_DELAY
    delay = min(max(_delay(attempts), error.retry_after or 0.0), longest)
    try_later(entry, trouble, delay=delay, attempts=attempts + counts)


def no_room(entry: Entry, error: TemporarySpaceError | ConverterEndedError) -> None:
    """There is no room for a large thread, on disk or in memory: try it later, a few times; others may need none."""
    if isinstance(error, TemporarySpaceError):
        trouble = Trouble("no_temporary_space", error.strerror or str(error))
    else:
        trouble = Trouble("conversion_ended", str(error))
    attempts = entry.parts.get("set", {}).get("attempts", entry.thread.attempts)
    if attempts + 1 >= settings.MAX_ATTEMPTS:
        give_up(entry, trouble)
    else:
        try_later(entry, trouble, delay=_delay(attempts), attempts=attempts + 1)


def try_later(entry: Entry, trouble: Trouble, *, delay: float, attempts: int) -> None:
    """Hand the thread back, to be taken again in ``delay`` seconds."""
    reason = f"{trouble.reason} Tried again in {delay:.0f} s."
    if entry.status == S.BACKFILLING:
        entry.transition(S.QUEUED, "thread.try_later", reason=reason, request_id=trouble.request_id)
    else:
        entry.event("thread.try_later", reason=reason, request_id=trouble.request_id)
    retries = entry.thread.retries + 1
    entry.set(**_kept(entry, trouble), attempts=attempts, retries=retries, due_in=delay, release=True)


def hand_back(entry: Entry, error: GatewayError | None = None) -> None:
    """Give the thread back as it is: the worker stops, or its batch is held (``error``: by what). It costs no try."""
    if error is not None:
        entry.quote(error.said, code=error.code, status=error.status, request_id=error.request_id)
    if entry.status == S.BACKFILLING:
        entry.transition(S.QUEUED, "thread.handed_back")
    entry.set(release=True)


def give_up(entry: Entry, trouble: Trouble) -> None:
    """End the work with a reason. What was true of the thread before stays true: only its work failed."""
    thread = entry.thread
    never_seen = thread.pending_work == W.SNAPSHOT and thread.snapshot_at is None
    if never_seen and trouble.code == "not_found":
        to, verb = S.SOURCE_MISSING, "thread.source_missing"
    elif never_seen or (thread.pending_work == W.BACKFILL and entry.status in {S.QUEUED, S.BACKFILLING}):
        to, verb = S.FAILED, "thread.failed"
    elif entry.status == S.ROLLING_BACK:  # it was begun, so the conversation is not whole
        to, verb = S.NEEDS_REVIEW, "thread.rollback_failed"
        trouble = dataclasses.replace(trouble, text=f"{trouble.text} {ROLLBACK_BEGUN_TEXT}")
    else:
        to, verb = None, f"thread.{thread.pending_work}_failed"
    if to is None:
        entry.event(verb, reason=trouble.reason, request_id=trouble.request_id)
    else:
        entry.transition(to, verb, reason=trouble.reason, request_id=trouble.request_id)
    entry.set(**_kept(entry, trouble))
    work_ended(entry, BatchResult.Result.FAILED if to != S.SOURCE_MISSING else "")


def met_bug(entry: Entry, bug: Exception) -> None:
    """Fail the thread for a bug of the console: its location is in the worker's log, without its message."""
    text = f"A fault of the console ({type(bug).__name__}); the worker's log says where. Nothing was lost."
    give_up(entry, Trouble("internal_error", text))


def bug_place(bug: BaseException) -> str:
    """Log a bug's type and location, never its message, which may quote a user's text."""
    return f"{type(bug).__name__}\n{''.join(traceback.format_tb(bug.__traceback__))}"


def _delay(attempts: int) -> float:
    return float(min(2.0**attempts, _LONGEST_DELAY))


def _kept(entry: Entry, trouble: Trouble) -> dict[str, str]:
    """Store the server's message as content; returns the error text for the thread's row."""
    entry.quote(trouble.said, code=trouble.code, status=trouble.status, request_id=trouble.request_id)
    return {"error_code": trouble.code[:64], "error_text": storable_text(trouble.text, 2_000)}
