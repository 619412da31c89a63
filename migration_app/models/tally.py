"""Counters kept by triggers, so that no page has to count millions of rows: of threads, of runs and their tokens, and
of what batches made of their threads.

Every statement that changes such rows adds a few rows of differences (``…Change``) in its own transaction: it
only appends, so workers never wait for each other here. ``counters`` says what is counted by which columns, adds the
differences to the totals now and then, and reads both together. Nothing else writes these tables.
"""

from __future__ import annotations

from django.db import models

from migration_app.models.fields import opaque_id

ESTATE = 0
"""The ``batch_pk`` of the totals over all threads, whatever batch they are in."""


class _Counted(models.Model):
    class Meta:
        abstract = True
        default_permissions = ()


class _Threads(_Counted):
    """The columns that totals and changes of threads share."""

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

    class Meta(_Counted.Meta):
        abstract = True


class Tally(_Threads):
    """Totals as of the last fold: one row a combination, for the estate and for each batch."""

    batch_pk = models.BigIntegerField()

    class Meta(_Counted.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["batch_pk", "status", "fidelity", "error_code", "pending_work", "has_snapshot"],
                name="tally_unique",
            )
        ]

    def __str__(self) -> str:
        return f"{self.threads} {self.status} threads of batch {self.batch_pk}"


class TallyChange(_Threads):
    """What one statement changed, not folded yet. Numbers may be negative; no batch: threads without one."""

    batch_pk = models.BigIntegerField(null=True)

    class Meta(_Counted.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"{self.threads:+d} {self.status} threads of batch {self.batch_pk}"


class _Runs(_Counted):
    """The columns that totals and changes of runs share. ``month``: "2025-07" in UTC, empty where no time is known."""

    assistant_id = opaque_id("assistant id", blank=True)
    month = models.CharField(max_length=7, db_collation="C")
    model = models.CharField(max_length=255, blank=True, db_collation="C")
    status = models.CharField(max_length=32, db_collation="C")
    runs = models.BigIntegerField()
    runs_with_usage = models.BigIntegerField()
    prompt_tokens = models.BigIntegerField()
    completion_tokens = models.BigIntegerField()
    total_tokens = models.BigIntegerField()

    class Meta(_Counted.Meta):
        abstract = True


class RunTally(_Runs):
    """Totals as of the last fold: one row a combination."""

    class Meta(_Counted.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(
                fields=["assistant_id", "month", "model", "status"], name="run_tally_unique"
            )
        ]
        # As the page of totals lists them: it reads the newest of them only.
        indexes = [models.Index(fields=["-month", "assistant_id", "model"], name="run_tally_month")]

    def __str__(self) -> str:
        return f"{self.runs} {self.status} runs of {self.assistant_id} in {self.month}"


class RunTallyChange(_Runs):
    """What one statement changed, not folded yet. Numbers may be negative."""

    class Meta(_Counted.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"{self.runs:+d} {self.status} runs of {self.assistant_id} in {self.month}"


class _BatchResults(_Counted):
    """The columns that totals and changes of batch results share."""

    batch_pk = models.BigIntegerField()
    result = models.CharField(max_length=16, db_collation="C")
    error_code = models.CharField(max_length=64, db_collation="C")
    results = models.BigIntegerField()
    messages = models.BigIntegerField()
    retries = models.BigIntegerField()

    class Meta(_Counted.Meta):
        abstract = True


class BatchTally(_BatchResults):
    """Totals as of the last fold: one row a combination."""

    class Meta(_Counted.Meta):
        abstract = False
        constraints = [
            models.UniqueConstraint(fields=["batch_pk", "result", "error_code"], name="batch_tally_unique")
        ]

    def __str__(self) -> str:
        return f"{self.results} {self.result} in batch {self.batch_pk}"


class BatchTallyChange(_BatchResults):
    """What one statement changed, not folded yet. Numbers may be negative."""

    class Meta(_Counted.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"{self.results:+d} {self.result} in batch {self.batch_pk}"
