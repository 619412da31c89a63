"""What the database says against itself: statuses, conversations and chunks; leases, batches and imports.

Each check is one statement, so it sees one moment: concurrent work never seems a discrepancy.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.db.models import Exists, Min, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from migration_app.batches.claims import threads_claimable, threads_pending
from migration_app.models import (
    Batch,
    Conversation,
    FormerConversation,
    OrphanConversation,
    SourceImport,
    Thread,
)
from migration_app.reconciliation.kinds import Examined, Found
from migration_app.statements import statements_of

S = Thread.Status

COUNTED_UP_TO = 10_000
"""Leases and orphans are counted up to here: more says nothing more."""

QUIET = dt.timedelta(minutes=10)
"""Heartbeats come every few seconds; a task without one for so long is dead."""

_AT_WORK = frozenset({S.QUEUED, S.BACKFILLING, S.ROLLING_BACK})
_ENDED_HALF_WAY = frozenset({S.FAILED, S.BLOCKED, S.NEEDS_REVIEW, S.SNAPSHOTTED, S.EXCLUDED})
_FINISHED = {S.VERIFIED: ("verified",), S.BACKFILLED: ("complete", "verified")}
_WITHOUT_CONVERSATION = frozenset({S.REGISTERED, S.SOURCE_MISSING})

_SQL = statements_of(__name__)


def records_check(pks: Sequence[int]) -> Examined:
    """Hold these threads, their conversations and their chunks against each other.

    A repeated item id is found inside a conversation, and between threads of one call.
    """
    found = [
        *(entry for row in _rows(_SQL["statuses"], pks) for entry in _status_faults(*row)),
        *(entry for row in _rows(_SQL["chunks"], pks) for entry in _chunk_faults(_Chunks(*row))),
        *(
            Found("item_id_twice", thread_pk, claimed="each item has an id of its own", found=_twice(*row))
            for row in _rows(_SQL["item_ids_twice"], pks)
            for thread_pk in row[2]
        ),
    ]
    return Examined(len(pks), tuple(sorted(found, key=lambda entry: entry.thread_pk or 0)))


def _twice(item_id: str, times: int, thread_pks: Sequence[int]) -> str:
    return f"{item_id} is there {times} times, in {_number(len(thread_pks), 'thread')}"


def _status_faults(pk: int, status: str, work: str, leased: bool, state: str) -> Iterator[Found]:
    claimed, there = f"thread {status}", f"conversation {state}" if state else "no conversation"
    if leased and not work:
        yield Found("lease_without_work", pk, claimed="no pending work", found="a lease")
    if (status in _FINISHED and state not in _FINISHED[S(status)]) or (
        status in _WITHOUT_CONVERSATION and state
    ):
        yield Found("status_contradicts", pk, claimed=claimed, found=there)
    elif status not in _AT_WORK and not work and state == "creating":
        yield Found("create_unresolved", pk, claimed=claimed, found=there)
    elif status in _ENDED_HALF_WAY and not work and state == "open":
        yield Found("conversation_unfinished", pk, claimed=claimed, found=there)
    elif (status == S.ROLLED_BACK and state) or (status == S.ROLLING_BACK and state != "deleting"):
        yield Found("status_contradicts", pk, claimed=claimed, found=there)
    elif not work and state == "deleting":
        yield Found("rollback_unfinished", pk, claimed=claimed, found=there)


class _Chunks(NamedTuple):
    """What ``chunks`` says of one conversation."""

    thread_pk: int
    status: str
    work: str
    state: str
    item_count: int
    continued: bool
    items: int
    gaps: int
    sending: int
    without_ids: int


def _chunk_faults(row: _Chunks) -> Iterator[Found]:
    if row.state == "deleting":
        return  # a roll back takes the chunks away from the first on
    pk, at_rest = row.thread_pk, not row.work and row.status not in _AT_WORK
    if row.gaps:
        yield Found("chunk_gap", pk, claimed="chunks in one row", found=_number(row.gaps, "break"))
    if row.sending and at_rest:
        text = _number(row.sending, "chunk in doubt")
        yield Found("chunk_in_doubt", pk, claimed=f"thread {row.status}", found=text)
    if row.without_ids:
        text = f"not so in {_number(row.without_ids, 'chunk')}"
        yield Found("chunk_ids_missing", pk, claimed="an id for each item", found=text)
    complete = at_rest and row.status in _FINISHED and row.state in {"complete", "verified"}
    if complete and not row.continued and row.items != row.item_count:
        claimed = _number(row.item_count, "item")
        yield Found("item_count_differs", pk, claimed=claimed, found=f"{row.items} in chunks")


def work_check() -> Examined:
    """Find leases, batches and imports that nobody works on, by the database's clock. Bounded: see below."""
    leases = list(_forgotten_leases())
    batches = list(Batch.objects.filter(state__in=["preparing", "running", "cancelling"]).order_by("pk"))
    imports = list(SourceImport.objects.filter(state__in=["waiting", "running"]).order_by("pk"))
    found = [*leases, *(entry for batch in batches for entry in _batch_faults(batch)), *_import_faults()]
    return Examined(len(leases) + len(batches) + len(imports), tuple(found))


