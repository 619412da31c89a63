"""A worker's turn at a batch: claim a thread, work on it, say truthfully how that ended, claim the next.

Must not import jobs or rq.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import time
import traceback
from collections.abc import Callable, Mapping

from django.conf import settings
from django.db import InterfaceError, OperationalError

from migration_app.backfill.leases import LeaseKeeper
from migration_app.backfill.protocol import thread_backfill, thread_verify
from migration_app.backfill.resources import thread_check_resources
from migration_app.backfill.snapshot import thread_snapshot
from migration_app.contracts import Actor
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError
from migration_app.models import Thread
from migration_app.services.audit import audit_event
from migration_app.services.batches import batch_finish
from migration_app.services.claims import lease_held, lease_release, thread_claim, threads_pending
from migration_app.services.threads import TERMINAL_FIELDS, LeaseLostError, thread_transition

logger = logging.getLogger(__name__)

S = Thread.Status
W = Thread.Work
_LONGEST_DELAY = 120.0
_IDLE_SECONDS = 5.0
_IDLE_POLL = 0.25


@dataclasses.dataclass(frozen=True, slots=True)
class Connections:
    """How to reach the two APIs."""

    source: Callable[[], Connection]
    target: Callable[[], Connection]


class BugsMetError(Exception):
    """Some threads failed by a fault of this program; each of them says so. Raised when the turn is over."""


def batch_work(*, batch_pk: int, actor: Actor, connections: Connections, seconds: float) -> bool:
    """Work on a batch's threads until none is left to take or ``seconds`` have passed.

    Returns whether the batch has work left, here or in other workers' hands. Raises BugsMetError at the end
    if a thread met a bug; database errors at once (leases run out, and the work is found again).
    """
    lease = dt.timedelta(seconds=settings.LEASE_SECONDS)
    end = time.monotonic() + seconds
    idle_until = time.monotonic() + _IDLE_SECONDS
    bugs = 0
    opened: dict[Callable[[], Connection], Connection] = {}
    try:
        with LeaseKeeper(lease).running() as keeper:
            while time.monotonic() < end:
                thread = thread_claim(batch_pk=batch_pk, lease=lease)
                if thread is None:
                    if not threads_pending(batch_pk).exists():
                        break
                    if time.monotonic() > idle_until:
                        break  # others hold the rest, or it waits for later: the sweeper looks again
                    time.sleep(_IDLE_POLL)
                    continue
                with keeper.keeping(thread):
                    bugs += not _work_on(thread, actor=actor, connections=connections, opened=opened)
                idle_until = time.monotonic() + _IDLE_SECONDS
    finally:
        for connection in opened.values():
            connection.close()
    left = threads_pending(batch_pk).exists()
    if not left:
        batch_finish(batch_pk=batch_pk, actor=actor)
    if bugs:
        raise BugsMetError(f"{bugs} threads failed by a fault of the console; see their pages.")
    return left


def _work_on(
    thread: Thread,
    *,
    actor: Actor,
    connections: Connections,
    opened: dict[Callable[[], Connection], Connection],
) -> bool:
    """Do the thread's work. False if it met a bug."""
    try:
        if thread.pending_work == W.SNAPSHOT:
            thread_snapshot(thread=thread, connection=_opened(opened, connections.source), actor=actor)
        elif thread.pending_work == W.BACKFILL:
            thread_backfill(thread=thread, connection=_opened(opened, connections.target), actor=actor)
        elif thread.pending_work == W.RESOURCES:
            thread_check_resources(thread=thread, connection=_opened(opened, connections.target), actor=actor)
        else:
            thread_verify(thread=thread, connection=_opened(opened, connections.target), actor=actor)
    except LeaseLostError:
        logger.warning("thread %s: lease lost, left to its new holder", thread.pk)
    except GatewayError as error:
        _record(thread, error, actor=actor)
    except (OperationalError, InterfaceError):
        raise
    except Exception as bug:  # noqa: BLE001 - one bad thread never costs a batch; recorded, logged, raised at the end
        _record_bug(thread, bug, actor=actor)
        return False
    return True


def _opened(
    opened: dict[Callable[[], Connection], Connection], connect: Callable[[], Connection]
) -> Connection:
    """Open a connection once a turn, when the first thread needs it: most batches need only one of the two."""
    if connect not in opened:
        opened[connect] = connect()
    return opened[connect]


