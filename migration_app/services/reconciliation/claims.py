"""What the database claims of a conversation or a snapshot, made ready to be held against an API's answer."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence

from migration_app.contracts import JsonObject
from migration_app.conversion.canonical import ItemsComparison, read_back_includes
from migration_app.models import Chunk, Conversation, Thread
from migration_app.services.pages import load_source_thread
from migration_app.services.plans import PlanLostError, conversation_policies, plan_of
from migration_app.services.reconciliation.kinds import Found

AT_REST = (Thread.Status.VERIFIED, Thread.Status.BACKFILLED)
_COMPLETE = (Conversation.State.COMPLETE, Conversation.State.VERIFIED)

Seen = tuple[object, ...]
"""What must still be so after the reading, or the engine was at work in between."""


class Comparison:
    """What is found, page by page, held against what is claimed."""

    def __init__(self, claim: ConversationClaim) -> None:
        self._ids: list[str] = []
        self._claim = claim
        self._items = None if claim.planned is None else ItemsComparison(claim.planned)

    def see(self, page: Sequence[JsonObject]) -> None:
        """Take in the next page, oldest item first."""
        if self._items is not None:
            self._items.see(page)
        else:
            self._ids += (str(item.get("id", "")) for item in page)

    def result(self) -> Found | None:
        """The discrepancy, once the last page was seen; None when all is as claimed."""
        same, seen = (self._items.same, self._items.seen) if self._items is not None else self._ids_seen()
        claim = self._claim
        claimed = f"{claim.item_count} items in {claim.conversation_id}"
        if same == claim.item_count:
            if seen == same or claim.continued:
                return None
            return Found(
                "continued", claim.thread_pk, claimed=claimed, found=f"{seen - same} more after them"
            )
        if self._items is not None:
            difference = self._items.difference()
            words = difference.text if difference is not None else f"{same} items"
        else:
            words = self._ids_words(same, seen)
        return Found("difference", claim.thread_pk, claimed=claimed, found=words)

    def _ids_seen(self) -> tuple[int, int]:
        pairs = zip(self._claim.item_ids, self._ids, strict=False)
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] in ("", pair[1]), pairs))
        return same, len(self._ids)

    def _ids_words(self, same: int, seen: int) -> str:
        missing = len(set(self._claim.item_ids) - set(self._ids) - {""})
        found = self._ids[same] if same < seen else "nothing"
        return (
            f"item {same + 1} is {found}, recorded was {self._claim.item_ids[same]}: "
            f"recorded {self._claim.item_count} items, found {seen}; {missing} of those recorded are missing"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class ConversationClaim:
    """A conversation that is claimed to be complete: ``planned`` are its items, or None to compare ids only."""

    thread_pk: int
    conversation_id: str
    item_count: int
    continued: bool
    seen: Seen
    item_ids: Sequence[str] = ()
    planned: Iterable[JsonObject] | None = None
    include: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class SnapshotClaim:
    """A snapshot that is claimed to be the whole thread: the ids of its messages."""

    thread_pk: int
    thread_id: str
    message_ids: Collection[str]
    seen: Seen


def conversation_claim(thread: Thread, *, quick: bool) -> ConversationClaim | Found | None:
    """What is claimed of a thread's conversation; None if the thread is being worked on, or claims nothing."""
    conversation = Conversation.objects.filter(thread=thread, state__in=_COMPLETE).first()
    if conversation is None or thread.status not in AT_REST or thread.pending_work:
        return None
    claim = ConversationClaim(
        thread_pk=thread.pk,
        conversation_id=conversation.conversation_id,
        item_count=0,
        continued=conversation.continued_after is not None,
        seen=conversation_seen(thread, conversation),
    )
    if quick:
        ids = list(itertools.islice(_recorded_ids(conversation), conversation.continued_after))
        return dataclasses.replace(claim, item_count=len(ids), item_ids=ids)
    try:
        plan = plan_of(load_source_thread(thread), conversation_policies(conversation), conversation)
    except PlanLostError as error:
        return Found("plan_lost", thread.pk, claimed=f"{conversation.item_count} items", found=str(error))
    count = len(plan.items)
    if conversation.continued_after is not None:
        count = min(count, conversation.continued_after)
    return dataclasses.replace(
        claim,
        item_count=count,
        planned=(planned.item for planned in itertools.islice(plan.items, count)),
        include=read_back_includes(planned.item for planned in plan.items),
    )


def _recorded_ids(conversation: Conversation) -> Iterator[str]:
    chunks = Chunk.objects.filter(conversation=conversation).order_by("sequence")
    for item_ids in chunks.values_list("item_ids", flat=True).iterator(chunk_size=100):
        yield from item_ids


def conversation_seen(thread: Thread, conversation: Conversation) -> Seen:
    """What a worker changes when it goes on with a conversation."""
    return (
        thread.status,
        thread.pending_work,
        conversation.conversation_id,
        conversation.state,
        conversation.completed_at,
        conversation.verified_at,
        conversation.continued_after,
    )


def conversation_rests(claim: ConversationClaim) -> bool:
    """Whether the claim is still what it was before the conversation was read."""
    conversation = Conversation.objects.select_related("thread").filter(thread_id=claim.thread_pk).first()
    return conversation is not None and conversation_seen(conversation.thread, conversation) == claim.seen


def snapshot_claim(thread: Thread) -> SnapshotClaim | None:
    """What is claimed of a thread's snapshot; None if one is being taken."""
    if thread.pending_work == Thread.Work.SNAPSHOT:
        return None
    ids = frozenset(
        str(message["id"]) for message in load_source_thread(thread).messages if message.get("id") is not None
    )
    return SnapshotClaim(thread.pk, thread.thread_id, ids, (thread.snapshot_at, thread.pending_work))


def snapshot_rests(claim: SnapshotClaim) -> bool:
    """Whether no other snapshot came in meanwhile."""
    thread = Thread.objects.filter(pk=claim.thread_pk).only("snapshot_at", "pending_work").first()
    return thread is not None and (thread.snapshot_at, thread.pending_work) == claim.seen
