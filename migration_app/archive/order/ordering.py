"""The order of a thread's messages, runs and steps, from how dumps list them.

The API lists newest first, its timestamps have whole seconds, and several objects may share one: within a
second only the list's order decides, reversed if the list is newest first. So an order is never a plain sort.
Imports only ``spill`` and this package.
"""

from __future__ import annotations

import bisect
import collections
import dataclasses
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from migration_app.archive.order.listed import NO_CLUES, Clues, Listed
from migration_app.archive.order.ties import lists_directed, ties_settled
from migration_app.archive.times import seconds_of
from migration_app.contracts import JsonObject, ListingOrder
from migration_app.spill import is_spilled


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """The objects of one origin, in its order. ``order`` is the direction known from elsewhere.

    ``trusted``: the direction was requested (live listings), so timestamps need not confirm it. ``pages``: the lists
    in it, each in its own order; their sequence has no meaning.
    """

    objects: Sequence[Listed]
    order: ListingOrder = "unknown"
    trusted: bool = False
    pages: Sequence[Sequence[Listed]] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Ordered:
    """Objects oldest first. ``sorted_by_time``: the list had no direction. ``uncertain``: a guess was needed."""

    objects: Sequence[Listed]
    sorted_by_time: bool = False
    uncertain: bool = False


def direction_evidence(objects: Iterable[JsonObject]) -> tuple[int, int]:
    """How often an object is newer, and how often older, than the one before it."""
    return times_evidence(seconds_of(value.get("created_at")) for value in objects)


def times_evidence(times: Iterable[float | None]) -> tuple[int, int]:
    """The same of times alone."""
    rising = falling = 0
    before: float | None = None
    for time in times:
        if time is None:
            continue
        if before is not None:
            if time > before:
                rising += 1
            elif time < before:
                falling += 1
        before = time
    return rising, falling


def listing_direction(listing: Listing) -> ListingOrder | None:
    """The direction of a whole listing; unknown if nothing decides, None if it has none."""
    if listing.trusted and listing.order != "unknown":
        return listing.order
    rising, falling = times_evidence(found.time for found in listing.objects)
    if rising and falling:
        return None
    return "asc" if rising else "desc" if falling else listing.order


def listing_ordered(listing: Listing) -> Ordered:
    """One listing, oldest first."""
    objects = listing.objects
    if len(objects) < 2:
        return Ordered(objects)
    direction = listing_direction(listing)
    if direction is None:
        return _by_time(listing, *times_evidence(found.time for found in objects))
    return Ordered(objects[::-1] if direction == "desc" else objects, uncertain=direction == "unknown")


def _by_time(listing: Listing, rising: int, falling: int) -> Ordered:
    objects = listing.objects
    if falling > rising or (falling == rising and listing.order == "desc"):
        objects = objects[::-1]
    times = _filled_times(objects)
    order = sorted(range(len(objects)), key=times.__getitem__)
    shared = collections.Counter(times)
    return Ordered(
        [objects[index] for index in order],
        sorted_by_time=True,
        uncertain=any(count > 1 for count in shared.values()),
    )


def _filled_times(objects: Sequence[Listed]) -> list[float]:
    """Seconds of each object; one without a timestamp has its neighbour's."""
    latest = next((found.time for found in objects if found.time is not None), 0.0)
    filled = []
    for found in objects:
        latest = latest if found.time is None else found.time
        filled.append(latest)
    return filled


def listings_merged(listings: Sequence[Listing], clues_of: Callable[[], Clues] = lambda: NO_CLUES) -> Ordered:
    """Several listings of one thread, oldest first, each id once.

    A later listing's new objects are placed by their timestamps. If these don't decide, the lists themselves and
    clues do, which are computed then; else the order is uncertain.
    """
    single = listings[0] if len(listings) == 1 else None
    if single is not None and listing_direction(single) in {"asc", "desc"}:
        return listing_ordered(single)
    if is_spilled(*(listing.objects for listing in listings)):
        listings = _in_memory(listings)
    clues = clues_of()
    hard, open_lists = chains_of(listings)
    lists = lists_directed([*hard, *clues.chains], open_lists, clues)
    merged: list[Listed] = []
    sorted_by_time = False
    for listing in listings:
        ordered = listing_ordered(listing)
        sorted_by_time |= ordered.sorted_by_time
        if merged:
            _insert(merged, ordered.objects)
        else:
            merged = list(ordered.objects)
    objects, uncertain = ties_settled(merged, _levels(merged), lists, clues)
    return Ordered(objects, sorted_by_time, uncertain)


