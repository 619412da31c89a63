"""Runs and tokens by assistant and month, out of the counters that triggers keep (counters.RUNS).

Counts no run itself.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

from django.db import connection
from django.db.models import Q

from migration_app.counters import RUNS
from migration_app.statements import statements_of

_SQL = statements_of(__name__)
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


@dataclasses.dataclass(frozen=True, slots=True)
class RunTotal:
    """Totals of runs with equal assistant, month and model. ``month``: "2025-07" in UTC, empty where no time was
    recorded.

    ``completed`` counts runs of that status; ``runs_with_usage`` those whose source reported tokens.
    """

    assistant_id: str
    month: str
    model: str
    runs: int
    completed: int
    runs_with_usage: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


HEADER: Sequence[str] = tuple(field.name for field in dataclasses.fields(RunTotal))


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """Which totals: of one assistant (empty: all), and months from … to, both included (empty: no bound)."""

    assistant_id: str = ""
    first: str = ""
    last: str = ""

    def __post_init__(self) -> None:
        """Reject an invalid month, with a message for the user."""
        for month in (self.first, self.last):
            if month and not _MONTH.fullmatch(month):
                raise ValueError("A month is written like 2025-07.")


def run_totals(span: Span, *, limit: int | None = None, offset: int = 0) -> list[RunTotal]:
    """Read the counters, newest month first, by assistant and model: a row each, none where nothing is left."""
    condition = Q()
    if span.assistant_id:
        condition &= Q(assistant_id=span.assistant_id.replace("\0", ""))
    if span.first:
        condition &= Q(month__gte=span.first)
    if span.last:
        condition &= Q(month__lte=span.last) & ~Q(month="")
    rows = RUNS.rows(condition)
    if rows is None:
        return []
    statement, params = rows
    with connection.cursor() as cursor:
        cursor.execute(_SQL["run_totals"].format(rows=statement), [*params, limit, offset])
        return [RunTotal(*row) for row in cursor.fetchall()]


def run_totals_sum(totals: Sequence[RunTotal]) -> RunTotal:
    """Sum totals; fields that differ are left empty."""
    sums = {name: sum(getattr(total, name) for total in totals) for name in HEADER[3:]}
    return RunTotal("", "", "", **sums)


def run_totals_rows(span: Span) -> Iterator[Sequence[object]]:
    """Rows of the CSV, below HEADER."""
    for total in run_totals(span):
        yield tuple(getattr(total, name) for name in HEADER)
