"""The audit trail."""

from __future__ import annotations

from django.db import models

from migration_app.models.fields import opaque_id


class AuditEvent(models.Model):
    """Who did what, when, and why. Append-only: triggers refuse UPDATE, DELETE and TRUNCATE, in SQL too
    (``models.guards``).

    It keeps names and ids as text and no foreign keys, so that it outlives its subjects. It never
    holds message content, metadata values or secrets.
    """

    at = models.DateTimeField(auto_now_add=True)
    actor = models.CharField(max_length=255)
    actor_user_id = models.BigIntegerField(null=True, blank=True)
    verb = models.CharField(max_length=64, db_collation="C")
    subject_kind = models.CharField(max_length=32, db_collation="C")
    subject_id = opaque_id("subject id")
    before = models.CharField(max_length=64, blank=True)
    after = models.CharField(max_length=64, blank=True)
    reason = models.TextField(blank=True)
    batch_pk = models.BigIntegerField("batch", null=True, blank=True)
    job_id = models.CharField(max_length=128, blank=True)
    request_id = models.CharField(max_length=128, blank=True)

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["subject_id", "subject_kind", "id"], name="audit_subject"),
            # The list goes by time: a span of days is then a piece of each of these.
            models.Index(fields=["at", "id"], name="audit_at"),
            models.Index(fields=["verb", "at", "id"], name="audit_verb"),
            models.Index(
                fields=["batch_pk", "at", "id"],
                condition=models.Q(batch_pk__isnull=False),
                name="audit_batch",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.verb} {self.subject_id}"
