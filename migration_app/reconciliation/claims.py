"""What the database claims about a conversation or a snapshot, prepared for comparison with an API's answer."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from migration_app.contracts import JsonObject
from migration_app.conversion.comparison.canonical import Fingerprinting, read_back_includes
from migration_app.conversion.comparison.conversations import (
    Bodies,
    ConversationComparison,
    Repeats,
    listed_id,
)
from migration_app.models import Chunk, Conversation, Thread
from migration_app.reconciliation.kinds import Found
from migration_app.snapshots.pages import load_source_thread
from migration_app.threads.plans import conversation_plan

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
    """A conversation that is claimed to be complete, and by what it is compared.

    Its items by one of three: ``planned``, as planned; ``fingerprint``, theirs, where there is no plan to go by; else
    by ``item_ids`` alone, what the target called them, which are compared in any case. ``metadata``: as planned; None
    where it is not compared. ``chunks``: how many items each has, and their fingerprint. ``continued``: its
    application is known to have continued after ``item_count`` of ours.
    """

    thread_pk: int
    conversation_id: str
    item_count: int
    continued: bool
    seen: Seen
    planned: Iterable[JsonObject] | None = None
    fingerprint: str = ""
    item_ids: Sequence[str] = ()
    metadata: Mapping[str, str] | None = None
    chunks: Sequence[tuple[int, str]] = ()
    include: tuple[str, ...] = ()


class Comparison:
    """Compares what is found, page by page, with what is claimed."""

    def __init__(self, claim: ConversationClaim) -> None:
        self._claim = claim
        self._by_plan = ConversationComparison(
            claim.planned or (), item_ids=claim.item_ids, metadata=claim.metadata
        )
        self._way: _Way = (
            _ByPlan(self._by_plan, claim.item_count)
            if claim.planned is not None
            else _ByFingerprint(claim)
            if claim.fingerprint
            else _ByIds(claim.item_ids)
        )
        self._repeats = Repeats(claim.chunks)
        self._seen = 0

    @property
    def wants_metadata(self) -> bool:
        """Whether the conversation itself is to be read too."""
        return self._by_plan.wants_metadata

    def see(self, page: Sequence[JsonObject]) -> None:
        """Add the next page, oldest item first."""
        self._way.see(page)
        self._repeats.see(page[max(0, self._claim.item_count - self._seen) :])
        self._seen += len(page)

    def see_metadata(self, conversation: JsonObject | None) -> None:
        """Add the conversation itself; None if the target has no such call."""
        self._by_plan.see_metadata(conversation)

    def result(self) -> Found | None:
        """The discrepancy that weighs most, once all was seen; None when all is as claimed."""
        claim = self._claim
        text = self._way.difference()
        more = self._seen - claim.item_count
        if text:
            return self._found("items_twice" if 0 < more == self._way.repeated() else "difference", text)
        if self._repeats.count:
            return self._found("items_twice", f"{self._repeats.count} of {more} after them were sent before")
        metadata = self._by_plan.metadata_difference
        if metadata is not None and not self._by_plan.metadata_only_added:
            return self._found("metadata_differs", metadata.text)
        if more and not claim.continued:
            return self._found("continued", f"{more} more after them")
        return self._found("continued", metadata.text) if metadata is not None else None

    def _found(self, code: str, found: str) -> Found:
        claim = self._claim
        claimed = f"{claim.item_count} items in {claim.conversation_id}"
        return Found(code, claim.thread_pk, claimed=claimed, found=found)


class _Way(Protocol):
    """One way to compare the items that are claimed."""

    def see(self, page: Sequence[JsonObject]) -> None: ...

    def difference(self) -> str:
        """How claimed items differ, as text; empty if they don't, whatever follows them."""

    def repeated(self) -> int:
        """How many unplanned items equal a planned one, as far as this comparison shows."""


class _ByPlan:
    def __init__(self, comparison: ConversationComparison, item_count: int) -> None:
        self._items = comparison
        self._item_count = item_count

    def see(self, page: Sequence[JsonObject]) -> None:
        self._items.see(page)

    def difference(self) -> str:
        whole = self._items.same == self._item_count
        difference = self._items.other_id if whole else self._items.items_difference()
        return difference.text if difference is not None else ""

    def repeated(self) -> int:
        return self._items.repeated


