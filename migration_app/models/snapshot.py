"""Source payloads, stored unchanged and hashed before anything is converted."""

from __future__ import annotations

from django.db import models

from migration_app.contracts import LISTING_ORDERS
from migration_app.models.fields import opaque_id
from migration_app.models.intake import SourceImport


class SnapshotPage(models.Model):
    """Documents about one thread, in the order in which one import or one live listing gave them.

    A page of *rejects* holds what identifies the objects that an import rejected (``archive.marks``). Of all
    others ``payload`` is what was received, as RFC 7464 JSON text sequence (or CSV text for CSV transcripts),
    zlib-compressed: JSONB could not hold ``\\u0000`` and would reorder keys. ``sha256`` is the digest of
    the uncompressed bytes. A page is never changed or deleted once written (held by triggers); if a secret had
    to be removed before storing, ``redacted`` says so.
    """

    class Kind(models.TextChoices):
        """What wrote the page, which is also how it is read."""

        ARCHIVE = "archive", "archive lines"
        TRANSCRIPT = "transcript", "transcript lines"
        TRANSCRIPT_CSV = "transcript_csv", "transcript rows"
        LIVE = "live", "live answers"
        REJECTS = "rejects", "what imports rejected"

    thread = models.ForeignKey("migration_app.Thread", on_delete=models.CASCADE, related_name="pages")
    sequence = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=Kind)
    source_import = models.ForeignKey(
        SourceImport, on_delete=models.PROTECT, null=True, blank=True, related_name="pages", db_index=False
    )
    # All pages of one import, or of one live snapshot: message order holds inside an origin only.
    origin = models.CharField(max_length=64, db_collation="C")
    order = models.CharField(max_length=8, choices=[(o, o) for o in LISTING_ORDERS], default="unknown")
    payload = models.BinaryField()
    sha256 = models.CharField(max_length=64, db_collation="C")
    raw_bytes = models.PositiveBigIntegerField()
    document_count = models.PositiveIntegerField()
    redacted = models.BooleanField(default=False)
    request_id = models.CharField(max_length=128, blank=True)
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["thread_id", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["thread", "sequence"], name="snapshotpage_sequence_unique")
        ]
        permissions = [("view_content", "Can view message content (audited)")]

    def __str__(self) -> str:
        return f"page {self.sequence} of thread {self.thread_id}"


class SourceDeletion(models.Model):
    """An archive's record that the source has deleted a thread or a message, known here or not.

    ``thread_id`` of a message is empty if its thread is unknown. *Searched* once all threads that were stored
    before have been searched for it; those that come later look it up as they come.
    """

    class Kind(models.TextChoices):
        """What was deleted."""

        THREAD = "thread", "thread"
        MESSAGE = "message", "message"

    kind = models.CharField(max_length=16, choices=Kind, db_collation="C")
    object_id = opaque_id("object id")
    thread_id = opaque_id("thread id", blank=True)
    searched = models.BooleanField(default=False)
    source_import = models.ForeignKey(
        SourceImport, on_delete=models.PROTECT, null=True, blank=True, related_name="deletions"
    )
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "object_id", "thread_id"], name="sourcedeletion_unique")
        ]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(searched=False), name="sourcedeletion_unsearched")
        ]

    def __str__(self) -> str:
        return f"deletion of {self.kind} {self.object_id}"


class SourceObject(models.Model):
    """An assistant, file or vector store as the source described it; several versions where they differ.

    The first version seen is *current*. A later state of the same file or vector store (its status, expiry or
    usage changed) becomes current, and the earlier one *superseded*. Another content under the same id is kept
    as *conflict* and reported, never replaced silently; so is any other content of an assistant. Only
    ``state`` ever changes (held by triggers).
    """

    class State(models.TextChoices):
        """Which version the console works with."""

        CURRENT = "current", "current"
        SUPERSEDED = "superseded", "superseded"
        CONFLICT = "conflict", "conflict"

    kind = models.CharField(max_length=32, db_collation="C")
    object_id = opaque_id("object id")
    state = models.CharField(max_length=16, choices=State, default=State.CURRENT)
    payload = models.BinaryField()
    sha256 = models.CharField(max_length=64, db_collation="C")
    redacted = models.BooleanField(default=False)
    source_import = models.ForeignKey(
        SourceImport, on_delete=models.PROTECT, null=True, blank=True, related_name="source_objects"
    )
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "object_id", "sha256"], name="sourceobject_version_unique"
            ),
            models.UniqueConstraint(
                fields=["kind", "object_id"],
                condition=models.Q(state="current"),
                name="sourceobject_one_current",
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "id"], name="sourceobject_kind"),
            models.Index(fields=["state", "id"], name="sourceobject_state"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"
