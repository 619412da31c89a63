"""What became of each thread in each batch, and how fast each batch went.

A thread's own row says what is true of it now; a later batch changes that. These rows say what a batch made of it, and
stay as they are when the thread moves on.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from migration_app.models.batch import Batch
from migration_app.models.thread import Thread

GOOD_RESULTS = (
    "verified",
    "backfilled",
    "snapshotted",
    "unchanged",
    "checked",
    "accepted",
    "rolled_back",
    "excluded",
    "included",
)
"""Results with which all is well."""

TROUBLE_RESULTS = ("failed", "needs_review", "blocked", "source_missing")
"""Results that need somebody: only these carry an error code."""


class BatchResult(models.Model):
    """How the work of one thread in one batch ended. Written once the work is over; fixed in size, without texts.

    The journal's statement writes it, and ``threads.results`` for every way out of a batch that does not go through
    the journal. Nothing checks the two keys in the database: a check for each row would cost more than the row, and
    neither threads nor batches are ever deleted by the console.
    """

    class Result(models.TextChoices):
        """How it ended."""

        VERIFIED = "verified", "verified"
        BACKFILLED = "backfilled", "backfilled"
        SNAPSHOTTED = "snapshotted", "snapshotted"
        UNCHANGED = "unchanged", "unchanged"
        CHECKED = "checked", "files checked"
        ACCEPTED = "accepted", "accepted as is"
        ROLLED_BACK = "rolled_back", "rolled back"
        EXCLUDED = "excluded", "excluded"
        INCLUDED = "included", "included again"
        FAILED = "failed", "failed"
        NEEDS_REVIEW = "needs_review", "needs review"
        BLOCKED = "blocked", "blocked"
        SOURCE_MISSING = "source_missing", "source missing"
        CANCELLED = "cancelled", "cancelled"
        CONTINUED = "continued", "continued in a later batch"

    pk = models.CompositePrimaryKey("batch_id", "thread_id")
    batch = models.ForeignKey(
        Batch, on_delete=models.CASCADE, related_name="results", db_constraint=False, db_index=False
    )
    thread = models.ForeignKey(
        Thread, on_delete=models.CASCADE, related_name="results", db_constraint=False, db_index=False
    )
    result = models.CharField(max_length=16, choices=Result, db_collation="C")
    error_code = models.CharField(max_length=64, blank=True, default="", db_default="", db_collation="C")
    # How often the thread was handed back to be tried again later.
    retries = models.PositiveIntegerField(default=0, db_default=0)
    messages = models.PositiveIntegerField(default=0, db_default=0)
    # When a worker first took it in this batch; null where none did.
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField()
    # For a thread that left without a result: the number of the batch that took it.
    continued_in = models.BigIntegerField(null=True, blank=True)

    class Meta:
        default_permissions = ()
        indexes = [
            models.Index(fields=["batch", "result", "thread"], name="batch_result_threads"),
            models.Index(
                fields=["batch", "error_code", "thread"],
                condition=~Q(error_code=""),
                name="batch_result_errors",
            ),
        ]

    def __str__(self) -> str:
        return f"thread {self.thread_id} in batch {self.batch_id}: {self.result}"


class BatchMinute(models.Model):
    """What workers did for a batch in one minute: a row for each minute in which one was at it.

    ``seconds``: how long workers were at it in that minute, added up over all of them. Workers add to it with their
    heartbeat, so that one that was killed may have counted a few seconds less than it did.
    """

    pk = models.CompositePrimaryKey("batch_id", "minute")
    batch = models.ForeignKey(
        Batch, on_delete=models.CASCADE, related_name="minutes", db_constraint=False, db_index=False
    )
    minute = models.DateTimeField()
    seconds = models.FloatField(default=0, db_default=0)
    threads = models.PositiveIntegerField(default=0, db_default=0)
    messages = models.PositiveBigIntegerField(default=0, db_default=0)
    calls = models.PositiveIntegerField(default=0, db_default=0)
    retries = models.PositiveIntegerField(default=0, db_default=0)
    throttled = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["minute"], name="batch_minute")]

    def __str__(self) -> str:
        return f"batch {self.batch_id}, {self.minute}: {self.threads} threads"
