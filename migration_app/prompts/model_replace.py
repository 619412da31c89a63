"""Another model for many prompts at once: what would change in each, and then a new version of each, a draft.

What the new model refuses (sampling settings, a reasoning effort) is left out with a finding, as conversion does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import QuerySet

from migration_app.audit.trail import audit_record
from migration_app.contracts import Actor, Finding, JsonObject
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.prompts.model_rules import SAMPLING, refuses_reasoning, refuses_sampling
from migration_app.conversion.prompts.specs import note_spec
from migration_app.conversion.text import as_object, label
from migration_app.models import Prompt, PromptVersion
from migration_app.models.fields import MAX_ID_LENGTH
from migration_app.prompts.needs import versions_that_count
from migration_app.prompts.versions import version_create

MOST_AT_ONCE = 500
"""Prompts that one request changes: some seconds. For more, do it again, or use the command."""


class ReplacementRefusedError(ValueError):
    """The request can't be done; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Replacement:
    """One version that names the old model, and what its spec becomes."""

    version: PromptVersion
    spec: JsonObject
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]


def replacement_spec(spec: JsonObject, model: str) -> tuple[JsonObject, tuple[Finding, ...], tuple[str, ...]]:
    """The spec for another model, what is to be known of it, and the settings that it had to leave out."""
    notes = Notes("assistant", "")
    made: JsonObject = {**spec, "model": model}
    left_out = []
    reasoning = as_object(made.get("reasoning"))
    if reasoning.get("effort") is not None and refuses_reasoning(model):
        notes.add("setting_refused_by_model", "reasoning.effort", name="reasoning.effort", model=label(model))
        left_out.append("reasoning.effort")
        reasoning = {key: value for key, value in reasoning.items() if key != "effort"}
        made["reasoning"] = reasoning
        if not reasoning:
            del made["reasoning"]
    if refuses_sampling(model, reasoning.get("effort")):
        for name in SAMPLING:
            if name in made:
                code = "sampling_default_left_out" if made[name] == 1 else "setting_refused_by_model"
                notes.add(code, name, name=name, model=label(model))
                left_out.append(name)
                del made[name]
    note_spec(made, notes)
    return made, tuple(notes.findings), tuple(left_out)


def versions_with_model(model: str) -> QuerySet[PromptVersion]:
    """Versions that count and name this model, by slug."""
    return (
        versions_that_count()
        .filter(needs__model=model)
        .select_related("prompt__assistant")
        .order_by("prompt__slug")
    )


def model_check(model: str) -> str:
    """The name, tidied. ReplacementRefusedError if no model can be called so."""
    name = model.strip()
    if not name or not name.isprintable() or len(name) > MAX_ID_LENGTH:
        raise ReplacementRefusedError(f"Choose a model: its name has 1 to {MAX_ID_LENGTH} characters.")
    return name


def model_replacements(*, versions: Sequence[PromptVersion], model: str) -> list[Replacement]:
    """What the versions would become; changes nothing."""
    return [Replacement(version, *replacement_spec(version.spec, model)) for version in versions]


def model_replace(
    *, old: str, new: str, version_pks: Collection[int], reason: str, author: Actor
) -> tuple[list[PromptVersion], list[str]]:
    """Make a draft with the new model of each of these versions that still counts and names the old one.

    All or none. Returns what was made, and the slugs that were left: changed meanwhile, or their newest version says
    the same already. ReplacementRefusedError.
    """
    new = model_check(new)
    if new == old:
        raise ReplacementRefusedError("The prompts name this model already: choose another.")
    if not reason.strip():
        raise ReplacementRefusedError("Say why the model is replaced: it is kept with each version.")
    if not version_pks:
        raise ReplacementRefusedError("Choose at least one prompt.")
    if len(version_pks) > MOST_AT_ONCE:
        raise ReplacementRefusedError(f"At most {MOST_AT_ONCE} prompts at once: choose fewer, then continue.")
    made: list[PromptVersion] = []
    with transaction.atomic():
        versions = list(versions_with_model(old).filter(pk__in=version_pks))
        for replacement in model_replacements(versions=versions, model=new):
            created = version_create(
                prompt=replacement.version.prompt,
                spec=replacement.spec,
                origin=PromptVersion.Origin.REPLACED,
                author=author,
                note=f"Model {label(old)} replaced by {label(new)} in version {replacement.version.number}: "
                f"{reason.strip()}",
                findings=replacement.findings,
            )
            if created is not None:
                made.append(created)
        audit_record(
            actor=author,
            verb="readiness.model_replaced",
            subject_kind="target",
            subject_id=old[:200],
            reason=f"{label(new)} in {len(made)} prompts: {reason.strip()}"[:2_000],
        )
    done = {version.prompt_id for version in made}
    asked = PromptVersion.objects.filter(pk__in=version_pks).exclude(prompt__in=done)
    left = Prompt.objects.filter(pk__in=asked.values("prompt"))
    return made, list(left.order_by("slug").values_list("slug", flat=True))
