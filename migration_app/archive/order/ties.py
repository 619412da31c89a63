"""Objects of one second: ordered by what the data shows, and reported as uncertain otherwise.

Timestamps have whole seconds. Within one, what decides is a list that holds both objects, or a clue: the runs that
made them, the steps that made messages, the page that leaves no gap between its objects. Standard library only.
"""

from __future__ import annotations

import collections
import dataclasses
import heapq
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

from migration_app.archive.order.listed import Clues, Listed

_Places = Mapping[str, Mapping[int | str, float]]


@dataclasses.dataclass(frozen=True, slots=True)
class Lists:
    """Lists oldest first (``known``), and those of unknown direction, as received."""

    known: Sequence[Sequence[Listed]]
    open: Sequence[Sequence[Listed]]


def lists_directed(
    known: Sequence[Sequence[Listed]], either: Sequence[Sequence[Listed]], clues: Clues
) -> Lists:
    """Reverse the lists whose direction two of their objects show: one ordered pair orders the whole list."""
    told, waiting = list(known), [objects for objects in either if len(objects) > 1]
    while waiting:
        places = _places(told)
        rest: list[Sequence[Listed]] = []
        for objects in waiting:
            forward, backward = _evidence(objects, places, clues)
            if forward == backward:
                rest.append(objects)
            else:
                told.append(objects if forward else objects[::-1])
        if len(rest) == len(waiting):
            break
        waiting = rest
    return Lists(told, [_as_talk_goes(objects) for objects in waiting])


def ties_settled(
    merged: Sequence[Listed], levels: Sequence[float], lists: Lists, clues: Clues
) -> tuple[list[Listed], bool]:
    """The same objects, those of one level in the order of the data; and whether any of it is a guess."""
    places = _places(lists.known)
    guesses = _places(lists.open)
    page_places = _places(clues.pages)
    spans = [_Span.of(page) for page in clues.pages]
    settled: list[Listed] = []
    uncertain = False
    for _level, entries in itertools.groupby(zip(levels, merged, strict=True), key=lambda entry: entry[0]):
        group = [found for _own, found in entries]
        tie = _Tie(group, places, guesses, clues, _edges_of_pages(group, spans, page_places))
        ordered = tie.ordered()
        settled += ordered
        uncertain |= tie.contradicts or not tie.is_in_order(ordered)
        if len(settled) > len(ordered):
            pair = settled[-len(ordered) - 1], ordered[0]
            uncertain |= not tie.is_decided(*pair) and not clues.indifferent(*pair)
    return settled, uncertain


def _as_talk_goes(objects: Sequence[Listed]) -> Sequence[Listed]:
    """The likelier direction of a list without one: objects that open come first."""
    return objects[::-1] if objects[-1].opens and not objects[0].opens else objects


def _places(lists: Sequence[Sequence[Listed]]) -> _Places:
    """For each object, its place in each of the lists that hold it."""
    places: dict[str, dict[int | str, float]] = collections.defaultdict(dict)
    for number, objects in enumerate(lists):
        for place, found in enumerate(objects):
            places[found.id][number] = place
    return places


def _evidence(objects: Sequence[Listed], places: _Places, clues: Clues) -> tuple[bool, bool]:
    """Whether other lists and clues show that a list is in order, and whether that it is reversed."""
    forward = backward = False
    last: dict[int | str, float] = {}
    for found in objects:
        known: list[tuple[int | str, float]] = [*places.get(found.id, {}).items(), *clues.scales(found)]
        for scale, place in known:
            before = last.setdefault(scale, place)
            forward |= place > before
            backward |= place < before
            last[scale] = place
    return forward, backward


@dataclasses.dataclass(frozen=True, slots=True)
class _Span:
    """The contents of a page, and the seconds that it spans."""

    ids: Collection[str]
    oldest: float
    newest: float

    @classmethod
    def of(cls, page: Sequence[Listed]) -> _Span:
        """Scan a page once: the second of each object may be needed."""
        times = [found.time for found in page if found.time is not None] or [0.0]
        return cls(frozenset(found.id for found in page), min(times), max(times))


def _edges_of_pages(
    group: Sequence[Listed], spans: Sequence[_Span], page_places: _Places
) -> dict[str, dict[int | str, float]]:
    """For each object of a second, its places on the scales of pages that span another second.

    A page is one piece of the whole list. Where it holds something newer than this second, its objects of this
    second are the second's last; where it holds something older, they are its first.
    """
    time = group[0].time
    edges: dict[str, dict[int | str, float]] = {}
    if len(group) < 2 or time is None:
        return edges
    for number in {int(number) for found in group for number in page_places.get(found.id, ())}:
        span = spans[number]
        newer = span.newest > time
        if newer == (span.oldest < time):
            continue
        for found in group:
            edges.setdefault(found.id, {})[f"page {number}"] = float((found.id in span.ids) == newer)
    return edges


