"""The numbers of ids, for threads with very many objects: a dictionary takes ten times as much memory.

Standard library only.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

_FEW = 8_192
"""So many ids are in a dictionary, which is faster."""
_FIRST_SLOTS = 1 << 14
_NUMBER_BITS = 28
_NUMBER_MASK = (1 << _NUMBER_BITS) - 1
_HASH_MASK = (1 << (64 - _NUMBER_BITS)) - 1
_FULLEST = 0.8


class Numbering:
    """Gives each new id the next number, from 0 on, and finds it again.

    Many ids are not kept: each has a slot in an array that holds its number and a part of its hash, at the first free
    place from there on (open addressing). ``id_of`` returns the id of a number.
    """

    def __init__(self, id_of: Callable[[int], str]) -> None:
        self._id_of = id_of
        self._few: dict[str, int] = {}
        self._slots: array[int] | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, object_id: str) -> int | None:
        """The number of an id; None if it has none."""
        if self._slots is None:
            return self._few.get(object_id)
        part = hash(object_id) & _HASH_MASK
        mask = len(self._slots) - 1
        place = part & mask
        while slot := self._slots[place]:
            number = (slot & _NUMBER_MASK) - 1
            if slot >> _NUMBER_BITS == part and self._id_of(number) == object_id:
                return number
            place = (place + 1) & mask
        return None

    def add(self, object_id: str) -> int:
        """Give a number to an id that has none."""
        number = self._count
        self._count += 1
        if number < _FEW:
            self._few[object_id] = number
            return number
        if self._slots is None:
            self._slots = _slots(_FIRST_SLOTS)
            for known, own in self._few.items():
                self._put(known, own)
            self._few = {}
        self._put(object_id, number)
        return number

    def _put(self, object_id: str, number: int) -> None:
        assert self._slots is not None  # noqa: S101 - the caller has made them
        if number > _FULLEST * len(self._slots):
            self._slots = _doubled(self._slots)
        _put(self._slots, hash(object_id) & _HASH_MASK, number + 1)


def _slots(count: int) -> array[int]:
    return array("Q", bytes(8 * count))


def _put(slots: array[int], part: int, number: int) -> None:
    mask = len(slots) - 1
    place = part & mask
    while slots[place]:
        place = (place + 1) & mask
    slots[place] = part << _NUMBER_BITS | number


def _doubled(slots: array[int]) -> array[int]:
    larger = _slots(2 * len(slots))
    for slot in slots:
        if slot:
            _put(larger, slot >> _NUMBER_BITS, slot & _NUMBER_MASK)
    return larger
