"""Prompts: versioned specs for ``responses.create``, made from assistants."""

from __future__ import annotations

import json

import pgtrigger
from django.db import models

from migration_app.contracts import Fidelity, JsonObject
from migration_app.models.assistant import Assistant


class Prompt(models.Model):
    """What an assistant became. Its content stands in its versions; the newest one is current.

    Reusable dashboard prompts (``pmpt_…``) shut down on 2026-11-30, so such an id is only a note here.
    """

    slug = models.SlugField(max_length=80, unique=True)
    assistant = models.OneToOneField(Assistant, on_delete=models.PROTECT, related_name="prompt")
    name = models.CharField(max_length=512, blank=True)
    dashboard_prompt_id = models.CharField(
        "dashboard prompt id",
        max_length=255,
        blank=True,
        help_text="Optional note; these ids end on 2026-11-30.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]
        permissions = [("export_prompts", "Can export prompts")]

    def __str__(self) -> str:
        return self.slug

    @property
    def current_version(self) -> PromptVersion | None:
        """The newest version, None before the first conversion."""
        return self.versions.order_by("-number").first()


class PromptVersion(models.Model):
    """One immutable state of a prompt's spec (held by a trigger).

    ``spec_json`` is ASCII JSON text with sorted keys: unlike JSONB it holds ``\\u0000`` and hashes stably.
    """

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    spec_json = models.TextField()
    sha256 = models.CharField(max_length=64, db_collation="C")
    findings = models.JSONField(default=list, blank=True)
    fidelity = models.CharField(max_length=16, choices=[(f.value, f.value) for f in Fidelity])
    source_sha256 = models.CharField("sha256 of the assistant's snapshot", max_length=64, db_collation="C")
    author_name = models.CharField(max_length=255)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["prompt_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["prompt", "number"], name="promptversion_number_unique")
        ]
        triggers = [pgtrigger.Protect(name="promptversion_unchanged", operation=pgtrigger.Update)]

    def __str__(self) -> str:
        return f"{self.prompt} v{self.number}"

    @property
    def spec(self) -> JsonObject:
        """The keyword arguments for ``responses.create``."""
        spec: JsonObject = json.loads(self.spec_json)
        return spec