@dataclasses.dataclass(frozen=True, slots=True)
class _Trouble:
    """What is recorded of an error."""

    code: str
    text: str
    request_id: str = ""


def _record(thread: Thread, error: GatewayError, *, actor: Actor) -> None:
    trouble = _Trouble(error.code, error.text, error.request_id)
    # A rate limit says nothing about the thread: it never counts as one of its tries.
    counts = error.code != "rate_limited"
    try:
        if error.permanent or (counts and thread.attempts + 1 >= settings.MAX_ATTEMPTS):
            _give_up(thread, trouble, actor=actor)
        else:
            delay = min(max(2.0**thread.attempts, error.retry_after or 0.0), _LONGEST_DELAY)
            _try_later(thread, trouble, actor=actor, delay=dt.timedelta(seconds=delay), counts=counts)
    except LeaseLostError:
        logger.warning("thread %s: lease lost before its error was recorded", thread.pk)


def _try_later(thread: Thread, trouble: _Trouble, *, actor: Actor, delay: dt.timedelta, counts: bool) -> None:
    reason = f"{trouble.text} Tried again in {delay.total_seconds():.0f} s."
    with lease_held(thread):
        if thread.status == S.BACKFILLING:
            _transition(
                thread, S.QUEUED, "thread.try_later", dataclasses.replace(trouble, text=reason), actor=actor
            )
        else:
            _note(thread, "thread.try_later", dataclasses.replace(trouble, text=reason), actor=actor)
        Thread.objects.filter(pk=thread.pk).update(error_code=trouble.code, error_text=trouble.text)
        lease_release(thread, not_before=delay, used_attempt=counts)


def _give_up(thread: Thread, trouble: _Trouble, *, actor: Actor) -> None:
    """End the work with a reason. What was true of the thread before stays true: only its work failed."""
    never_seen = thread.pending_work == W.SNAPSHOT and thread.snapshot_at is None
    ended = {"error_code": trouble.code, "error_text": trouble.text, **TERMINAL_FIELDS}
    if never_seen and trouble.code == "not_found":
        _transition(thread, S.SOURCE_MISSING, "thread.source_missing", trouble, actor=actor, fields=ended)
    elif never_seen or (thread.pending_work == W.BACKFILL and thread.status in {S.QUEUED, S.BACKFILLING}):
        _transition(thread, S.FAILED, "thread.failed", trouble, actor=actor, fields=ended)
    else:
        with lease_held(thread):
            _note(thread, f"thread.{thread.pending_work}_failed", trouble, actor=actor)
            Thread.objects.filter(pk=thread.pk).update(**ended)


def _transition(
    thread: Thread,
    to: str,
    verb: str,
    trouble: _Trouble,
    *,
    actor: Actor,
    fields: Mapping[str, object] | None = None,
) -> None:
    thread_transition(
        thread=thread,
        to=to,
        actor=actor,
        verb=verb,
        reason=trouble.text,
        request_id=trouble.request_id,
        lease_token=thread.lease_token,
        fields=fields,
    )


def _note(thread: Thread, verb: str, trouble: _Trouble, *, actor: Actor) -> None:
    audit_event(
        actor=actor,
        verb=verb,
        subject_kind="thread",
        subject_id=thread.thread_id,
        before=thread.status,
        after=thread.status,
        reason=trouble.text,
        batch_pk=thread.batch_id,
        request_id=trouble.request_id,
    ).save(force_insert=True)


def bug_place(bug: BaseException) -> str:
    """Say of a bug which kind it is and where it happened, never what: its message may quote a user's words."""
    return f"{type(bug).__name__}\n{''.join(traceback.format_tb(bug.__traceback__))}"


def _record_bug(thread: Thread, bug: Exception, *, actor: Actor) -> None:
    logger.error("thread %s met a bug: %s", thread.pk, bug_place(bug))
    text = f"A fault of the console ({type(bug).__name__}); the worker's log says where. Nothing was lost."
    try:
        thread.refresh_from_db(fields=["status", "pending_work", "snapshot_at"])
        _give_up(thread, _Trouble("internal_error", text), actor=actor)
    except LeaseLostError:
        logger.warning("thread %s: lease lost before its bug was recorded", thread.pk)
