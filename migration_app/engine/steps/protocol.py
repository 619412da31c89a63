"""How one thread gets into its conversation: intent, call, record, step by step, resumable at every step.

    create:   row "creating"  →  POST /conversations         →  id, row "open"
    append:   row "sending"   →  POST /conversations/…/items →  item ids, row "appended"     (per chunk)
    complete: row "complete"  →  GET  /conversations/…/items →  compared: "verified", or a person decides

The rule that makes it safe: ``work.write()`` comes before every call, and the result of a call is in the entry
that the next ``work.write()`` makes durable. So the record of one call and the intent of the next are one
transaction, and a worker may die anywhere. Calls are announced by ``work.announce()``, once they have a place in the
window: what is announced is sent at once.
The next one finds the rows and knows: "creating" means that the create may have happened, and nobody can find
out (there is no list of conversations), so it goes to the orphan ledger and a new, empty conversation is made.
"sending" means that the append may have happened, or may still happen: a doubt. Content is only ever sent to a
conversation whose id is durable.

A doubt is settled by reading: if the chunk is there exactly, it is recorded. If it is not, it may still be on its
way, held by a stopped worker or a slow server, for as long as it likes. So it is sent again to the same conversation
only where the target is known to refuse a repeat of it (``engine.repeats``). Else the thread starts over in a fresh
conversation, and the doubtful one, which was never in the mapping, is given up and deleted later
(``engine.given_up``). One that was in the mapping is never given up: there the doubt waits, and goes to a person
(``engine.steps.doubts`` has all of this).

A refused append did nothing; it is halved until the item is found that the target does not take, and that
item is replaced by its documented fallback. The entries are in ``engine.steps.records``.

Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from django.conf import settings

from migration_app.contracts import Fidelity, JsonObject, PlannedItem
from migration_app.conversion.chunking import chunk_items
from migration_app.engine.steps import records
from migration_app.engine.steps.doubts import (
    InDoubtError,
    behind,
    in_doubt,
    settle,
    start_over,
)
from migration_app.engine.steps.ownership import intact_or_review
from migration_app.engine.steps.readback import read_back
from migration_app.engine.steps.records import NeedsReviewError
from migration_app.engine.steps.refusals import (
    halves,
    is_about_items,
    is_lossless,
    next_replacements,
)
from migration_app.engine.work import Work
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.gateways.target import (
    Appended,
    conversation_create,
    conversation_is_there,
    items_append,
)
from migration_app.models import Chunk, Conversation, Thread
from migration_app.threads.assessments import GROWN_CODE, GROWN_TEXT, plan_measures
from migration_app.threads.plans import PlanLostError, plan_of, thread_plan

S = Thread.Status
_TRIES_BEFORE_LOSS = 3


async def thread_backfill(work: Work) -> None:
    """Take a claimed thread as far as it gets: verified, blocked, or to a person.

    Raises GatewayError, LeaseLostError and HandBackError; what is known by then is in ``work.entry``, and the
    caller (``engine.outcomes``) adds how it continues, and writes it.
    """
    records.backfill_begun(work.entry)
    try:
        _sendable(work)
        while True:
            try:
                await _sent_and_verified(work)
            except InDoubtError as doubt:
                await start_over(work, _held(work), doubt)
            else:
                return
    except (NeedsReviewError, PlanLostError) as trouble:
        await _to_review(work, trouble)


async def _sent_and_verified(work: Work) -> None:
    if work.thread.status != S.BACKFILLED:
        resumed = _has_id(work.conversation)
        if await _blocked(work) or not await _append(work, await _conversation(work), resumed=resumed):
            await work.apart(records.thread_blocked, work.entry, work.plan)
            await work.write()
            return
        await _complete(work)
    await work.write()
    work.step()
    await _verify(work)


async def thread_verify(work: Work) -> None:
    """Read a claimed thread's conversation back and compare it with what its snapshot says.

    Raises GatewayError and LeaseLostError.
    """
    try:
        await _verify(work)
    except InDoubtError as doubt:
        await _to_review(work, NeedsReviewError(doubt.code, doubt.text))
    except (NeedsReviewError, PlanLostError) as trouble:
        await _to_review(work, trouble)


async def _to_review(work: Work, trouble: NeedsReviewError | PlanLostError) -> None:
    review = (
        trouble if isinstance(trouble, NeedsReviewError) else NeedsReviewError("plan_changed", str(trouble))
    )
    records.thread_to_review(work.entry, work.conversation, review, work.reading)
    await work.write()


def _sendable(work: Work) -> None:
    """Raise NeedsReviewError for a conversation to which nothing more is ever sent."""
    if work.conversation is None:
        return
    if work.conversation.state == Conversation.State.DELETING:
        raise records.not_whole()
    if work.conversation.continued_after is not None:
        raise records.accepted_as_is()


async def _conversation(work: Work) -> Conversation:
    """Return the thread's conversation with an id that we hold, creating it if there is none."""
    if work.conversation is not None and _has_id(work.conversation):
        return work.conversation
    if work.conversation is not None:
        lost = "The worker ended between sending the create and recording its answer."
        records.create_lost(work.entry, work.plan, lost)
        records.create_failed(work.entry)
    policies, replacements = work.converted.policies, work.replacements
    work.conversation = records.conversation_intended(work.thread, policies, replacements)
    await work.announce(partial(records.create_announced, conversation=work.conversation))
    try:
        created = await conversation_create(work.connection, metadata=work.plan.metadata)
    except GatewayError as error:
        if error.outcome is Outcome.UNKNOWN:
            records.create_lost(work.entry, work.plan, error.text)
        records.create_failed(work.entry)
        raise
    records.conversation_opened(work.entry, work.conversation, created)
    return work.conversation


