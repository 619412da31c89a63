"""Splitting a JSON array into its elements without decoding it: each element keeps its raw bytes.

A scanner over bytes that knows strings, escapes and brackets, and nothing else; what an element holds is
checked when it is decoded. Memory: one bounded element at a time. Standard library only.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from migration_app.archive.files.streams import REJECT_BYTES, ByteSource, too_long_reason

_OUTSIDE = re.compile(rb'["\[\]{},]')
_INSIDE = re.compile(rb'["\\]')


@dataclasses.dataclass(frozen=True, slots=True)
class Element:
    """One element: its first line, its bytes, and why it can't be used (empty if it can)."""

    line_number: int
    raw: bytes
    fault: str = ""


@dataclasses.dataclass(slots=True)
class _Collected:
    """The element being read: its pieces so far, and whether it grew over the limit."""

    limit: int
    line_number: int
    pieces: list[bytes] = dataclasses.field(default_factory=list)
    size: int = 0

    def add(self, piece: bytes) -> None:
        room = (REJECT_BYTES if self.size > self.limit else self.limit + 1) - self.size
        if room > 0:
            self.pieces.append(piece[:room])
        self.size += len(piece)

    def taken(self, next_line: int) -> Element | None:
        """The element, None if there was only white space; the next one begins."""
        raw = b"".join(self.pieces)
        bare = raw.lstrip()
        first_line = self.line_number + raw[: len(raw) - len(bare)].count(b"\n")
        too_long = self.size > self.limit
        self.pieces, self.size, self.line_number = [], 0, next_line
        if too_long:
            fault = too_long_reason("element of the array", self.limit)
            return Element(first_line, bare[:REJECT_BYTES], fault)
        return Element(first_line, bare.rstrip()) if bare else None


@dataclasses.dataclass(slots=True)
class _Scanner:
    """State of the scanner: number of open brackets, whether inside a string, after an escape."""

    depth: int = 1
    inside: bool = False
    skip: int = 0

    def boundaries(self, chunk: bytes) -> Iterator[tuple[int, int]]:
        """Where elements end in ``chunk``: the position of each separator, and the position after it.

        The closing bracket leaves ``depth`` at 0: nothing after it may be scanned.
        """
        at, self.skip = self.skip, 0
        while found := (_INSIDE if self.inside else _OUTSIDE).search(chunk, at):
            mark, at = found.group(), found.end()
            if self.inside:
                self.inside = mark == b"\\"
                at += self.inside  # any escaped character, also a quotation mark
            elif mark == b'"':
                self.inside = True
            elif mark in b"[{":
                self.depth += 1
            else:
                self.depth -= mark in b"]}"
                if self.depth == 0 or (self.depth == 1 and mark == b","):
                    yield found.start(), at
        self.skip = max(0, at - len(chunk))


def array_elements(source: ByteSource, limit: int) -> Iterator[Element]:
    """Split the array whose ``[`` is the next byte of ``source``; what follows its ``]`` stays in the source.

    An array that never closes ends with an element that says so.
    """
    chunk = source.chunk()[1:]
    line = source.line_number
    current = _Collected(limit, line)
    scanner = _Scanner()
    while True:
        begun = 0
        for end, behind in scanner.boundaries(chunk):
            current.add(chunk[begun:end])
            line += chunk.count(b"\n", begun, behind)
            begun = behind
            element = current.taken(line)
            if element is not None:
                yield element
            if scanner.depth == 0:
                source.put_back(chunk[begun:])
                source.line_number = line
                return
        current.add(chunk[begun:])
        line += chunk.count(b"\n", begun)
        chunk = source.chunk()
        if not chunk:
            break
    source.line_number = line
    rest = current.taken(line)
    yield Element(
        rest.line_number if rest else line,
        rest.raw[:REJECT_BYTES] if rest else b"",
        "The array is not closed: the file was cut off here. Everything before was read.",
    )
