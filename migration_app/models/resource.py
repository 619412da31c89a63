"""Files and vector stores that threads need, and whether the target still has them."""

from __future__ import annotations

from django.db import models

from migration_app.models.fields import opaque_id


class Resource(models.Model):
    """A file or vector store as the target last answered about it. A row exists once it was checked."""

    class Status(models.TextChoices):
        """What the target said."""

        ALIVE = "alive", "alive"
        MISSING = "missing", "missing"
        EXPIRED = "expired", "expired"

    kind = models.CharField(max_length=16, choices=[("file", "file"), ("vector_store", "vector store")])
    resource_id = opaque_id("resource id")
    status = models.CharField(max_length=16, choices=Status)
    checked_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["kind", "resource_id"], name="resource_unique")]
        indexes = [
            models.Index(
                fields=["id"], condition=models.Q(status__in=["missing", "expired"]), name="resource_gone"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.resource_id}"
