"""Batches: what one operator started."""

from __future__ import annotations

from django.conf import settings as django_settings
from django.db import models


class Batch(models.Model):
    """One action over a selection of threads.

    Lifecycle: *preparing* until a job has given every matching thread its work; *running* until no thread
    of it has pending work; *finished*, or *failed* with a reason. Progress is counted from the threads.
    """

    class Kind(models.TextChoices):
        """What is done with the threads."""

        SNAPSHOT = "snapshot", "snapshot"
        BACKFILL = "backfill", "backfill"
        VERIFY = "verify", "verify"
        RESOURCES = "resources", "check files"
        RETRY = "retry", "retry"
        EXCLUDE = "exclude", "exclude"

    class State(models.TextChoices):
        """How far the batch is."""

        PREPARING = "preparing", "preparing"
        RUNNING = "running", "running"
        FINISHED = "finished", "finished"
        FAILED = "failed", "failed"

    kind = models.CharField(max_length=16, choices=Kind)
    state = models.CharField(max_length=16, choices=State, default=State.PREPARING)
    # services.selections says what may stand here: explicit primary keys, or list filters.
    filter = models.JSONField()
    # The selection holds no thread registered after the operator confirmed it.
    max_thread_pk = models.BigIntegerField()
    prepared_up_to = models.BigIntegerField(default=0)
    reason = models.TextField()
    settings = models.JSONField(default=dict, blank=True)
    selected_count = models.PositiveIntegerField(default=0)
    taken_count = models.PositiveIntegerField(default=0)
    error_text = models.TextField(blank=True)
    created_by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "batches"
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(state__in=["preparing", "running"]), name="batch_open"
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk}: {self.get_kind_display()}"
