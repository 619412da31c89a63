"""What is known of the operation as a whole: how the two APIs answer, and how far the estate was at each minute.

Pages show it without asking anybody. Rows of more than two days are deleted by the workers.
"""

from __future__ import annotations

from django.db import models


class ApiHealth(models.Model):
    """How one API answered last, as its callers saw it. ``address``: its base URL, without what may be secret in it.

    ``answered_at``: any answer. ``accepted_at``: one that a wrong key would not get. ``failed_at`` and ``failed_code``:
    the last failure that says something about the API or the key (``tasks.api_health``), and not about one request.
    """

    class Api(models.TextChoices):
        """Which of the two."""

        SOURCE = "source", "source"
        TARGET = "target", "target"

    api = models.CharField(max_length=16, choices=Api)
    address = models.CharField(max_length=255)
    answered_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    failed_code = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api", "address"], name="apihealth_unique")]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.api} {self.address}"


class ApiMinute(models.Model):
    """How many calls one API answered in a minute, over all workers: all, refused for their rate (429), failed."""

    api = models.CharField(max_length=16, choices=ApiHealth.Api)
    minute = models.DateTimeField()
    calls = models.PositiveIntegerField()
    throttled = models.PositiveIntegerField()
    failed = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["minute", "api"], name="apiminute_unique")]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.calls} calls to the {self.api} at {self.minute:%H:%M}"


class MinuteSample(models.Model):
    """How far the estate was at one minute, in threads: what the dashboard's rate and chart are made of.

    ``taken_at``: when exactly. ``messages``: of verified threads. No row for a minute: no worker was alive then.
    """

    minute = models.DateTimeField(unique=True)
    taken_at = models.DateTimeField()
    verified = models.PositiveBigIntegerField()
    in_flight = models.PositiveBigIntegerField()
    waiting = models.PositiveBigIntegerField()
    attention = models.PositiveBigIntegerField()
    excluded = models.PositiveBigIntegerField()
    messages = models.PositiveBigIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.verified} verified at {self.minute:%H:%M}"
