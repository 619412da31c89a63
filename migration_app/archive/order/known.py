"""The messages, runs or steps that a thread's pages show, by their numbers; those of a large thread are in a file.

Imports only ``contracts``, ``spill`` and this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from migration_app.archive.numbering import Numbering
from migration_app.archive.order.listed import Listed
from migration_app.contracts import compact_json, compact_json_read
from migration_app.spill import Codec, Gathering, Numbers

_LISTED: Codec[Listed] = Codec(compact_json, lambda data: Listed(*compact_json_read(data)))
_LISTED_BYTES = 256
"""Approximate size of one in bytes."""


class KnownListed(Mapping[int, Listed]):
    """Each object in its latest state, by its number: 0 for the one that was seen first."""

    def __init__(self) -> None:
        self._states: Gathering[Listed] = Gathering(_LISTED)
        self._firsts = Numbers()  # by number: the place of its first state
        self._latest: dict[int, int] = {}  # by number: the place of the state that replaced it
        self._numbering = Numbering(lambda number: self[number].id)

    def number_of(self, object_id: str) -> int | None:
        """The number of an object; None if it is not known."""
        return self._numbering.find(object_id)

    def add(self, found: Listed) -> int:
        """Add an object that is not known; returns its number."""
        self._firsts.append(self._states.append(found, _LISTED_BYTES))
        return self._numbering.add(found.id)

    def replace(self, number: int, found: Listed) -> None:
        """Put another state in the place of the known one."""
        self._latest[number] = self._states.append(found, _LISTED_BYTES)

    def sequence(self, numbers: Iterable[int]) -> Sequence[Listed]:
        """The objects of these numbers, in this order."""
        return self._states.sequence(map(self._place, numbers), is_one_of_many=True)

    def _place(self, number: int) -> int:
        place = self._latest.get(number)
        return self._firsts[number] if place is None else place

    def __getitem__(self, number: int) -> Listed:
        return self._states[self._place(number)]

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and 0 <= number < len(self._firsts)

    def __len__(self) -> int:
        return len(self._firsts)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._firsts)))