class _Tie:
    """The objects of one second, and what is known about their order."""

    def __init__(
        self,
        group: Sequence[Listed],
        places: _Places,
        guesses: _Places,
        clues: Clues,
        edges: _Places,
    ) -> None:
        self.contradicts = False
        self._group = group
        self._places = places
        self._guesses = guesses
        self._clues = clues
        self._edges = edges

    def is_decided(self, first: Listed, second: Listed) -> bool:
        """Whether the data shows that the first of two neighbours is earlier."""
        if first.time is not None and second.time is not None and first.time < second.time:
            return True
        mine, yours = self._known(first), self._known(second)
        shared = mine.keys() & yours.keys()
        return any(mine[scale] < yours[scale] for scale in shared) and not any(
            mine[scale] > yours[scale] for scale in shared
        )

    def is_in_order(self, objects: Sequence[Listed]) -> bool:
        """Whether every object is known to be earlier than the next one, or it makes no difference."""
        return all(
            self.is_decided(first, second) or self._clues.indifferent(first, second)
            for first, second in itertools.pairwise(objects)
        )

    def ordered(self) -> list[Listed]:
        """The objects in an order that violates nothing known; else alternating as in a dialogue."""
        if all(self.is_decided(first, second) for first, second in itertools.pairwise(self._group)):
            return list(self._group)
        guessed = [{**self._known(found), **self._guessed(found)} for found in self._group]
        found = self._sorted(guessed)
        if found is None:
            found = self._sorted([self._known(found) for found in self._group])
        if found is None:
            self.contradicts = True
            return list(self._group)
        return found

    def _known(self, found: Listed) -> dict[int | str, float]:
        return {
            **self._places.get(found.id, {}),
            **dict(self._clues.scales(found)),
            **self._edges.get(found.id, {}),
        }

    def _guessed(self, found: Listed) -> dict[int | str, float]:
        return {f"list {number}": place for number, place in self._guesses.get(found.id, {}).items()}

    def _sorted(self, known: Sequence[Mapping[int | str, float]]) -> list[Listed] | None:
        """A topological sort; None if there is a cycle."""
        after, waits = _precedence(known)
        ready: tuple[list[int], list[int]] = ([], [])
        ordered: list[Listed] = []
        opened = False
        free = [node for node, count in enumerate(waits) if count == 0]
        while free or ready[0] or ready[1]:
            for node in _reached(free, after, waits, len(self._group)):
                heapq.heappush(ready[not self._group[node].opens], node)
            free = []
            if ready[0] or ready[1]:
                node = heapq.heappop(ready[opened] or ready[not opened])
                ordered.append(self._group[node])
                opened = self._group[node].opens
                free = _released(node, after, waits)
        return ordered if len(ordered) == len(self._group) else None


def _precedence(known: Sequence[Mapping[int | str, float]]) -> tuple[list[list[int]], list[int]]:
    """The successors of each node, and its number of predecessors. Nodes after the objects are thresholds
    between two places of a scale, so that a scale of many objects costs no more than their number.
    """
    scales: dict[int | str, dict[float, list[int]]] = collections.defaultdict(
        lambda: collections.defaultdict(list)
    )
    for node, places in enumerate(known):
        for scale, place in places.items():
            scales[scale][place].append(node)
    after: list[list[int]] = [[] for _node in known]
    for levels in scales.values():
        for lower, higher in itertools.pairwise(sorted(levels)):
            threshold = len(after)
            after.append(list(levels[higher]))
            for node in levels[lower]:
                after[node].append(threshold)
    waits = [0] * len(after)
    for node in itertools.chain.from_iterable(after):
        waits[node] += 1
    return after, waits


def _released(node: int, after: Sequence[Sequence[int]], waits: list[int]) -> list[int]:
    """The nodes that waited for this one alone."""
    free = []
    for following in after[node]:
        waits[following] -= 1
        if waits[following] == 0:
            free.append(following)
    return free


def _reached(
    free: list[int], after: Sequence[Sequence[int]], waits: list[int], objects: int
) -> Iterator[int]:
    """The objects among free nodes, and those after thresholds among them."""
    while free:
        node = free.pop()
        if node < objects:
            yield node
        else:
            free += _released(node, after, waits)
