"""Fields of every task's row: who requested it, who holds it, its progress."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Task(models.Model):
    """Long work that a worker or a command claims, and that outlives both. ``tasks.lifecycle`` moves it.

    Its worker holds ``claim_token``; without that nothing can be written to it. A holder whose
    heartbeat is old loses it to the next one, which has its own token. Each subject names its states.
    """

    state = models.CharField(max_length=16)
    claim_token = models.UUIDField(null=True, blank=True)
    # Why it ended early, for operators.
    error_text = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_by_name = models.CharField(max_length=255)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
