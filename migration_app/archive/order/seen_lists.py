"""The lists that a thread's pages show: by origin, and each list page by itself.

Imports only ``contracts`` and this package.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from migration_app.archive.expanded import EmptyPage, LastPage, SourceObject
from migration_app.archive.list_pages import ListPage
from migration_app.archive.order.known import KnownListed
from migration_app.archive.order.listed import Listed
from migration_app.archive.order.ordering import Listing, times_evidence
from migration_app.archive.order.unfinished import SeenPage
from migration_app.contracts import ListingOrder, SourceKind
from migration_app.spill import Numbers

LISTED: tuple[SourceKind, ...] = ("message", "run", "step")
_Known = Mapping[SourceKind, Mapping[int, Listed]]


class _Numbers:
    """The numbers of objects, in order, each once."""

    def __init__(self) -> None:
        self.ordered = Numbers()
        self._seen = bytearray()

    def add(self, number: int) -> None:
        """Add an object unless it is there."""
        if number >= len(self._seen):
            self._seen.extend(bytes(number + 64))
        if not self._seen[number]:
            self._seen[number] = True
            self.ordered.append(number)


@dataclasses.dataclass(slots=True)
class _Origin:
    """One import, or one live snapshot: numbers of its objects. ``loose``: of those outside of lists.

    ``is_talk``: the rows of a transcript that continue those of earlier imports.
    """

    order: ListingOrder = "unknown"
    live: bool = False
    is_talk: bool = False
    listed: dict[SourceKind, _Numbers] = dataclasses.field(
        default_factory=lambda: {kind: _Numbers() for kind in LISTED}
    )
    loose: dict[SourceKind, _Numbers] = dataclasses.field(
        default_factory=lambda: {kind: _Numbers() for kind in LISTED}
    )
    pages: list[_Page] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class _Page:
    """A list as received. ``page`` is referenced so that its identity stays unique."""

    kind: SourceKind
    page: ListPage
    continues: bool | None
    numbers: range | list[int] = range(0)

    def add(self, number: int) -> None:
        """Add an object. Most lists bring new ones alone, whose numbers are a range."""
        if isinstance(self.numbers, list):
            self.numbers.append(number)
        elif number == self.numbers.stop or not self.numbers:
            self.numbers = range(self.numbers.start if self.numbers else number, number + 1)
        else:
            self.numbers = [*self.numbers, number]


class SeenLists:
    """Which objects are in which list, in which order. Numbers only: objects are looked up by the caller.

    Two numbers may be known as one object. Unknown ones are skipped.
    """

    def __init__(self) -> None:
        self.talk_has_gaps = False
        """Whether rows were rejected, so that those of a later import may belong between the earlier ones."""
        self._origins: dict[str, _Origin] = {}
        self._origin = _Origin()
        self._open: dict[tuple[int, SourceKind], _Page] = {}  # by the page's identity
        self._empty: list[EmptyPage] = []
        self._last: _Page | EmptyPage | None = None

    def turn_to(self, origin: str, order: ListingOrder, *, live: bool, is_talk: bool = False) -> None:
        """The following objects are of this origin."""
        self._origin = self._origins.setdefault(origin, _Origin(live=live, is_talk=is_talk))
        if self._origin.order == "unknown":
            self._origin.order = order

    def see(self, found: SourceObject, number: int) -> None:
        """Add one occurrence of a message, run or step."""
        self._origin.listed[found.kind].add(number)
        if found.page is None:
            self._origin.loose[found.kind].add(number)
            return
        page = self._open.get((id(found.page), found.kind))
        if page is None:
            page = _Page(found.kind, found.page, found.page.continues)
            self._open[id(found.page), found.kind] = page
            self._origin.pages.append(page)
        self._last = page
        page.add(number)

    def see_empty(self, found: EmptyPage) -> None:
        """Add an empty page."""
        if not self._origin.live:
            self._empty.append(found)
            self._last = found

    def see_end(self) -> None:
        """The page seen last is the last one of its list."""
        if isinstance(self._last, EmptyPage):
            self._empty = [page for page in self._empty if page is not self._last]
        elif self._last is not None:
            self._last.continues = False

    def listings(self, kind: SourceKind, known: _Known) -> list[Listing]:
        """The objects of a kind by origin, each in its latest state."""
        return [
            Listing(
                _known(origin.listed[kind].ordered, known[kind]),
                _direction(origin, known),
                origin.live,
                [page.objects for page in _seen(origin, kind, known) if len(page.objects) > 1],
            )
            for origin in self._listing_origins()
        ]

    def _listing_origins(self) -> list[_Origin]:
        """The origins, those of one transcript as one: a known row is not stored again."""
        rows = [origin for origin in self._origins.values() if origin.is_talk]
        if len(rows) < 2 or self.talk_has_gaps:
            return list(self._origins.values())
        whole = _Origin(order=rows[0].order)
        for origin in rows:
            for number in origin.listed["message"].ordered:
                whole.listed["message"].add(number)
        return [whole, *(origin for origin in self._origins.values() if not origin.is_talk)]

    def pages(self, kind: SourceKind, known: _Known) -> list[SeenPage]:
        """Every list page of a kind, each in its own order."""
        empty = (SeenPage((), continues=True) for page in self._empty if (page.kind or "message") == kind)
        return [*(page for origin in self._origins.values() for page in _seen(origin, kind, known)), *empty]

    def loose(self, kind: SourceKind, known: _Known) -> list[Sequence[Listed]]:
        """Objects outside of list pages, by origin, in order."""
        return [_known(origin.loose[kind].ordered, known[kind]) for origin in self._origins.values()]


def _known(numbers: Iterable[int], known: Mapping[int, Listed]) -> Sequence[Listed]:
    """The objects of these numbers, each once."""
    if isinstance(known, KnownListed):
        return known.sequence(numbers)
    found = (known[number] for number in numbers if number in known)
    return list({one.id: one for one in found}.values())


def _direction(origin: _Origin, known: _Known) -> ListingOrder:
    """The lists of an origin have the direction of its messages' times, if these show one."""
    if origin.live:
        return origin.order
    messages = _known(origin.listed["message"].ordered, known["message"])
    rising, falling = times_evidence(found.time for found in messages)
    return origin.order if bool(rising) == bool(falling) else "asc" if rising else "desc"


