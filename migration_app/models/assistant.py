"""Assistants of the source."""

from __future__ import annotations

from django.db import models

from migration_app.contracts import Fidelity
from migration_app.models.fields import opaque_id
from migration_app.models.snapshot import SourceObject


class Assistant(models.Model):
    """An assistant that was imported, or that some thread named.

    Lifecycle: *registered* when only its id is known; *snapshotted* when its object is stored;
    *queued* when its conversion was asked for; *converted* when a prompt version was made from that object, or
    *failed* when that raised an error (``outcome_text`` says which; a new request retries it).

    ``requested_at`` is one moment for all that were asked for together, so that they can be followed together.
    ``unchanged_sha256`` is the snapshot that was converted last and said nothing new. ``look_*`` are about the last
    check at the live source.
    """

    class Status(models.TextChoices):
        """How far the assistant is on its way to a prompt."""

        REGISTERED = "registered", "registered"
        SNAPSHOTTED = "snapshotted", "snapshotted"
        QUEUED = "queued", "queued"
        CONVERTED = "converted", "converted"
        FAILED = "failed", "failed"

    class Outcome(models.TextChoices):
        """How the last conversion ended."""

        CREATED = "created", "new version"
        UNCHANGED = "unchanged", "unchanged"
        FAILED = "failed", "failed"

    class SourceCheck(models.TextChoices):
        """The result of the last check at the live source."""

        ASKED = "asked", "asked for"
        SAME = "same", "the same"
        CHANGED = "changed", "changed"
        MISSING = "missing", "no longer there"
        FAILED = "failed", "failed"

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
    requested_by_user_id = models.BigIntegerField(null=True, blank=True)
    requested_at = models.DateTimeField("conversion asked for at", null=True, blank=True)
    outcome = models.CharField(max_length=16, blank=True, default="", db_default="", choices=Outcome)
    outcome_text = models.CharField(max_length=255, blank=True, default="", db_default="")
    unchanged_sha256 = models.CharField(
        max_length=64, blank=True, default="", db_default="", db_collation="C"
    )
    source_check = models.CharField(max_length=16, blank=True, default="", db_default="", choices=SourceCheck)
    source_check_asked_by_name = models.CharField(max_length=255, blank=True, default="", db_default="")
    source_checked_at = models.DateTimeField(null=True, blank=True)
    source_check_text = models.CharField(max_length=255, blank=True, default="", db_default="")
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
        indexes = [
            models.Index(fields=["requested_at", "status"], name="assistant_requested"),
            models.Index(fields=["id"], condition=models.Q(status="queued"), name="assistant_queued"),
            models.Index(
                fields=["id"], condition=models.Q(source_check="asked"), name="assistant_check_asked"
            ),
        ]
        permissions = [("convert_assistant", "Can convert assistants to prompts")]

    def __str__(self) -> str:
        return self.name or self.assistant_id
