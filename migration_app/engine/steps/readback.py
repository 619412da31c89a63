"""Reading a conversation whole, items and metadata, and holding it against what was planned and recorded.

One way for everything that verifies, reconciles or checks before it sends more. A list may lag behind what the target
has acknowledged, so what it does not show is not believed at once. Sends nothing. Must not import jobs or rq.
"""

from __future__ import annotations

import asyncio
import heapq
import operator
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from django.conf import settings

from migration_app.contracts import JsonObject, PlannedItem
from migration_app.conversion.comparison.canonical import read_back_includes
from migration_app.conversion.comparison.conversations import Bodies, ConversationComparison
from migration_app.engine.reading import Reading
from migration_app.engine.work import Work
from migration_app.gateways.connection import Connection
from migration_app.gateways.errors import GatewayError
from migration_app.gateways.target import conversation_get, items_pages
from migration_app.models import Chunk, Conversation

_FIRST_PAUSE = 0.25


class Comparing(Protocol):
    """What is shown a conversation (``ConversationComparison``, or a reconciliation's ``Comparison``)."""

    @property
    def wants_metadata(self) -> bool:
        """Whether the conversation itself is to be read too."""

    def see(self, page: Sequence[JsonObject]) -> None:
        """Add the next page, oldest item first."""

    def see_metadata(self, conversation: JsonObject | None) -> None:
        """Add the conversation; None if the target has no such call."""


class KeptComparison:
    """A comparison that keeps what it is shown from the first difference on."""

    def __init__(self, comparison: ConversationComparison, reading: Reading) -> None:
        self._comparison = comparison
        self._reading = reading

    @property
    def wants_metadata(self) -> bool:
        """As the comparison."""
        return self._comparison.wants_metadata

    def see(self, page: Sequence[JsonObject]) -> None:
        """Show it both."""
        self._comparison.see(page)
        self._reading.see(page)
        if self._comparison.same < self._comparison.seen or self._comparison.other_id is not None:
            self._reading.differs()

    def see_metadata(self, conversation: JsonObject | None) -> None:
        """Show it both."""
        self._comparison.see_metadata(conversation)
        self._reading.see_metadata(conversation)


def _on() -> None:
    """Between two pages: continue."""


async def conversation_read(
    connection: Connection,
    comparison: Comparing,
    *,
    conversation_id: str,
    include: Sequence[str],
    between: Callable[[], None] = _on,
) -> None:
    """Show the comparison the conversation as the target has it: its items, then, if it wants that, its metadata.

    ``between`` is called after each page, and may raise. Raises GatewayError; ``not_found`` if it is gone.
    """
    async for page in items_pages(connection, conversation_id=conversation_id, include=include):
        comparison.see(page)
        between()
    if comparison.wants_metadata:
        comparison.see_metadata(await conversation_get(connection, conversation_id=conversation_id))


async def read_back(
    work: Work,
    conversation: Conversation,
    items: Sequence[PlannedItem],
    *,
    answered: int,
    metadata: Mapping[str, str] | None = None,
) -> ConversationComparison | None:
    """Hold a thread's conversation against these items, the ids that were recorded of them, and this metadata.

    ``items``: all that may be there, of which the first ``answered`` were acknowledged and must be. A list may lag
    behind: while some of these are missing and nothing else is wrong, or the target does not know the conversation, it
    is read again with growing pauses. None if it still does not know it. Without ``metadata`` that of the conversation
    is not read. Raises GatewayError.
    """
    begun = time.monotonic()
    found = await _read_once(work, conversation, items, answered, metadata)
    for pause in pauses(work):
        if not _lacks(found, answered):
            break
        work.step()
        await asyncio.sleep(pause)
        found = await _read_once(work, conversation, items, answered, metadata)
        if not _lacks(found, answered):
            await work.behaviour.lagged(time.monotonic() - (work.answered_at or begun))
    return found


def pauses(work: Work) -> Iterator[float]:
    """Growing pauses between reads of what a list may not show yet: for so long as it may lag, in all."""
    seconds = max(settings.READ_PATIENCE_SECONDS, 2 * work.behaviour.list_lag)
    pause = _FIRST_PAUSE
    while seconds > 0:
        yield min(pause, seconds)
        seconds -= pause
        pause *= 2


def _lacks(found: ConversationComparison | None, answered: int) -> bool:
    """Whether something that was acknowledged is not shown, or only a part of what was sent last is."""
    return found is None or (found.only_missing and not found.is_exactly(answered))


async def _read_once(
    work: Work,
    conversation: Conversation,
    items: Sequence[PlannedItem],
    answered: int,
    metadata: Mapping[str, str] | None,
) -> ConversationComparison | None:
    include = await work.apart(read_back_includes, Bodies(items))
    comparison = ConversationComparison(
        Bodies(items), item_ids=recorded_ids(work), metadata=metadata, keep_ids_from=answered
    )
    work.reading, reading = None, Reading(conversation.conversation_id)
    try:
        await conversation_read(
            work.connection,
            KeptComparison(comparison, reading),
            conversation_id=conversation.conversation_id,
            include=include,
        )
    except GatewayError as error:
        if error.code != "not_found":
            raise
        reading.missing()
        work.reading = reading
        return None
    if await work.apart(comparison.difference) is not None:
        work.reading = reading
    return comparison


def recorded_ids(work: Work) -> Iterator[str]:
    """What the target called the items of the conversation, in their order; empty for one that it gave no id."""
    recorded = (
        (chunk.first_item, chunk.item_ids) for chunk in work.chunks if chunk.state == Chunk.State.APPENDED
    )
    place = 0
    for first_item, item_ids in heapq.merge(recorded, work.appended, key=operator.itemgetter(0)):
        yield from [""] * (first_item - place)
        yield from item_ids
        place = first_item + len(item_ids)