class _ByIds:
    def __init__(self, recorded: Sequence[str]) -> None:
        self._recorded = recorded
        self._found: list[str] = []

    def see(self, page: Sequence[JsonObject]) -> None:
        self._found += (listed_id(item) for item in page)

    def difference(self) -> str:
        pairs = zip(self._recorded, self._found, strict=False)
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1] or "" in pair, pairs))
        if same == len(self._recorded):
            return ""
        found = self._found[same] if same < len(self._found) else "nothing"
        missing = len(set(self._recorded) - set(self._found) - {""})
        return (
            f"item {same + 1} is {found}, recorded was {self._recorded[same]}: "
            f"recorded {len(self._recorded)} items, found {len(self._found)}; {missing} of those recorded are missing"
        )

    def repeated(self) -> int:
        return 0


class _ByFingerprint:
    def __init__(self, claim: ConversationClaim) -> None:
        self._claim = claim
        self._left = claim.item_count
        self._found = Fingerprinting()
        self._ids = _ByIds(claim.item_ids)

    def see(self, page: Sequence[JsonObject]) -> None:
        self._found.add(page[: self._left])
        self._left -= min(len(page), self._left)
        self._ids.see(page)

    def difference(self) -> str:
        if self._left:
            return f"found {self._claim.item_count - self._left} items"
        if self._found.whole != self._claim.fingerprint:
            return f"the first {self._claim.item_count} items are not as they were sent: their fingerprint differs"
        return self._ids.difference()

    def repeated(self) -> int:
        return 0


@dataclasses.dataclass(frozen=True, slots=True)
class SnapshotClaim:
    """A snapshot that is claimed to be the whole thread."""

    thread_pk: int
    thread_id: str
    seen: Seen


def conversation_claim(thread: Thread, *, quick: bool) -> ConversationClaim | None:
    """What is claimed of a thread's conversation; None if the thread is being worked on, or claims nothing.

    A conversation that its application continued, or whose plan can't be rebuilt, is compared by the
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
    item_ids, chunks = _recorded(conversation, kept)
    claim = dataclasses.replace(claim, item_ids=item_ids, chunks=chunks)
    if quick:
        return dataclasses.replace(claim, item_count=len(item_ids))
    plan = None if kept is not None else conversation_plan(thread, conversation)
    if plan is None:
        return dataclasses.replace(claim, fingerprint=conversation.fingerprint, include=READ_BACK_ALL)
    bodies = Bodies(plan.items)
    return dataclasses.replace(
        claim,
        item_count=len(plan.items),
        planned=bodies,
        metadata=plan.metadata,
        include=read_back_includes(bodies),
    )


def _recorded(conversation: Conversation, kept: int | None) -> tuple[list[str], list[tuple[int, str]]]:
    """What the target called the items (the first ``kept`` of them), as recorded, and the chunks they went in."""
    item_ids: list[str] = []
    chunks: list[tuple[int, str]] = []
    rows = Chunk.objects.filter(conversation=conversation).order_by("sequence")
    for size, digest, ids in rows.values_list("item_count", "digest", "item_ids").iterator(chunk_size=100):
        chunks.append((size, digest))
        item_ids += ids
    return item_ids[:kept], chunks


def conversation_seen(thread: Thread, conversation: Conversation) -> Seen:
    """What a worker changes when it resumes a conversation."""
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


def snapshot_rests(claim: SnapshotClaim) -> bool:
    """Whether no other snapshot came in, or is being taken, since the claim was made."""
    now = Thread.objects.values_list("snapshot_sequence", "pending_work").get(pk=claim.thread_pk)
    return tuple(now) == claim.seen


def snapshot_behind(claim: SnapshotClaim, newest: str) -> Found | None:
    """The discrepancy if the source's newest message is not in a snapshot that rests."""
    messages = load_source_thread(Thread.objects.get(pk=claim.thread_pk)).messages
    if any(message.get("id") == newest for message in reversed(messages)):
        return None
    return Found(
        "source_ahead",
        claim.thread_pk,
        claimed=f"{len(messages)} messages in the snapshot",
        found=f"the newest, {newest}, is not among them",
    )
