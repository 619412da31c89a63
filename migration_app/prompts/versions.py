"""Creating versions of prompts. Never changed afterwards except for their review
(``prompts.review``).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable

from django.db import transaction

from migration_app.audit.trail import audit_event
from migration_app.contracts import Actor, Finding, JsonObject, fidelity_of
from migration_app.conversion.prompts.specs import prompt_findings, spec_text
from migration_app.models import Prompt, PromptVersion


def version_create(
    *,
    prompt: Prompt,
    spec: JsonObject,
    origin: str,
    author: Actor,
    note: str,
    findings: Iterable[Finding] | None = None,
    source_sha256: str = "",
) -> PromptVersion | None:
    """Add a draft, unless it says the same as the version it would follow. None then.

    A conversion follows the newest conversion, so that converting an unchanged assistant again does not undo an
    edit; its findings count too. Everything else follows the newest version. ``findings`` default to what the spec
    says of itself; ``source_sha256`` (of the assistant's snapshot) to that of the newest version, so that drift is
    known of an edit too. ValueError if ``spec`` holds what JSON can't represent.
    """
    spec_json = spec_text(spec)
    found = tuple(prompt_findings(spec) if findings is None else findings)
    kept = [dataclasses.asdict(finding) for finding in found]
    with transaction.atomic():
        # Two at once would take the same number: the second waits here, and then sees the first's version.
        Prompt.objects.select_for_update().get(pk=prompt.pk)
        newest = PromptVersion.objects.filter(prompt=prompt).order_by("-number").first()
        is_conversion = origin == PromptVersion.Origin.CONVERTED
        before = _newest_conversion(prompt) if is_conversion else newest
        source_sha256 = source_sha256 or (newest.source_sha256 if newest else "")
        same = before is not None and before.spec_json == spec_json
        if before is not None and same and (not is_conversion or before.findings == kept):
            return None
        version = PromptVersion.objects.create(
            prompt=prompt,
            number=newest.number + 1 if newest else 1,
            spec_json=spec_json,
            sha256=hashlib.sha256(spec_json.encode("ascii")).hexdigest(),
            findings=kept,
            fidelity=fidelity_of(found).value,
            source_sha256=source_sha256,
            author_name=author.name[:255],
            author_user_id=author.user_id,
            origin=origin,
            note=note,
        )
        audit_event(
            actor=author,
            verb="prompt.version_created",
            subject_kind="prompt",
            subject_id=prompt.slug,
            before=f"v{newest.number}" if newest else "",
            after=f"v{version.number}",
            reason=f"{version.get_origin_display()}: {note}" if note else version.get_origin_display(),
        ).save(force_insert=True)
    return version


def _newest_conversion(prompt: Prompt) -> PromptVersion | None:
    return (
        PromptVersion.objects.filter(prompt=prompt, origin=PromptVersion.Origin.CONVERTED)
        .order_by("-number")
        .first()
    )
