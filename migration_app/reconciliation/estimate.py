"""What a reconciliation would cost the APIs, before it is started. Sends nothing, counts no rows.

From the counters that triggers keep, and for a sample from the rows that it would check.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from django.db.models import Q

from migration_app.counters import tally_lines
from migration_app.gateways.paging import ITEMS_PER_PAGE
from migration_app.gateways.target import CONVERSATION_READS
from migration_app.models import Thread
from migration_app.reconciliation.population import POPULATIONS, bounds, sample_pks

S = Thread.Status
_MEASURED = 1_000


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """Conversations that are read, and reading calls at the target and at the live source."""

    threads: int
    target_calls: int
    live_calls: int
    exact: bool


def calls_estimate(
    *, checks: Collection[str], sample_size: int | None, seed: int = 0, quick: bool = False
) -> Estimate:
    """Estimate: one a page of 100 items and at least one, and one for the conversation itself; one a thread at
    the live source. A quick reconciliation reads no conversation itself, and one that was kept takes a call less.

    Exact for the whole estate as it is now and for samples of up to 1,000; else from the mean of 1,000.
    """
    threads, calls, exact = (
        _target(sample_size, seed, 0 if quick else CONVERSATION_READS) if "target" in checks else (0, 0, True)
    )
    live = _total(Q(has_snapshot=True))[0] if "live" in checks else 0
    return Estimate(threads, calls, live if sample_size is None else min(live, sample_size), exact)


def _target(sample_size: int | None, seed: int, besides: int) -> tuple[int, int, bool]:
    """Threads, calls, and whether both are exact. ``besides``: calls a conversation that read none of its items."""
    threads, pages = _total(Q(status__in=[S.BACKFILLED, S.VERIFIED]))
    reads = pages + besides * threads
    if sample_size is None:
        return threads, reads, True
    size = min(sample_size, _MEASURED)
    target = POPULATIONS["target"]
    pks = sample_pks(target, within=bounds(target), size=size, seed=seed, pieces=range(size))
    if not pks:
        return 0, 0, True
    items = Thread.objects.filter(pk__in=pks).values_list("conversation__item_count", flat=True)
    reads = sum(max(1, -(-(count or 0) // ITEMS_PER_PAGE)) + besides for count in items)
    if size == sample_size:
        return len(pks), reads, True
    expected = min(threads, sample_size)
    return expected, round(reads / len(pks) * expected), False


def _total(condition: Q) -> tuple[int, int]:
    """Threads, and the pages of items that reading them back takes."""
    lines = tally_lines(condition)
    return sum(line.threads for line in lines), sum(line.reads for line in lines)
