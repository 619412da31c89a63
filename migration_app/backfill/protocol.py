"""How one thread gets into its conversation: intent, call, record, step by step, resumable at every step.

    create:   row "creating"  →  POST /conversations         →  id, row "open"
    append:   row "sending"   →  POST /conversations/…/items →  item ids, row "appended"     (per chunk)
    complete: row "complete"  →  GET  /conversations/…/items →  compared: "verified", or a person looks

A worker may die after any of these. The next one finds the rows and knows: "creating" means that the create
may have happened, and nobody can find out (there is no list of conversations), so it goes to the orphan
ledger and a new, empty conversation is made. "sending" means that the append may have happened: the
conversation is read, and either it holds exactly the chunk more (recorded) or exactly not (sent again);
anything else goes to a person. Content is only ever sent to a conversation whose id is recorded.

A refused append did nothing; it is halved until the item is found that the target does not take, and that
item is replaced by its documented fallback. Rows are written by ``backfill.records``.

Must not import jobs or rq.
"""

from __future__ import annotations

import dataclasses
from collections import deque

from django.conf import settings

from migration_app.backfill import records
from migration_app.backfill.records import NeedsReviewError
from migration_app.backfill.refusals import halves, is_about_items, is_lossless, next_replacements
from migration_app.contracts import Actor, Fidelity, JsonObject, PlannedItem, ThreadPlan
from migration_app.conversion.canonical import canonical_item, compare_items, items_digest, read_back_includes
from migration_app.conversion.chunking import chunk_items
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.gateways.target import (
    conversation_create,
    conversation_is_there,
    items_append,
    items_list,
)
from migration_app.models import Chunk, Conversation, Thread
from migration_app.services.plans import PlanLostError, PlannedThread, plan_of, thread_plan

S = Thread.Status
_TRIES_BEFORE_LOSS = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Work:
    """What a step needs: the claimed thread, its plan, where to send it, and who acts."""

    thread: Thread
    planned: PlannedThread
    connection: Connection
    actor: Actor

    @property
    def plan(self) -> ThreadPlan:
        """The plan as it is sent, fallbacks included."""
        return self.planned.plan

    @property
    def items(self) -> list[JsonObject]:
        """The items as they are sent, but for ids."""
        return [planned.item for planned in self.plan.items]


def thread_backfill(*, thread: Thread, connection: Connection, actor: Actor) -> None:
    """Take a claimed thread as far as it gets: verified, blocked, or to a person.

    Raises GatewayError (the caller decides whether to try again) and LeaseLostError (another worker has it).
    """
    records.backfill_begin(thread, actor)
    try:
        work = Work(thread, thread_plan(thread), connection, actor)
        if thread.status == S.BACKFILLING:
            if work.plan.fidelity is not Fidelity.BLOCKED:
                work = _append(work, _conversation(work))
            if work.plan.fidelity is Fidelity.BLOCKED:
                records.thread_block(thread, work.plan, actor)
                return
            records.conversation_complete(thread, work.plan, actor)
        _verify(work)
    except (NeedsReviewError, PlanLostError) as trouble:
        records.thread_review(thread, _review_of(trouble), actor)


def thread_verify(*, thread: Thread, connection: Connection, actor: Actor) -> None:
    """Read a claimed thread's conversation back and compare it with what its snapshot says.

    Raises GatewayError and LeaseLostError.
    """
    try:
        _verify(Work(thread, thread_plan(thread), connection, actor))
    except (NeedsReviewError, PlanLostError) as trouble:
        records.thread_review(thread, _review_of(trouble), actor)


def _review_of(trouble: NeedsReviewError | PlanLostError) -> NeedsReviewError:
    return (
        trouble if isinstance(trouble, NeedsReviewError) else NeedsReviewError("plan_changed", str(trouble))
    )


def _conversation(work: Work) -> Conversation:
    """Return the thread's conversation with an id that we hold, creating it if there is none."""
    conversation = records.conversation_intend(work.thread, work.plan, work.planned.policies, work.actor)
    if conversation.state != Conversation.State.CREATING:
        return conversation
    try:
        created = conversation_create(work.connection, metadata=work.plan.metadata)
    except GatewayError as error:
        lost = error.text if error.outcome is Outcome.UNKNOWN else ""
        records.conversation_abandon(work.thread, conversation, work.plan, work.actor, lost=lost)
        raise
    records.conversation_open(work.thread, conversation, created, work.actor)
    return conversation


def _append(work: Work, conversation: Conversation) -> Work:
    """Send what is not there yet; returns the work with the plan as it was sent.

    Chunks that stand are held against the plan before anything follows them. The plan comes back blocked if
    the target refuses an item and all its fallbacks.
    """
    position, sequence = _standing(work, conversation)
    if conversation.state != Conversation.State.OPEN and position < len(work.plan.items):
        # The conversation was handed out once; its application may have gone on with it since.
        _prefix_only(work, conversation, position)
    parts = deque(chunk_items(work.plan.items, position))
    while parts and work.plan.fidelity is not Fidelity.BLOCKED:
        part = parts.popleft()
        try:
            _send(work, conversation, sequence, part)
        except GatewayError as error:
            if not (is_about_items(error) or _is_unknown_kind(work, conversation, error)):
                raise
            smaller = halves(work.plan.items, part)
            if smaller is None:
                work = _replace(work, conversation, part, error)
            parts.extendleft(reversed(smaller or (part,)))
        else:
            sequence += 1
    return work


