"""Which items of a conversation are ours: decided by the chunks and by reading it, without the plan.

Needed where the plan is of no use: it may have changed since it was sent, and the application may have continued
the conversation. An item is ours if its chunk is there as it was sent (by digest), or if it has an id that the
target gave to an item that we sent. Sends nothing. Must not import jobs or rq.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import deque
from collections.abc import AsyncIterator, Sequence

from migration_app.contracts import JsonObject, compact_json, compact_json_read
from migration_app.conversion.comparison.canonical import Fingerprinting
from migration_app.conversion.comparison.conversations import listed_id
from migration_app.engine.chunks import CHUNKS, chunk_weight
from migration_app.engine.reading import Reading
from migration_app.engine.steps.records import NeedsReviewError
from migration_app.engine.work import Work
from migration_app.gateways.errors import GatewayError
from migration_app.gateways.target import items_pages
from migration_app.models import Chunk, Conversation
from migration_app.spill import Codec, Gathering

# All that must be asked for to see any item whole: without the plan nobody knows which kinds there are.
_INCLUDE = ("code_interpreter_call.outputs", "file_search_call.results", "message.input_image.image_url")


@dataclasses.dataclass(frozen=True, slots=True)
class FoundChunk:
    """A chunk as it was found: the ids of those of its items that are there, as just listed.

    ``as_sent``: all of its items are there, and say what they said when they were sent. ``as_named``: none of these
    has another id than the target returned when it was appended; ids that either side lacks are ignored.
    """

    chunk: Chunk
    item_ids: tuple[str, ...]
    as_sent: bool
    as_named: bool


_FOUND: Codec[FoundChunk] = Codec(
    lambda found: (
        CHUNKS.encode(found.chunk) + b"\n" + compact_json([found.item_ids, found.as_sent, found.as_named])
    ),
    lambda data: _found(*data.split(b"\n")),
)


def _found(chunk: bytes, rest: bytes) -> FoundChunk:
    item_ids, as_sent, as_named = compact_json_read(rest)
    return FoundChunk(CHUNKS.decode(chunk), tuple(item_ids), as_sent, as_named)


@dataclasses.dataclass(slots=True)
class Ownership:
    """What reading a conversation found. ``listed`` counts its items, ``foreign`` those that are not ours.

    ``intact`` items from the first on are there as sent, in whole chunks; ``fingerprint`` is theirs.
    """

    chunks: Sequence[FoundChunk] = ()
    listed: int = 0
    foreign: int = 0
    intact: int = 0
    fingerprint: str = ""


async def conversation_ownership(work: Work, conversation: Conversation) -> Ownership:
    """Read the conversation, and find which of its items are ours. GatewayError ``not_found`` if it is gone."""
    reading = Reading(conversation.conversation_id)
    work.reading = None
    try:
        ownership = await _owned(work, conversation, reading)
    except GatewayError as error:
        if error.code == "not_found":
            reading.missing()
            work.reading = reading
        raise
    if ownership.foreign or not all(found.as_sent and found.as_named for found in ownership.chunks):
        work.reading = reading
    return ownership


async def _owned(work: Work, conversation: Conversation, reading: Reading) -> Ownership:
    ownership, fingerprint = Ownership(), Fingerprinting()
    found: Gathering[FoundChunk] = Gathering(_FOUND)
    unbroken = True
    async with contextlib.aclosing(_Reader(work, conversation, reading)) as reader:
        for chunk in work.chunks:
            items = await reader.ahead(chunk.item_count)
            trial = fingerprint.copy()
            as_sent = len(items) == chunk.item_count and trial.add(items) == chunk.digest
            taken = len(items) if as_sent else _leading(items, set(chunk.item_ids) - {""})
            listed = tuple(listed_id(item) for item in items[:taken])
            as_named = all(
                not known or not found or known == found
                for known, found in zip(chunk.item_ids, listed, strict=False)
            )
            found.append(FoundChunk(chunk, listed, as_sent, as_named), 2 * chunk_weight(chunk))
            if not (as_sent and as_named):
                reading.differs()
            ownership.listed += taken
            reader.take(taken)
            unbroken = unbroken and as_sent
            if unbroken:
                ownership.intact += taken
                fingerprint = trial
        ours: set[str] | None = None
        while items := await reader.ahead(1):
            if ours is None:
                ours = {item_id for chunk in work.chunks for item_id in chunk.item_ids} - {""}
            ownership.listed += 1
            ownership.foreign += listed_id(items[0]) not in ours
            reading.differs()
            reader.take(1)
    ownership.chunks = found.sequence()
    ownership.fingerprint = fingerprint.whole
    return ownership


async def intact_or_review(work: Work, conversation: Conversation) -> Ownership:
    """Read the conversation; NeedsReviewError unless all chunks whose append was answered are there as sent."""
    try:
        ownership = await conversation_ownership(work, conversation)
    except GatewayError as error:
        if error.code != "not_found":
            raise
        raise NeedsReviewError(
            "conversation_missing", "The target no longer knows the conversation."
        ) from None
    for found in ownership.chunks:
        if not (found.as_sent and found.as_named) and found.chunk.state != Chunk.State.SENDING:
            last = found.chunk.first_item + found.chunk.item_count
            raise NeedsReviewError(
                "difference",
                f"Items {found.chunk.first_item + 1} to {last} (chunk {found.chunk.sequence + 1}) are not all there "
                "as they were sent, or were replaced by equal ones. Re-migrate, or roll the "
                "thread back.",
            )
    return ownership


async def first_page(work: Work, conversation: Conversation) -> list[JsonObject]:
    """The oldest items that the target lists now, 100 at most. GatewayError ``not_found`` if it is gone."""
    pages = items_pages(work.connection, conversation_id=conversation.conversation_id)
    async with contextlib.aclosing(pages) as reading:  # type: ignore[type-var]  # an async generator, typed as iterator
        async for page in reading:
            return page
    return []


def _leading(items: list[JsonObject], known: set[str]) -> int:
    """How many items from the start have ids that we know."""
    return next((number for number, item in enumerate(items) if listed_id(item) not in known), len(items))


class _Reader:
    """The conversation's items, oldest first, a page of them in memory; some may be read ahead."""

    def __init__(self, work: Work, conversation: Conversation, reading: Reading) -> None:
        self._pages: AsyncIterator[list[JsonObject]] = items_pages(
            work.connection, conversation_id=conversation.conversation_id, include=_INCLUDE
        )
        self._items: deque[JsonObject] = deque()
        self._reading = reading

    async def ahead(self, count: int) -> list[JsonObject]:
        """The next items, ``count`` of them, or as many as there still are."""
        while len(self._items) < count and (page := await anext(self._pages, None)) is not None:
            self._items += page
            self._reading.see(page)
        return [self._items[place] for place in range(min(count, len(self._items)))]

    def take(self, count: int) -> None:
        """Go past so many items."""
        for _ in range(count):
            self._items.popleft()

    async def aclose(self) -> None:
        """Let go of what was not read."""
        await self._pages.aclose()  # type: ignore[attr-defined]  # an async generator, typed as iterator
