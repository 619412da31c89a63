"""Prompts with versions, for the tests of what leaves the console and what comes back."""

from __future__ import annotations

import hashlib
from typing import Any

from migration_app.contracts import JsonObject
from migration_app.conversion.prompts.specs import spec_text
from migration_app.models import Assistant, Prompt, PromptVersion

SPEC: JsonObject = {"model": "gpt-4o", "instructions": "Be brief.\nBe kind."}


def prompt_made(slug: str = "kitchen-desk", **fields: Any) -> Prompt:
    return Prompt.objects.create(
        slug=slug, assistant=Assistant.objects.create(assistant_id=f"asst_{slug}"), **fields
    )


def version_made(
    prompt: Prompt, spec: JsonObject | None = None, state: str = "active", **fields: Any
) -> PromptVersion:
    text = spec_text(SPEC if spec is None else spec)
    plain = {
        "number": prompt.versions.count() + 1,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "fidelity": "exact",
        "source_sha256": "",
        "author_name": "ada",
    }
    return PromptVersion.objects.create(prompt=prompt, spec_json=text, state=state, **{**plain, **fields})
