"""Rows of runs, written out of the snapshots: with every assessment, and for estates older than these rows.

A group's rows are written in bulk and in the transaction of the thread's measures; the latest state
of a run replaces the stored one, and unchanged rows are not written. Must not import assessments.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from migration_app.archive.ids import MAX_ID_LENGTH, storable_text
from migration_app.archive.times import moment_of
from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor, SourceThread, compact_json
from migration_app.conversion.run_facts import run_facts
from migration_app.counters import RUNS
from migration_app.models import Run, Thread
from migration_app.models.run import MAX_TOKENS
from migration_app.snapshots.pages import load_source_threads
from migration_app.spill import Codec, Gathering
from migration_app.statements import statements_of

_GROUP = 200
_ROWS_A_STATEMENT = 2_000
_TEXTS = {
    "run_id": MAX_ID_LENGTH,
    "assistant_id": MAX_ID_LENGTH,
    "status": 32,
    "model": 255,
    "error_code": 64,
    "incomplete_reason": 64,
}
_TIMES = ("created_at", "started_at", "ended_at")
_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_SQL = statements_of(__name__)
_BYTES: Codec[bytes] = Codec(lambda row: row, lambda data: data)


class RunRows:
    """Rows of runs, gathered from one thread after the other and written together.

    More than a few thousand of them go to a temporary file (``spill``), however many runs a thread has.
    """

    def __init__(self) -> None:
        self._rows: Gathering[bytes] = Gathering(_BYTES)
        self._threads: list[tuple[int, int, int]] = []

    def add(self, thread_pk: int, source: SourceThread) -> None:
        """Read the runs of a thread's snapshot."""
        first = len(self._rows)
        seen: set[str] = set()
        for facts in run_facts(source) if source.runs else ():
            row = _row(thread_pk, facts)
            if row["run_id"] not in seen:  # one statement can't write a row twice
                seen.add(row["run_id"])
                data = compact_json(row)
                self._rows.append(data, len(data))
        if len(self._rows) > first:
            self._threads.append((thread_pk, first, len(self._rows)))

    def write(self, thread_pks: Collection[int]) -> int:
        """Write the rows of these threads; returns how many were new or had changed.

        The caller has a transaction open and has locked, or written, the threads' rows in it.
        """
        wanted = set(thread_pks)
        written = 0
        group: list[bytes] = []
        with connection.cursor() as cursor:
            for data in self._of(wanted):
                group.append(data)
                if len(group) == _ROWS_A_STATEMENT:
                    cursor.execute(_SQL["write"], [_array(group)])
                    written += cursor.rowcount
                    group = []
            if group:
                cursor.execute(_SQL["write"], [_array(group)])
                written += cursor.rowcount
        return written

    def _of(self, wanted: set[int]) -> Iterator[bytes]:
        for pk, first, end in self._threads:
            if pk in wanted:
                yield from map(self._rows.__getitem__, range(first, end))


def _array(group: list[bytes]) -> str:
    return f"[{b','.join(group).decode()}]"


def _row(thread_pk: int, facts: dict[str, Any]) -> dict[str, Any]:
    """The facts as their columns can hold them; invalid values (a text for a number) are left empty."""
    row: dict[str, Any] = {"thread_id": thread_pk}
    for name, limit in _TEXTS.items():
        row[name] = storable_text(facts[name], limit)
    for name in _TIMES:
        moment = moment_of(facts[name])
        row[name] = moment and moment.isoformat()
    for name in _COUNTS:
        value = facts[name]
        usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS
        row[name] = value if usable else None
    row["tool_calls"] = {storable_text(kind, 40): count for kind, count in facts["tool_calls"].items()}
    return row


@dataclasses.dataclass(frozen=True, slots=True)
class Collected:
    """How far ``runs_collect`` came: threads read, rows written, and the last thread's primary key."""

    threads: int = 0
    rows: int = 0
    last_pk: int = 0


def runs_collect(
    *,
    actor: Actor,
    everything: bool = False,
    after: int = 0,
    progress: Callable[[Collected], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Collected:
    """Write the runs of threads that were snapshotted before these rows were kept; skips threads that have rows.

    ``everything``: read all threads again, and rebuild the totals at the end. ``after``: begin after this
    primary key. A group of threads is one transaction, so an interrupted call can be resumed.
    """
    done = Collected(last_pk=after)
    while not stop():
        waiting = Thread.objects.filter(pk__gt=done.last_pk, run_count__gt=0)
        if not everything:
            waiting = waiting.filter(~Exists(Run.objects.filter(thread=OuterRef("pk"))))
        threads = list(waiting.order_by("pk")[:_GROUP])
        if not threads:
            break
        written = _group_collect(threads)
        done = Collected(done.threads + len(threads), done.rows + written, threads[-1].pk)
        RUNS.fold()
        if progress is not None:
            progress(done)
    if everything and not stop():
        RUNS.rebuild()
    if done.threads:
        audit_record(
            actor=actor,
            verb="runs.collected",
            subject_kind="runs",
            subject_id="all" if everything else "missing",
            reason=f"{done.rows} runs of {done.threads} threads",
        )
    return done


def _group_collect(threads: list[Thread]) -> int:
    rows = RunRows()
    read = {}
    for loaded in load_source_threads(threads):
        rows.add(loaded.thread.pk, loaded.source)
        read[loaded.thread.pk] = loaded.sequence
    with transaction.atomic():
        now = Thread.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=read).order_by("pk")
        # Threads assessed in the meantime have newer rows than these.
        same = [
            pk
            for pk, assessed in now.values_list("pk", "snapshot_sequence")
            if assessed is None or ((last := read[pk]) is not None and last >= assessed)
        ]
        return rows.write(same)