def _has_id(conversation: Conversation | None) -> bool:
    return conversation is not None and conversation.state != Conversation.State.CREATING


async def _append(work: Work, conversation: Conversation, *, resumed: bool) -> bool:
    """Send what is not there yet; ``work.plan`` becomes the plan as it was sent.

    Chunks that were sent before are compared with the plan before anything follows them. False if the target refuses
    an item and all its fallbacks: then the plan is blocked.
    """
    position, sequence, doubtful = await _sent_before(work, conversation)
    if resumed and doubtful is None and position < len(work.items):
        # Somebody may have continued it since: its application, if it was in the mapping. A doubt was just read.
        await _prefix_only(work, conversation, position)
    parts = deque(await work.apart(chunk_items, work.items, doubtful.stop if doubtful else position))
    if doubtful:
        parts.appendleft(doubtful)
    while parts:
        work.step()
        part = parts.popleft()
        sent = work.sent.copy()
        digest = sent.add(_rendered(work.items[part.start : part.stop]))
        try:
            appended = await _send(work, conversation, sequence, part, digest, again=part == doubtful)
        except GatewayError as error:
            if error.code == "not_found" and not await _is_there(work, conversation):
                raise behind(work, conversation, None) from None
            # A compatible server answers 404 to kinds of items that it does not know.
            if not (is_about_items(error) or error.code == "not_found"):
                raise
            if part == doubtful:
                # In parts, or with other items, it might not be refused any more when the first one arrives.
                raise in_doubt(conversation, f"Its repeat was refused: {error.code}.") from None
            smaller = halves(work.items, part)
            if smaller is None:
                await _replace(work, conversation, part, error)
                if await _blocked(work):
                    return False
            parts.extendleft(reversed(smaller or (part,)))
        else:
            records.chunk_appended(work.entry, sequence, appended)
            work.appended.add(part.start, appended.item_ids)
            work.sent, work.answered_at = sent, time.monotonic()
            sequence += 1
    return True


async def _blocked(work: Work) -> bool:
    return await work.apart(lambda: work.plan.fidelity) is Fidelity.BLOCKED


async def _sent_before(work: Work, conversation: Conversation) -> tuple[int, int, range | None]:
    """Check what was sent before; returns the position and the sequence number that come next.

    With them, what is to be sent again under that number: the last chunk, if it is in doubt and may be repeated.
    """
    position = sequence = 0
    for chunk in work.chunks:
        await asyncio.sleep(0)  # there may be thousands, and other threads wait for the loop
        planned = work.items[chunk.first_item : chunk.first_item + chunk.item_count]
        sent = work.sent.copy()
        if sent.add(_rendered(planned)) != chunk.digest:
            raise NeedsReviewError(
                "plan_changed",
                f"Chunk {chunk.sequence + 1} was sent from a plan that is no longer the same: the snapshot or the "
                "conversion changed since. Re-migrate, roll the thread back, or accept it as is.",
            )
        if chunk.state == Chunk.State.SENDING and not await settle(work, conversation, chunk):
            # Only the last one can be in doubt.
            return position, sequence, range(position, position + chunk.item_count)
        work.sent = sent
        position, sequence = chunk.first_item + chunk.item_count, chunk.sequence + 1
    return position, sequence, None


