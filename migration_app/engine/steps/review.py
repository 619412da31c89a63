"""A person's decisions about a thread in review: accept its conversation as is, or re-migrate.

Neither sends anything to the old conversation. Must not import jobs or rq.
"""

from __future__ import annotations

from migration_app.engine.steps import records
from migration_app.engine.steps.ownership import intact_or_review
from migration_app.engine.steps.records import NeedsReviewError
from migration_app.engine.work import Work
from migration_app.gateways.target import Appended
from migration_app.models import Chunk, Conversation
from migration_app.threads.given_up import doubt_seconds_left
from migration_app.threads.plans import conversation_plan

_S = Conversation.State


async def thread_accept(work: Work) -> None:
    """Keep a claimed thread's conversation: ours as far as it was sent, from there on its application's.

    What was sent must still be there unchanged, else the thread stays in review. Raises GatewayError and
    LeaseLostError.
    """
    try:
        await _keep(work)
    except NeedsReviewError as review:
        records.thread_to_review(work.entry, work.conversation, review, work.reading)
    await work.write()


async def _keep(work: Work) -> None:
    conversation = work.conversation
    if conversation is None or conversation.state == _S.CREATING:
        raise NeedsReviewError("conversation_missing", "There is no conversation that could be kept.")
    if conversation.state == _S.DELETING:
        raise records.not_whole()
    ownership = await intact_or_review(work, conversation)
    if not ownership.intact:
        raise NeedsReviewError(
            "difference", "Nothing of what was sent is in the conversation: re-migrate, or roll it back."
        )
    for found in ownership.chunks:
        if found.chunk.state == Chunk.State.SENDING and not found.as_sent:
            left = await work.database.run(doubt_seconds_left, found.chunk.pk)
            if left > 0:
                raise NeedsReviewError(
                    "append_in_doubt",
                    "The answer to an append was lost, and it may still arrive. "
                    f"Accept the conversation in {left:.0f} s, or re-migrate.",
                )
    for found in ownership.chunks:
        if found.chunk.state == Chunk.State.SENDING and found.as_sent:
            records.chunk_appended(work.entry, found.chunk.sequence, Appended(found.item_ids, request_id=""))
        elif found.chunk.state == Chunk.State.SENDING:
            records.chunk_withdrawn(work.entry, found.chunk.sequence)
    conversation.continued_after = ownership.intact
    conversation.fingerprint = ownership.fingerprint
    plan = await work.database.run(conversation_plan, work.thread, conversation)
    records.thread_accepted(work.entry, conversation, plan, foreign=ownership.foreign)


async def thread_remigrate(work: Work) -> None:
    """Part a claimed thread from its conversation, which stays at the target, and have it backfilled again.

    One write: the row of the new conversation comes with the backfill. Raises LeaseLostError.
    """
    conversation = work.conversation
    if conversation is not None and conversation.state == _S.CREATING:
        conversation = (
            None  # the backfill finds the row, and takes its unconfirmed create to the orphan ledger
        )
    sent = sum(chunk.item_count for chunk in work.chunks if chunk.state == Chunk.State.APPENDED)
    records.thread_remigrated(work.entry, conversation, sent)
    await work.write()
