"""Reading and folding the counters that triggers keep of threads (models.tally). Counts no thread itself.

The only exception is ``tallies_rebuild``, which a person or a reconciliation calls when they disagree.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, transaction
from django.db.models import Q

from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor
from migration_app.models import Tally, TallyChange
from migration_app.models.tally import ESTATE, KEYS, MEASURES

_KEYS = ", ".join(KEYS)
_MEASURES = ", ".join(MEASURES)
_SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in MEASURES)
_FOLD_LOCK = 0x7A11135  # an advisory lock's number: "tallies"

# Deleting and adding in one statement: whoever reads sees either the changes or the totals, never both.
_FOLD = f"""
    WITH taken AS (
        DELETE FROM migration_app_tallychange RETURNING batch_pk, {_KEYS}, {_MEASURES}
    ), summed AS (
        SELECT batch_pk, {_KEYS}, {_SUMS} FROM (
            SELECT {ESTATE}::bigint AS batch_pk, {_KEYS}, {_MEASURES} FROM taken
            UNION ALL SELECT batch_pk, {_KEYS}, {_MEASURES} FROM taken WHERE batch_pk IS NOT NULL
        ) AS both_scopes GROUP BY batch_pk, {_KEYS}
    )
    INSERT INTO migration_app_tally AS t (batch_pk, {_KEYS}, {_MEASURES})
    SELECT batch_pk, {_KEYS}, {_MEASURES} FROM summed
    ON CONFLICT (batch_pk, {_KEYS}) DO UPDATE SET
        {", ".join(f"{name} = t.{name} + excluded.{name}" for name in MEASURES)}
"""  # noqa: S608 - the names of our own columns
_TRUTH = f"""
    SELECT batch_id, {", ".join(KEYS.values())}, {", ".join(f"sum({sql})::bigint" for sql in MEASURES.values())}
    FROM migration_app_thread GROUP BY batch_id, {", ".join(KEYS.values())}
"""  # noqa: S608 - the same

# Conditions on threads that are conditions on their counters, and the counters' field for each.
_COLUMNS: Mapping[str, str] = {name: name for name in KEYS if name != "has_snapshot"}


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


def tally_lines(condition: Q | None = None, *, batch_pk: int | None = None) -> list[TallyLine]:
    """Read the counters: of all threads, or of those in a batch; ``condition`` is one of ``tally_condition``.

    A few hundred lines at most, whatever the number of threads: one for each combination that occurs.
    """
    where = condition if condition is not None else Q()
    totals = Tally.objects.filter(where, batch_pk=ESTATE if batch_pk is None else batch_pk)
    changes = TallyChange.objects.filter(where)
    if batch_pk is not None:
        changes = changes.filter(batch_pk=batch_pk)
    columns = [*KEYS, *MEASURES]
    # One statement, so that a fold in between can neither hide a change nor show it twice.
    try:
        both, params = (
            totals.values(*columns).union(changes.values(*columns), all=True).query.sql_with_params()
        )
    except EmptyResultSet:  # no line can match, Django sees: a number too large for its column, for instance
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {_KEYS}, {_SUMS} FROM ({both}) AS counted GROUP BY {_KEYS}"  # noqa: S608 - our own ORM query
            f" HAVING sum(threads) <> 0 ORDER BY {_KEYS}",
            params,
        )
        return [TallyLine(*row) for row in cursor.fetchall()]


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
    return (name, value) if field in _COLUMNS and lookup in {"", "exact", "in"} else None


def tallies_fold() -> bool:
    """Add what has changed into the totals. Returns whether there was anything; cheap when there was not.

    Safe to call at any time, by any number of workers: one folds, the others go on at once.
    """
    if not TallyChange.objects.exists():
        return False
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_FOLD_LOCK])
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(_FOLD)
        folded = bool(cursor.rowcount)
        # No threads are left of such a combination, so nothing is left to add up either.
        Tally.objects.filter(threads=0).delete()
    return folded


def tallies_differences() -> list[str]:
    """Hold the counters against the threads themselves; reads every thread. Each difference in words."""
    told = ", ".join(f"{name}::text" for name in KEYS)
    with connection.cursor() as cursor:
        # One statement again: threads and counters of one moment.
        cursor.execute(
            f"""
            WITH truth (batch_pk, {_KEYS}, {_MEASURES}) AS ({_TRUTH}),
            true_scopes AS (
                SELECT {ESTATE}::bigint AS batch_pk, {_KEYS}, {_MEASURES} FROM truth
                UNION ALL SELECT batch_pk, {_KEYS}, {_MEASURES} FROM truth WHERE batch_pk IS NOT NULL
            ), counted AS (
                SELECT batch_pk, {_KEYS}, {_MEASURES} FROM migration_app_tally
                UNION ALL SELECT {ESTATE}, {_KEYS}, {_MEASURES} FROM migration_app_tallychange
                UNION ALL SELECT batch_pk, {_KEYS}, {_MEASURES} FROM migration_app_tallychange
                    WHERE batch_pk IS NOT NULL
            ), compared AS (
                SELECT batch_pk, {_KEYS}, {_MEASURES} FROM counted
                UNION ALL
                SELECT batch_pk, {_KEYS}, {", ".join(f"-{name}" for name in MEASURES)} FROM true_scopes
            )
            SELECT batch_pk, concat_ws(' ', {told}), {", ".join(f"sum({name})" for name in MEASURES)}
            FROM compared GROUP BY batch_pk, {_KEYS}
            HAVING {" OR ".join(f"sum({name}) <> 0" for name in MEASURES)} ORDER BY 1, 2
            """,  # noqa: S608 - the names of our own columns
        )
        rows = cursor.fetchall()
    differences = []
    for batch_pk, key, *sums in rows:
        scope = "the estate" if batch_pk == ESTATE else f"batch {batch_pk}"
        off = ", ".join(
            f"{value:+d} {name}" for name, value in zip(MEASURES, map(int, sums), strict=True) if value
        )
        differences.append(f"{scope}, {key}: {off}")
    return differences


def tallies_rebuild(*, actor: Actor, reason: str) -> None:
    """Count everything again. Reads every thread, and holds up whoever changes threads for as long."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE migration_app_thread IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute("DELETE FROM migration_app_tallychange")
        cursor.execute("DELETE FROM migration_app_tally")
        cursor.execute(f"INSERT INTO migration_app_tallychange (batch_pk, {_KEYS}, {_MEASURES}) {_TRUTH}")
        cursor.execute(_FOLD)
        audit_record(
            actor=actor, verb="counters.rebuilt", subject_kind="counters", subject_id="threads", reason=reason
        )
