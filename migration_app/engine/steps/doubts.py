"""What follows when an append's answer was lost: it is found, sent again, or the thread starts over elsewhere.

That a chunk is not in its conversation proves nothing: the request may be held by a stopped worker, a slow server or a
proxy, and arrive when nobody expects it. So nothing here rests on a delay, but for a conversation that an
application may have, where a person decides in the end. Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio

from django.conf import settings

from migration_app.contracts import own_id_prefix
from migration_app.conversion.comparison.canonical import Fingerprinting
from migration_app.conversion.comparison.conversations import ConversationComparison
from migration_app.engine.steps import records
from migration_app.engine.steps.readback import read_back
from migration_app.engine.steps.records import NeedsReviewError
from migration_app.engine.work import Work
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.gateways.target import Appended
from migration_app.models import Chunk, Conversation
from migration_app.threads.given_up import doubt_seconds_left

_TRIES_BEHIND = 3
_RESTARTS_AT_ONCE = 3
_MOST_RESTARTS = 10
_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 3600.0
"""Seconds that a thread waits which was started over often."""


class InDoubtError(Exception):
    """What was sent may still arrive in the conversation, which no application has: the thread starts over."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


async def settle(work: Work, conversation: Conversation, chunk: Chunk) -> bool:
    """Find out about a chunk in doubt: True if it is there, and recorded; False if it is not and may be sent again.

    Raises InDoubtError or NeedsReviewError where neither is certain, and GatewayError to wait.
    """
    end = chunk.first_item + chunk.item_count
    for pause in (work.behaviour.apart, 0.0):  # two reads say that it is not there
        found = await read_back(work, conversation, work.items[:end], answered=chunk.first_item)
        if found is None or not (found.is_exactly(end) or found.is_exactly(chunk.first_item)):
            raise behind(work, conversation, found)
        if found.is_exactly(end):
            work.appended.add(chunk.first_item, tuple(found.kept_ids))
            records.chunk_appended(work.entry, chunk.sequence, Appended(tuple(found.kept_ids), request_id=""))
            await work.write()
            return True
        if conversation.mapped_at is not None:
            await _let_it_arrive(work, chunk)
        work.step()
        await asyncio.sleep(pause)
    if work.behaviour.repeats_refused and _has_own_id(work, chunk):
        return False
    raise in_doubt(
        conversation,
        f"The answer to the append of items {chunk.first_item + 1} to {end} was lost, and they are not there: they "
        "may still be on their way.",
    )


def behind(
    work: Work, conversation: Conversation, found: ConversationComparison | None
) -> InDoubtError | NeedsReviewError | GatewayError:
    """What to raise when a conversation, read with patience, does not show what the target has acknowledged.

    ``found``: what it shows; None if the target does not know it. What nobody planned is always for a person: then
    somebody else has the conversation, mapped or not.
    """
    difference = found.difference() if found is not None else None
    if difference is None:
        code, text = "conversation_missing", "The target no longer knows the conversation."
    else:
        code, text = "difference", difference.text
    if found is not None and not found.only_missing:
        return NeedsReviewError(code, f"The conversation is not as sent: {text}")
    tries = min(_TRIES_BEHIND, settings.MAX_ATTEMPTS - 1)
    if conversation.mapped_at is None and work.thread.attempts < tries:
        return GatewayError("list_behind", text, outcome=Outcome.UNKNOWN, permanent=False)
    return in_doubt(conversation, text, code=code)


def in_doubt(
    conversation: Conversation, text: str, *, code: str = "append_in_doubt"
) -> InDoubtError | NeedsReviewError:
    """Start over; or, where an application may have the conversation, let a person decide."""
    return (InDoubtError if conversation.mapped_at is None else NeedsReviewError)(code, text)


async def start_over(work: Work, given_up: Conversation, doubt: InDoubtError) -> None:
    """Give the conversation up, so that the thread gets a fresh one; the doubtful one is deleted later.

    A flaky target must not make endless conversations: pauses grow, and in the end a person decides. Raises
    GatewayError to wait, NeedsReviewError.
    """
    if work.thread.restarts >= _MOST_RESTARTS:
        raise NeedsReviewError(
            "started_over_too_often",
            f"It was started over {work.thread.restarts} times, each time in a fresh conversation. Last: {doubt.text}",
        )
    sent = sum(chunk.item_count for chunk in work.chunks)
    records.conversation_given_up(work.entry, given_up, why=doubt.text, item_count=sent)
    await work.write()
    work.conversation, work.chunks, work.sent = None, (), Fingerprinting()
    work.appended.clear()
    work.replacements = list(given_up.replacements)
    restarts = work.thread.restarts
    if restarts >= _RESTARTS_AT_ONCE:
        raise GatewayError(
            "starting_over",
            f"Answers of the target are lost so often that the thread was started over {restarts} times.",
            outcome=Outcome.NOTHING,
            permanent=False,
            retry_after=min(_FIRST_PAUSE * 2 ** (restarts - _RESTARTS_AT_ONCE), _LONGEST_PAUSE),
        )


async def _let_it_arrive(work: Work, chunk: Chunk) -> None:
    """Before anything is concluded of a conversation that an application may have: wait longer than appends take."""
    left = await work.database.run(doubt_seconds_left, chunk.pk)
    if left > 0:
        raise GatewayError(
            "append_may_arrive",
            "The answer to an append was lost. It is not there, and may still arrive.",
            outcome=Outcome.UNKNOWN,
            permanent=False,
            retry_after=left,
        )


def _has_own_id(work: Work, chunk: Chunk) -> bool:
    """Whether the target can recognize a repeat of the chunk: an item of it carries an id of ours."""
    items = work.items[chunk.first_item : chunk.first_item + chunk.item_count]
    return any(own_id_prefix(planned.item) for planned in items)
