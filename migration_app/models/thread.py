"""Threads: the unit of the migration."""

from __future__ import annotations

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Reverse, Upper

from migration_app.contracts import Fidelity
from migration_app.models.assistant import Assistant
from migration_app.models.batch import Batch
from migration_app.models.fields import opaque_id


class Thread(models.Model):
    """A thread of the source and how far it is.

    Lifecycle: registered → snapshotted (or blocked) → queued → backfilling → backfilled → verified, and back by
    rolling_back → rolled_back; aside are failed, needs_review, source_missing and excluded. The allowed
    transitions are in ``threads.statuses``; nothing else writes ``status``.

    A batch gives a thread *pending work*. A worker takes it by a lease (token and expiry) and keeps the
    lease alive; an expired lease is free for the next worker.
    """

    class Status(models.TextChoices):
        """The thread's status."""

        REGISTERED = "registered", "registered"
        SNAPSHOTTED = "snapshotted", "snapshotted"
        BLOCKED = "blocked", "blocked"
        QUEUED = "queued", "queued"
        BACKFILLING = "backfilling", "backfilling"
        BACKFILLED = "backfilled", "backfilled"
        VERIFIED = "verified", "verified"
        NEEDS_REVIEW = "needs_review", "needs review"
        FAILED = "failed", "failed"
        SOURCE_MISSING = "source_missing", "source missing"
        EXCLUDED = "excluded", "excluded"
        ROLLING_BACK = "rolling_back", "rolling back"
        ROLLED_BACK = "rolled_back", "rolled back"

    class Work(models.TextChoices):
        """What a worker is to do with it."""

        SNAPSHOT = "snapshot", "snapshot"
        BACKFILL = "backfill", "backfill"
        VERIFY = "verify", "verify"
        RESOURCES = "resources", "check files"
        ROLLBACK = "rollback", "roll back"
        ACCEPT = "accept", "accept as is"
        REMIGRATE = "remigrate", "re-migrate"

    thread_id = opaque_id("thread id")
    user_ref = models.CharField("user reference", max_length=512, blank=True, db_collation="C")
    assistant = models.ForeignKey(
        Assistant, on_delete=models.PROTECT, null=True, blank=True, related_name="threads", db_index=False
    )
    status = models.CharField(max_length=16, choices=Status, default=Status.REGISTERED)
    fidelity = models.CharField(max_length=16, blank=True, choices=[(f.value, f.value) for f in Fidelity])

    # What the last assessment of the snapshot found; item_count and chunk_count are what a backfill sends.
    message_count = models.PositiveIntegerField(default=0)
    run_count = models.PositiveIntegerField(default=0)
    item_count = models.PositiveIntegerField(default=0)
    chunk_count = models.PositiveIntegerField(default=0)
    payload_bytes = models.PositiveBigIntegerField("bytes to send", default=0)
    # SHA-256 over metadata and items of that plan: another one of the same size is another plan.
    plan_digest = models.CharField(max_length=64, blank=True, default="", db_default="", db_collation="C")
    finding_counts = models.JSONField(default=dict, blank=True)
    # Files and vector stores that its tools and items need: "vector_store:vs_1 file:file-2", for the mapping.
    resources = models.TextField(blank=True, default="", db_default="")
    first_message_at = models.DateTimeField(null=True, blank=True)
    last_message_at = models.DateTimeField(null=True, blank=True)
    source_created_at = models.DateTimeField(null=True, blank=True)
    snapshot_at = models.DateTimeField(null=True, blank=True)
    # The last page that was assessed, by its number: no clock decides which of two snapshots is newer.
    snapshot_sequence = models.PositiveIntegerField(null=True, blank=True)

    error_code = models.CharField(max_length=64, blank=True, db_collation="C")
    error_text = models.TextField(blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    # How often its conversation was given up in doubt for a new one, since it was last verified or reviewed.
    restarts = models.PositiveSmallIntegerField(default=0, db_default=0)

    batch = models.ForeignKey(
        Batch, on_delete=models.PROTECT, null=True, blank=True, related_name="threads", db_index=False
    )
    pending_work = models.CharField(max_length=16, blank=True, choices=Work)
    not_before = models.DateTimeField(null=True, blank=True)
    # In this batch: when a worker first took it, and how often it was handed back to be tried again later.
    work_started_at = models.DateTimeField(null=True, blank=True)
    retries = models.PositiveIntegerField(default=0, db_default=0)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["thread_id"], name="thread_id_unique"),
            models.CheckConstraint(
                condition=Q(lease_token__isnull=True, lease_until__isnull=True)
                | Q(lease_token__isnull=False, lease_until__isnull=False),
                name="thread_lease_whole",
            ),
            models.CheckConstraint(
                condition=Q(pending_work="") | Q(batch__isnull=False), name="thread_pending_work_has_batch"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["queued", "backfilling"]) | Q(pending_work="backfill"),
                name="thread_queued_is_pending",
            ),
            models.CheckConstraint(
                condition=~Q(status="rolling_back") | Q(pending_work="rollback"),
                name="thread_rolling_back_is_pending",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "id"], name="thread_status"),
            # Partial where most rows of a young estate have nothing: an import of ids then pays for none of them.
            models.Index(
                fields=["assistant", "id"], condition=Q(assistant__isnull=False), name="thread_assistant"
            ),
            models.Index(fields=["batch", "id"], condition=Q(batch__isnull=False), name="thread_batch"),
            models.Index(
                fields=["batch", "status", "id"], condition=Q(batch__isnull=False), name="thread_batch_status"
            ),
            models.Index(fields=["fidelity", "id"], condition=~Q(fidelity=""), name="thread_fidelity"),
            models.Index(fields=["batch", "id"], condition=~Q(pending_work=""), name="thread_pending"),
            models.Index(fields=["error_code", "id"], condition=~Q(error_code=""), name="thread_error"),
            models.Index(fields=["user_ref"], condition=~Q(user_ref=""), name="thread_user_ref"),
            # People have the end of an id, from a log or a list: a prefix of it read backwards. Its beginning is found
            # by the index of the unique ids.
            models.Index(Reverse("thread_id"), name="thread_id_reversed"),
            GinIndex(
                OpClass(Upper("user_ref"), name="gin_trgm_ops"),
                condition=~Q(user_ref=""),
                name="thread_user_ref_parts",
            ),
            # Default operators: "has this key" is what the lists ask, and jsonb_path_ops can't answer it.
            GinIndex(fields=["finding_counts"], name="thread_findings"),
        ]
        permissions = [
            ("snapshot_thread", "Can snapshot threads from a live source"),
            ("preflight_thread", "Can preflight threads"),
            ("backfill_thread", "Can backfill threads"),
            ("verify_thread", "Can verify threads"),
            ("retry_thread", "Can retry threads"),
            ("exclude_thread", "Can exclude threads"),
            ("review_thread", "Can decide about threads in review: accept them as is, or re-migrate them"),
            ("rollback_thread", "Can roll threads back: delete what was sent to the target"),
            ("approve_rollback", "Can approve a roll back that somebody else requested"),
            ("export_mapping", "Can export the mapping"),
        ]

    def __str__(self) -> str:
        return self.thread_id
