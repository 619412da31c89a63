"""Prompts: versioned specs for ``responses.create``, made from assistants."""

from __future__ import annotations

import json

from django.db import models

from migration_app.contracts import Fidelity, JsonObject
from migration_app.models.assistant import Assistant


class Prompt(models.Model):
    """What an assistant became. Its content is in its versions; one of them may be *active*: the one to use.

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
    dashboard_prompt_version = models.CharField(max_length=64, blank=True, default="", db_default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]
        permissions = [
            ("export_prompts", "Can export prompts"),
            ("approve_prompt", "Can approve or reject prompt versions in review"),
            ("activate_prompt", "Can activate approved prompt versions, and roll back to earlier ones"),
            ("try_prompt", "Can try prompts out at the target, which costs calls"),
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def current_version(self) -> PromptVersion | None:
        """The newest version, None before the first conversion."""
        return self.versions.order_by("-number").first()

    @property
    def active_version(self) -> PromptVersion | None:
        """The version to use, None until one was activated."""
        return self.versions.filter(state=PromptVersion.State.ACTIVE).first()


class PromptVersion(models.Model):
    """One immutable state of a prompt's spec (held by triggers); only how far its review is changes.

    Lifecycle: *draft* → *in_review* → *approved* (by another person, where configured) → *active*; one version of
    a prompt is active at most, and the one before it becomes *retired*, from where a roll back activates it again.
    A version in review may be *rejected*. The allowed edges are the table in ``prompts.review``.

    ``spec_json`` is ASCII JSON text with sorted keys: unlike JSONB it holds ``\\u0000`` and hashes stably.
    """

    class State(models.TextChoices):
        """How far its review is."""

        DRAFT = "draft", "draft"
        IN_REVIEW = "in_review", "in review"
        APPROVED = "approved", "approved"
        REJECTED = "rejected", "rejected"
        ACTIVE = "active", "active"
        RETIRED = "retired", "retired"

    class Origin(models.TextChoices):
        """How it came about."""

        CONVERTED = "converted", "converted from the assistant"
        EDITED = "edited", "edited"
        IMPORTED = "imported", "imported from a file"
        REPLACED = "replaced", "model replaced"

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    spec_json = models.TextField()
    sha256 = models.CharField(max_length=64, db_collation="C")
    findings = models.JSONField(default=list, blank=True)
    fidelity = models.CharField(max_length=16, choices=[(f.value, f.value) for f in Fidelity])
    source_sha256 = models.CharField("sha256 of the assistant's snapshot", max_length=64, db_collation="C")
    author_name = models.CharField(max_length=255)
    # Who it was, also under another name; empty for the command line.
    author_user_id = models.BigIntegerField(null=True, blank=True)
    note = models.TextField(blank=True)
    origin = models.CharField(max_length=16, choices=Origin, default=Origin.CONVERTED)
    state = models.CharField(max_length=16, choices=State, default=State.DRAFT)
    submitted_by_name = models.CharField(max_length=255, blank=True, default="", db_default="")
    submitted_by_user_id = models.BigIntegerField(null=True, blank=True)
    decided_by_name = models.CharField(max_length=255, blank=True, default="", db_default="")
    decided_by_user_id = models.BigIntegerField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    activated_by_name = models.CharField(max_length=255, blank=True, default="", db_default="")
    activated_by_user_id = models.BigIntegerField(null=True, blank=True)
    activated_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["prompt_id", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["prompt", "number"], name="promptversion_number_unique"),
            models.UniqueConstraint(
                fields=["prompt"], condition=models.Q(state="active"), name="promptversion_one_active"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prompt} v{self.number}"

    @property
    def spec(self) -> JsonObject:
        """The keyword arguments for ``responses.create``."""
        spec: JsonObject = json.loads(self.spec_json)
        return spec