def _seen(origin: _Origin, kind: SourceKind, known: _Known) -> Iterator[SeenPage]:
    for page in origin.pages:
        if page.kind == kind:
            numbers = page.numbers if isinstance(page.numbers, range) else dict.fromkeys(page.numbers)
            objects = _known(numbers, known[kind])
            yield SeenPage(objects, page.continues, origin.live)


def by_run(pages: Iterable[SeenPage]) -> dict[str, list[SeenPage]]:
    """Lists of steps as lists of each run's steps; a page's has_more applies to the run that it ends with."""
    parts: dict[str, list[SeenPage]] = {}
    for page in pages:
        for run_id, steps in grouped(page.objects).items():
            is_last = page.objects[-1].run_id == run_id
            parts.setdefault(run_id, []).append(
                dataclasses.replace(page, objects=steps, continues=page.continues if is_last else None)
            )
    return parts


def grouped(steps: Iterable[Listed]) -> dict[str, list[Listed]]:
    """Steps by their runs."""
    runs: dict[str, list[Listed]] = {}
    for step in steps:
        runs.setdefault(step.run_id, []).append(step)
    return runs


def list_marks(sights: Iterable[SourceObject | EmptyPage | LastPage]) -> frozenset[bytes]:
    """A digest of each list of messages, runs or steps.

    Two lists have one digest if they hold equal objects: the second one adds nothing.
    """
    lists: dict[
        tuple[int, SourceKind], tuple[ListPage, hashlib.blake2b]
    ] = {}  # referenced: an identity may be reused
    marks: set[bytes] = set()
    last = ""
    for found in sights:
        if isinstance(found, LastPage):
            marks.add(_mark(f"last {last}").digest())
        elif isinstance(found, EmptyPage):
            last = f"empty {found.kind} {found.run_id}"
            marks.add(_mark(last).digest())
        elif found.kind in LISTED:
            last = f"{found.kind} {found.id}"
            if found.page is not None:
                begun = lists.get((id(found.page), found.kind))
                if begun is None:
                    begun = found.page, _mark(f"{found.kind} {found.page.continues}")
                    lists[id(found.page), found.kind] = begun
                begun[1].update(f" {found.id}".encode(errors="replace"))
    return frozenset(marks.union(mark.digest() for _page, mark in lists.values()))


def _mark(text: str) -> hashlib.blake2b:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16)
