"""Conversion of assistants to prompts: requested by an operator, done by a job, one version each time.

Must not import jobs or rq.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

from django.db import DataError, IntegrityError, transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.text import slugify

from migration_app.audit.trail import audit_event
from migration_app.contracts import Actor, PromptPlan
from migration_app.conversion.prompts.assistants import convert_assistant
from migration_app.models import Assistant, AuditEvent, Prompt, PromptVersion
from migration_app.prompts.versions import version_create
from migration_app.snapshots.pages import source_object_value

S = Assistant.Status
_GROUP = 2_000
_SLUG_TRIES = 50


@dataclasses.dataclass(frozen=True, slots=True)
class Conversions:
    """Progress of assistants that were requested together."""

    requested_at: dt.datetime
    requested_by_name: str
    total: int
    waiting: int
    created: int
    unchanged: int
    failed: int

    @property
    def percent(self) -> int:
        """How much of it is done."""
        return 100 * (self.total - self.waiting) // max(self.total, 1)


def conversions_request(*, assistant_pks: Sequence[int], actor: Actor, reason: str) -> int:
    """Ask for these assistants to be converted. Those without a snapshot, or asked for already, are left out.

    Returns how many. Tens of thousands are a few statements.
    """
    asked = 0
    with transaction.atomic():
        now = timezone.now()
        for start in range(0, len(assistant_pks), _GROUP):
            assistants = list(
                Assistant.objects.select_for_update()
                .filter(pk__in=assistant_pks[start : start + _GROUP], source__isnull=False)
                .exclude(status=S.QUEUED)
                .order_by("pk")
            )
            AuditEvent.objects.bulk_create(
                _event(assistant, S.QUEUED, actor=actor, verb="assistant.queued", reason=reason)
                for assistant in assistants
            )
            asked += Assistant.objects.filter(pk__in=[assistant.pk for assistant in assistants]).update(
                status=S.QUEUED,
                requested_by_name=actor.name[:255],
                requested_by_user_id=actor.user_id,
                requested_at=now,
                updated_at=now,
            )
    return asked


def conversions_newest() -> Conversions | None:
    """Progress of the last request; None before the first one."""
    newest = (
        Assistant.objects.filter(requested_at__isnull=False)
        .order_by("-requested_at")
        .values_list("requested_at", "requested_by_name")
        .first()
    )
    if newest is None or newest[0] is None:
        return None
    done = ~Q(status=S.QUEUED)
    counts = Assistant.objects.filter(requested_at=newest[0]).aggregate(
        total=Count("pk"),
        waiting=Count("pk", filter=Q(status=S.QUEUED)),
        created=Count("pk", filter=done & Q(outcome=Assistant.Outcome.CREATED)),
        unchanged=Count("pk", filter=done & Q(outcome=Assistant.Outcome.UNCHANGED)),
        failed=Count("pk", filter=done & Q(outcome=Assistant.Outcome.FAILED)),
    )
    return Conversions(newest[0], newest[1], **counts)


def assistant_convert_next(*, actor: Actor) -> bool:
    """Convert one assistant that was asked for. False when none is left.

    SKIP LOCKED: two jobs at once take different ones. The conversion is pure and quick, so it happens
    inside the transaction, and a worker that dies leaves the assistant queued. One that meets an error is marked
    failed with the error's kind, so that it holds up no other; what an error says may quote content.
    """
    with transaction.atomic():
        assistant = (
            Assistant.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("source")
            .filter(status=S.QUEUED)
            .order_by("pk")
            .first()
        )
        if assistant is None:
            return False
        author = Actor(
            assistant.requested_by_name or actor.name, assistant.requested_by_user_id, actor.job_id
        )
        try:
            with transaction.atomic():
                _convert(assistant, author)
        except (ValueError, TypeError, LookupError, RecursionError, IntegrityError, DataError) as error:
            assistant.refresh_from_db()
            text = f"{type(error).__name__} while converting; the stored object is whole."
            _end(assistant, Assistant.Outcome.FAILED, text, author=author, verb="assistant.convert_failed")
    return True


def _convert(assistant: Assistant, author: Actor) -> None:
    if assistant.source is None:
        raise LookupError("the assistant has no snapshot")
    plan = convert_assistant(source_object_value(assistant.source))
    prompt = _prompt_of(assistant, plan)
    version = version_create(
        prompt=prompt,
        spec=plan.spec,
        origin=PromptVersion.Origin.CONVERTED,
        author=author,
        note="Converted from the assistant.",
        findings=plan.findings,
        source_sha256=assistant.source.sha256,
    )
    assistant.fidelity = plan.fidelity.value
    if version is not None:
        assistant.unchanged_sha256 = ""
        text, verb, outcome = (
            f"version {version.number}",
            "prompt.version_created",
            Assistant.Outcome.CREATED,
        )
    else:
        assistant.unchanged_sha256 = assistant.source.sha256
        same = prompt.versions.filter(origin=PromptVersion.Origin.CONVERTED).order_by("-number").first()
        text = f"says the same as version {same.number}" if same else "says the same"
        verb, outcome = "prompt.unchanged", Assistant.Outcome.UNCHANGED
    _end(assistant, outcome, text, author=author, verb=verb)


def _end(assistant: Assistant, outcome: Assistant.Outcome, text: str, *, author: Actor, verb: str) -> None:
    status = S.FAILED if outcome == Assistant.Outcome.FAILED else S.CONVERTED
    _event(assistant, status, actor=author, verb=verb, reason=text).save(force_insert=True)
    assistant.status, assistant.outcome, assistant.outcome_text = status, outcome, text
    assistant.save(
        update_fields=["status", "outcome", "outcome_text", "fidelity", "unchanged_sha256", "updated_at"]
    )


def _prompt_of(assistant: Assistant, plan: PromptPlan) -> Prompt:
    """The assistant's prompt, made when it has none."""
    prompt = Prompt.objects.filter(assistant=assistant).first()
    if prompt is not None:
        return prompt
    base = slugify(assistant.name)[:60] or slugify(assistant.assistant_id)[:60] or "prompt"
    for _ in range(_SLUG_TRIES):
        try:
            with transaction.atomic():
                name = plan.name.replace("\x00", "\ufffd")[:512]
                return Prompt.objects.create(assistant=assistant, slug=_free_slug(base), name=name)
        except IntegrityError:
            continue  # another worker took the same name at the same time
    raise LookupError("no free name was found")


def _free_slug(base: str) -> str:
    """A name for files and code, with a number where it is taken. Thousands of assistants may share one name."""
    if not Prompt.objects.filter(slug=base).exists():
        return base
    number = Prompt.objects.filter(slug__startswith=f"{base}-").count() + 2
    while Prompt.objects.filter(slug=f"{base}-{number}").exists():
        number += 1
    return f"{base}-{number}"


def _event(assistant: Assistant, status: str, *, actor: Actor, verb: str, reason: str) -> AuditEvent:
    return audit_event(
        actor=actor,
        verb=verb,
        subject_kind="assistant",
        subject_id=assistant.assistant_id,
        before=assistant.status,
        after=status,
        reason=reason,
    )
