"""Runs of the source, a row each, and counters of their tokens, kept by triggers.

The rows are read out of the snapshots, which stay the truth: they can be written again at any time
(``snapshots.runs``). What a run said (its own instructions, its error's text) is content and stays in the snapshot.

The counters work as those of threads do (``models.tally``): a statement that changes runs adds a few rows of
differences in its own transaction, ``snapshots.run_totals.run_totals_fold`` adds them into totals now and then, and
who reads adds up both. Nothing else writes these two tables.
"""

from __future__ import annotations

from django.contrib.postgres.indexes import HashIndex
from django.db import models

from migration_app.models.fields import opaque_id
from migration_app.models.thread import Thread

MAX_TOKENS = 2**31 - 1
"""What one run can have used; a larger number is no count of tokens, and the sums of millions of runs fit."""

# What runs are counted by, and what is added up for them; columns of the run's row, in SQL.
KEYS = {
    "assistant_id": "assistant_id",
    "month": "coalesce(to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM'), '')",
    "model": "model",
    "status": "status",
}
MEASURES = {
    "runs": "1",
    "runs_with_usage": "CASE WHEN total_tokens IS NULL THEN 0 ELSE 1 END",
    "prompt_tokens": "coalesce(prompt_tokens, 0)",
    "completion_tokens": "coalesce(completion_tokens, 0)",
    "total_tokens": "coalesce(total_tokens, 0)",
}


class _Counted(models.Model):
    """The columns that totals and changes share. ``month``: "2025-07" in UTC, empty where no time is known."""

    assistant_id = opaque_id("assistant id", blank=True)
    month = models.CharField(max_length=7, db_collation="C")
    model = models.CharField(max_length=255, blank=True, db_collation="C")
    status = models.CharField(max_length=32, db_collation="C")
    runs = models.BigIntegerField()
    runs_with_usage = models.BigIntegerField()
    prompt_tokens = models.BigIntegerField()
    completion_tokens = models.BigIntegerField()
    total_tokens = models.BigIntegerField()

    class Meta:
        abstract = True
        default_permissions = ()


class RunTally(_Counted):
    """Totals as of the last fold: one row a combination."""

    class Meta(_Counted.Meta):
        abstract = False
        constraints = [models.UniqueConstraint(fields=list(KEYS), name="run_tally_unique")]

    def __str__(self) -> str:
        return f"{self.runs} {self.status} runs of {self.assistant_id} in {self.month}"


class RunTallyChange(_Counted):
    """What one statement changed, not folded yet. Numbers may be negative."""

    class Meta(_Counted.Meta):
        abstract = False

    def __str__(self) -> str:
        return f"{self.runs:+d} {self.status} runs of {self.assistant_id} in {self.month}"


class Run(models.Model):
    """What is known of one run without what it said. Numbers that the source did not tell are empty.

    ``assistant_id`` is text and no link: a run may name an assistant that nobody knows any more.
    """

    thread = models.ForeignKey(Thread, on_delete=models.PROTECT, related_name="runs", db_index=False)
    run_id = opaque_id("run id")
    assistant_id = opaque_id("assistant id", blank=True)
    status = models.CharField(max_length=32, db_collation="C")
    model = models.CharField(max_length=255, blank=True, db_collation="C")
    created_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    # When it was completed, failed or cancelled.
    ended_at = models.DateTimeField(null=True, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    total_tokens = models.PositiveIntegerField(null=True, blank=True)
    # Code of its error; the text is content.
    error_code = models.CharField(max_length=64, blank=True, db_collation="C")
    incomplete_reason = models.CharField(max_length=64, blank=True, db_collation="C")
    # Calls by kind, as its steps record them: {"function": 2, "file_search": 1}.
    tool_calls = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["thread", "run_id"], name="run_unique")]
        indexes = [
            models.Index(fields=["assistant_id", "id"], name="run_assistant"),
            models.Index(fields=["status", "id"], name="run_status"),
            models.Index(fields=["error_code", "id"], condition=~models.Q(error_code=""), name="run_error"),
            # Ids are looked up whole, and a hash of them takes half the space.
            HashIndex(fields=["run_id"], name="run_by_id"),
        ]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.run_id
