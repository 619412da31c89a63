"""What is counted by triggers, of which table and by which columns; folding, checking and rebuilding for all of it.

A row of COUNTERS is a counter: to add one, add its two models (models.tally), its row here, and a migration that runs
``counter_triggers``. A change of keys or measures needs a migration that drops the triggers and creates them again.
Nothing but ``differences`` and ``rebuild`` reads the rows that are counted.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Model, Q

from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import (
    BatchResult,
    BatchTally,
    BatchTallyChange,
    Run,
    RunTally,
    RunTallyChange,
    Tally,
    TallyChange,
    Thread,
)
from migration_app.models.tally import ESTATE
from migration_app.statements import statements_of

_SQL = statements_of(__name__)
_SIDES = {"insert": {"new": 1}, "update": {"old": -1, "new": 1}, "delete": {"old": -1}}


@dataclasses.dataclass(frozen=True, slots=True)
class Counter:
    """Counts the rows of ``source`` in ``totals``, by way of ``changes``.

    ``keys`` and ``measures``: columns of the counters, and what they are of a counted row, in SQL. The first measure
    is the number of rows. ``scope``: a key that need not have a value; each of its values has totals of its own, beside
    the ones over all rows, whose scope is ESTATE.
    """

    source: type[Model]
    totals: Any
    changes: Any
    keys: Mapping[str, str]
    measures: Mapping[str, str]
    lock: int
    scope: str = ""

    def fold(self) -> bool:
        """Add what has changed to the totals. Returns whether there was anything; cheap when there was not.

        Safe to call at any time, by any number of workers: one folds, the others carry on at once.
        """
        if not self.changes.objects.exists():
            return False
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [self.lock])
            if not cursor.fetchone()[0]:
                return False
            cursor.execute(self._sql("fold"))
            folded = bool(cursor.rowcount)
            # No rows are left of such a combination, so nothing is left to add up either.
            self.totals.objects.filter(**{next(iter(self.measures)): 0}).delete()
        return folded

    def rebuild(self) -> None:
        """Count everything again. Reads every row, and holds up whatever writes such rows for as long."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {_table(self.source)} IN SHARE ROW EXCLUSIVE MODE")
            cursor.execute(f"DELETE FROM {_table(self.changes)}")  # noqa: S608 - our own table
            cursor.execute(f"DELETE FROM {_table(self.totals)}")  # noqa: S608 - the same
            cursor.execute(self._sql("recount"))
            cursor.execute(self._sql("fold"))

    def differences(self) -> list[str]:
        """Compare the counters with the rows; reads every row. Each difference is a line for people."""
        with connection.cursor() as cursor:
            cursor.execute(self._sql("differences"))
            rows = cursor.fetchall()
        differences = []
        for scope, key, *sums in rows:
            by_measure = zip(self.measures, map(int, sums), strict=True)
            off = ", ".join(f"{value:+d} {name}" for name, value in by_measure if value)
            differences.append(f"{self._scope_name(scope)}, {key}: {off}")
        return differences

    def rows(self, condition: Q, *, scope: int | None = None) -> tuple[str, tuple[Any, ...]] | None:
        """A statement that selects totals and changes that meet a condition, to be summed; None if there can be none.

        Both in one statement, so that a fold in between can neither hide a change nor show it twice. ``scope``: of
        which batch; None for all rows.
        """
        return _rows((self.totals, self.changes), (*self.keys, *self.measures), self.scope, condition, scope)

    def _scope_name(self, scope: int | None) -> str:
        if scope is None:
            return f"all {next(iter(self.measures))}"
        return "the estate" if scope == ESTATE else f"batch {scope}"

    def _sql(self, name: str) -> str:
        columns = ", ".join([*self.keys, *self.measures])
        return _SQL[name].format(
            source=_table(self.source),
            totals=_table(self.totals),
            changes=_table(self.changes),
            columns=columns,
            keys=", ".join(self.keys),
            key_expressions=", ".join(self.keys.values()),
            shown_keys=", ".join(f"{name}::text" for name in self.keys if name != self.scope),
            scope=self.scope or "NULL",
            sums=", ".join(f"sum({name})::bigint" for name in self.measures),
            any_sum=" OR ".join(f"sum({name}) <> 0" for name in self.measures),
            measured=", ".join(f"sum({sql})::bigint" for sql in self.measures.values()),
            negated=", ".join(f"-{name}" for name in self.measures),
            added=", ".join(f"{name} = t.{name} + excluded.{name}" for name in self.measures),
            taken_scoped=self._scoped("taken", columns),
            apart_scoped=self._scoped("apart", columns),
        )

    def _scoped(self, table: str, columns: str) -> str:
        """Each row once for the totals over all rows, and once more for its own scope if it has one."""
        if not self.scope:
            return f"SELECT {columns} FROM {table}"  # noqa: S608 - names of our own
        everything = columns.replace(self.scope, f"{ESTATE}::bigint AS {self.scope}", 1)
        return (
            f"SELECT {everything} FROM {table}"  # noqa: S608 - the same
            f" UNION ALL SELECT {columns} FROM {table} WHERE {self.scope} IS NOT NULL"
        )


