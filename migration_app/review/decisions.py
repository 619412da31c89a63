"""What a person can do about a thread in review, and doing it: always by a batch of an existing kind.

Which kinds make sense comes from ``reasons``, which would take the thread now from ``batches.kinds``. Approvals and
everything else stay the batches' own rules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from django.db import transaction

from migration_app.batches.batches import batch_create, batch_prepare_piece
from migration_app.batches.kinds import BATCH_KINDS, BatchKind, kinds_that_take
from migration_app.contracts import Actor, Policies, policies_as_dict
from migration_app.models import Batch, Conversation, ReviewCase
from migration_app.review.queue import QueueFilter, queue_selection
from migration_app.review.reasons import REASONS, Reason, Shape, reason_of
from migration_app.threads.plans import PlanLostError, conversation_policies
from migration_app.threads.selections import selection_of_pks

K = Batch.Kind


class DecisionRefusedError(ValueError):
    """It can't be done now; the text says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Offer:
    """An action that makes sense, what it leads to, and whether this person may start it."""

    kind: BatchKind
    consequence: str
    is_permitted: bool


def case_offers(case: ReviewCase, shape: Shape, may: Callable[[str], bool]) -> list[Offer]:
    """What can be done about one thread now, the recommended action first; nothing while work is under way."""
    if case.pending_work:
        return []
    taking = set(kinds_that_take(case.pk))
    conversation = Conversation.objects.filter(thread=case.pk).first()
    if conversation is None or not conversation.conversation_id:
        taking.discard(K.ROLLBACK)  # nothing was sent, so there is nothing to delete
    if K.VERIFY in taking:
        taking.discard(K.RETRY)  # everything was sent: a retry would only read it back, too
    reason = reason_of(case.code)
    if conversation is not None and conversation.state == Conversation.State.DELETING:
        reason = REASONS["rollback_begun"]  # whatever ended the roll back: there is nothing else to do
    return [_offer(reason, kind, may) for kind in reason.ordered(shape) if kind in taking]


def group_offers(reason: Reason, may: Callable[[str], bool]) -> list[Offer]:
    """What can be done about all threads of a reason: a batch skips those that its kind does not take."""
    return [_offer(reason, kind, may) for kind in reason.ordered("")]


def _offer(reason: Reason, kind: str, may: Callable[[str], bool]) -> Offer:
    found = BATCH_KINDS[kind]
    return Offer(found, reason.consequence(kind), may(found.permission))


def case_decide(*, case: ReviewCase, kind: str, reason: str, actor: Actor) -> Batch:
    """Start a batch for one thread and hand its work out at once, so that the queue shows it as decided.

    It keeps the policies of the conversation it has. DecisionRefusedError if no work would come of it. The caller
    enqueues the batch.
    """
    if kind not in kinds_that_take(case.pk):
        raise DecisionRefusedError(
            f"{BATCH_KINDS[kind].title} does not take this thread any more: somebody was quicker, or it has changed."
        )
    batch = batch_create(
        kind=kind,
        selection=selection_of_pks([case.pk]),
        actor=actor,
        reason=reason,
        settings=_settings(kind, case.pk),
        urgent=kind == K.VERIFY,  # somebody waits for what it says; nobody for the others
    )
    if batch.state == Batch.State.PREPARING:
        batch_prepare_piece(batch_pk=batch.pk, actor=actor)
        batch.refresh_from_db()
    return batch


def group_decide(*, chosen: QueueFilter, kind: str, reason: str, actor: Actor) -> Batch:
    """Start a batch for all that the filter leaves, with default policies; a worker hands the work out."""
    selection, _cut = queue_selection(chosen)
    with transaction.atomic():
        return batch_create(kind=kind, selection=selection, actor=actor, reason=reason)


def _settings(kind: str, thread_pk: int) -> dict[str, Any]:
    if not BATCH_KINDS[kind].converts:
        return {}
    conversation = Conversation.objects.filter(thread=thread_pk).first()
    policies = Policies()
    if conversation is not None and conversation.policies:
        try:
            policies = conversation_policies(conversation)
        except PlanLostError:
            policies = Policies()  # those of another version: the thread is converted by the defaults
    return {"policies": policies_as_dict(policies)}


def approvals_waiting(case: ReviewCase) -> list[Batch]:
    """Batches for this thread alone that wait for a second person."""
    return list(Batch.objects.filter(state=Batch.State.WAITING, filter={"ids": [case.pk]}))
