"""How far a batch is and what became of its threads, by the counters; no thread is read.

Must not import batches.batches, which imports this room's parts.
"""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Q

from migration_app.counters import RESULTS, tally_lines
from migration_app.models import Batch, BatchResult
from migration_app.models.batch_result import GOOD_RESULTS, TROUBLE_RESULTS

R = BatchResult.Result


STILL_COUNTED_UP_TO = 500
"""Threads that needed somebody, of which a page asks what they are now, at most."""

_STILL = """
SELECT found.batch_id, count(*), count(*) FILTER (WHERE t.status = ANY(%(trouble)s)),
       count(*) FILTER (WHERE t.status = ANY(%(failed)s))
FROM unnest(%(batches)s::bigint[]) AS batch, LATERAL (
    SELECT batch_id, thread_id FROM migration_app_batchresult
    WHERE batch_id = batch AND result = ANY(%(trouble)s) LIMIT %(most)s
) AS found JOIN migration_app_thread AS t ON t.id = found.thread_id
GROUP BY found.batch_id
"""
_FAILED = [R.FAILED, R.BLOCKED]


@dataclasses.dataclass(frozen=True, slots=True)
class StillTrouble:
    """What threads that needed somebody are now: so many were ``asked``, ``trouble`` of them still need somebody.

    ``failed``: those of them that failed or are blocked; the others are for a review.
    """

    asked: int
    trouble: int
    failed: int


@dataclasses.dataclass(frozen=True, slots=True)
class ResultLine:
    """How many threads of a batch ended alike; only results that need somebody have an error code."""

    result: str
    error_code: str
    threads: int
    messages: int
    retries: int


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is. ``taken``: threads that it took; ``pending``: those whose work is not over.

    ``results``: what became of the others, which stays true when they move on to later batches. ``by_status``: the
    present statuses of those threads that no later batch has taken. ``still``: of a finished batch, what the threads
    that needed somebody are now; None where there were none.
    """

    taken: int
    pending: int
    by_status: Mapping[str, int]
    results: Sequence[ResultLine] = ()
    still: StillTrouble | None = None

    @property
    def done(self) -> int:
        """Threads whose work is over, one way or another."""
        return max(0, self.taken - self.pending)

    @property
    def percent(self) -> int:
        """Share of the threads that are done; 100 for a batch that took none."""
        return 100 if not self.taken else self.done * 100 // self.taken

    @property
    def by_result(self) -> Mapping[str, int]:
        """Threads by result, in the order in which results are declared."""
        counts: collections.Counter[str] = collections.Counter()
        for line in self.results:
            counts[line.result] += line.threads
        return {result: counts[result] for result in R.values if counts[result]}

    @property
    def results_text(self) -> str:
        """The results for people: "197 verified, 3 failed"; empty while there are none."""
        return ", ".join(f"{count:,} {R(result).label}" for result, count in self.by_result.items())

    @property
    def good(self) -> int:
        """Threads with which all is well."""
        return sum(line.threads for line in self.results if line.result in GOOD_RESULTS)

    @property
    def trouble(self) -> int:
        """Threads that need somebody."""
        return sum(line.threads for line in self.results if line.result in TROUBLE_RESULTS)

    @property
    def messages(self) -> int:
        """Messages of the threads that are done."""
        return sum(line.messages for line in self.results)


def batch_progress(batch: Batch) -> Progress:
    """How far a batch is: three queries at most, whatever the number of its threads."""
    lines = tally_lines(batch_pk=batch.pk)
    results = batches_results([batch.pk]).get(batch.pk, ())
    by_status: collections.Counter[str] = collections.Counter()
    for line in lines:
        by_status[line.status] += line.threads
    return Progress(
        taken=batch.taken_count,
        pending=sum(line.threads for line in lines if line.pending_work),
        by_status=dict(by_status),
        results=results,
        still=_still_trouble([batch], {batch.pk: results}).get(batch.pk),
    )


def batches_progress(batches: Sequence[Batch]) -> dict[int, Progress]:
    """How far several batches are, by two queries: what has no result yet is pending. Without the present statuses."""
    found = batches_results(batch.pk for batch in batches)
    still = _still_trouble(batches, found)
    return {batch.pk: _progress_of(batch, found.get(batch.pk, ()), still.get(batch.pk)) for batch in batches}


def _still_trouble(
    batches: Sequence[Batch], results: Mapping[int, Sequence[ResultLine]]
) -> dict[int, StillTrouble]:
    """What the threads that needed somebody are now, of finished batches that had some: one query, bounded for each."""
    pks = [
        batch.pk
        for batch in batches
        if batch.state == Batch.State.FINISHED
        and any(line.result in TROUBLE_RESULTS for line in results.get(batch.pk, ()))
    ]
    if not pks:
        return {}
    params: dict[str, Any] = {
        "batches": pks,
        "trouble": list(TROUBLE_RESULTS),
        "failed": _FAILED,
        "most": STILL_COUNTED_UP_TO,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STILL, params)
        return {pk: StillTrouble(*counts) for pk, *counts in cursor.fetchall()}


def _progress_of(batch: Batch, results: Sequence[ResultLine], still: StillTrouble | None) -> Progress:
    over = batch.finished_at is not None
    pending = 0 if over else max(0, batch.taken_count - sum(line.threads for line in results))
    return Progress(taken=batch.taken_count, pending=pending, by_status={}, results=results, still=still)


def batches_results(batch_pks: Iterable[int]) -> dict[int, list[ResultLine]]:
    """What became of the threads of several batches, by one query; a batch without any is missing."""
    rows = RESULTS.rows(Q(batch_pk__in=list(batch_pks)))
    if rows is None:
        return {}
    statement, params = rows
    keys = ", ".join(RESULTS.keys)
    sums = ", ".join(f"sum({name})::bigint" for name in RESULTS.measures)
    found: dict[int, list[ResultLine]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {keys}, {sums} FROM ({statement}) AS counted GROUP BY {keys}"  # noqa: S608 - names of our own
            f" HAVING sum(results) <> 0 ORDER BY {keys}",
            params,
        )
        for batch_pk, *line in cursor.fetchall():
            found.setdefault(batch_pk, []).append(ResultLine(*line))
    return found
