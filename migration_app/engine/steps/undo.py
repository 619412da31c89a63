"""How one thread is rolled back: items first, then the conversation, resumable at every step.

    look:    GET  …/items                                        →  what is ours, as listed now
    begin:   conversation "deleting", thread "rolling back"  ┐
    chunk:   row "deleting" with listed and recorded ids     ┘   →  DELETE …/items/{id}, at once       (per chunk)
                                                                    GET …/items/{id}: each of them gone
    empty:   last chunk's row gone   →  GET …/items: nothing     →  DELETE /conversations/{id}
    end:     GET /conversations/{id}: gone                       →  rows gone, former conversation, "rolled back"

The rule is that of ``engine.steps.protocol``: ``work.write()`` before every delete, and the result of a delete is
in the next entry. A worker that resumes the thread begins with the check, whatever happened before: a
delete whose answer was lost shows there, and what is deleted already is not in the list. A delete of what is gone
does no harm. Only ids are deleted that ``engine.steps.ownership`` recognizes as ours: what is listed now, and what was
recorded when it was appended, for a list may lag behind. What is not ours stops the roll back before its first
delete, unless the operator chose otherwise. Nothing is called gone that was not asked for by its id and found gone:
what remains is the *left_behind*.

Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence, Set

from django.conf import settings

from migration_app.batches.kinds import FOREIGN_TOO
from migration_app.contracts import MAX_ITEMS_PER_CALL, JsonObject, Policies, ThreadPlan
from migration_app.engine.steps import records, undo_records
from migration_app.engine.steps.ownership import (
    FoundChunk,
    Ownership,
    conversation_ownership,
    first_page,
)
from migration_app.engine.steps.readback import pauses
from migration_app.engine.steps.records import NeedsReviewError
from migration_app.engine.work import Work
from migration_app.gateways.deletion import conversation_remove, is_id, items_delete
from migration_app.gateways.errors import GatewayError, Outcome
from migration_app.gateways.target import NO_SUCH_METHOD, item_is_there
from migration_app.models import Conversation, OrphanConversation, Thread
from migration_app.snapshots.pages import load_source_thread
from migration_app.threads.plans import PlanLostError, plan_of, thread_plan

_TRIES_BEFORE_GIVING_UP = 3
_CALLS_AT_ONCE = MAX_ITEMS_PER_CALL
"""A whole chunk; each call waits for a place of the window."""
_UNASKED = "The target gives no single items: that ours are gone is what its list says. "


async def thread_rollback(work: Work) -> None:
    """Delete what was sent for a claimed thread, as far as it is ours, and confirm it by reading.

    Raises GatewayError, LeaseLostError and HandBackError, as ``protocol.thread_backfill``.
    """
    conversation = work.conversation
    try:
        if conversation is None or conversation.state == Conversation.State.CREATING:
            await _nothing_to_delete(work, conversation)
        else:
            await _roll_back(work, conversation)
    except NeedsReviewError as review:
        records.thread_to_review(work.entry, conversation, review, work.reading)
        await work.write()


async def _nothing_to_delete(work: Work, conversation: Conversation | None) -> None:
    if conversation is not None:
        plan = await work.database.run(_plan, work.thread)
        lost = "The thread was rolled back when its create had not been answered."
        records.create_lost(work.entry, plan, lost)
        records.create_failed(work.entry)
    await _end(work, conversation, left_behind="")


async def _roll_back(work: Work, conversation: Conversation) -> None:
    last = work.chunks[-1] if work.chunks else None
    if conversation.state != Conversation.State.DELETING:
        conversation.item_count = last.first_item + last.item_count if last is not None else 0
    try:
        ownership = await conversation_ownership(work, conversation)
        foreign_too = _foreign_too(work.thread)
        if ownership.foreign and not foreign_too:
            raise _continued(conversation, ownership)
        if work.thread.status != Thread.Status.ROLLING_BACK:
            undo_records.rollback_begun(work.entry, conversation, foreign=ownership.foreign)
            await work.write()
        work.reading = None  # from here on it is no longer what the target holds
        unasked = await _delete_items(work, conversation, ownership)
        await _delete_rest(work, conversation, ownership, foreign_too=foreign_too)
    except GatewayError as error:
        if error.code != "not_found":
            raise
        # There is no way to list the items of a conversation that is gone, nor to delete them.
        left = (
            f"The target no longer knew the conversation before all was deleted: what became of {_items(sent)} "
            "in it, reading can't show."
            if (sent := sum(chunk.item_count for chunk in work.chunks))
            else ""
        )
        await _end(work, conversation, left_behind=left)
        return
    await _delete_conversation(work, conversation, left_behind=unasked)


async def _delete_items(work: Work, conversation: Conversation, ownership: Ownership) -> str:
    """Delete the chunks from the first on, each announced with the ids of its items, and ask for each by its id.

    Returns what could not be checked, as text: a target may be unable to return one item.
    """
    can_ask: bool | None = None
    for number, found in enumerate(ownership.chunks):
        work.step()
        wanted = _listed_or_recorded(found)
        undo_records.chunk_deleting(work.entry, found.chunk.sequence, wanted)
        await work.write()
        if can_ask is None and found.item_ids:
            can_ask = await _is_item_there(work, conversation, found.item_ids[0]) is True
        await _delete(work, conversation, wanted)
        if number == 0 and wanted:
            # A server that says yes and deletes nothing is found out here, not after a thousand chunks.
            await _gone_or_error(work, conversation, set(wanted).intersection)
        if can_ask is not False:
            await _asked_and_gone(work, conversation, wanted)
        undo_records.chunk_deleted(work.entry, found.chunk.sequence)
        work.chunks = work.chunks[1:]
    return _UNASKED if can_ask is False else ""


def _listed_or_recorded(found: FoundChunk) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*found.item_ids, *found.chunk.item_ids]))


async def _asked_and_gone(work: Work, conversation: Conversation, item_ids: Sequence[str]) -> None:
    """Ask for each item by its id. Raises as ``_not_again`` if one is still there."""
    left = list(filter(is_id, item_ids))
    for pause in (*pauses(work), 0.0):
        left = [item_id for item_id, there in await _asked(work, conversation, left) if there]
        if not left:
            return
        work.step()
        await asyncio.sleep(pause)
    _not_again(work, len(left))


async def _asked(
    work: Work, conversation: Conversation, item_ids: Sequence[str]
) -> list[tuple[str, bool | None]]:
    answers: list[bool | None] = []
    for start in range(0, len(item_ids), _CALLS_AT_ONCE):
        work.step()
        group = item_ids[start : start + _CALLS_AT_ONCE]
        answers += await asyncio.gather(*(_is_item_there(work, conversation, item_id) for item_id in group))
    return list(zip(item_ids, answers, strict=True))


async def _is_item_there(work: Work, conversation: Conversation, item_id: str) -> bool | None:
    """Whether the target gives the item; None if it has no way to give one."""
    if not is_id(item_id):
        return None
    try:
        return await item_is_there(
            work.connection, conversation_id=conversation.conversation_id, item_id=item_id
        )
    except GatewayError as error:
        if error.status not in NO_SUCH_METHOD:
            raise
        return None


async def _delete_rest(
    work: Work, conversation: Conversation, ownership: Ownership, *, foreign_too: bool
) -> None:
    """Read until the list is empty: that is how the deletes are confirmed. Delete what is left if it was chosen."""

    def ours_among(listed: Set[str]) -> Set[str]:
        ours = itertools.chain.from_iterable(map(_listed_or_recorded, ownership.chunks))
        return {item_id for item_id in ours if item_id in listed}

    deleted: Callable[[Set[str]], Set[str]] = ours_among
    while page := await _gone_or_error(work, conversation, deleted):
        if not foreign_too:
            raise _continued(conversation, Ownership(listed=len(page), foreign=len(page)))
        item_ids = [str(item.get("id", "")) for item in page]
        await _delete(work, conversation, item_ids)
        deleted = set(item_ids).intersection


async def _delete(work: Work, conversation: Conversation, item_ids: Sequence[str]) -> None:
    """Delete items, several at once. A stop is heard before each of them; those on their way end first."""
    try:
        await items_delete(
            work.connection,
            conversation_id=conversation.conversation_id,
            item_ids=item_ids,
            at_once=_CALLS_AT_ONCE,
            between=work.step,
        )
    except GatewayError as error:
        if error.code == "not_deleted":
            raise NeedsReviewError("not_deleted", error.text) from None
        if error.status not in NO_SUCH_METHOD:
            raise
        raise NeedsReviewError(
            "not_deleted",
            f"The target has no way to delete items of a conversation ({error.status}): "
            f"{_items(sum(chunk.item_count for chunk in work.chunks))} stay in {conversation.conversation_id}.",
        ) from None


async def _gone_or_error(
    work: Work, conversation: Conversation, deleted: Callable[[Set[str]], Set[str]]
) -> list[JsonObject]:
    """Read the first page, which must list nothing that was deleted; a list that lags is read again for a while.

    ``deleted``: which of these items were deleted.
    """
    page = await first_page(work, conversation)
    for pause in pauses(work):
        if not deleted(_ids(page)):
            break
        work.step()
        await asyncio.sleep(pause)
        page = await first_page(work, conversation)
    _not_again(work, len(deleted(_ids(page))))
    return page


def _ids(page: list[JsonObject]) -> Set[str]:
    return {str(item.get("id", "")) for item in page}


def _not_again(work: Work, still: int) -> None:
    """Raise if something is listed that was deleted: at first to be tried later, in the end for a person."""
    if not still:
        return
    text = f"The target answered the deletes, but still lists {_items(still)} of those that were to go."
    _try_later(work, text)
    raise NeedsReviewError("not_deleted", text)


def _try_later(work: Work, text: str) -> None:
    """Have the thread tried again later, by an error, unless that was done a few times."""
    if work.thread.attempts < min(_TRIES_BEFORE_GIVING_UP, settings.MAX_ATTEMPTS - 1):
        raise GatewayError("not_deleted", text, outcome=Outcome.UNKNOWN, permanent=False)


async def _delete_conversation(work: Work, conversation: Conversation, *, left_behind: str) -> None:
    undo_records.conversation_deleting(work.entry, conversation)
    await work.write()
    try:
        stays = await conversation_remove(work.connection, conversation_id=conversation.conversation_id)
    except GatewayError as error:
        if error.code != "not_deleted":
            raise
        _try_later(work, error.text)
        stays = error.text
    if stays:
        left_behind += f"{stays} The conversation itself, read as empty, is still there."
    await _end(work, conversation, left_behind=left_behind.strip())


async def _end(work: Work, conversation: Conversation | None, *, left_behind: str) -> None:
    orphans, plan = await work.database.run(_afterwards, work.thread, conversation)
    undo_records.rolled_back(work.entry, conversation, left_behind=left_behind, orphans=orphans, plan=plan)
    await work.write()


def _afterwards(thread: Thread, conversation: Conversation | None) -> tuple[int, ThreadPlan | None]:
    """Creates on the orphan ledger; and today's plan, where what is counted on the row was that conversation's."""
    orphans = OrphanConversation.objects.filter(thread=thread, state=OrphanConversation.State.OPEN).count()
    own = conversation is not None and (
        conversation.continued_after is not None or bool(conversation.replacements)
    )
    return orphans, plan_of(load_source_thread(thread), Policies(), None) if own else None


def _plan(thread: Thread) -> ThreadPlan:
    """The plan whose metadata an unconfirmed create carried."""
    try:
        return thread_plan(thread).plan
    except PlanLostError:
        return plan_of(load_source_thread(thread), Policies(), None)


def _foreign_too(thread: Thread) -> bool:
    return thread.batch is not None and bool(thread.batch.settings.get(FOREIGN_TOO))


def _continued(conversation: Conversation, ownership: Ownership) -> NeedsReviewError:
    begun = (
        "A roll back had begun, so it is not whole."
        if conversation.state == Conversation.State.DELETING
        else "Nothing was deleted."
    )
    return NeedsReviewError(
        "conversation_continued",
        f"The conversation holds {_items(ownership.foreign)} that are not ours: its application continued "
        f"it. {begun} Accept it as is, re-migrate, or roll it back and choose to delete these too.",
    )


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"
