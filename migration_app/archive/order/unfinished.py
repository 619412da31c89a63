"""List pages with has_more: whether imported lists continue them.

A page does not name its continuation. So it counts as continued if another list holds its end and something
beyond it, or if another page holds anything beyond it, in the page's own direction. Single objects
don't continue a page unless they continue from its end: a few of them, from elsewhere, are no list. Standard library
and contracts only.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence

from migration_app.archive.order.listed import Listed
from migration_app.archive.order.ordering import times_evidence

LIST_CONTINUES = "list_continues"
"""The code of the finding."""


@dataclasses.dataclass(frozen=True, slots=True)
class SeenPage:
    """A list of objects of one kind, as received. ``continues``: its ``has_more``, if any.

    ``live``: the console read it itself, up to the end of the list.
    """

    objects: Sequence[Listed]
    continues: bool | None = None
    live: bool = False


def is_left_open(
    order: Sequence[Listed], pages: Sequence[SeenPage], loose: Iterable[Sequence[Listed]]
) -> bool:
    """Whether a page of this list has_more, and nothing continues it.

    ``order`` is the whole list, oldest first; ``loose`` are objects outside of lists, by file, in their order.
    """
    asking = [page for page in pages if page.continues and not page.live]
    if not asking:
        return False
    if not any(page.objects for page in asking):
        return not any(page.objects for page in pages)
    known = _Known.of(order, pages, loose, {page.objects[-1].id for page in asking if page.objects})
    told = {
        direction for page in pages if page.continues is not None and (direction := _falls(page)) is not None
    }
    # Pages of one object, or of one second, show no direction: then they all have the same one.
    return all(
        any(known.is_open(page, falls=falls if (own := _falls(page)) is None else own) for page in asking)
        for falls in (told if len(told) == 1 else {True, False})
    )


def _falls(page: SeenPage) -> bool | None:
    """Whether a page is newest first; None if its times don't show it."""
    rising, falling = times_evidence(found.time for found in page.objects)
    return None if bool(rising) == bool(falling) else bool(falling)


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    """What the lists of a thread show about each other.

    ``beside``: the objects next to the end of a page, in any list. ``oldest`` and ``newest``: the span of pages.
    ``ends``: by second, the objects in last pages.
    """

    places: Mapping[str, int]
    beside: Mapping[str, Sequence[Listed]]
    oldest: int
    newest: int
    ends: Mapping[float | None, Sequence[str]]

    @classmethod
    def of(
        cls,
        order: Sequence[Listed],
        pages: Sequence[SeenPage],
        loose: Iterable[Sequence[Listed]],
        wanted: set[str],
    ) -> _Known:
        """Scan all lists once."""
        places = {found.id: place for place, found in enumerate(order)}
        beside: dict[str, list[Listed]] = collections.defaultdict(list)
        ends: dict[float | None, list[str]] = collections.defaultdict(list)
        for objects in itertools.chain((page.objects for page in pages), loose):
            for one, two in itertools.pairwise(objects):
                if one.id in wanted:
                    beside[one.id].append(two)
                if two.id in wanted:
                    beside[two.id].append(one)
        for page in pages:
            if page.continues is False:
                for found in page.objects:
                    ends[found.time].append(found.id)
        reached = [places[found.id] for page in pages for found in page.objects]
        return cls(places, beside, min(reached), max(reached), ends)

    def is_open(self, page: SeenPage, *, falls: bool) -> bool:
        """Whether nothing continues a page that is newest first (``falls``) or oldest first."""
        if not page.objects:
            return False
        end, own = page.objects[-1], {found.id for found in page.objects}
        places = [self.places[found.id] for found in page.objects]
        if self.oldest < min(places) if falls else self.newest > max(places):
            return False
        if any(object_id not in own for object_id in self.ends.get(end.time, ())):
            return False  # within a second the order of pages may be a guess: this may be the last page
        at = self.places[end.id]
        return not any(
            found.id not in own
            and (len(own) == 1 or found.time == end.time or (self.places[found.id] < at) == falls)
            for found in self.beside.get(end.id, ())
        )
