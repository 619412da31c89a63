"""A conversation as read back, compared with what was planned and recorded: items, their ids, metadata.

What a target does not show can't be compared: it is listed, so that the caller can report it. Imports only
``contracts`` and this package.
"""

from __future__ import annotations

import collections
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from migration_app.contracts import MAX_ITEMS_PER_CALL, Difference, Finding, JsonObject, PlannedItem
from migration_app.conversion.comparison.canonical import ItemsComparison, canonical_line
from migration_app.conversion.findings.notes import Notes
from migration_app.conversion.text import label, labels, same_json, shape_of

METADATA = "metadata"
ITEM_IDS = "item_ids"

NOT_SHOWN = {METADATA: "metadata_not_shown", ITEM_IDS: "item_ids_not_shown"}
"""The finding for each thing that a target may not show."""


class Bodies:
    """The items of a plan as sent; can be iterated repeatedly."""

    def __init__(self, items: Iterable[PlannedItem]) -> None:
        """``items``: can be iterated more than once."""
        self._items = items

    def __iter__(self) -> Iterator[JsonObject]:
        return (planned.item for planned in self._items)


def listed_id(item: JsonObject) -> str:
    """The target's id of an item; empty if it gives none."""
    item_id = item.get("id")
    return item_id if isinstance(item_id, str) else ""


class ConversationComparison:
    """One conversation's items page by page, then its metadata, against what it should be."""

    def __init__(
        self,
        planned: Iterable[JsonObject],
        *,
        item_ids: Iterable[str] = (),
        metadata: Mapping[str, str] | None = None,
        keep_ids_from: int | None = None,
    ) -> None:
        """``planned`` may be iterated twice. ``item_ids``: as recorded, in order; empty where none is known.

        ``metadata``: as planned; None where it is not to be compared. ``keep_ids_from``: from which place on
        ``kept_ids`` holds the target's ids of items; None for none.
        """
        self._planned = planned
        self._items = ItemsComparison(planned)
        self._recorded = iter(item_ids)
        self._other_id: Difference | None = None
        self._wanted = metadata
        self._metadata: Difference | None = None
        self._only_added = False
        self._not_shown: dict[str, None] = {}
        self._keep_ids_from = keep_ids_from
        self.kept_ids: list[str] = []

    @property
    def same(self) -> int:
        """How many items from the start are as planned."""
        return self._items.same

    @property
    def seen(self) -> int:
        """How many items were found."""
        return self._items.seen

    @property
    def only_missing(self) -> bool:
        """Whether all items that were found are planned, and a planned one was not; known with the difference."""
        return self._items.only_missing

    def is_exactly(self, count: int) -> bool:
        """Whether the first ``count`` items as planned are there, and nothing else."""
        return self.same == self.seen == count

    @property
    def not_shown(self) -> tuple[str, ...]:
        """What the target does not show, so that it could not be compared: METADATA, ITEM_IDS."""
        return tuple(self._not_shown)

    @property
    def wants_metadata(self) -> bool:
        """Whether the metadata is to be compared too."""
        return self._wanted is not None

    def see(self, page: Iterable[JsonObject]) -> None:
        """Add the next page, oldest item first."""
        for item in page:
            place = self._items.seen
            self._items.see((item,))
            if self._keep_ids_from is not None and place >= self._keep_ids_from:
                self.kept_ids.append(listed_id(item))
            if self._items.same == place + 1:
                self._see_id(place, next(self._recorded, ""), listed_id(item))

    def see_metadata(self, conversation: JsonObject | None) -> None:
        """Add the conversation itself as the target returns it; None if the target has no such call."""
        wanted = self._wanted or {}
        found = conversation.get("metadata") if conversation is not None else None
        if found is None:
            if wanted:
                self._not_shown[METADATA] = None
            return
        text = _metadata_text(wanted, found)
        if text:
            expected: JsonObject = {"metadata": dict(wanted)}
            self._metadata = Difference(self._items.seen, text, expected, {"metadata": found})
            self._only_added = isinstance(found, dict) and not any(
                not same_json(value, found.get(name)) for name, value in wanted.items()
            )

    def items_difference(self) -> Difference | None:
        """The first difference of items or of their ids, once the last page was seen."""
        difference = self._items.difference()
        if difference is None:
            return self._other_id
        repeated = self.repeated
        if not repeated:
            return difference
        text = f"{difference.text}; {repeated} of these are there twice"
        return Difference(difference.position, text, difference.expected, difference.found)

    @property
    def repeated(self) -> int:
        """How many of the unplanned items equal a planned one, once the last page was seen."""
        return self._items.repeated(self._planned)

    @property
    def other_id(self) -> Difference | None:
        """The first item with the planned content and another id than recorded."""
        return self._other_id

    @property
    def metadata_difference(self) -> Difference | None:
        """The metadata's difference, once it was seen."""
        return self._metadata

    @property
    def metadata_only_added(self) -> bool:
        """Whether all planned pairs are in the metadata, and others besides."""
        return self._only_added

    def difference(self) -> Difference | None:
        """The first difference of all; None when everything that the target shows is as planned."""
        return self.items_difference() or self._metadata

    def _see_id(self, place: int, recorded: str, found: str) -> None:
        if not recorded:
            return
        if not found:
            self._not_shown[ITEM_IDS] = None
        elif found != recorded and self._other_id is None:
            self._other_id = Difference(
                place,
                f"item {place + 1} is not the one that was appended: its content is the same, but its id is "
                f"{label(found)}, and {label(recorded)} was recorded",
                {"id": recorded},
                {"id": found},
            )