@functools.lru_cache(maxsize=512)
def _rows(
    models: tuple[Any, Any], columns: tuple[str, ...], scope_name: str, condition: Q, scope: int | None
) -> tuple[str, tuple[Any, ...]] | None:
    """The statement of ``Counter.rows``: every page asks for some, and Django takes longer over it than PostgreSQL."""
    total_rows, change_rows = (model.objects.filter(condition) for model in models)
    if scope_name:
        total_rows = total_rows.filter(**{scope_name: ESTATE if scope is None else scope})
        change_rows = change_rows if scope is None else change_rows.filter(**{scope_name: scope})
    try:
        both = total_rows.values(*columns).union(change_rows.values(*columns), all=True)
        statement: tuple[str, tuple[Any, ...]] = both.query.sql_with_params()
    except EmptyResultSet:  # no row can match, Django sees: a number too large for its column, for instance
        return None
    return statement


def _table(model: type[Model]) -> str:
    return model._meta.db_table  # noqa: SLF001 - Django's documented Model._meta


def counter_triggers(source: str, totals: str, keys: Mapping[str, str], measures: Mapping[str, str]) -> str:
    """The statements that create a counter's triggers, by its tables' names; for migrations, which spell all of it out.

    The changes' table is named as the totals' and ``change``.
    """
    statements = []
    for operation, sides in _SIDES.items():
        changed = " UNION ALL ".join(
            f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in keys.items())},"  # noqa: S608 - our own names
            f" {', '.join(f'{sign} * ({sql})::bigint AS {name}' for name, sql in measures.items())} FROM {side}_rows"
            for side, sign in sides.items()
        )
        statements.append(
            _SQL["trigger"].format(
                source=source,
                totals=totals,
                operation=operation,
                columns=", ".join([*keys, *measures]),
                keys=", ".join(keys),
                sums=", ".join(f"sum({name})" for name in measures),
                any_sum=" OR ".join(f"sum({name}) <> 0" for name in measures),
                changed=changed,
                transition_tables=" ".join(f"{side} TABLE AS {side}_rows" for side in sides),
            )
        )
    return "\n".join([*statements, _SQL["trigger_truncate"].format(source=source, totals=totals)])


def counter_triggers_drop(source: str, totals: str) -> str:
    """The statements that take a counter's triggers away again."""
    return "\n".join(
        _SQL["trigger_drop"].format(source=source, totals=totals, operation=operation)
        for operation in (*_SIDES, "truncate")
    )