def _standing(work: Work, conversation: Conversation) -> tuple[int, int]:
    """Check what was sent before; returns the position and the sequence number that come next."""
    position = sequence = 0
    for chunk in conversation.chunks.order_by("sequence"):
        planned = work.plan.items[chunk.first_item : chunk.first_item + chunk.item_count]
        if _digest(planned) != chunk.digest:
            raise NeedsReviewError(
                "plan_changed",
                f"Chunk {chunk.sequence + 1} was sent from a plan that is no longer the same: the snapshot or the "
                "conversion changed since. Roll the thread back and backfill it anew, or leave it as it is.",
            )
        if chunk.state == Chunk.State.SENDING and not _settle(work, conversation, chunk):
            break  # only the last one can be in doubt; it is not there, and is sent anew
        position, sequence = chunk.first_item + chunk.item_count, chunk.sequence + 1
    return position, sequence


def _settle(work: Work, conversation: Conversation, chunk: Chunk) -> bool:
    """Find out whether a chunk in doubt is there: True and recorded, or False and its row gone."""
    found = _read_back(work, conversation)
    end = chunk.first_item + chunk.item_count
    difference = compare_items(work.items[:end], found)
    if difference is None:
        ids = [str(item.get("id", "")) for item in found[chunk.first_item : end]]
        records.chunk_appended(work.thread, chunk, ids, request_id="")
        return True
    if compare_items(work.items[: chunk.first_item], found) is None:
        records.chunk_withdraw(work.thread, chunk)
        return False
    raise NeedsReviewError(
        "difference", f"After a lost answer the conversation is not as sent: {difference.text}"
    )


def _prefix_only(work: Work, conversation: Conversation, position: int) -> None:
    difference = compare_items(work.items[:position], _read_back(work, conversation))
    if difference is not None:
        raise NeedsReviewError(
            "conversation_continued",
            f"The source has grown, but the conversation is no longer what was sent: {difference.text}",
        )


def _send(work: Work, conversation: Conversation, sequence: int, part: range) -> None:
    planned = work.plan.items[part.start : part.stop]
    chunk = records.chunk_intend(
        work.thread,
        conversation,
        sequence=sequence,
        first_item=part.start,
        planned=planned,
        digest=_digest(planned),
    )
    try:
        appended = items_append(
            work.connection,
            conversation_id=conversation.conversation_id,
            first_position=part.start,
            items=[entry.item for entry in planned],
        )
    except GatewayError as error:
        if error.code == "item_already_in_conversation":
            # An earlier append of these did arrive, late: still a doubt, looked up by the next try.
            raise GatewayError(
                "append_in_doubt",
                error.text,
                outcome=Outcome.UNKNOWN,
                permanent=False,
                request_id=error.request_id,
            ) from None
        if error.outcome is Outcome.NOTHING:
            records.chunk_withdraw(work.thread, chunk)
        raise
    records.chunk_appended(work.thread, chunk, appended.item_ids, request_id=appended.request_id)


def _is_unknown_kind(work: Work, conversation: Conversation, error: GatewayError) -> bool:
    """Tell whether a 404 speaks of the items: a compatible server answers so to kinds it does not know."""
    return error.code == "not_found" and conversation_is_there(
        work.connection, conversation_id=conversation.conversation_id
    )


def _replace(work: Work, conversation: Conversation, part: range, error: GatewayError) -> Work:
    """Put the next fallback in the place of what the target refuses, and remember it with the conversation.

    Where content would stay behind, the refusal must hold for several tries: a gateway that answers 400 to
    everything for a minute must not cost a user's words. Raises GatewayError then, to be tried later.
    """
    said = error.said or error.text
    conversation.replacements = next_replacements(conversation.replacements, part, said)
    plan = plan_of(work.planned.source, work.planned.policies, conversation)
    tries = min(_TRIES_BEFORE_LOSS, settings.MAX_ATTEMPTS - 1)
    if work.thread.attempts < tries and (error.status == 404 or not is_lossless(plan, part)):
        raise GatewayError(
            "refused_for_now",
            error.text,
            outcome=Outcome.NOTHING,
            permanent=False,
            request_id=error.request_id,
        )
    records.items_replaced(
        work.thread, conversation, positions=part, items=work.plan.items, actor=work.actor, said=said
    )
    return dataclasses.replace(work, planned=dataclasses.replace(work.planned, plan=plan))


def _verify(work: Work) -> None:
    conversation = Conversation.objects.get(thread=work.thread)
    try:
        found = _read_back(work, conversation)
    except GatewayError as error:
        if error.code != "not_found":
            raise
        raise NeedsReviewError(
            "conversation_missing", "The target no longer knows the conversation."
        ) from None
    difference = compare_items(work.items, found)
    if difference is not None:
        raise NeedsReviewError("difference", difference.text)
    records.thread_verified(work.thread, conversation, work.plan, work.actor)


def _read_back(work: Work, conversation: Conversation) -> list[JsonObject]:
    include = read_back_includes(work.items)
    return list(items_list(work.connection, conversation_id=conversation.conversation_id, include=include))


def _digest(planned: tuple[PlannedItem, ...]) -> str:
    return items_digest([canonical_item(entry.item) for entry in planned])
