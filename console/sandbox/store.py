"""The state: what was seeded on the source side, what was made on the target side. In memory, in this process.

All changes happen inside one synchronous handler, so no request ever sees half of another's. Knows nothing of
HTTP beyond the 404 of an unknown cursor.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from console.sandbox.errors import not_found
from console.sandbox.rules import PageQuery
from console.sandbox.wire import Json


@dataclass(frozen=True, slots=True)
class Stored:
    """One object as JSON bytes, with the few fields that are read after it was stored."""

    id: str
    raw: bytes
    label: str  # the object name of a source object, the type of an item
    ref: str | None = None  # a message's run id; a function item's call id; a code call's container id
    created_at: int | None = None
    # A run step without the file search contents, which must be asked for; None: nothing to leave out.
    lean: bytes | None = None


class Shelf:
    """Objects in their order, oldest first, with their places by id: a cursor costs one lookup."""

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._entries: list[Stored | None] = []  # None: was here, was removed; keeps the other places valid
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Stored]:
        return (entry for entry in self._entries if entry is not None)

    def __contains__(self, object_id: object) -> bool:
        return object_id in self._places

    def get(self, object_id: str) -> Stored | None:
        """Return the object with that id, if it is here."""
        place = self._places.get(object_id)
        return None if place is None else self._entries[place]

    def put(self, entry: Stored) -> None:
        """Add at the end; an object with a known id is replaced where it stands."""
        place = self._places.get(entry.id)
        if place is None:
            self._places[entry.id] = len(self._entries)
            self._entries.append(entry)
        else:
            self._entries[place] = entry

    def remove(self, object_id: str) -> Stored | None:
        """Take an object out and return it."""
        place = self._places.pop(object_id, None)
        if place is None:
            return None
        entry, self._entries[place] = self._entries[place], None
        return entry

    def place(self, object_id: str) -> int | None:
        """Return where that object stands, if it is here."""
        return self._places.get(object_id)

    def seen(self, hidden: Collection[str], others: Mapping[int, Stored]) -> "Shelf":
        """Return a shelf without some and with others at places that are free; all places stay as they are."""
        view = Shelf(self.noun)
        view._entries = [
            entry if entry is None or entry.id not in hidden else None for entry in self._entries
        ]
        view._places = dict(self._places)
        for place, entry in others.items():
            view._entries[place] = entry
            view._places.setdefault(entry.id, place)
        return view

    def settle(self, start: int) -> None:
        """Bring what was added from place `start` on into order: oldest first, list order inside a second."""
        added = [entry for entry in self._entries[start:] if entry is not None]
        entries = [entry for entry in self._entries[:start] if entry is not None] + oldest_first(added)
        entries = [entry for _, entry in sorted(_with_times(entries), key=lambda pair: pair[0])]
        self._entries = list(entries)
        self._places = {entry.id: place for place, entry in enumerate(entries)}

    @property
    def end(self) -> int:
        """The place the next new object gets: what `settle` wants to know."""
        return len(self._entries)

    def page(
        self, query: PageQuery, keep: Callable[[Stored], bool] | None = None
    ) -> tuple[list[Stored], bool]:
        """Return one page in the order asked for, and whether more follows; 404 for an unknown cursor."""
        low, high = 0, len(self._entries)
        ascending = query.order == "asc"
        if query.after is not None:
            place = self._place(query.after, "after")
            low, high = (place + 1, high) if ascending else (low, place)
        if query.before is not None:
            place = self._place(query.before, "before")
            low, high = (low, min(high, place)) if ascending else (max(low, place + 1), high)
        # "before" alone means the page that ends there, so it is gathered from its end.
        backwards = query.before is not None and query.after is None
        places = range(low, high) if ascending != backwards else range(high - 1, low - 1, -1)
        found: list[Stored] = []
        has_more = False
        for place in places:
            entry = self._entries[place]
            if entry is None or (keep is not None and not keep(entry)):
                continue
            if len(found) == query.limit:
                has_more = True
                break
            found.append(entry)
        if backwards:
            found.reverse()
        return found, has_more

    def _place(self, cursor: str, param: str) -> int:
        # Recorded in September 2026: status, type, param and wording, also for a cursor deleted meanwhile.
        place = self._places.get(cursor)
        if place is None:
            raise not_found(f"No {self.noun} found with id '{cursor}'.", param=param)
        return place


@dataclass(slots=True)
class Conversation:
    """A conversation; a deleted one stays here, because its items stay."""

    id: str
    created_at: int
    metadata: dict[str, str]
    items: Shelf = field(default_factory=lambda: Shelf("item"))
    deleted: bool = False

    def as_json(self) -> Json:
        """Return the object as the API shows it."""
        return {
            "id": self.id,
            "object": "conversation",
            "created_at": self.created_at,
            "metadata": self.metadata,
        }


def shelves(noun: str) -> defaultdict[str, Shelf]:
    """Return one shelf for each owner, made when first asked for."""
    return defaultdict(lambda: Shelf(noun))


@dataclass(slots=True)
class Source:
    """What an Assistants account holds."""

    assistants: Shelf = field(default_factory=lambda: Shelf("assistant"))
    threads: Shelf = field(default_factory=lambda: Shelf("thread"))
    files: Shelf = field(default_factory=lambda: Shelf("file"))
    vector_stores: Shelf = field(default_factory=lambda: Shelf("vector store"))
    models: Shelf = field(default_factory=lambda: Shelf("model"))
    messages: defaultdict[str, Shelf] = field(default_factory=lambda: shelves("message"))  # by thread id
    runs: defaultdict[str, Shelf] = field(default_factory=lambda: shelves("run"))  # by thread id
    steps: defaultdict[str, Shelf] = field(default_factory=lambda: shelves("run step"))  # by run id


@dataclass(slots=True)
class Target:
    """What the Conversations API holds; `items` are those of all conversations, of deleted ones too."""

    conversations: dict[str, Conversation] = field(default_factory=dict)
    items: dict[str, Stored] = field(default_factory=dict)
    homes: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))  # conversations of an item
    responses: set[str] = field(default_factory=set)  # ids of stored ones

    def link(self, conversation: Conversation, entries: Iterable[Stored]) -> None:
        """Append items, new ones or ones from elsewhere, to a conversation."""
        for entry in entries:
            self.items.setdefault(entry.id, entry)
            self.homes[entry.id] += 1
            conversation.items.put(entry)

    def unlink(self, conversation: Conversation, item_id: str) -> Stored | None:
        """Take an item out; it is forgotten, and its id free again, when no conversation holds it any more."""
        entry = conversation.items.remove(item_id)
        if entry is not None:
            self.homes[item_id] -= 1
            if not self.homes[item_id]:
                del self.homes[item_id], self.items[item_id]
        return entry

    def forget(self, conversation: Conversation) -> None:
        """Lose a conversation with all its items, as if it had never been here."""
        for entry in list(conversation.items):
            self.unlink(conversation, entry.id)
        self.conversations.pop(conversation.id, None)


def oldest_first(entries: list[Stored]) -> list[Stored]:
    """Turn a list round that was taken newest first (the API's default, so most dumps); ties keep their order."""
    times = [entry.created_at for entry in entries if entry.created_at is not None]
    rises = sum(later > earlier for earlier, later in pairwise(times))
    falls = sum(later < earlier for earlier, later in pairwise(times))
    return entries[::-1] if falls > rises else entries


def _with_times(entries: list[Stored]) -> Iterator[tuple[int, Stored]]:
    """Pair each object with its time; one without a time belongs to the one before it."""
    time = 0
    for entry in entries:
        time = time if entry.created_at is None else entry.created_at
        yield time, entry