def _metadata_text(wanted: Mapping[str, str], found: object) -> str:
    """What is wrong with the metadata, by its keys; empty if nothing is."""
    if not isinstance(found, dict):
        return f"the conversation's metadata is {shape_of(found)}"
    missing = [name for name in wanted if name not in found]
    other = [name for name in wanted if name in found and not same_json(wanted[name], found[name])]
    added = [name for name in found if name not in wanted]
    groups = ((missing, "missing"), (other, "another value"), (added, "not planned"))
    text = "; ".join(f"{what}: {labels(names)}" for names, what in groups if names)
    return f"the conversation's metadata differs ({text})" if text else ""


def not_shown_findings(thread_id: str, names: Iterable[str]) -> tuple[Finding, ...]:
    """What verification could not compare, as findings about the thread."""
    notes = Notes("thread", thread_id)
    for name in names:
        notes.add(NOT_SHOWN[name])
    return tuple(notes.findings)


class Repeats:
    """Finds chunks repeated after all that was sent: an append that acted twice, as opposed to an
    application that continued.

    An application may repeat a text, so a single item counts only directly after
    what was sent (or after another repeat): that is where a late append leaves it.
    """

    def __init__(self, chunks: Iterable[tuple[int, str]]) -> None:
        """``chunks``: how many items each has, and the fingerprint of these."""
        self._chunks: Mapping[int, frozenset[str]] | None = None
        self._given = chunks
        self._last: collections.deque[bytes] = collections.deque(maxlen=MAX_ITEMS_PER_CALL)
        self._seen = self._next_to = self._count = 0

    @property
    def count(self) -> int:
        """How many items are repeated."""
        return self._count

    def see(self, items: Sequence[JsonObject]) -> None:
        """Add the next items after those that were sent."""
        for item in items:
            self._seen += 1
            self._last.append(canonical_line(item))
            self._settle()

    def _settle(self) -> None:
        if self._chunks is None:
            sizes: dict[int, set[str]] = collections.defaultdict(set)
            for size, digest in self._given:
                sizes[size].add(digest)
            self._chunks = {size: frozenset(sizes[size]) for size in sorted(sizes, reverse=True)}
        for size, digests in self._chunks.items():
            begin = self._seen - size
            if size > len(self._last) or (size == 1 and begin != self._next_to):
                continue
            lines = itertools.islice(self._last, len(self._last) - size, None)
            if hashlib.sha256(b"".join(lines)).hexdigest() in digests:
                self._count += size
                self._next_to = self._seen
                self._last.clear()
                return
