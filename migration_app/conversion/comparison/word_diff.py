"""Two texts side by side: changed words marked inside changed lines, unchanged runs folded, all within bounds.

256,000 characters against 256,000 others take about a second at most, and give a page of bounded size. Pure; imports
nothing of the project.
"""

from __future__ import annotations

import bisect
import dataclasses
import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

CONTEXT_LINES = 3
CONTEXT_CHARACTERS = 120
"""Shown of what did not change, on each side of what did."""
SHOWN_CHARACTERS = 30_000
SHOWN_ROWS = 600
"""Of text on a page, each side; what is beyond is counted."""

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_COMPARED = 12_000
"""Pairs of elements that difflib, which may take the square of them, is given at once."""
_EDITS = 700
"""Where nothing anchors (one long line of common words), so many words removed and added are looked for."""
_ALL_COMPARED = 3_000_000
"""And in one comparison of two texts; afterwards what lies between anchors counts as replaced."""
_MARKED_FROM = 0.25
"""Texts that share less of their words than this are shown as replaced whole: marks would only confuse."""

Kind = Literal["same", "removed", "added"]
Opcode = tuple[bool, int, int, int, int]
"""Whether equal, then from where to where on the left and on the right."""


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A run of text; ``hidden`` counts characters that are folded away here instead of shown."""

    kind: Kind
    text: str
    hidden: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """Text left and right; ``folded`` counts unchanged lines that are left out here instead."""

    left: tuple[Piece, ...] = ()
    right: tuple[Piece, ...] = ()
    folded: int = 0
    changed: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class TextDiff:
    """Rows of two texts, how many characters were removed and added, how many changed places are not shown."""

    rows: tuple[Row, ...]
    removed: int
    added: int
    more: int = 0

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not any(row.changed for row in self.rows)


class _Budget:
    """What may still be compared element by element."""

    def __init__(self) -> None:
        self._left = _ALL_COMPARED

    def take(self, cost: int, most: int) -> bool:
        """Whether so much may be, and no more than ``most`` at once; counts it then."""
        if cost > min(most, self._left):
            return False
        self._left -= cost
        return True


def text_diff(before: str, after: str) -> TextDiff:
    """Lay two texts side by side."""
    left, right, budget = before.split("\n"), after.split("\n"), _Budget()
    rows: list[Row] = []
    removed = added = more = 0
    shown = [SHOWN_CHARACTERS, SHOWN_CHARACTERS]
    opcodes = _opcodes(left, right, budget)
    for index, (equal, left_from, left_to, right_from, right_to) in enumerate(opcodes):
        has_room = len(rows) < SHOWN_ROWS and max(shown) > 0
        if equal:
            if has_room:
                rows.extend(_unchanged(left[left_from:left_to], index > 0, index < len(opcodes) - 1))
            continue
        was, now = "\n".join(left[left_from:left_to]), "\n".join(right[right_from:right_to])
        if not has_room:
            more, removed, added = more + 1, removed + len(was), added + len(now)
            continue
        row = _changed(was, now, budget)
        removed += sum(len(piece.text) for piece in row.left if piece.kind == "removed")
        added += sum(len(piece.text) for piece in row.right if piece.kind == "added")
        rows.append(Row(_cut(row.left, shown, 0), _cut(row.right, shown, 1), changed=True))
    return TextDiff(tuple(rows), removed, added, more)


def _unchanged(lines: Sequence[str], has_before: bool, has_after: bool) -> Iterator[Row]:
    head = CONTEXT_LINES if has_before else 0
    tail = CONTEXT_LINES if has_after else 0
    folded = len(lines) - head - tail
    if folded <= 1:
        head, tail, folded = len(lines), 0, 0
    for line in lines[:head]:
        yield _context(line)
    if folded:
        yield Row(folded=folded)
    for line in lines[len(lines) - tail :]:
        yield _context(line)


def _context(line: str) -> Row:
    pieces = _folded(Piece("same", line), has_before=True, has_after=False)
    return Row(pieces, pieces)


def _changed(before: str, after: str, budget: _Budget) -> Row:
    left, right = _WORDS.findall(before), _WORDS.findall(after)
    opcodes = _opcodes(left, right, budget)
    same = sum(not word.isspace() for equal, start, end, _, _ in opcodes if equal for word in left[start:end])
    if same < _MARKED_FROM * max(sum(not word.isspace() for word in side) for side in (left, right)):
        opcodes = [(False, 0, len(left), 0, len(right))]
    pieces: tuple[list[Piece], list[Piece]] = ([], [])
    for index, (equal, left_from, left_to, right_from, right_to) in enumerate(opcodes):
        was, now = "".join(left[left_from:left_to]), "".join(right[right_from:right_to])
        if equal:
            folded = _folded(Piece("same", was), has_before=index > 0, has_after=index < len(opcodes) - 1)
            for side in pieces:
                side.extend(folded)
        if not equal and was:
            pieces[0].append(Piece("removed", was))
        if not equal and now:
            pieces[1].append(Piece("added", now))
    return Row(tuple(pieces[0]), tuple(pieces[1]), changed=True)


def _folded(piece: Piece, *, has_before: bool, has_after: bool) -> tuple[Piece, ...]:
    """A long unchanged run as its two ends, of which only those beside a change are shown."""
    head = CONTEXT_CHARACTERS if has_before else 0
    tail = CONTEXT_CHARACTERS if has_after else 0
    hidden = len(piece.text) - head - tail
    if hidden <= CONTEXT_CHARACTERS:
        return (piece,)
    parts = (
        Piece("same", piece.text[:head]),
        Piece("same", "", hidden),
        Piece("same", piece.text[len(piece.text) - tail :] if tail else ""),
    )
    return tuple(part for part in parts if part.text or part.hidden)


def _cut(pieces: Sequence[Piece], shown: list[int], side: int) -> tuple[Piece, ...]:
    """The pieces as far as the page has room; one last piece counts what is left out."""
    kept: list[Piece] = []
    hidden = 0
    for piece in pieces:
        text = piece.text[: max(0, shown[side])]
        if text == piece.text and not hidden:
            kept.append(piece)
        else:
            hidden += len(piece.text) - len(text) + piece.hidden
            kept += [dataclasses.replace(piece, text=text)] if text else []
        shown[side] -= len(piece.text)
    return (*kept, Piece("same", "", hidden)) if hidden else tuple(kept)


def _opcodes(left: Sequence[str], right: Sequence[str], budget: _Budget) -> list[Opcode]:
    """What is equal and what is not, in order, neighbours of one kind as one."""
    merged: list[Opcode] = []
    for opcode in _compared(left, right, 0, 0, budget):
        if merged and merged[-1][0] == opcode[0]:
            last = merged[-1]
            merged[-1] = (last[0], last[1], opcode[2], last[3], opcode[4])
        else:
            merged.append(opcode)
    return merged


def _compared(
    left: Sequence[str], right: Sequence[str], left_at: int, right_at: int, budget: _Budget
) -> Iterator[Opcode]:
    """Opcodes of two sequences that stand at these places: equal ends, anchors, and difflib for what is small."""
    head = _common(left, right)
    if head:
        yield True, left_at, left_at + head, right_at, right_at + head
    left, right, left_at, right_at = left[head:], right[head:], left_at + head, right_at + head
    tail = _common(left[::-1], right[::-1])
    middle_left, middle_right = left[: len(left) - tail], right[: len(right) - tail]
    if middle_left or middle_right:
        yield from _middle(middle_left, middle_right, left_at, right_at, budget)
    if tail:
        left_end, right_end = left_at + len(left), right_at + len(right)
        yield True, left_end - tail, left_end, right_end - tail, right_end


def _middle(
    left: Sequence[str], right: Sequence[str], left_at: int, right_at: int, budget: _Budget
) -> Iterator[Opcode]:
    whole = (False, left_at, left_at + len(left), right_at, right_at + len(right))
    if not left or not right:
        yield whole
        return
    if budget.take(len(left) * len(right), _COMPARED):
        for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
            yield tag == "equal", left_at + i1, left_at + i2, right_at + j1, right_at + j2
        return
    anchors = _anchors(left, right) or _few_edits(left, right, budget)
    if not anchors:
        yield whole
        return
    done_left = done_right = 0
    for at_left, at_right in anchors:
        yield from _compared(
            left[done_left:at_left],
            right[done_right:at_right],
            left_at + done_left,
            right_at + done_right,
            budget,
        )
        yield True, left_at + at_left, left_at + at_left + 1, right_at + at_right, right_at + at_right + 1
        done_left, done_right = at_left + 1, at_right + 1
    yield from _compared(
        left[done_left:], right[done_right:], left_at + done_left, right_at + done_right, budget
    )


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """How many elements both begin with."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _anchors(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """Elements that each side has once, as far as they stand in the same order (Bram Cohen's patience diff)."""
    once = {element for element, count in Counter(left).items() if count == 1}
    counts = Counter(right)
    places = {
        element: place for place, element in enumerate(right) if element in once and counts[element] == 1
    }
    pairs = [(at, places[element]) for at, element in enumerate(left) if element in places]
    ends: list[int] = []
    tops: list[int] = []
    before: list[int] = []
    for index, (_, place) in enumerate(pairs):
        pile = bisect.bisect_left(ends, place)
        before.append(tops[pile - 1] if pile else -1)
        if pile == len(ends):
            ends.append(place)
            tops.append(index)
        else:
            ends[pile], tops[pile] = place, index
    chain: list[tuple[int, int]] = []
    index = tops[-1] if tops else -1
    while index >= 0:
        chain.append(pairs[index])
        index = before[index]
    return chain[::-1]


def _few_edits(left: Sequence[str], right: Sequence[str], budget: _Budget) -> list[tuple[int, int]]:
    """Pairs of equal elements by Eugene Myers' greedy O(ND) way; none where more than ``_EDITS`` differ."""
    if abs(len(left) - len(right)) > _EDITS or not budget.take(_EDITS * _EDITS // 2, _EDITS * _EDITS):
        return []
    reach = {1: 0}
    trace: list[dict[int, int]] = []
    for edits in range(_EDITS + 1):
        trace.append(dict(reach))
        for diagonal in range(-edits, edits + 1, 2):
            x = _start(reach, diagonal, edits)
            y = x - diagonal
            while x < len(left) and y < len(right) and left[x] == right[y]:
                x, y = x + 1, y + 1
            reach[diagonal] = x
            if x >= len(left) and y >= len(right):
                return _walked_back(trace, len(left), len(right))
    return []


def _start(reach: dict[int, int], diagonal: int, edits: int) -> int:
    """How far left a path comes that arrives at this diagonal by one edit more."""
    if diagonal == -edits or (diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1]):
        return reach[diagonal + 1]
    return reach[diagonal - 1] + 1


def _walked_back(trace: Sequence[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for edits in range(len(trace) - 1, -1, -1):
        reach, diagonal = trace[edits], x - y
        start_x = _start(reach, diagonal, edits) if edits else 0
        start_y = start_x - diagonal if edits else 0
        while x > start_x and y > start_y:
            x, y = x - 1, y - 1
            pairs.append((x, y))
        if edits:
            came_down = diagonal == -edits or (
                diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1]
            )
            x, y = (x, y - 1) if came_down else (x - 1, y)
    return pairs[::-1]
