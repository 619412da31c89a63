"""The data of readiness: models that the target lists, needs of prompt versions, calls of functions, checks.

All but the checks themselves can be made again at any time: from the target, from specs, from snapshots.
"""

from __future__ import annotations

from django.db import models

from migration_app.models.fields import opaque_id
from migration_app.models.prompt import PromptVersion
from migration_app.models.task import Task


class TargetModel(models.Model):
    """A model as the target listed it. ``is_listed``: still in the newest list; one that left it stays known."""

    model_id = opaque_id("model")
    owned_by = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField("made at", null=True, blank=True)
    shutdown_on = models.DateField("shuts down on", null=True, blank=True)
    # What stood for a date where none could be read out of it.
    shutdown_text = models.CharField(max_length=64, blank=True)
    is_listed = models.BooleanField(default=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["model_id"]
        constraints = [models.UniqueConstraint(fields=["model_id"], name="targetmodel_unique")]
        default_permissions = ()

    def __str__(self) -> str:
        return self.model_id


class PromptNeeds(models.Model):
    """What one prompt version's spec names, read out once: specs are immutable, and may be large.

    ``model`` is empty where the spec names none that could exist. Lists hold names and ids, each once.
    """

    version = models.OneToOneField(PromptVersion, on_delete=models.CASCADE, related_name="needs")
    model = models.CharField(max_length=255, blank=True, db_collation="C")
    functions = models.JSONField(default=list)
    vector_stores = models.JSONField(default=list)
    files = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["model"], name="promptneeds_model")]
        default_permissions = ()

    def __str__(self) -> str:
        return f"needs of {self.version}"


class FunctionCalls(models.Model):
    """How often one function was called in the snapshots, counted by one pass over them.

    ``assistants``: how many assistants named it when the pass began.
    """

    pass_number = models.PositiveIntegerField()
    name = opaque_id("function")
    calls = models.BigIntegerField(default=0)
    threads = models.BigIntegerField(default=0)
    assistants = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["pass_number", "name"], name="functioncalls_unique"),
        ]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.calls}"


class ReadinessCheck(Task):
    """A check of the target, or a pass over the snapshots: one row a kind, requested by a person, done by a job.

    Asking again uses the row again: ``created_by_name`` and ``created_at`` are of the last request.
    """

    class Kind(models.TextChoices):
        """What is checked."""

        TARGET = "target", "models, vector stores and files at the target"
        CALLS = "calls", "calls of functions in the snapshots"

    class State(models.TextChoices):
        """How far it is."""

        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        FINISHED = "finished", "finished"
        FAILED = "failed", "failed"

    kind = models.CharField(max_length=16, choices=Kind)
    state = models.CharField(max_length=16, choices=State)
    # When it last came to its end: what it found then is shown until it does again.
    good_at = models.DateTimeField(null=True, blank=True)
    pass_number = models.PositiveIntegerField(default=0)
    # The pass whose counts are shown.
    good_pass = models.PositiveIntegerField(default=0)
    # The last thread that was counted.
    cursor = models.BigIntegerField(default=0)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind"], name="readinesscheck_unique")]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.get_state_display()}"
