"""What an action would do, told before it does anything. Reads assessments; sends and changes nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection
from django.db.models import Count

from migration_app.conversion.findings import KINDS
from migration_app.models import Thread
from migration_app.services.batches import batch_eligible
from migration_app.services.selections import Totals, selection_threads, selection_totals

_LONGEST_SHOWN = 5


@dataclasses.dataclass(frozen=True, slots=True)
class FindingCount:
    """A kind of finding in a selection: how many threads have it, and how often in all."""

    code: str
    severity: str
    threads: int
    count: int


@dataclasses.dataclass(frozen=True, slots=True)
class Preflight:
    """What an action of one kind would take of a selection.

    ``matching`` counts all that match; ``totals``, ``by_fidelity``, ``findings`` and ``longest`` speak of
    those that would be taken; ``refused_by_status`` counts the others by their status.
    """

    kind: str
    matching: int
    totals: Totals
    refused_by_status: Mapping[str, int]
    by_fidelity: Mapping[str, int]
    findings: Sequence[FindingCount]
    longest: Sequence[Thread]


def preflight_of(selection: Mapping[str, Any], kind: str) -> Preflight:
    """Count what a batch of this kind would take. Exact for threads that were never backfilled."""
    threads = selection_threads(selection)
    taken = batch_eligible(kind, threads)
    matching = dict(
        threads.order_by()
        .values_list("status")
        .annotate(threads=Count("pk"))
        .values_list("status", "threads")
    )
    eligible = dict(
        taken.order_by().values_list("status").annotate(threads=Count("pk")).values_list("status", "threads")
    )
    refused = {status: count - eligible.get(status, 0) for status, count in matching.items()}
    fidelity = taken.order_by().values_list("fidelity").annotate(threads=Count("pk"))
    return Preflight(
        kind=kind,
        matching=sum(matching.values()),
        totals=selection_totals(taken),
        refused_by_status={status: count for status, count in sorted(refused.items()) if count},
        by_fidelity=dict(fidelity.values_list("fidelity", "threads")),
        findings=_findings(selection, kind),
        longest=list(taken.order_by("-item_count", "pk")[:_LONGEST_SHOWN]),
    )


def _findings(selection: Mapping[str, Any], kind: str) -> list[FindingCount]:
    chosen, params = (
        batch_eligible(kind, selection_threads(selection))
        .order_by()
        .values("finding_counts")
        .query.sql_with_params()
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT f.key, count(*), sum(f.value::bigint)"  # noqa: S608 - our own ORM query, values bound
            f" FROM ({chosen}) AS s(counts), jsonb_each_text(s.counts) AS f GROUP BY f.key ORDER BY 2 DESC, 1",
            params,
        )
        rows = cursor.fetchall()
    return [FindingCount(code, _severity(code), int(threads), int(count)) for code, threads, count in rows]


def _severity(code: str) -> str:
    """Severity of a code; empty for one that an older version of the console counted and this one dropped."""
    return KINDS[code].severity.value if code in KINDS else ""
