"""The preflight of a web page: exact where few threads match, and as quick where millions do.

Of many threads, the counters have number and totals; findings, policies and the
longest threads are those of the newest ones. The command (``manage.py preflight``) counts everything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Q, QuerySet

from migration_app.batches.kinds import BATCH_KINDS
from migration_app.batches.preflight import Preflight, preflight_threads
from migration_app.contracts import Fidelity, Policies
from migration_app.counters import TallyLine, tally_sums
from migration_app.gateways.target import CONVERSATION_READS
from migration_app.index_walks import counted_up_to, index_for, keys, walk
from migration_app.models import Thread
from migration_app.threads.selections import (
    THREAD_INDEXES,
    Totals,
    selection_fields,
    selection_threads,
    threads_count,
    threads_lines,
    threads_window,
)

EXACT_THREADS = 10_000
"""Matching threads that a page reads one by one at most."""

SAMPLE_THREADS = 1_000
"""Of more, so many of the newest are sampled."""


def page_preflight(selection: Mapping[str, Any], kind: str, policies: Policies | None = None) -> Preflight:
    """Count what a batch of this kind would take, as far as a page can wait; the result says how far that is."""
    chosen = policies or Policies()
    fields = selection_fields(selection)
    threads, complete = _matched(selection, fields)
    found = preflight_threads(threads, kind, chosen, limited=True)
    if complete:
        return found
    sampled = dataclasses.replace(found, sampled=found.matching, counted=False)
    matching = threads_lines(fields) if fields is not None else None
    taken = (
        threads_lines(fields, BATCH_KINDS[kind].takes & Q(pending_work="")) if fields is not None else None
    )
    if matching is None or taken is None:
        return sampled
    return _with_counters(sampled, matching, taken)


def matching_text(selection: Mapping[str, Any]) -> str:
    """How many threads a selection has, for people; counted no further than a page can wait."""
    fields = selection_fields(selection)
    known = threads_count(fields) if fields is not None else None
    if known is not None:
        return f"{known:,}"
    threads, complete = _matched(selection, fields)
    count = threads.count()
    return f"{count:,}" if complete else f"at least {count:,}"


def _matched(selection: Mapping[str, Any], fields: Mapping[str, Any] | None) -> tuple[QuerySet[Thread], bool]:
    """Return the threads that a page reads, and whether they are all that match."""
    if fields is None:
        threads = selection_threads(selection)
        if isinstance(selection.get("ids"), list) or counted_up_to(threads, EXACT_THREADS) <= EXACT_THREADS:
            return threads, True
        return _newest(threads.order_by("-pk")), False
    known = threads_count(fields)
    if known == 0:
        return Thread.objects.none(), True
    if (index := index_for(set(fields), THREAD_INDEXES)) is None:
        window = threads_window(fields)
        complete = window.below is None or len(window.pks) == known
        return _keyed(window.pks[: None if complete else SAMPLE_THREADS]), complete
    rows = walk(Thread.objects.all(), {name: fields[name] for name in index})
    if (counted_up_to(rows, EXACT_THREADS) if known is None else known) <= EXACT_THREADS:
        return selection_threads(selection), True
    return _newest(rows), False


def _newest(rows: QuerySet[Thread]) -> QuerySet[Thread]:
    return _keyed(list(rows.values_list("pk", flat=True)[:SAMPLE_THREADS]))


def _keyed(pks: list[int]) -> QuerySet[Thread]:
    return Thread.objects.filter(pk__in=keys(pks))


def _with_counters(
    sampled: Preflight, matching: Sequence[TallyLine], taken: Sequence[TallyLine]
) -> Preflight:
    """Put the counters' figures, which are of all threads, in place of those of the sample."""
    kind = BATCH_KINDS[sampled.kind]
    converting = kind.converts
    # What Retry fetches first, or only takes back into the estate, is not converted by it.
    going = (
        [line for line in taken if line.has_snapshot and line.status != Thread.Status.EXCLUDED]
        if kind.converts_some
        else taken
    )
    sent = [line for line in going if not converting or line.fidelity != Fidelity.BLOCKED.value]
    by_fidelity = tally_sums(taken, lambda line: line.fidelity)
    refused = tally_sums(matching, lambda line: line.status)
    refused.subtract(tally_sums(taken, lambda line: line.status))
    threads, chunks = sum(line.threads for line in sent), sum(line.chunks for line in sent)
    reads = sum(line.reads for line in sent) + CONVERSATION_READS * threads
    return dataclasses.replace(
        sampled,
        counted=True,
        # Under other policies than the assessments were made, more than a page can wait for is to be converted.
        exact=sampled.policies == Policies() and not sampled.converted,
        matching=sum(line.threads for line in matching),
        taken=by_fidelity.total(),
        blocked=by_fidelity[Fidelity.BLOCKED.value] if converting else 0,
        totals=Totals(
            threads=threads,
            messages=sum(line.messages for line in sent),
            items=sum(line.items for line in sent),
            chunks=chunks,
            calls=threads + chunks + reads,
            payload_bytes=sum(line.payload_bytes for line in sent),
        ),
        refused_by_status={status: count for status, count in sorted(refused.items()) if count},
        by_fidelity=dict(by_fidelity),
    )
