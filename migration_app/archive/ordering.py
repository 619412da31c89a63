"""The order of a thread's messages, runs and steps, from how dumps list them.

The API lists newest first, its timestamps have whole seconds, and several objects may share one: inside a
second only the list's order tells, turned round where the list was. So an order is never a plain sort.
Standard library only.
"""

from __future__ import annotations

import bisect
import collections
import dataclasses
from collections.abc import Iterable, Sequence

from migration_app.archive.times import seconds_of
from migration_app.contracts import JsonObject, ListingOrder


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """What one origin lists, in its order. ``order`` is what is known of its direction from elsewhere.

    ``trusted``: the direction was asked for (live listings), so timestamps need not confirm it.
    """

    objects: tuple[JsonObject, ...]
    order: ListingOrder = "unknown"
    trusted: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Ordered:
    """Objects oldest first. ``sorted_by_time``: the list had no direction. ``uncertain``: a guess was needed."""

    objects: tuple[JsonObject, ...]
    sorted_by_time: bool = False
    uncertain: bool = False


def direction_evidence(objects: Iterable[JsonObject]) -> tuple[int, int]:
    """How often a neighbour is newer, and how often older, than the one before it."""
    rising = falling = 0
    before: float | None = None
    for value in objects:
        time = seconds_of(value.get("created_at"))
        if time is None:
            continue
        if before is not None:
            rising += time > before
            falling += time < before
        before = time
    return rising, falling


def listing_ordered(listing: Listing) -> Ordered:
    """One listing, oldest first."""
    objects = listing.objects
    if len(objects) < 2:
        return Ordered(objects)
    if listing.trusted and listing.order != "unknown":
        return Ordered(objects if listing.order == "asc" else objects[::-1])
    rising, falling = direction_evidence(objects)
    if rising and falling:
        return _by_time(listing, rising, falling)
    if rising or (not falling and listing.order == "asc"):
        return Ordered(objects)
    if falling or listing.order == "desc":
        return Ordered(objects[::-1])
    return Ordered(objects, uncertain=True)


def _by_time(listing: Listing, rising: int, falling: int) -> Ordered:
    objects = listing.objects
    if falling > rising or (falling == rising and listing.order == "desc"):
        objects = objects[::-1]
    times = _filled_times(objects)
    order = sorted(range(len(objects)), key=times.__getitem__)
    shared = collections.Counter(times)
    return Ordered(
        tuple(objects[index] for index in order),
        sorted_by_time=True,
        uncertain=any(count > 1 for count in shared.values()),
    )


def _filled_times(objects: Sequence[JsonObject]) -> list[float]:
    """Seconds of each object; one without a timestamp has its neighbour's."""
    known = [seconds_of(value.get("created_at")) for value in objects]
    latest = next((time for time in known if time is not None), 0.0)
    filled = []
    for time in known:
        latest = latest if time is None else time
        filled.append(latest)
    return filled


def listings_merged(listings: Sequence[Listing]) -> Ordered:
    """Several listings of one thread, oldest first, each id once.

    A later listing's new objects go where their timestamps say; where these don't tell, behind the object
    that stands before them in their own listing.
    """
    merged: list[JsonObject] = []
    sorted_by_time = uncertain = False
    for listing in listings:
        ordered = listing_ordered(listing)
        sorted_by_time |= ordered.sorted_by_time
        uncertain |= ordered.uncertain
        if merged:
            _insert(merged, ordered.objects)
        else:
            merged = list(ordered.objects)
    return Ordered(tuple(merged), sorted_by_time, uncertain)


def _insert(merged: list[JsonObject], newer: Sequence[JsonObject]) -> None:
    """Put the objects of ``newer`` that ``merged`` lacks where they belong. O(n) each: grown dumps are short."""
    known = {value["id"] for value in merged}
    if all(value["id"] in known for value in newer):
        return
    timed = any(seconds_of(value.get("created_at")) is not None for value in newer)
    times = _filled_times(newer) if timed else [float("inf")] * len(newer)
    steady: list[float] = []
    for time in _filled_times(merged):
        steady.append(max(time, steady[-1]) if steady else time)
    before: str | None = None
    for place, (value, time) in enumerate(zip(newer, times, strict=True)):
        if value["id"] not in known:
            at = _place(merged, steady, before, time, _first_known(newer, place, known))
            merged.insert(at, value)
            steady.insert(at, time if timed else (steady[at - 1] if at else steady[0]))
            known.add(value["id"])
        before = value["id"]


def _first_known(newer: Sequence[JsonObject], place: int, known: set[str]) -> str | None:
    return next((value["id"] for value in newer[place:] if value["id"] in known), None)


def _place(
    merged: list[JsonObject], steady: list[float], before: str | None, time: float, after: str | None
) -> int:
    untimed = time == float("inf")
    low = 0 if untimed else bisect.bisect_left(steady, time)
    high = len(merged) if untimed else bisect.bisect_right(steady, time)
    if before is not None:
        behind = _index(merged, before) + 1
        if low <= behind <= high:
            return behind
    if after is not None:
        at = _index(merged, after)
        if low <= at <= high:
            return at
    return high


def _index(merged: list[JsonObject], object_id: str) -> int:
    # From the end: what is new nearly always stands there.
    return next(at for at in range(len(merged) - 1, -1, -1) if merged[at]["id"] == object_id)
