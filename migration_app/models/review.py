"""The review queue: one row a thread in review, who decides about it, and what was read of its conversation."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from migration_app.models.assistant import Assistant
from migration_app.models.batch import Batch
from migration_app.models.fields import opaque_id
from migration_app.models.task import Task
from migration_app.models.thread import Thread

_WAITS = Q(pending_work="")


class ReviewCase(models.Model):
    """A thread that needs review: since when, why, and who is to decide.

    A trigger on threads keeps these rows, however its status changes: one comes when a thread enters review and goes
    when it leaves, with the reading. Code, batch, assistant, user and pending work are the thread's own, repeated
    here so that indexes over few rows hold the queue. Only the assignment is written by the console
    (``review.assignments``); it ends when work is handed out that decides about the thread.
    """

    thread = models.OneToOneField(
        Thread, on_delete=models.CASCADE, primary_key=True, related_name="review_case"
    )
    code = models.CharField(max_length=64, blank=True, db_collation="C")
    pending_work = models.CharField(max_length=16, blank=True)
    assistant = models.ForeignKey(
        Assistant, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    user_ref = models.CharField(max_length=512, blank=True, db_collation="C")
    entered_at = models.DateTimeField("in review since")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name="assigned to",
    )
    assigned_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["entered_at", "thread_id"]
        # What waits for a decision, oldest first, by each thing that the queue is narrowed by.
        indexes = [
            models.Index(fields=["code", "entered_at", "thread"], condition=_WAITS, name="review_code"),
            models.Index(
                fields=["assistant", "code", "entered_at", "thread"],
                condition=_WAITS & Q(assistant__isnull=False),
                name="review_assistant",
            ),
            models.Index(
                fields=["batch", "code", "entered_at", "thread"],
                condition=_WAITS & Q(batch__isnull=False),
                name="review_batch",
            ),
            models.Index(
                fields=["user_ref", "code", "entered_at", "thread"],
                condition=_WAITS & ~Q(user_ref=""),
                name="review_user",
            ),
            models.Index(
                fields=["person", "code", "entered_at", "thread"],
                condition=_WAITS & Q(person__isnull=False),
                name="review_person",
            ),
        ]
        default_permissions = ()

    def __str__(self) -> str:
        return f"review of {self.thread}"


class ReviewReading(Task):
    """What was read of the conversation of a thread in review: kept by the worker that found it, or asked for since.

    One row a thread; a newer reading takes the place of an older one. ``payload`` is content, bounded by
    ``engine.reading``: items as received, of which the first kept is number ``first_item`` (from 0) of
    ``item_count``. None: nothing was read yet. ``found``: the target knew the conversation. The row goes when the
    thread leaves review.
    """

    class State(models.TextChoices):
        """How far the reading that was asked for last is."""

        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        FINISHED = "finished", "finished"
        FAILED = "failed", "failed"

    thread = models.OneToOneField(
        Thread, on_delete=models.CASCADE, primary_key=True, related_name="review_reading"
    )
    state = models.CharField(max_length=16, choices=State)
    conversation_id = opaque_id("conversation id", blank=True)
    found = models.BooleanField(default=False)
    first_item = models.PositiveIntegerField(default=0)
    kept_count = models.PositiveIntegerField(default=0)
    item_count = models.PositiveIntegerField(default=0)
    payload = models.BinaryField(null=True)
    read_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"reading of {self.thread}"
