"""What the database claims of a conversation or a snapshot, made ready to be held against an API's answer."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from migration_app.contracts import JsonObject, ThreadPlan
from migration_app.conversion.canonical import Fingerprinting, ItemsComparison, read_back_includes
from migration_app.models import Chunk, Conversation, Thread
from migration_app.services.pages import load_source_thread
from migration_app.services.plans import PlanLostError, conversation_policies, plan_of
from migration_app.services.reconciliation.kinds import Found

READ_BACK_ALL = (
    "code_interpreter_call.outputs",
    "file_search_call.results",
    "message.input_image.image_url",
)
"""What must be asked for to see any item whole (official, schema IncludeEnum): without a plan nobody knows which."""

AT_REST = (Thread.Status.VERIFIED, Thread.Status.BACKFILLED)
_COMPLETE = (Conversation.State.COMPLETE, Conversation.State.VERIFIED)

Seen = tuple[object, ...]
"""What must still be so after the reading, or the engine was at work in between."""


@dataclasses.dataclass(frozen=True, slots=True)
class ConversationClaim:
    """A conversation that is claimed to be complete, and by what it is compared: one of three.

    ``planned``: its items as planned. ``fingerprint``: theirs, where there is no plan to go by. ``item_ids``: what
    the target called them. ``continued``: its application is known to have gone on behind ``item_count`` of ours.
    """

    thread_pk: int
    conversation_id: str
    item_count: int
    continued: bool
    seen: Seen
    planned: Iterable[JsonObject] | None = None
    fingerprint: str = ""
    item_ids: Sequence[str] = ()
    include: tuple[str, ...] = ()


class Comparison:
    """What is found, page by page, held against what is claimed."""

    def __init__(self, claim: ConversationClaim) -> None:
        self._claim = claim
        self._way: _Way = (
            _ByPlan(claim.planned)
            if claim.planned is not None
            else _ByFingerprint(claim)
            if claim.fingerprint
            else _ByIds(claim)
        )
        self._seen = 0

    def see(self, page: Sequence[JsonObject]) -> None:
        """Take in the next page, oldest item first."""
        self._way.see(page)
        self._seen += len(page)

    def result(self) -> Found | None:
        """The discrepancy, once the last page was seen; None when all is as claimed."""
        claim = self._claim
        claimed = f"{claim.item_count} items in {claim.conversation_id}"
        if self._way.same() != claim.item_count:
            return Found("difference", claim.thread_pk, claimed=claimed, found=self._way.words(self._seen))
        if self._seen == claim.item_count or claim.continued:
            return None
        more = f"{self._seen - claim.item_count} more after them"
        return Found("continued", claim.thread_pk, claimed=claimed, found=more)


class _Way(Protocol):
    """One way to compare: how many items from the first on are as claimed, and the difference in words."""

    def see(self, page: Sequence[JsonObject]) -> None: ...

    def same(self) -> int: ...

    def words(self, seen: int) -> str: ...


class _ByPlan:
    def __init__(self, planned: Iterable[JsonObject]) -> None:
        self._items = ItemsComparison(planned)

    def see(self, page: Sequence[JsonObject]) -> None:
        self._items.see(page)

    def same(self) -> int:
        return self._items.same

    def words(self, seen: int) -> str:
        difference = self._items.difference()
        return difference.text if difference is not None else f"found {seen} items"


class _ByFingerprint:
    def __init__(self, claim: ConversationClaim) -> None:
        self._claim = claim
        self._left = claim.item_count
        self._found = Fingerprinting()

    def see(self, page: Sequence[JsonObject]) -> None:
        self._found.add(page[: self._left])
        self._left -= min(len(page), self._left)

    def same(self) -> int:
        whole = not self._left and self._found.whole == self._claim.fingerprint
        return self._claim.item_count if whole else -1

    def words(self, seen: int) -> str:
        if self._left:
            return f"found {seen} items"
        return (
            f"the first {self._claim.item_count} items are not as they were sent: their fingerprint differs"
        )


class _ByIds:
    def __init__(self, claim: ConversationClaim) -> None:
        self._recorded = claim.item_ids
        self._found: list[str] = []

    def see(self, page: Sequence[JsonObject]) -> None:
        self._found += (str(item.get("id", "")) for item in page)

    def same(self) -> int:
        pairs = zip(self._recorded, self._found, strict=False)
        return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] in ("", pair[1]), pairs))

    def words(self, seen: int) -> str:
        same = self.same()
        found = self._found[same] if same < seen else "nothing"
        missing = len(set(self._recorded) - set(self._found) - {""})
        return (
            f"item {same + 1} is {found}, recorded was {self._recorded[same]}: "
            f"recorded {len(self._recorded)} items, found {seen}; {missing} of those recorded are missing"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class SnapshotClaim:
    """A snapshot that is claimed to be the whole thread."""

    thread_pk: int
    thread_id: str
    seen: Seen


def conversation_claim(thread: Thread, *, quick: bool) -> ConversationClaim | None:
    """What is claimed of a thread's conversation; None if the thread is being worked on, or claims nothing.

    A conversation that its application goes on with, or whose plan can't be made again, is compared by the
    fingerprint of what was sent.
    """
    conversation = Conversation.objects.filter(thread=thread, state__in=_COMPLETE).first()
    if conversation is None or thread.status not in AT_REST or thread.pending_work:
        return None
    kept = conversation.continued_after
    claim = ConversationClaim(
        thread_pk=thread.pk,
        conversation_id=conversation.conversation_id,
        item_count=conversation.item_count if kept is None else kept,
        continued=kept is not None,
        seen=conversation_seen(thread, conversation),
    )
    if quick:
        ids = list(itertools.islice(_recorded_ids(conversation), kept))
        return dataclasses.replace(claim, item_count=len(ids), item_ids=ids)
    plan = None if kept is not None else _plan(thread, conversation)
    if plan is None:
        return dataclasses.replace(claim, fingerprint=conversation.fingerprint, include=READ_BACK_ALL)
    return dataclasses.replace(
        claim,
        item_count=len(plan.items),
        planned=(planned.item for planned in plan.items),
        include=read_back_includes(planned.item for planned in plan.items),
    )


def _plan(thread: Thread, conversation: Conversation) -> ThreadPlan | None:
    try:
        return plan_of(load_source_thread(thread), conversation_policies(conversation), conversation)
    except PlanLostError:
        return None


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
    return SnapshotClaim(thread.pk, thread.thread_id, (thread.snapshot_sequence, thread.pending_work))


def snapshot_behind(claim: SnapshotClaim, newest: str) -> Found | None:
    """The discrepancy if the source's newest message is not in the snapshot, and no other one came in meanwhile."""
    thread = Thread.objects.get(pk=claim.thread_pk)
    if (thread.snapshot_sequence, thread.pending_work) != claim.seen:
        return None
    messages = load_source_thread(thread).messages
    if any(message.get("id") == newest for message in reversed(messages)):
        return None
    return Found(
        "source_ahead",
        claim.thread_pk,
        claimed=f"{len(messages)} messages in the snapshot",
        found=f"the newest, {newest}, is not among them",
    )
