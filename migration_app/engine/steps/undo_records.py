"""What a roll back writes down: each function adds to the thread's entry, with its audit row.

Nothing here is durable until ``Work.write`` returns. Calls no API. Must not import jobs or rq.
"""

from __future__ import annotations

from collections.abc import Sequence

from migration_app.archive.ids import storable_text
from migration_app.contracts import ThreadPlan
from migration_app.engine.journal.entries import Entry
from migration_app.engine.steps.records import ID_LENGTH, detached, why, work_ended
from migration_app.models import Conversation, FormerConversation, Thread
from migration_app.threads.assessments import plan_measures

S = Thread.Status


def rollback_begun(entry: Entry, conversation: Conversation, *, foreign: int) -> None:
    """Deletes follow: from here on the conversation is not whole, and nobody may take it for that."""
    conversation.state = Conversation.State.DELETING
    item_count = conversation.item_count
    entry.conversation(state=Conversation.State.DELETING, item_count=item_count, verified=False)
    too = f" Deleted too, as the operator chose: {foreign} items that are not ours." if foreign else ""
    entry.transition(
        S.ROLLING_BACK,
        "thread.rollback_started",
        reason=f"{why(entry)} Conversation {conversation.conversation_id}, {item_count} items of ours.{too}",
        error_code="",
        error_text="",
    )


def chunk_deleting(entry: Entry, sequence: int, item_ids: Sequence[str]) -> None:
    """These items, as just listed, are about to be deleted."""
    entry.parts["deleting"] = {
        "sequence": sequence,
        "item_ids": [storable_text(item_id, ID_LENGTH) for item_id in item_ids],
    }


def chunk_deleted(entry: Entry, sequence: int) -> None:
    """All items of the chunk are deleted. What failed before it does not count any more."""
    entry.parts["deleted"] = sequence
    if entry.thread.attempts:
        entry.set(attempts=0)


def conversation_deleting(entry: Entry, conversation: Conversation) -> None:
    """The target lists no item of it any more; the conversation itself is about to be deleted."""
    entry.event("conversation.deleting", after=conversation.conversation_id)


def rolled_back(
    entry: Entry,
    conversation: Conversation | None,
    *,
    left_behind: str,
    orphans: int,
    plan: ThreadPlan | None,
) -> None:
    """The thread has no conversation any more. ``left_behind`` says what reading did not confirm to be gone."""
    said = [why(entry)]
    if conversation is None:
        said.append("It had no conversation, so nothing was deleted.")
    elif conversation.state == Conversation.State.CREATING:
        said.append("Its conversation's create was never answered, so there is none that can be found.")
    else:
        detached(entry, FormerConversation.Outcome.ROLLED_BACK, conversation.item_count, left_behind)
        said.append(f"Conversation {conversation.conversation_id}, {conversation.item_count} items of ours.")
        said.append(left_behind or "Reading confirmed that they are gone.")
    if orphans:
        creates = "1 create" if orphans == 1 else f"{orphans} creates"
        said.append(f"On the orphan ledger stays what nobody can find: {creates} without an answer.")
    entry.transition(
        S.ROLLED_BACK,
        "thread.rolled_back",
        reason=" ".join(said),
        error_code="",
        error_text="",
        attempts=0,
        **(plan_measures(plan) if plan is not None else {}),
    )
    work_ended(entry)
