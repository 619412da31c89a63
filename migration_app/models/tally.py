"""Counters of threads, kept by triggers, so that no page has to count millions of rows.

Every statement that changes threads adds a few rows of differences (``TallyChange``) in its own transaction: it
only appends, so workers never wait for each other here. ``services.tallies.tallies_fold`` adds them into totals
(``Tally``) now and then; who reads adds up both. Nothing else writes these tables.
"""

from __future__ import annotations

import pgtrigger
from django.db import models

# What threads are counted by, and what is added up for them; columns of the thread's row, in SQL.
KEYS = {
    "status": "status",
    "fidelity": "fidelity",
    "error_code": "error_code",
    "pending_work": "pending_work",
    "has_snapshot": "snapshot_at IS NOT NULL",
}
MEASURES = {
    "threads": "1",
    "messages": "message_count",
    "items": "item_count",
    "chunks": "chunk_count",
    # Calls that reading a conversation back takes: pages of 100 items, at least one.
    "reads": "greatest((item_count + 99) / 100, 1)",
    "payload_bytes": "payload_bytes",
}
ESTATE = 0
"""The ``batch_pk`` of the totals over all threads, whatever batch they are in."""


class _Counted(models.Model):
    """The columns that both tables share."""

    status = models.CharField(max_length=16, db_collation="C")
    fidelity = models.CharField(max_length=16, db_collation="C")
    error_code = models.CharField(max_length=64, db_collation="C")
    pending_work = models.CharField(max_length=16, db_collation="C")
    has_snapshot = models.BooleanField()
    threads = models.BigIntegerField()
    messages = models.BigIntegerField()
    items = models.BigIntegerField()
    chunks = models.BigIntegerField()
    reads = models.BigIntegerField()
    payload_bytes = models.BigIntegerField()

    class Meta:
        abstract = True
        default_permissions = ()


class Tally(_Counted):
    """Totals as of the last fold: one row a combination, for the estate and for each batch."""

    batch_pk = models.BigIntegerField()

    class Meta(_Counted.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=["batch_pk", *KEYS], name="tally_unique")]

    def __str__(self) -> str:
        return f"{self.threads} {self.status} threads of batch {self.batch_pk}"


class TallyChange(_Counted):
    """What one statement changed, not folded yet. Numbers may be negative; no batch: threads without one."""

    batch_pk = models.BigIntegerField(null=True)

    class Meta(_Counted.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"{self.threads:+d} {self.status} threads of batch {self.batch_pk}"


def _difference(*sides: tuple[str, int]) -> str:
    """SQL that writes what the rows of these transition tables, each with its sign, add up to.

    Rows that a statement left alone in what is counted cancel out, so a renewed lease writes nothing.
    """
    keys = ["batch_id", *KEYS]
    columns = ", ".join(f"{sql} AS {name}" for name, sql in KEYS.items())
    selects = " UNION ALL ".join(
        f"SELECT batch_id, {columns},"  # noqa: S608 - the names of our own columns
        f" {', '.join(f'{sign} * {sql}::bigint AS {name}' for name, sql in MEASURES.items())} FROM {table}"
        for table, sign in sides
    )
    having = " OR ".join(f"sum({name}) <> 0" for name in MEASURES)
    return (
        f"INSERT INTO migration_app_tallychange (batch_pk, {', '.join([*KEYS, *MEASURES])})"  # noqa: S608 - own names
        f" SELECT {', '.join(keys)}, {', '.join(f'sum({name})' for name in MEASURES)}"
        f" FROM ({selects}) AS changed GROUP BY {', '.join(keys)} HAVING {having};"
    )


def _transition(**names: str) -> pgtrigger.Referencing:
    return pgtrigger.Referencing(**names)  # type: ignore[no-untyped-call]  # pgtrigger has no annotation there


TRIGGERS = [
    pgtrigger.Trigger(
        name="tally_insert",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        referencing=_transition(new="new_rows"),
        func=f"{_difference(('new_rows', 1))} RETURN NULL;",
    ),
    pgtrigger.Trigger(
        name="tally_update",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        referencing=_transition(old="old_rows", new="new_rows"),
        func=f"{_difference(('old_rows', -1), ('new_rows', 1))} RETURN NULL;",
    ),
    pgtrigger.Trigger(
        name="tally_delete",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Delete,
        referencing=_transition(old="old_rows"),
        func=f"{_difference(('old_rows', -1))} RETURN NULL;",
    ),
    pgtrigger.Trigger(
        name="tally_truncate",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="DELETE FROM migration_app_tallychange; DELETE FROM migration_app_tally; RETURN NULL;",
    ),
]
"""Triggers of the thread's table. Transition tables allow one operation a trigger and no list of columns."""
