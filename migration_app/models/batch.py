"""Batches: what one operator started."""

from __future__ import annotations

from django.conf import settings as django_settings
from django.db import models

DEFAULT_WINDOW = 32
"""Threads in flight in one worker, where the operator chooses nothing else."""

MAX_WINDOW = 256


class Batch(models.Model):
    """One action over a selection of threads.

    Lifecycle: *waiting* where a second person must approve it; *preparing* until a job has given every matching
    thread its work; *running* until no thread of it has pending work; *finished*, or *failed* with a reason.
    A person or the breaker may have it *paused*, with ``held_text`` saying why; *cancelling* until a job has
    taken back the work that was not begun, then *cancelled*. What became of each thread is kept in ``BatchResult``,
    and how fast it went in ``BatchMinute``; workers add their calls to the row with their heartbeat.
    """

    class Kind(models.TextChoices):
        """What is done with the threads."""

        SNAPSHOT = "snapshot", "snapshot"
        BACKFILL = "backfill", "backfill"
        VERIFY = "verify", "verify"
        RESOURCES = "resources", "check files"
        RETRY = "retry", "retry"
        EXCLUDE = "exclude", "exclude"
        ROLLBACK = "rollback", "roll back"
        ACCEPT = "accept", "accept as is"
        REMIGRATE = "remigrate", "re-migrate"

    class State(models.TextChoices):
        """How far the batch is."""

        WAITING = "waiting", "waiting for approval"
        PREPARING = "preparing", "preparing"
        RUNNING = "running", "running"
        PAUSED = "paused", "paused"
        CANCELLING = "cancelling", "cancelling"
        CANCELLED = "cancelled", "cancelled"
        FINISHED = "finished", "finished"
        FAILED = "failed", "failed"

    kind = models.CharField(max_length=16, choices=Kind)
    state = models.CharField(max_length=16, choices=State, default=State.PREPARING)
    # services.selections says what may stand here: explicit primary keys, or list filters.
    filter = models.JSONField()
    # SHA-256 of kind and selection, by which a page finds batches that do the same.
    selection_key = models.CharField(max_length=64, blank=True, default="", db_default="", db_collation="C")
    # From a confirm page: ``selection_key`` with the newest such batch that the page knew. A second start of the same
    # page, or of another that was opened before the first one, has the same token.
    start_token = models.CharField(max_length=96, null=True, blank=True, unique=True, db_collation="C")
    # The selection holds no thread registered after the operator confirmed it.
    max_thread_pk = models.BigIntegerField()
    prepared_up_to = models.BigIntegerField(default=0)
    reason = models.TextField()
    settings = models.JSONField(default=dict, blank=True)
    # How fast: calls in flight in each worker, and requests a minute over all of them (null: the target's limit).
    window = models.PositiveSmallIntegerField("calls in flight", default=DEFAULT_WINDOW)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    # On-demand work: workers take it high priority.
    urgent = models.BooleanField(default=False)
    held_text = models.TextField("why it is held", blank=True, default="", db_default="")
    approved_by_name = models.CharField("approved by", max_length=255, blank=True, default="", db_default="")
    approved_by_user_id = models.BigIntegerField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    selected_count = models.PositiveIntegerField(default=0)
    taken_count = models.PositiveIntegerField(default=0)
    # What its workers did at the APIs: calls, repeats of calls and of threads after an error, and answers 429.
    call_count = models.PositiveBigIntegerField(default=0, db_default=0)
    retry_count = models.PositiveBigIntegerField(default=0, db_default=0)
    throttled_count = models.PositiveBigIntegerField(default=0, db_default=0)
    # The preflight's estimate when it was started; null where nobody could know.
    estimated_calls = models.PositiveBigIntegerField(null=True, blank=True)
    estimated_seconds = models.PositiveBigIntegerField(null=True, blank=True)
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
                fields=["id"],
                condition=models.Q(state__in=["preparing", "running", "cancelling"]),
                name="batch_at_work",
            ),
            models.Index(fields=["selection_key"], name="batch_by_selection"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(window__gte=1, window__lte=MAX_WINDOW), name="batch_window_in_bounds"
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk}: {self.get_kind_display()}"
