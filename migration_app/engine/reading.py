"""What is kept of a conversation that was read and found different, for the person who decides about it.

Bounded: the items from the first difference on, with those just before it, as far as the bounds below allow. What is
left out is counted, never silent. It is content: it goes into the thread's ``ReviewReading`` by the journal and
nowhere else. Must not import jobs or rq.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from migration_app.archive.sequence import payload_compress, payload_decompress
from migration_app.contracts import JsonObject

ITEMS_BEFORE = 20
"""So many items are kept of those that were read before the page with the first difference."""
MOST_ITEMS = 300
MOST_BYTES = 512_000
"""Of all kept items and the metadata together, as JSON."""
ITEM_BYTES = 256_000
"""An item that is larger is left out, with its size noted."""


@dataclasses.dataclass(frozen=True, slots=True)
class KeptItem:
    """An item as the target returned it, at its place from 0; None where it was too large to keep: ``size`` bytes."""

    place: int
    item: JsonObject | None
    size: int


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """What is stored of a reading. ``metadata`` is None where it was not read, or the target does not show it."""

    items: tuple[KeptItem, ...]
    metadata: JsonObject | None


class Reading:
    """One pass over a conversation: shown each page, told where the first difference is, packed at the end."""

    def __init__(self, conversation_id: str) -> None:
        self.conversation_id = conversation_id
        self.found = True
        self._seen = 0
        self._first = 0
        self._before: list[JsonObject] = []
        self._page: list[JsonObject] = []
        self._kept: list[JsonObject] | None = None
        self._metadata: JsonObject | None = None

    def see(self, page: Sequence[JsonObject]) -> None:
        """Add the next page, oldest item first."""
        if self._kept is None:
            self._before, self._page = (self._before + self._page)[-ITEMS_BEFORE:], list(page)
        else:
            self._kept += page[: max(0, MOST_ITEMS - len(self._kept))]
        self._seen += len(page)

    def see_metadata(self, conversation: JsonObject | None) -> None:
        """Add the conversation itself; None if the target has no such call."""
        metadata = (conversation or {}).get("metadata")
        self._metadata = metadata if isinstance(metadata, dict) else None

    def differs(self) -> None:
        """The last page shown, or the end of the one before it, holds the first difference: keep from there on."""
        if self._kept is None:
            self._kept = [*self._before, *self._page][:MOST_ITEMS]
            self._first = self._seen - len(self._before) - len(self._page)

    def missing(self) -> None:
        """The target does not know the conversation."""
        self.found = False

    def packed(self) -> dict[str, Any]:
        """Columns of a ``ReviewReading``: without a difference, the last items that were read."""
        self.differs()
        lines: list[JsonObject] = []
        room = MOST_BYTES - len(_json(self._metadata))
        for item in self._kept or ():
            size = len(_json(item))
            line: JsonObject = {"item": item, "size": size} if size <= ITEM_BYTES else {"size": size}
            room -= size if "item" in line else 0
            if room < 0:
                break
            lines.append(line)
        return {
            "conversation_id": self.conversation_id,
            "found": self.found,
            "first_item": self._first,
            "kept_count": len(lines),
            "item_count": self._seen,
            "payload": payload_compress(_json({"items": lines, "metadata": self._metadata})),
        }


def reading_unpack(payload: bytes, *, first_item: int) -> Kept:
    """What was packed."""
    stored = json.loads(payload_decompress(payload))
    items = (
        KeptItem(place, line.get("item"), line["size"])
        for place, line in enumerate(stored["items"], start=first_item)
    )
    return Kept(tuple(items), stored["metadata"])


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