async def _prefix_only(work: Work, conversation: Conversation, position: int) -> None:
    """Raise NeedsReviewError unless the conversation is exactly what was sent, and nothing else."""
    found = await read_back(work, conversation, work.items[:position], answered=position)
    if found is None or found.only_missing:
        raise behind(work, conversation, found)
    difference = found.difference()
    if difference is not None:
        raise NeedsReviewError(
            "conversation_continued",
            f"There is more to send, but the conversation is no longer what was sent: {difference.text}",
        )


async def _send(
    work: Work, conversation: Conversation, sequence: int, part: range, digest: str, *, again: bool
) -> Appended:
    planned = work.items[part.start : part.stop]
    announced = partial(
        records.chunk_sending, sequence=sequence, first_item=part.start, planned=planned, digest=digest
    )
    await work.announce(announced)
    try:
        return await items_append(
            work.connection,
            conversation_id=conversation.conversation_id,
            first_position=part.start,
            items=[entry.item for entry in planned],
            bodies=[entry.body for entry in planned],
        )
    except GatewayError as error:
        if error.code == "item_already_in_conversation":
            # An earlier append of these did arrive, late: still a doubt, settled by the next try.
            raise error.told_as("append_in_doubt", outcome=Outcome.UNKNOWN) from None
        if error.outcome is Outcome.NOTHING and not again:
            records.chunk_withdrawn(work.entry, sequence)
        raise


async def _is_there(work: Work, conversation: Conversation) -> bool:
    return await conversation_is_there(work.connection, conversation_id=conversation.conversation_id)


async def _replace(work: Work, conversation: Conversation, part: range, error: GatewayError) -> None:
    """Put the next fallback in the place of what the target refuses, and remember it with the conversation.

    Where content would stay behind, the refusal must hold for several tries: a gateway that answers 400 to
    everything for a minute must not cost a user's content. Raises GatewayError then, to be retried later.
    """
    replaced = next_replacements(conversation.replacements, part)
    trial = Conversation(replacements=replaced)
    plan = await work.database.run(plan_of, work.converted.source, work.converted.policies, trial)
    lossless = await work.apart(is_lossless, plan, part)
    tries = min(_TRIES_BEFORE_LOSS, settings.MAX_ATTEMPTS - 1)
    if work.thread.attempts < tries and (error.status == 404 or not lossless):
        raise error.told_as("refused_for_now", outcome=Outcome.NOTHING)
    conversation.replacements = replaced
    records.items_replaced(work.entry, conversation, positions=part, items=work.items, error=error)
    work.planned = dataclasses.replace(work.converted, plan=plan)


async def _complete(work: Work) -> None:
    conversation = _held(work)
    if work.snapshot_seen is not None:
        work.entry.parts["snapshot_seen"] = work.snapshot_seen
    await work.apart(
        records.conversation_completed, work.entry, conversation, work.plan, len(work.items), work.sent.whole
    )


async def _verify(work: Work) -> None:
    conversation = _held(work)
    if conversation.state == Conversation.State.DELETING:
        raise records.not_whole()
    if conversation.continued_after is not None:
        await intact_or_review(work, conversation)
        records.thread_verified(work.entry, conversation.continued_after)
        await work.write()
        return
    found = await read_back(
        work, conversation, work.items, answered=len(work.items), metadata=work.plan.metadata
    )
    if found is None or found.only_missing:
        raise behind(work, conversation, found)
    difference = found.difference()
    if difference is not None:
        raise NeedsReviewError("difference", difference.text)
    if work.grown:
        # An import assessed the thread while it was sent, and left it to us: what came in since is a delta.
        work.entry.set(**await work.database.run(_measures, work.thread))
        raise NeedsReviewError(GROWN_CODE, GROWN_TEXT)
    records.thread_verified(work.entry, len(work.items), not_shown=found.not_shown)
    await work.write()


def _measures(thread: Thread) -> dict[str, Any]:
    """What today's snapshot amounts to."""
    return plan_measures(thread_plan(thread).plan)


def _held(work: Work) -> Conversation:
    if work.conversation is None:
        raise NeedsReviewError("conversation_missing", "The console holds no conversation for this thread.")
    return work.conversation


def _rendered(items: Iterable[PlannedItem]) -> Iterator[JsonObject]:
    return (planned.item for planned in items)
