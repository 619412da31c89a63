"""Assistants of the source."""

from __future__ import annotations

from django.db import models

from migration_app.contracts import Fidelity
from migration_app.models.fields import opaque_id
from migration_app.models.snapshot import SourceObject


class Assistant(models.Model):
    """An assistant that was imported, or that some thread named.

    Lifecycle: *registered* when only its id is known; *snapshotted* when its object is stored;
    *queued* when its conversion was asked for; *converted* when a prompt version was made from that object.
    """

    class Status(models.TextChoices):
        """How far the assistant is on its way to a prompt."""

        REGISTERED = "registered", "registered"
        SNAPSHOTTED = "snapshotted", "snapshotted"
        QUEUED = "queued", "queued"
        CONVERTED = "converted", "converted"

    assistant_id = opaque_id("assistant id")
    name = models.CharField(max_length=512, blank=True)
    model = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.REGISTERED)
    fidelity = models.CharField(max_length=16, blank=True, choices=[(f.value, f.value) for f in Fidelity])
    source = models.OneToOneField(
        SourceObject,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="assistant",
        verbose_name="snapshot",
    )
    requested_by_name = models.CharField("conversion asked for by", max_length=255, blank=True)
    source_created_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["assistant_id"], name="assistant_id_unique"),
            models.CheckConstraint(
                condition=models.Q(status="registered") | models.Q(source__isnull=False),
                name="assistant_has_snapshot",
            ),
        ]
        permissions = [("convert_assistant", "Can convert assistants to prompts")]

    def __str__(self) -> str:
        return self.name or self.assistant_id
