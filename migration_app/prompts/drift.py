"""Drift: whether an assistant has changed since a version of its prompt was made.

Known from what is stored: the assistant's current snapshot, and other content under its id that an import or a check
at the live source kept as a conflict. Calls no API.
"""

from __future__ import annotations

import dataclasses

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from migration_app.audit.trail import audit_event
from migration_app.contracts import Actor, PromptPlan
from migration_app.conversion.prompts.assistants import convert_assistant
from migration_app.models import Assistant, Prompt, PromptVersion, SourceObject
from migration_app.snapshots.pages import source_object_value


class DriftError(ValueError):
    """The request no longer applies; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Drift:
    """What a prompt's newest version does not know yet; ``other`` is content that contradicts the snapshot."""

    snapshot_changed: bool
    other: SourceObject | None

    @property
    def is_any(self) -> bool:
        """Whether there is something to review."""
        return self.snapshot_changed or self.other is not None


def prompt_drift(prompt: Prompt, version: PromptVersion | None) -> Drift:
    """Compare a version with its stored assistant."""
    assistant = prompt.assistant
    known = {assistant.unchanged_sha256, version.source_sha256 if version else ""}
    changed = bool(version and assistant.source and assistant.source.sha256 not in known)
    other = _conflicts(assistant.assistant_id).order_by("-pk").first()
    return Drift(changed, other)


def prompts_with_drift(prompts: QuerySet[Prompt]) -> QuerySet[Prompt]:
    """Annotate ``drifts``: the same for many, by their newest versions."""
    newest = PromptVersion.objects.filter(prompt=OuterRef("pk")).order_by("-number")
    conflict = SourceObject.objects.filter(
        kind="assistant",
        object_id=OuterRef("assistant__assistant_id"),
        state=SourceObject.State.CONFLICT,
    )
    changed = (
        Q(assistant__source__isnull=False)
        & Q(newest_source__isnull=False)
        & ~Q(assistant__source__sha256=F("newest_source"))
        & ~Q(assistant__source__sha256=F("assistant__unchanged_sha256"))
    )
    return prompts.annotate(newest_source=Subquery(newest.values("source_sha256")[:1])).annotate(
        drifts=Exists(conflict) | changed
    )


def assistant_today(prompt: Prompt) -> PromptPlan | None:
    """Today's assistant, converted: other content if there is any, else the snapshot. None without either."""
    drift = prompt_drift(prompt, None)
    source = drift.other or prompt.assistant.source
    return convert_assistant(source_object_value(source)) if source else None


def assistant_other_use(*, source_object_pk: int, actor: Actor, reason: str) -> Assistant:
    """Put other content of an assistant in the place of its snapshot, which is kept. Raises DriftError."""
    with transaction.atomic():
        other, assistant = _locked(source_object_pk)
        if assistant.source is not None:
            SourceObject.objects.filter(pk=assistant.source.pk).update(state=SourceObject.State.SUPERSEDED)
        SourceObject.objects.filter(pk=other.pk).update(state=SourceObject.State.CURRENT)
        before = assistant.source.sha256 if assistant.source else ""
        assistant.source = other
        value = source_object_value(other)
        for name in ("name", "model"):
            said = value.get(name)
            if isinstance(said, str) and "\x00" not in said:
                setattr(assistant, name, said[:255])
        assistant.save()
        _record(
            assistant,
            "assistant.other_content_used",
            actor=actor,
            before=before,
            after=other.sha256,
            reason=reason,
        )
    return assistant


def assistant_other_dismiss(*, source_object_pk: int, actor: Actor, reason: str) -> Assistant:
    """Keep the snapshot as it is; the other content stays stored and is no longer shown. Raises DriftError."""
    with transaction.atomic():
        other, assistant = _locked(source_object_pk)
        SourceObject.objects.filter(pk=other.pk).update(state=SourceObject.State.SUPERSEDED)
        kept = assistant.source.sha256 if assistant.source else ""
        _record(
            assistant,
            "assistant.other_content_dismissed",
            actor=actor,
            before=other.sha256,
            after=kept,
            reason=reason,
        )
    return assistant


def _locked(source_object_pk: int) -> tuple[SourceObject, Assistant]:
    other = (
        SourceObject.objects.select_for_update()
        .filter(pk=source_object_pk, kind="assistant", state=SourceObject.State.CONFLICT)
        .first()
    )
    if other is None:
        raise DriftError("Somebody has decided about this content already.")
    assistant = (
        Assistant.objects.select_for_update(of=("self",))
        .select_related("source")
        .get(assistant_id=other.object_id)
    )
    return other, assistant


def _conflicts(assistant_id: str) -> QuerySet[SourceObject]:
    return SourceObject.objects.filter(
        kind="assistant", object_id=assistant_id, state=SourceObject.State.CONFLICT
    )


def _record(assistant: Assistant, verb: str, *, actor: Actor, before: str, after: str, reason: str) -> None:
    audit_event(
        actor=actor,
        verb=verb,
        subject_kind="assistant",
        subject_id=assistant.assistant_id,
        before=before[:12],
        after=after[:12],
        reason=reason,
    ).save(force_insert=True)
