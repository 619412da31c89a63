"""Runs of the source, a row each.

The rows are derived from the snapshots, and can be rebuilt at any time
(``snapshots.runs``). What a run said (its own instructions, its error's text) is content and stays in the snapshot.
"""

from __future__ import annotations

from django.contrib.postgres.indexes import HashIndex
from django.db import models

from migration_app.models.fields import opaque_id
from migration_app.models.thread import Thread

MAX_TOKENS = 2**31 - 1
"""What one run can have used; a larger number is no count of tokens, and the sums of millions of runs fit."""


class Run(models.Model):
    """Facts of one run without its content. Numbers that the source did not report are empty.

    ``assistant_id`` is text and no link: a run may name an unknown assistant.
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
