"""The review of prompt versions: submit, approve, reject, activate, roll back.

The table below has all transitions. Each act locks the prompt, checks the transition, and writes its audit row in
the same transaction. Where PROMPT_APPROVAL_BY_OTHERS is on, nobody approves or activates what they wrote or
submitted. Must not import jobs or rq.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from migration_app.audit.trail import audit_event
from migration_app.contracts import Actor
from migration_app.models import AuditEvent, Prompt, PromptVersion

S = PromptVersion.State

EDGES: Mapping[str, tuple[S, S]] = {
    "submit": (S.DRAFT, S.IN_REVIEW),
    "approve": (S.IN_REVIEW, S.APPROVED),
    "reject": (S.IN_REVIEW, S.REJECTED),
    "activate": (S.APPROVED, S.ACTIVE),
    "roll_back": (S.RETIRED, S.ACTIVE),
}
"""From where to where each act leads. Activating one version retires the one that was active."""

PERMISSIONS: Mapping[str, str] = {
    "submit": "migration_app.change_prompt",
    "approve": "migration_app.approve_prompt",
    "reject": "migration_app.approve_prompt",
    "activate": "migration_app.activate_prompt",
    "roll_back": "migration_app.activate_prompt",
}

_BY_OTHERS = frozenset({"approve", "activate"})
_VERBS = {
    "submit": "prompt.submitted",
    "approve": "prompt.approved",
    "reject": "prompt.rejected",
    "activate": "prompt.activated",
    "roll_back": "prompt.rolled_back",
}


class PromptReviewError(ValueError):
    """The act is refused; the text says why and what to do."""


def act_refusal(version: PromptVersion, act: str, *, actor: Actor) -> str:
    """Why this person may not do it now, for a page; empty when the review lets them."""
    before, _after = EDGES[act]
    if version.state != before:
        return (
            f"Version {version.number} is {version.get_state_display()}; only one that is {before.label} can be "
            f"{_VERBS[act].partition('.')[2].replace('_', ' ')}."
        )
    if act in _BY_OTHERS and settings.PROMPT_APPROVAL_BY_OTHERS:
        if actor.may_be(name=version.author_name, user_id=version.author_user_id):
            return f"You wrote version {version.number}: another person must {act} it."
        if actor.may_be(name=version.submitted_by_name, user_id=version.submitted_by_user_id):
            return f"You submitted version {version.number}: another person must {act} it."
    return ""


def version_submit(*, version_pk: int, actor: Actor, comment: str = "") -> PromptVersion:
    """Ask for a review. Raises PromptReviewError."""
    return _act(version_pk, "submit", actor, comment)


def version_approve(*, version_pk: int, actor: Actor, comment: str = "") -> PromptVersion:
    """Say that it may be used. Raises PromptReviewError."""
    return _act(version_pk, "approve", actor, comment)


def version_reject(*, version_pk: int, actor: Actor, comment: str) -> PromptVersion:
    """Say that it may not, and why. Raises PromptReviewError."""
    if not comment.strip():
        raise PromptReviewError("Say why it is rejected: the author must know what to change.")
    return _act(version_pk, "reject", actor, comment)


def version_activate(*, version_pk: int, actor: Actor, comment: str = "") -> PromptVersion:
    """Make an approved version the one to use; the one before it is retired. Raises PromptReviewError."""
    return _act(version_pk, "activate", actor, comment)


def prompt_roll_back(*, version_pk: int, actor: Actor, comment: str) -> PromptVersion:
    """Make a version that was active before the one to use again. Raises PromptReviewError."""
    if not comment.strip():
        raise PromptReviewError("Say why it is rolled back: it is kept in the audit trail.")
    return _act(version_pk, "roll_back", actor, comment)


def decision_comment(version: PromptVersion) -> str:
    """What was said when it was rejected or approved, from the audit trail."""
    event = (
        AuditEvent.objects.filter(
            subject_kind="prompt",
            subject_id=version.prompt.slug,
            verb__in=[_VERBS["approve"], _VERBS["reject"]],
            before=f"v{version.number} {S.IN_REVIEW.label}",
        )
        .order_by("-id")
        .first()
    )
    return event.reason if event else ""


def _act(version_pk: int, act: str, actor: Actor, comment: str) -> PromptVersion:
    with transaction.atomic():
        found = PromptVersion.objects.filter(pk=version_pk).values_list("prompt_id", flat=True).first()
        if found is None:
            raise PromptReviewError("There is no such version.")
        # One act of a prompt at a time: two activations at once would both retire the same version.
        prompt = Prompt.objects.select_for_update().get(pk=found)
        version = PromptVersion.objects.get(pk=version_pk)
        refusal = act_refusal(version, act, actor=actor)
        if refusal:
            raise PromptReviewError(refusal)
        before, after = f"v{version.number} {version.get_state_display()}", EDGES[act][1]
        if after is S.ACTIVE:
            active = prompt.active_version
            before = f"v{active.number} active" if active else "none active"
            if active is not None:
                _change(active, state=S.RETIRED)
        now = timezone.now()
        if act == "submit":
            by = {"submitted_by_name": actor.name[:255], "submitted_by_user_id": actor.user_id}
            _change(version, state=after, **by)
        elif after is S.ACTIVE:
            by = {"activated_by_name": actor.name[:255], "activated_by_user_id": actor.user_id}
            _change(version, state=after, activated_at=now, **by)
        else:
            by = {"decided_by_name": actor.name[:255], "decided_by_user_id": actor.user_id}
            _change(version, state=after, decided_at=now, **by)
        audit_event(
            actor=actor,
            verb=_VERBS[act],
            subject_kind="prompt",
            subject_id=prompt.slug,
            before=before,
            after=f"v{version.number} {after.label}",
            reason=comment.strip(),
        ).save(force_insert=True)
    return version


def _change(version: PromptVersion, **fields: object) -> None:
    for name, value in fields.items():
        setattr(version, name, value)
    version.save(update_fields=list(fields))