def _forgotten_leases() -> Iterator[Found]:
    """The first 10,000: one worker too few shows in as many threads as it had, and one lost estate in all."""
    held = ["paused", "waiting"]  # nobody takes their threads, and nobody should
    rows = (
        Thread.objects.filter(~Q(pending_work=""), lease_until__lt=Now() - _long())
        .exclude(batch__state__in=held)
        .order_by("batch_id", "pk")
        .values_list("pk", "pending_work", "lease_until", "batch_id")
    )
    for pk, work, until, batch_pk in rows[:COUNTED_UP_TO]:
        yield Found(
            "lease_forgotten",
            pk,
            claimed=f"{work} in a worker's hands, batch {batch_pk}",
            found=f"its lease ran out at {until:%Y-%m-%d %H:%M:%S} UTC",
        )


def _long() -> dt.timedelta:
    """How long work may lie: well above what one lease, one try or one sweep takes."""
    return max(QUIET, dt.timedelta(seconds=3 * settings.LEASE_SECONDS))


def _batch_faults(batch: Batch) -> Iterator[Found]:
    name = f"batch {batch.pk}"
    now = _database_now()
    sign = batch.heartbeat_at or batch.created_at
    quiet = now - sign > _long()
    if batch.state != Batch.State.RUNNING:
        if quiet:
            yield Found("batch_stalled", subject=name, claimed=batch.state, found=_quiet_text(sign))
        return
    pending = threads_pending(batch.pk)
    begun = batch.started_at or batch.created_at
    if not pending.exists():
        if now - begun > _long():
            yield Found(
                "batch_not_closed", subject=name, claimed=batch.state, found="no thread has pending work"
            )
        return
    if pending.filter(lease_until__gte=Now()).exists():
        return
    if threads_claimable(batch.pk).exists():
        if not pending.filter(updated_at__gt=Now() - _long()).exists() and now - begun > _long():
            yield Found(
                "batch_idle",
                subject=name,
                claimed=batch.state,
                found="threads can be taken, and nobody has one",
            )
        return
    due = pending.aggregate(due=Min("not_before"))["due"]
    if due is not None and due > now + _long():
        yield Found(
            "batch_waits_long",
            subject=name,
            claimed=batch.state,
            found=f"the first thread is due at {due:%Y-%m-%d %H:%M:%S} UTC",
        )


def _import_faults() -> Iterator[Found]:
    quiet = SourceImport.objects.filter(state="running", heartbeat_at__lt=Now() - _long())
    for pk, sign in quiet.order_by("pk").values_list("pk", "heartbeat_at"):
        yield Found("import_stalled", subject=f"import {pk}", claimed="running", found=_quiet_text(sign))
    waiting = SourceImport.objects.filter(state="waiting", created_at__lt=Now() - _long())
    for pk, since in waiting.order_by("pk").values_list("pk", "created_at"):
        yield Found(
            "import_waiting",
            subject=f"import {pk}",
            claimed="waiting",
            found=f"since {since:%Y-%m-%d %H:%M:%S} UTC",
        )


def orphans_check() -> Examined:
    """Say what is left at the target that no thread points to, each kind as far as it is counted."""
    given_up = FormerConversation.objects.filter(outcome="given_up", deleted_at__isnull=True)
    kinds: tuple[tuple[str, str, QuerySet[Any]], ...] = (
        ("orphans_open", "orphan ledger", OrphanConversation.objects.filter(state="open")),
        ("given_up_stays", "conversations given up", given_up.filter(delete_after__isnull=True)),
        ("given_up_late", "conversations given up", given_up.filter(delete_after__lt=Now() - _long())),
        (
            "given_up_in_use",
            "conversations given up",
            given_up.filter(Exists(Conversation.objects.filter(conversation_id=OuterRef("conversation_id")))),
        ),
    )
    counts = {code: rows.order_by()[: COUNTED_UP_TO + 1].count() for code, _subject, rows in kinds}
    found = [
        Found(code, subject=subject, found=f"{_up_to(counts[code])} {_OPEN.get(code, 'open')}")
        for code, subject, _rows in kinds
        if counts[code]
    ]
    return Examined(sum(counts.values()), tuple(found))


_OPEN = {
    "given_up_stays": "that the target does not delete",
    "given_up_late": "that should have been deleted by now",
    "given_up_in_use": "that a thread points to",
}


def _up_to(count: int) -> str:
    return f"more than {COUNTED_UP_TO:,}" if count > COUNTED_UP_TO else f"{count:,}"


def _quiet_text(sign: dt.datetime | None) -> str:
    if sign is None:
        return "it never had a heartbeat"
    return f"the last heartbeat is from {sign:%Y-%m-%d %H:%M:%S} UTC"


def _number(count: int, noun: str) -> str:
    if count == 1:
        return f"1 {noun}"
    head, space, rest = noun.partition(" ")
    return f"{count:,} {head}s{space}{rest}"


def _database_now() -> dt.datetime:
    now: dt.datetime
    ((now,),) = _rows("SELECT now()", None)
    return now


def _rows(sql: str, pks: Sequence[int] | None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [] if pks is None else [list(pks)])
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
