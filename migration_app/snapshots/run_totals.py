"""Runs and tokens by assistant and month, out of the counters that triggers keep (models.run). Counts no run itself."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

from django.db import connection, transaction

from migration_app.models import RunTally, RunTallyChange
from migration_app.models.run import KEYS, MEASURES

_KEYS = ", ".join(KEYS)
_MEASURES = ", ".join(MEASURES)
_SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in MEASURES)
_FOLD_LOCK = 0x7A11136  # an advisory lock's number, beside that of the threads' counters
# Deleting and adding in one statement: whoever reads sees either the changes or the totals, never both.
_FOLD = f"""
    WITH taken AS (
        DELETE FROM migration_app_runtallychange RETURNING {_KEYS}, {_MEASURES}
    )
    INSERT INTO migration_app_runtally AS t ({_KEYS}, {_MEASURES})
    SELECT {_KEYS}, {_SUMS} FROM taken GROUP BY {_KEYS}
    ON CONFLICT ({_KEYS}) DO UPDATE SET
        {", ".join(f"{name} = t.{name} + excluded.{name}" for name in MEASURES)}
"""  # noqa: S608 - the names of our own columns
_COUNT = f"""
    INSERT INTO migration_app_runtallychange ({_KEYS}, {_MEASURES})
    SELECT {", ".join(KEYS.values())}, {", ".join(f"sum({sql})::bigint" for sql in MEASURES.values())}
    FROM migration_app_run GROUP BY {", ".join(KEYS.values())}
"""  # noqa: S608 - the same
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


@dataclasses.dataclass(frozen=True, slots=True)
class RunTotal:
    """What runs that are alike add up to. ``month``: "2025-07" in UTC, empty where no time was recorded.

    ``completed`` counts runs of that status; ``runs_with_usage`` those whose source told tokens.
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
        """Refuse what is no month, in words for whoever typed it."""
        for month in (self.first, self.last):
            if month and not _MONTH.fullmatch(month):
                raise ValueError("A month is written like 2025-07.")


def run_totals(span: Span, *, limit: int | None = None, offset: int = 0) -> list[RunTotal]:
    """Read the counters, newest month first, by assistant and model: a row each, none where nothing is left."""
    conditions, params = ["true"], []
    if span.assistant_id:
        conditions.append("assistant_id = %s")
        params.append(span.assistant_id.replace("\0", ""))
    if span.first:
        conditions.append("month >= %s")
        params.append(span.first)
    if span.last:
        conditions.append("month <= %s AND month <> ''")
        params.append(span.last)
    where = " AND ".join(conditions)
    counted = " UNION ALL ".join(
        f"SELECT {_KEYS}, {_MEASURES} FROM {table} WHERE {where}"  # noqa: S608 - our own tables and columns
        for table in ("migration_app_runtally", "migration_app_runtallychange")
    )
    # One statement, so that a fold in between can neither hide a change nor show it twice.
    statement = f"""
        SELECT assistant_id, month, model, sum(runs)::bigint,
            coalesce(sum(runs) FILTER (WHERE status = 'completed'), 0)::bigint, sum(runs_with_usage)::bigint,
            sum(prompt_tokens)::bigint, sum(completion_tokens)::bigint, sum(total_tokens)::bigint
        FROM ({counted}) AS counted GROUP BY assistant_id, month, model HAVING sum(runs) <> 0
        ORDER BY month DESC, assistant_id, model LIMIT %s OFFSET %s
    """  # noqa: S608 - the same
    with connection.cursor() as cursor:
        cursor.execute(statement, [*params, *params, limit, offset])
        return [RunTotal(*row) for row in cursor.fetchall()]


def run_totals_sum(totals: Sequence[RunTotal]) -> RunTotal:
    """Add totals up; what they differ in is left empty."""
    sums = {name: sum(getattr(total, name) for total in totals) for name in HEADER[3:]}
    return RunTotal("", "", "", **sums)


def run_totals_rows(span: Span) -> Iterator[Sequence[object]]:
    """Rows of the CSV, below HEADER."""
    for total in run_totals(span):
        yield tuple(getattr(total, name) for name in HEADER)


def run_totals_fold() -> bool:
    """Add what has changed into the totals. Returns whether there was anything; cheap when there was not.

    Safe to call at any time, by any number of workers: one folds, the others go on at once.
    """
    if not RunTallyChange.objects.exists():
        return False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_FOLD_LOCK])
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(_FOLD)
        folded = bool(cursor.rowcount)
        RunTally.objects.filter(runs=0).delete()
    return folded


def run_totals_rebuild() -> None:
    """Count everything anew. Reads every run, and holds up whoever writes runs for as long."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE migration_app_run IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("DELETE FROM migration_app_runtallychange")
        cursor.execute("DELETE FROM migration_app_runtally")
        cursor.execute(_COUNT)
        cursor.execute(_FOLD)
