"""Observed behaviour of a target: facts that no description states, each with its time."""

from __future__ import annotations

from django.db import models


class TargetBehaviour(models.Model):
    """How one target behaves. ``target`` is its base URL, without what may be a secret in it.

    ``repeats``: what it does with an append that it has taken already, whose items carry ids of ours; found out by a
    probe on a scratch conversation, daily. Only where they are *refused* is an append in doubt sent again to the same
    conversation. ``list_lag_seconds``: the longest time that an item was seen to be missing from a list after its
    append was answered.
    """

    class Repeats(models.TextChoices):
        """What a probe found."""

        UNKNOWN = "unknown", "not known"
        REFUSED = "refused", "refused"
        TAKEN = "taken", "taken again"

    target = models.CharField(max_length=255, unique=True)
    repeats = models.CharField(max_length=16, choices=Repeats, default=Repeats.UNKNOWN)
    repeats_note = models.CharField(max_length=255, blank=True)
    repeats_seen_at = models.DateTimeField(null=True, blank=True)
    # A worker moves this before it probes, so that only one does.
    probe_after = models.DateTimeField(null=True, blank=True)
    # The probe's scratch conversation, while there is one.
    scratch_id = models.CharField(max_length=255, blank=True)
    list_lag_seconds = models.FloatField(default=0.0)
    list_lag_seen_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["target"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.target
