"""Imports: files that were read, and rejected lines."""

from __future__ import annotations

from django.db import models

from migration_app.models.task import Task


class SourceImport(Task):
    """One file (or upload) read into the console.

    Lifecycle: *waiting* while its upload lies in the database; *running* while a worker or command reads
    it; *finished*, *failed* with a reason, or *cancelled* by a person. Counts are written while it is read.
    """

    class Kind(models.TextChoices):
        """What the file holds."""

        ARCHIVE = "archive", "archive of API objects"
        TRANSCRIPTS = "transcripts", "transcripts"
        THREAD_IDS = "thread_ids", "thread ids"

    class State(models.TextChoices):
        """How far the reading is."""

        WAITING = "waiting", "waiting"
        RUNNING = "running", "running"
        FINISHED = "finished", "finished"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    kind = models.CharField(max_length=16, choices=Kind)
    state = models.CharField(max_length=16, choices=State, default=State.WAITING)
    file_name = models.CharField(max_length=512)
    file_bytes = models.PositiveBigIntegerField(default=0)
    bytes_read = models.PositiveBigIntegerField(default=0)
    # What went in: documents, threads, messages, runs, steps, objects, unchanged, conflicts, skipped.
    counts = models.JSONField(default=dict, blank=True)
    reject_count = models.PositiveIntegerField(default=0)
    # Notes about the file as a whole: parts that are ignored.
    notes = models.JSONField(default=list, blank=True)
    reason = models.TextField(blank=True)
    # How many readers began since it was uploaded or restarted. A reader that hands it back does not count.
    attempts = models.PositiveSmallIntegerField(default=0)
    # Pages were stored, and their threads are not assessed yet.
    unassessed = models.BooleanField(default=False)

    class Meta:
        ordering = ["-id"]
        verbose_name = "import"
        permissions = [("import_archive", "Can import archives, transcripts and thread ids")]

    def __str__(self) -> str:
        return f"import {self.pk} of {self.file_name}"


class ImportPart(models.Model):
    """A piece of an uploaded file, kept until it was read: workers may run on other machines."""

    source_import = models.ForeignKey(SourceImport, on_delete=models.CASCADE, related_name="parts")
    sequence = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        ordering = ["source_import_id", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["source_import", "sequence"], name="importpart_sequence_unique")
        ]

    def __str__(self) -> str:
        return f"part {self.sequence} of import {self.source_import_id}"


class ImportReject(models.Model):
    """A line that could not be read: where, why, and the line itself (private content)."""

    source_import = models.ForeignKey(SourceImport, on_delete=models.CASCADE, related_name="rejects")
    line_number = models.PositiveBigIntegerField()
    reason = models.TextField()
    raw = models.BinaryField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"line {self.line_number}: {self.reason}"
