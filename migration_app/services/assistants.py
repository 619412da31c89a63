"""Assistants on their way to prompts: asked for by an operator, converted by a job, one version each time."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils.text import slugify

from migration_app.contracts import Actor, PromptPlan
from migration_app.conversion.assistants import convert_assistant
from migration_app.models import Assistant, Prompt, PromptVersion
from migration_app.services.audit import audit_event
from migration_app.services.prompt_versions import version_create
from migration_app.services.snapshots import source_object_value

S = Assistant.Status


def conversions_request(*, assistant_pks: Sequence[int], actor: Actor, reason: str) -> int:
    """Ask for these assistants to be converted. Those without a snapshot are left out. Returns how many."""
    with transaction.atomic():
        assistants = list(
            Assistant.objects.select_for_update()
            .filter(pk__in=assistant_pks, source__isnull=False)
            .exclude(status=S.QUEUED)
            .order_by("pk")
        )
        for assistant in assistants:
            _record(assistant, S.QUEUED, actor=actor, verb="assistant.queued", reason=reason)
            assistant.requested_by_name = actor.name
            assistant.save(update_fields=["status", "requested_by_name", "updated_at"])
    return len(assistants)


def assistant_convert_next(*, actor: Actor) -> bool:
    """Convert one assistant that was asked for. False when none is left.

    SKIP LOCKED: two jobs at once take different ones. The conversion is pure and quick, so it happens
    inside the transaction, and a worker that dies leaves the assistant queued.
    """
    with transaction.atomic():
        assistant = (
            Assistant.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("source")
            .filter(status=S.QUEUED)
            .order_by("pk")
            .first()
        )
        if assistant is None or assistant.source is None:
            return False
        plan = convert_assistant(source_object_value(assistant.source))
        author = Actor(assistant.requested_by_name or actor.name, job_id=actor.job_id)
        version = version_create(
            prompt=_prompt_of(assistant, plan),
            spec=plan.spec,
            origin=PromptVersion.Origin.CONVERTED,
            author=author,
            note="Converted from the assistant.",
            findings=plan.findings,
            source_sha256=assistant.source.sha256,
        )
        verb = "prompt.version_created" if version else "prompt.unchanged"
        _record(
            assistant,
            S.CONVERTED,
            actor=author,
            verb=verb,
            reason=f"version {version.number}" if version else "",
        )
        assistant.fidelity = plan.fidelity.value
        assistant.save(update_fields=["status", "fidelity", "updated_at"])
    return True


def _prompt_of(assistant: Assistant, plan: PromptPlan) -> Prompt:
    """The assistant's prompt, made when it has none."""
    prompt = Prompt.objects.filter(assistant=assistant).first()
    if prompt is None:
        prompt = Prompt.objects.create(assistant=assistant, slug=_free_slug(assistant), name=plan.name[:512])
    return prompt


def _free_slug(assistant: Assistant) -> str:
    """A name for files and code: from the assistant's name, or its id; a number where it is taken."""
    base = slugify(assistant.name)[:60] or slugify(assistant.assistant_id)[:60] or "prompt"
    taken = set(Prompt.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    slug, number = base, 1
    while slug in taken:
        number += 1
        slug = f"{base}-{number}"
    return slug


def _record(assistant: Assistant, status: str, *, actor: Actor, verb: str, reason: str) -> None:
    audit_event(
        actor=actor,
        verb=verb,
        subject_kind="assistant",
        subject_id=assistant.assistant_id,
        before=assistant.status,
        after=status,
        reason=reason,
    ).save(force_insert=True)
    assistant.status = status
