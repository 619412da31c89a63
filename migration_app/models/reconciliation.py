"""Reconciliations: comparisons of the database with the target and the snapshots, and their discrepancies."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from migration_app.models.task import Task
from migration_app.models.thread import Thread


class Reconciliation(Task):
    """One comparison of the estate, or of an even sample of it. It changes nothing by itself.

    Lifecycle: *queued* until a worker or a command takes it; *running* while its heartbeat comes;
    *finished*, *failed* with a reason, or *stopped* by a person. One that ended early is resumed where it was:
    ``check_name`` and ``cursor`` are written together with what was found up to there.
    """

    class State(models.TextChoices):
        """How far it is."""

        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        STOPPED = "stopped", "stopped"
        FINISHED = "finished", "finished"
        FAILED = "failed", "failed"

    state = models.CharField(max_length=16, choices=State, default=State.QUEUED)
    checks = ArrayField(models.CharField(max_length=32))
    # Threads to check, spread evenly over the primary keys; null: all of them.
    sample_size = models.PositiveIntegerField(null=True, blank=True)
    # Moves the sample, so that the next one of the same size checks other threads.
    seed = models.BigIntegerField(default=0)
    # Item ids are compared with the recorded ones; content is not.
    quick = models.BooleanField(default=False)
    window = models.PositiveSmallIntegerField("reads in flight", default=16)
    scheduled = models.BooleanField(default=False)
    reason = models.TextField(blank=True)

    check_name = models.CharField("check at hand", max_length=32, blank=True)
    cursor = models.BigIntegerField(default=0)
    # {check: {"looked": rows, "skipped": rows at work, "error": n, "warning": n, "information": n}}
    counts = models.JSONField(default=dict, blank=True)

    review_asked_by_name = models.CharField("review asked for by", max_length=255, blank=True)
    review_asked_by_id = models.BigIntegerField(null=True, blank=True)
    review_reason = models.TextField(blank=True)
    review_asked_at = models.DateTimeField(null=True, blank=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    reviewed_count = models.PositiveIntegerField("threads sent to review", default=0)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["scheduled"],
                condition=Q(scheduled=True, state__in=["queued", "running"]),
                name="reconciliation_one_scheduled",
            ),
        ]
        permissions = [("run_reconciliation", "Can reconcile the database with the target")]

    def __str__(self) -> str:
        return f"reconciliation {self.pk}"


class Discrepancy(models.Model):
    """One discrepancy. Text without message content.

    ``code`` is a kind of ``reconciliation.kinds``, which says what it means and what to do.
    """

    class Severity(models.TextChoices):
        """How much it weighs."""

        ERROR = "error", "error"
        WARNING = "warning", "warning"
        INFORMATION = "information", "information"

    reconciliation = models.ForeignKey(
        Reconciliation, on_delete=models.CASCADE, related_name="discrepancies", db_index=False
    )
    check_name = models.CharField("check", max_length=32)
    code = models.CharField(max_length=64, db_collation="C")
    severity = models.CharField(max_length=16, choices=Severity)
    thread = models.ForeignKey(
        Thread, on_delete=models.PROTECT, null=True, blank=True, related_name="discrepancies"
    )
    # What it is about where that is no thread: "batch 3", "import 4", "file file-abc".
    subject = models.CharField(max_length=300, blank=True)
    claimed = models.TextField(blank=True)
    found = models.TextField(blank=True)
    noticed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "discrepancies"
        indexes = [
            models.Index(fields=["reconciliation", "severity", "id"], name="discrepancy_severity"),
            models.Index(fields=["reconciliation", "code", "id"], name="discrepancy_code"),
        ]

    def __str__(self) -> str:
        return f"{self.code} of reconciliation {self.reconciliation_id}"
