"""What reads see of a conversation while a change is still on its way to them. Pure: the time is handed in.

Appends and single items answer at once and truthfully; it is lists that lag, and reads of a conversation just made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from console.sandbox.faults import Kind
from console.sandbox.store import Shelf, Stored

Spans = tuple[tuple[float, float], ...]

_IN_ORDER = frozenset({Kind.LIST_LAG, Kind.LIST_GROWS})
_LISTS = (Kind.LIST_LAG, Kind.LIST_GROWS, Kind.LIST_NEWEST_FIRST, Kind.LIST_FLICKERS)


@dataclass(frozen=True, slots=True)
class Lag:
    """When lists leave an item out. `in_order`: what stands after it waits too, so that lists only grow."""

    spans: Spans
    in_order: bool

    def hides(self, now: float) -> bool:
        """Tell whether lists leave it out now."""
        return _within(self.spans, now)


@dataclass(slots=True)
class View:
    """One conversation as reads see it."""

    lags: dict[str, Lag] = field(default_factory=dict)  # by item id
    ghosts: dict[int, tuple[Stored, Spans]] = field(default_factory=dict)  # deleted, by their places
    unread_until: float = 0.0
    unknown_until: float = 0.0
    deleted_at: float = 0.0  # reads still find a deleted conversation until then

    def created(self, manners: Mapping[str, float], now: float) -> None:
        """The conversation was made by a request with these manners."""
        self.unread_until = now + manners.get(Kind.READ_LAG, 0.0)
        self.unknown_until = now + manners.get(Kind.CREATE_LAG, 0.0)

    def deleted(self, manners: Mapping[str, float], now: float) -> None:
        """The conversation was deleted."""
        for kind in _LISTS:
            self.deleted_at = max(self.deleted_at, now + manners.get(kind, 0.0))

    def appended(self, item_ids: Sequence[str], manners: Mapping[str, float], now: float) -> None:
        """These items were appended."""
        for kind in _LISTS:
            if kind not in manners:
                continue
            for place, item_id in enumerate(item_ids):
                spans = _hidden(kind, place, len(item_ids), now, manners[kind])
                self.lags[item_id] = Lag(spans, in_order=kind in _IN_ORDER)
            return

    def removed(self, place: int, entry: Stored, manners: Mapping[str, float], now: float) -> None:
        """This item was deleted from that place."""
        self.lags.pop(entry.id, None)
        for kind in _LISTS:
            if kind in manners:
                self.ghosts[place] = (entry, _still_shown(kind, now, manners[kind]))
                return

    def listed(self, items: Shelf, now: float) -> Shelf:
        """Return the items as lists show them now. Cursors of items that are left out stay valid."""
        self._forget(now)
        if not self.lags and not self.ghosts:
            return items
        hidden: set[str] = set()
        waiting = False
        for entry in items:
            lag = self.lags.get(entry.id)
            hides = lag is not None and lag.hides(now)
            if hides or waiting:
                hidden.add(entry.id)
            waiting = waiting or (hides and lag is not None and lag.in_order)
        ghosts = {place: entry for place, (entry, spans) in self.ghosts.items() if _within(spans, now)}
        return items.seen(hidden, ghosts)

    def is_known(self, now: float, *, reading: bool) -> bool:
        """Tell whether a request finds the conversation that was made."""
        return now >= max(self.unknown_until, self.unread_until if reading else 0.0)

    def _forget(self, now: float) -> None:
        """Drop what is over, so that lists are cheap again."""
        for item_id in [item_id for item_id, lag in self.lags.items() if _over(lag.spans, now)]:
            del self.lags[item_id]
        for place in [place for place, (_, spans) in self.ghosts.items() if _over(spans, now)]:
            del self.ghosts[place]


def _hidden(kind: Kind, place: int, count: int, now: float, seconds: float) -> Spans:
    if kind is Kind.LIST_GROWS:
        return ((now, now + seconds * (place + 1) / count),)
    if kind is Kind.LIST_NEWEST_FIRST:
        return ((now, now + seconds * (count - place) / count),)
    if kind is Kind.LIST_FLICKERS:
        return ((now + seconds / 3, now + seconds),)
    return ((now, now + seconds),)


def _still_shown(kind: Kind, now: float, seconds: float) -> Spans:
    if kind is Kind.LIST_FLICKERS:
        return ((now, now + seconds / 3), (now + seconds * 2 / 3, now + seconds))
    return ((now, now + seconds),)


def _within(spans: Spans, now: float) -> bool:
    return any(start <= now < end for start, end in spans)


def _over(spans: Spans, now: float) -> bool:
    return all(end <= now for _, end in spans)