THREADS = Counter(
    source=Thread,
    totals=Tally,
    changes=TallyChange,
    lock=0x7A11135,  # an advisory lock's number: "tallies"
    scope="batch_pk",
    keys={
        "batch_pk": "batch_id",
        "status": "status",
        "fidelity": "fidelity",
        "error_code": "error_code",
        "pending_work": "pending_work",
        "has_snapshot": "snapshot_at IS NOT NULL",
    },
    measures={
        "threads": "1",
        "messages": "message_count",
        "items": "item_count",
        "chunks": "chunk_count",
        # Calls that reading a conversation back takes: pages of 100 items, at least one.
        "reads": "greatest((item_count + 99) / 100, 1)",
        "payload_bytes": "payload_bytes",
    },
)
RUNS = Counter(
    source=Run,
    totals=RunTally,
    changes=RunTallyChange,
    lock=0x7A11136,
    keys={
        "assistant_id": "assistant_id",
        "month": "coalesce(to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM'), '')",
        "model": "model",
        "status": "status",
    },
    measures={
        "runs": "1",
        "runs_with_usage": "CASE WHEN total_tokens IS NULL THEN 0 ELSE 1 END",
        "prompt_tokens": "coalesce(prompt_tokens, 0)",
        "completion_tokens": "coalesce(completion_tokens, 0)",
        "total_tokens": "coalesce(total_tokens, 0)",
    },
)
RESULTS = Counter(
    source=BatchResult,
    totals=BatchTally,
    changes=BatchTallyChange,
    lock=0x7A11137,
    keys={"batch_pk": "batch_id", "result": "result", "error_code": "error_code"},
    measures={"results": "1", "messages": "messages", "retries": "retries"},
)
COUNTERS = (THREADS, RUNS, RESULTS)


def counters_fold() -> None:
    """Add what has changed to the totals of every counter; see ``Counter.fold``."""
    for counter in COUNTERS:
        counter.fold()


def counters_differences() -> list[str]:
    """Compare every counter with the rows; reads all of them. Each difference is a line for people."""
    return [line for counter in COUNTERS for line in counter.differences()]


def counters_rebuild(*, actor: Actor, reason: str) -> None:
    """Count everything again, in one transaction. Holds up whatever writes threads, runs or results for as long."""
    with transaction.atomic():
        for counter in COUNTERS:
            counter.rebuild()
        audit_record(
            actor=actor, verb="counters.rebuilt", subject_kind="counters", subject_id="all", reason=reason
        )


# --- threads --------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class TallyLine:
    """How many threads are alike in what they are counted by, and what they add up to."""

    status: str
    fidelity: str
    error_code: str
    pending_work: str
    has_snapshot: bool
    threads: int
    messages: int
    items: int
    chunks: int
    reads: int
    payload_bytes: int


_LINE_KEYS = [name for name in THREADS.keys if name != THREADS.scope]


def tally_lines(condition: Q | None = None, *, batch_pk: int | None = None) -> list[TallyLine]:
    """Read the counters: of all threads, or of those in a batch; ``condition`` is one of ``tally_condition``.

    A few hundred lines at most, whatever the number of threads: one for each combination that occurs.
    """
    rows = THREADS.rows(condition or Q(), scope=batch_pk)
    if rows is None:
        return []
    statement, params = rows
    keys = ", ".join(_LINE_KEYS)
    sums = ", ".join(f"sum({name})::bigint" for name in THREADS.measures)
    with connection.cursor() as cursor:
        cursor.execute(_SQL["tally_lines"].format(rows=statement, keys=keys, sums=sums), params)
        return [TallyLine(*row) for row in cursor.fetchall()]


def tally_sums(lines: Iterable[TallyLine], key: Callable[[TallyLine], str]) -> collections.Counter[str]:
    """How many threads have each value of ``key``."""
    found: collections.Counter[str] = collections.Counter()
    for line in lines:
        found[key(line)] += line.threads
    return found


def tally_condition(condition: Q) -> Q | None:
    """Turn a condition on threads into one on their counters; None where they are not counted by it."""
    children: list[Any] = []
    for child in condition.children:
        turned = tally_condition(child) if isinstance(child, Q) else _leaf(child)
        if turned is None:
            return None
        children.append(turned)
    return Q(*children, _connector=condition.connector, _negated=condition.negated)


def _leaf(leaf: Any) -> tuple[str, Any] | None:
    if not isinstance(leaf, tuple):
        return None
    name, value = leaf
    if name == "snapshot_at__isnull":
        return "has_snapshot", not value
    field, _, lookup = str(name).partition("__")
    plain = field in _LINE_KEYS and field != "has_snapshot"
    return (name, value) if plain and lookup in {"", "exact", "in"} else None
