"""Two texts side by side: changed words marked inside changed lines, unchanged runs folded, all within bounds.

256,000 characters against 256,000 others take about a second at most, and give a page of bounded size. Pure; imports
nothing of the project.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

CONTEXT_LINES = 3
CONTEXT_CHARACTERS = 120
"""Unchanged text shown on each side of a change."""
SHOWN_CHARACTERS = 30_000
SHOWN_ROWS = 600
"""Characters on a page, each side; the rest is counted."""

_WORDS = re.compile(r"(?:\w+|[^\w\s])\s*|\s+")
"""Words with their trailing space, which otherwise would be a common part of all texts."""
_WINDOW = 1000
"""Lines, or words, compared at once: difflib may take quadratic time."""
_COMPARISONS = 8_000_000
"""Elements in one comparison of two texts; the rest counts as replaced."""
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
    """What may still be compared in these two texts."""

    def __init__(self) -> None:
        self._left = _COMPARISONS

    def compare(self, left: Sequence[str], right: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
        """Difflib's opcodes; none once too much was compared. What both have often is no anchor to difflib."""
        if self._left <= 0:
            return []
        opcodes = difflib.SequenceMatcher(None, left, right).get_opcodes()
        counts = Counter(right)
        self._left -= len(opcodes) * sum(1 + min(counts[element], _WINDOW // 100) for element in left)
        return opcodes


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
        else:
            space = _common_space(was, now) if len(opcodes) > 1 else ""
            pieces[0].extend(_marked("removed", was, space))
            pieces[1].extend(_marked("added", now, space))
    return Row(tuple(pieces[0]), tuple(pieces[1]), changed=True)


def _common_space(was: str, now: str) -> str:
    """The space that both end with."""
    space = was[len(was.rstrip()) :]
    return space if now.endswith(space) else ""


def _marked(kind: Kind, text: str, space: str) -> Iterator[Piece]:
    for piece in (Piece(kind, text.removesuffix(space)), Piece("same", space)):
        if piece.text:
            yield piece


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
    for opcode in _compared(left, right, budget):
        if opcode[1] == opcode[2] and opcode[3] == opcode[4]:
            continue
        if merged and merged[-1][0] == opcode[0]:
            last = merged[-1]
            merged[-1] = (last[0], last[1], opcode[2], last[3], opcode[4])
        else:
            merged.append(opcode)
    return merged


def _compared(left: Sequence[str], right: Sequence[str], budget: _Budget) -> Iterator[Opcode]:
    """Equal ends, and between them one window after the other, each from the first difference behind the last one."""
    tail = _common(left[::-1], right[::-1])
    left_end, right_end = len(left) - tail, len(right) - tail
    left_at = right_at = 0
    while left_at < left_end or right_at < right_end:
        same = _common(left[left_at:left_end], right[right_at:right_end])
        yield True, left_at, left_at + same, right_at, right_at + same
        left_at, right_at = left_at + same, right_at + same
        window = (
            left[left_at : min(left_at + _WINDOW, left_end)],
            right[right_at : min(right_at + _WINDOW, right_end)],
        )
        opcodes = list(budget.compare(*window))
        at_end = left_at + len(window[0]) == left_end and right_at + len(window[1]) == right_end
        # What stands behind the last equal place may belong to what the window does not show.
        while opcodes and not at_end and opcodes[-1][0] != "equal":
            opcodes.pop()
        if not opcodes:
            yield False, left_at, left_end, right_at, right_end
            break
        for tag, i1, i2, j1, j2 in opcodes:
            yield tag == "equal", left_at + i1, left_at + i2, right_at + j1, right_at + j2
        left_at, right_at = left_at + opcodes[-1][2], right_at + opcodes[-1][4]
    yield True, left_end, len(left), right_end, len(right)


def _common(left: Sequence[str], right: Sequence[str]) -> int:
    """How many elements both begin with."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count
