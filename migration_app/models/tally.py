"""Counters of threads, kept by triggers, so that no page has to count millions of rows.

Every statement that changes threads adds a few rows of differences (``TallyChange``) in its own transaction: it
only appends, so workers never wait for each other here. ``counters.tallies_fold`` adds them into totals
(``Tally``) now and then; who reads adds up both. Nothing else writes these tables. The triggers stand in migration
0011: a change of KEYS or MEASURES needs a migration that writes them again.
"""

from __future__ import annotations

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
