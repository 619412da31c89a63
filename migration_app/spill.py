"""Sequences that keep what a large thread holds in an unnamed temporary file, not in memory.

A small thread's parts are tuples; those of a large one are ``Spilled`` and decode an element on access.
Both are a ``Sequence``, so readers need not know. The file has no name and disappears with the
last sequence that reads it, even if the process is killed. Imports only ``contracts``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, overload

from migration_app.contracts import (
    Finding,
    PlannedItem,
    Severity,
    compact_json,
    compact_json_read,
    planned_from_body,
)

T = TypeVar("T")

MAX_BYTES_IN_MEMORY = 2 << 20
"""Threads with more bytes of JSON go to a file. Objects in memory need several times that, and a
worker may hold a hundred threads."""

# Read and written at once. Elements are mostly read in their order, or in the reverse of it.
_BLOCK = 1 << 16
_NUMBERS_A_BLOCK = 4096
# A slice of so many elements is decoded at once.
_SHORT = 256


class TemporarySpaceError(OSError):
    """The temporary directory can't store or return a large thread's data; the text says what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How an element becomes bytes, and an equal element again."""

    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]


def _item_encode(planned: PlannedItem) -> bytes:
    # Compact JSON in UTF-8 contains no line feed, so the body is stored as it is sent.
    rest = compact_json((planned.source_kind, planned.source_id, planned.group))
    return planned.body + b"\n" + rest


def _item_decode(data: bytes) -> PlannedItem:
    body, _, rest = data.partition(b"\n")
    return planned_from_body(body, *compact_json_read(rest))


def _finding_encode(finding: Finding) -> bytes:
    return compact_json([getattr(finding, name) for name in _FINDING_FIELDS])


def _finding_decode(data: bytes) -> Finding:
    code, severity, *others = compact_json_read(data)
    return Finding(code, Severity(severity), *others)


_FINDING_FIELDS = tuple(field.name for field in dataclasses.fields(Finding))

JSON: Codec[Any] = Codec(compact_json, compact_json_read)
ITEMS: Codec[PlannedItem] = Codec(_item_encode, _item_decode)
FINDINGS: Codec[Finding] = Codec(_finding_encode, _finding_decode)
FINDING_BYTES = 512
"""Approximate size of a finding in bytes."""


class TemporaryFile:
    """A file without a name: it is gone with its last user, even if the process is killed."""

    def __init__(self, descriptor: int | None = None) -> None:
        """``descriptor``: of such a file, which is closed with this object; else a new one is made."""
        self.descriptor = _temporary_file() if descriptor is None else descriptor
        weakref.finalize(self, os.close, self.descriptor)

    def write(self, data: bytes | bytearray | array[int], position: int) -> None:
        """Write there. Raises TemporarySpaceError."""
        with _trouble_named(), memoryview(data).cast("B") as rest:
            written = 0
            while written < len(rest):
                written += os.pwrite(self.descriptor, rest[written:], position + written)

    def read(self, size: int, position: int) -> bytes:
        """Read from there. Raises TemporarySpaceError."""
        with _trouble_named():
            return os.pread(self.descriptor, size, position)


def _temporary_file() -> int:
    with _trouble_named(), tempfile.TemporaryFile(buffering=0) as file:
        return os.dup(file.fileno())


class Numbers(Sequence[int]):
    """Whole numbers, one behind the other: the last few thousand in memory, those before in a file."""

    def __init__(self, values: Iterable[int] = ()) -> None:
        self._file: TemporaryFile | None = None
        self._written = 0
        self._tail = array("Q")
        self._block: tuple[int, array[int]] = (0, array("Q"))  # from the file: where it begins, and itself
        for value in values:
            self.append(value)

    def append(self, value: int) -> None:
        """Append a number."""
        self._tail.append(value)
        if len(self._tail) == _NUMBERS_A_BLOCK:
            self._file = self._file or TemporaryFile()
            self._file.write(self._tail, self._written * self._tail.itemsize)
            self._written += len(self._tail)
            self._tail = array("Q")

    def __len__(self) -> int:
        return self._written + len(self._tail)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[int]: ...
    def __getitem__(self, index: int | slice) -> int | Sequence[int]:
        if isinstance(index, slice):
            return Numbers(map(self._at, range(*index.indices(len(self)))))
        return self._at(range(len(self))[index])

    def __iter__(self) -> Iterator[int]:
        return map(self._at, range(len(self)))

    def _at(self, place: int) -> int:
        if place >= self._written or self._file is None:
            return self._tail[place - self._written]
        start, block = self._block
        if not start <= place < start + len(block):
            start = place - place % _NUMBERS_A_BLOCK
            block = array("Q")
            block.frombytes(self._file.read(_NUMBERS_A_BLOCK * block.itemsize, start * block.itemsize))
            self._block = (start, block)
        return block[place - start]


def _numbers(values: Iterable[int]) -> Sequence[int]:
    """These numbers; as a range if each is one more than that before it, as those of most threads are."""
    numbers = Numbers()
    first = following = -1
    for value in values:
        if not len(numbers):
            first = following = value
        elif following >= 0:
            following = following + 1 if value == following + 1 else -1
        numbers.append(value)
    return range(first, following + 1) if following >= 0 else numbers


class _Log:
    """Records behind each other in a temporary file, the newest still in memory. Records are never changed.

    The file is made when a first block is full.
    """

    def __init__(self) -> None:
        self._file: TemporaryFile | None = None
        self._ends = Numbers((0,))
        self._tail = bytearray()
        self._written = 0

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, record: bytes) -> int:
        """Append a record; returns its number, counted from 0."""
        self._tail += record
        self._ends.append(self._written + len(self._tail))
        if len(self._tail) >= _BLOCK:
            self._file = self._file or TemporaryFile()
            self._file.write(self._tail, self._written)
            self._written += len(self._tail)
            self._tail = bytearray()
        return len(self) - 1

    def read(self, number: int, window: _Window) -> bytes:
        """A record's bytes, from the window, which is moved if necessary."""
        start, end = self._ends[number], self._ends[number + 1]
        if self._file is None or start >= self._written:
            return bytes(self._tail[start - self._written : end - self._written])
        first, block = window.start, window.block
        if start < first or end > first + len(block):
            first = start - start % _BLOCK
            size = min(end + -end % _BLOCK, self._written) - first
            block = self._file.read(size, first)
            window.start, window.block = first, block
        return block[start - first : end - first]


