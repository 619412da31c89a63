"""Whether an estate came through whole, held against what the sandbox itself has stored.

No item twice, none missing, order kept, statuses truthful, the audit trail a path without gaps, nothing left held,
every lost create on the ledger. For fault tests and for the soak. Needs Django to be set up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from migration_app.models import (
    AuditEvent,
    BatchResult,
    Chunk,
    Conversation,
    FormerConversation,
    OrphanConversation,
    Thread,
)
from migration_app.threads.plans import thread_plan
from migration_app.threads.statuses import EDGES
from tests.migration_app.conversion.support import compare_items
from tests.sandbox import Control

S = Thread.Status


def estate_troubles(
    control: Control, threads: Iterable[Thread], *, status: str | None = S.VERIFIED
) -> list[str]:
    """What is wrong with these threads, in words; empty if nothing is. All must have ``status``, unless it is None."""
    pks = [thread.pk for thread in threads]
    rows = Thread.objects.filter(pk__in=pks).order_by("pk")
    found = [trouble for thread in rows for trouble in _thread_troubles(control, thread, status)]
    return [*found, *_ledger_troubles(control)]


def verified_troubles(control: Control, threads: Iterable[Thread]) -> list[str]:
    """What is wrong with those of these threads that are said to be verified."""
    pks = [thread.pk for thread in threads]
    verified = Thread.objects.filter(pk__in=pks, status=S.VERIFIED).order_by("pk")
    return [trouble for thread in verified for trouble in _thread_troubles(control, thread, S.VERIFIED)]


def _thread_troubles(control: Control, thread: Thread, status: str | None) -> Iterator[str]:
    name = thread.thread_id
    if status is not None and thread.status != status:
        yield f"{name} is {thread.status} and not {status}: {thread.error_code} {thread.error_text}"
    if thread.lease_token is not None or thread.lease_until is not None:
        yield f"{name} is still held"
    if status is not None and thread.pending_work:
        yield f"{name} still waits for {thread.pending_work}"
    yield from _result_troubles(thread)
    yield from (f"{name}: {trouble}" for trouble in _content_troubles(control, thread))
    yield from (f"{name}: {trouble}" for trouble in _trail_troubles(thread))


def _result_troubles(thread: Thread) -> Iterator[str]:
    """Whose work is over has a result in its batch, and a roll back under way says so."""
    if thread.status == S.ROLLING_BACK and thread.pending_work != Thread.Work.ROLLBACK:
        yield f"{thread.thread_id} is rolling back, and nobody will do it"
    if thread.batch_id is None or thread.pending_work:
        return
    result = BatchResult.objects.filter(batch_id=thread.batch_id, thread=thread).first()
    if result is None:
        yield f"{thread.thread_id} has no result in batch {thread.batch_id}"
    elif thread.status == S.VERIFIED and result.result in {"rolled_back", "blocked", "excluded"}:
        yield f"{thread.thread_id} is verified, and its batch says {result.result}"


def _content_troubles(control: Control, thread: Thread) -> Iterator[str]:
    done = thread.status in {S.VERIFIED, S.BACKFILLED}
    conversation = Conversation.objects.filter(thread=thread).exclude(conversation_id="").first()
    if conversation is None:
        if done:
            yield f"it is {thread.status} and has no conversation"
        return
    stored = control.conversation(conversation.conversation_id)
    if stored.deleted:
        yield "its conversation is deleted at the target"
    planned = [entry.item for entry in thread_plan(thread).plan.items]
    expected = planned if done else planned[: len(stored.items)]
    deleting = thread.status in {S.NEEDS_REVIEW, S.ROLLING_BACK}
    if not deleting and (difference := compare_items(expected, stored.items)) is not None:
        yield f"what is stored is not what was planned: {difference.text}"
    if done and conversation.item_count != len(stored.items):
        yield f"it says {conversation.item_count} items, and there are {len(stored.items)}"
    recorded: list[str] = []
    for chunk in Chunk.objects.filter(conversation=conversation).order_by("sequence"):
        if done and chunk.state != Chunk.State.APPENDED:
            yield f"chunk {chunk.sequence} is still {chunk.state}"
        if chunk.state == Chunk.State.APPENDED:
            if chunk.first_item != len(recorded):
                yield f"chunk {chunk.sequence} begins at {chunk.first_item}, after {len(recorded)} items"
            recorded += chunk.item_ids
    ids = [str(item["id"]) for item in stored.items]
    if recorded != (ids if done else ids[: len(recorded)]):
        yield "the ids that were recorded are not those that are stored"


def _trail_troubles(thread: Thread) -> Iterator[str]:
    """From the first status to the last by edges of the table, each beginning where the one before it ended."""
    trail = AuditEvent.objects.filter(subject_kind="thread", subject_id=thread.thread_id).order_by("pk")
    now: str | None = None
    for event in trail.exclude(before=""):
        if now is not None and event.before != now:
            yield f"{event.verb} begins at {event.before}, but it was {now}"
        if event.after != event.before and event.after not in EDGES.get(event.before, frozenset()):
            yield f"{event.verb} leads from {event.before} to {event.after}, which no edge does"
        now = event.after
    if now is not None and now != thread.status:
        yield f"the trail ends at {now}, but it is {thread.status}"


def _ledger_troubles(control: Control) -> Sequence[str]:
    """Conversations that nobody holds are empty, and no more than the creates on the ledger."""
    items = control.state().items
    unheld = _unheld(control)
    orphans = OrphanConversation.objects.count()
    troubles = [
        f"conversation {name} is nobody's and holds {items[name]} items" for name in unheld if items[name]
    ]
    if len(unheld) > orphans:
        troubles.append(f"{len(unheld)} conversations are nobody's, and the ledger knows of {orphans}")
    return troubles


def unheld_conversations(control: Control) -> int:
    """How many conversations the target has that no row of the console names."""
    return len(_unheld(control))


def _unheld(control: Control) -> set[str]:
    held = Conversation.objects.exclude(conversation_id="").values_list("conversation_id", flat=True)
    former = FormerConversation.objects.values_list("conversation_id", flat=True)
    return set(control.state().items) - set(held) - set(former)