def _in_memory(listings: Sequence[Listing]) -> list[Listing]:
    """The same listings, each object decoded once: what follows compares them many times."""
    known: dict[str, Listed] = {}

    def decoded(objects: Sequence[Listed]) -> list[Listed]:
        return [known.setdefault(found.id, found) for found in objects]

    return [
        dataclasses.replace(
            listing, objects=decoded(listing.objects), pages=[decoded(page) for page in listing.pages]
        )
        for listing in listings
    ]


def chains_of(listings: Sequence[Listing]) -> tuple[list[Sequence[Listed]], list[Sequence[Listed]]]:
    """Lists known to be oldest first, and lists of unknown direction.

    A listing that has no direction as a whole may hold pages that have one.
    """
    known: list[Sequence[Listed]] = []
    either: list[Sequence[Listed]] = []
    for listing in listings:
        for objects, direction in _directed(listing):
            if direction == "unknown":
                either.append(objects)
            elif direction is not None:
                known.append(objects[::-1] if direction == "desc" else objects)
    return known, either


def _directed(listing: Listing) -> Iterator[tuple[Sequence[Listed], ListingOrder | None]]:
    """A listing with its direction, or the pages in it, each with its own; one that shows none has the others'."""
    direction = listing_direction(listing)
    if direction is not None:
        yield listing.objects, direction
        return
    own = [listing_direction(Listing(objects)) for objects in listing.pages]
    told = {found for found in own if found in {"asc", "desc"}}
    shared = listing.order if not told else told.pop() if len(told) == 1 else "unknown"
    for objects, found in zip(listing.pages, own, strict=True):
        yield objects, shared if found == "unknown" else found


def _levels(merged: Sequence[Listed]) -> list[float]:
    """The second of each object in an order: it never falls, and one without a time has its neighbour's."""
    return list(itertools.accumulate(_filled_times(merged), max))


def _insert(merged: list[Listed], newer: Sequence[Listed]) -> None:
    """Insert the objects of ``newer`` that ``merged`` lacks."""
    known = {found.id for found in merged}
    if all(found.id in known for found in newer):
        return
    timed = any(found.time is not None for found in newer)
    times = _filled_times(newer) if timed else [float("inf")] * len(newer)
    steady = _levels(merged)
    following = _following(newer, known)
    before: str | None = None
    last = len(merged)  # position of the object before, if known
    for place, (found, time) in enumerate(zip(newer, times, strict=True)):
        if found.id in known:
            before, last = found.id, last + 1
            continue
        low = bisect.bisect_left(steady, time) if timed else 0
        high = bisect.bisect_right(steady, time) if timed else len(merged)
        at = _place(merged, (before, following[place]), last, low, high)
        merged.insert(at, found)
        steady.insert(at, time if timed else (steady[at - 1] if at else steady[0]))
        known.add(found.id)
        before, last = found.id, at


def _following(newer: Sequence[Listed], known: Collection[str]) -> list[str | None]:
    """For each object, the next known one."""
    following: list[str | None] = []
    after: str | None = None
    for found in reversed(newer):
        after = found.id if found.id in known else after
        following.append(after)
    return following[::-1]


def _place(
    merged: Sequence[Listed], neighbours: tuple[str | None, str | None], last: int, low: int, high: int
) -> int:
    """After its predecessor, else before its successor, as far as the times allow."""
    before, after = neighbours
    if before is not None:
        behind = _index(merged, before, last) + 1
        if low <= behind <= high:
            return behind
    if after is not None:
        at = _index(merged, after, last + 1)
        if low <= at <= high:
            return at
    return high


def _index(merged: Sequence[Listed], object_id: str, likely: int) -> int:
    if likely < len(merged) and merged[likely].id == object_id:
        return likely
    # From the end: new objects are nearly always there.
    return next(at for at in range(len(merged) - 1, -1, -1) if merged[at].id == object_id)