@dataclasses.dataclass(slots=True)
class _Window:
    """The part of a file that was read last."""

    start: int = 0
    block: bytes = b""


@contextlib.contextmanager
def _trouble_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TemporarySpaceError(error.errno, _trouble(error)) from error


def _trouble(error: OSError) -> str:
    try:
        place = tempfile.gettempdir()
    except OSError:
        place = "the temporary directory"
    return (
        f"A large thread is kept in a file in {place} while it is worked on, and that failed "
        f"({error.strerror or type(error).__name__}): free space there, or set TMPDIR to a directory that has "
        "space and is writable, and try again"
    )


class Spilled(Sequence[T]):
    """Elements in a temporary file, decoded on each access; a short slice is a tuple."""

    def __init__(
        self, log: _Log, codec: Codec[T], numbers: Sequence[int], window: _Window | None = None
    ) -> None:
        self._log, self._codec, self._numbers = log, codec, numbers
        self._window = window or _Window()

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        if isinstance(index, slice):
            part = Spilled(self._log, self._codec, self._numbers[index])
            return tuple(part) if len(part) <= _SHORT else part
        return self._at(self._numbers[index])

    def __iter__(self) -> Iterator[T]:
        return map(self._at, self._numbers)

    def __reversed__(self) -> Iterator[T]:
        return map(self._at, reversed(self._numbers))

    def _at(self, number: int) -> T:
        return self._codec.decode(self._log.read(number, self._window))

    def replaced(self, changes: Mapping[int, T]) -> Spilled[T]:
        """Another sequence with these elements at their positions."""
        added = {at: self._log.append(self._codec.encode(value)) for at, value in changes.items()}
        numbers = _numbers(added.get(at, number) for at, number in enumerate(self._numbers))
        return Spilled(self._log, self._codec, numbers)

    def selected(self, positions: Iterable[int], more: Iterable[T] = ()) -> Spilled[T]:
        """Another sequence of the elements at these positions, with ``more`` behind them."""
        kept = (self._numbers[position] for position in positions)
        added = (self._log.append(self._codec.encode(value)) for value in more)
        return Spilled(self._log, self._codec, _numbers(itertools.chain(kept, added)))


class Gathering(Generic[T]):
    """Elements as they come: in memory until they weigh more than ``MAX_BYTES_IN_MEMORY``, then in a file."""

    def __init__(self, codec: Codec[T], *, spill: bool = False) -> None:
        """``spill``: in a file from the start, where it is known that there will be much."""
        self._codec = codec
        self._values: list[T] = []
        self._weight = 0
        self._log = _Log() if spill else None
        self._window = _Window()

    def __len__(self) -> int:
        return len(self._values if self._log is None else self._log)

    def __getitem__(self, number: int) -> T:
        if self._log is None:
            return self._values[number]
        return self._codec.decode(self._log.read(number, self._window))

    @property
    def is_spilled(self) -> bool:
        """Whether the elements are in a file."""
        return self._log is not None

    def grow(self, weight: int) -> None:
        """Count in what comes, or came, in bytes."""
        self._weight += weight
        if self._log is None and self._weight > MAX_BYTES_IN_MEMORY:
            self._log = _Log()
            for value in self._values:
                self._log.append(self._codec.encode(value))
            self._values = []

    def append(self, value: T, weight: int = 0) -> int:
        """Append an element; returns its number, counted from 0."""
        self.grow(weight)
        if self._log is not None:
            return self._log.append(self._codec.encode(value))
        self._values.append(value)
        return len(self._values) - 1

    def sequence(self, numbers: Iterable[int] | None = None, *, is_one_of_many: bool = False) -> Sequence[T]:
        """All elements, or those with these numbers in this order: a tuple, or ``Spilled``.

        Each sequence holds the part of the file that it read last; ``is_one_of_many``: they share one.
        """
        if self._log is None:
            return tuple(self._values if numbers is None else map(self._values.__getitem__, numbers))
        chosen = range(len(self._log)) if numbers is None else _numbers(numbers)
        return Spilled(self._log, self._codec, chosen, self._window if is_one_of_many else None)


def is_spilled(*sequences: Sequence[object]) -> bool:
    """Whether any of these is in a file: what is made of them should be, too."""
    return any(isinstance(sequence, Spilled) for sequence in sequences)


def replaced(values: Sequence[T], changes: Mapping[int, T]) -> Sequence[T]:
    """The sequence with other elements at some positions."""
    if isinstance(values, Spilled):
        return values.replaced(changes)
    return tuple(changes.get(position, value) for position, value in enumerate(values))


def selected(values: Sequence[T], positions: Iterable[int], more: Iterable[T] = ()) -> Sequence[T]:
    """The elements at these positions, with ``more`` behind them."""
    if isinstance(values, Spilled):
        return values.selected(positions, more)
    return (*(values[position] for position in positions), *more)
