"""What was planned and sent, aligned item by item with what was read of the conversation. Pure: no database.

Works on a window around the first difference; what is outside of it is counted, never silent.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Literal

from migration_app.contracts import JsonObject
from migration_app.conversion.comparison.canonical import canonical_line
from migration_app.conversion.comparison.conversations import listed_id
from migration_app.conversion.text import same_json
from migration_app.engine.reading import KeptItem
from migration_app.review.reasons import Shape

State = Literal["equal", "changed", "other_id", "missing", "extra", "repeat", "new", "unread"]

ROWS_WITHOUT_TARGET = 40
"""Rows shown of planned items that nothing was read for."""
ROWS_BEFORE = 3
"""Rows shown before the first that was not sent."""

_WRONG: frozenset[State] = frozenset({"changed", "other_id", "missing", "extra", "repeat"})


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One planned item beside one that was read; places count from 0, None where there is none on that side.

    ``unread``: sent, and not in what was kept; ``new``: planned, and not sent yet.
    """

    state: State
    planned: int | None
    found: KeptItem | None

    @property
    def differs(self) -> bool:
        """Whether a person should see it."""
        return self.state not in {"equal", "unread"}


@dataclasses.dataclass(frozen=True, slots=True)
class Alignment:
    """Rows in order. ``before``: equal items before the first row; ``unread_after``: items of the conversation that
    were not kept; ``planned_after``: planned items after the last row. ``shape``: the kind of difference, in all.
    """

    rows: tuple[Row, ...]
    before: int
    unread_after: int
    planned_after: int
    metadata_differs: bool
    shape: Shape


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A reading: its items from place ``first`` on, of ``total``; ``found``: the target knew the conversation."""

    items: Sequence[KeptItem]
    first: int
    total: int
    found: bool
    metadata: JsonObject | None

    @property
    def to_the_end(self) -> bool:
        """Whether the last item was kept."""
        return self.first + len(self.items) >= self.total


def aligned(
    planned: Sequence[JsonObject],
    *,
    first: int,
    total: int,
    sent: int,
    recorded: Sequence[str],
    metadata: Mapping[str, str] | None,
    found: Found | None,
) -> Alignment:
    """Align planned items from place ``first`` on (of ``total``) with a reading that begins there, if there is one.

    ``sent``: how many were sent; ``recorded``: the ids the target gave them, from place 0. ``metadata`` as planned;
    None where the plan is lost.
    """
    end = first + len(planned)
    was_sent = planned[: max(0, sent - first)]
    if found is None or not found.found:
        state: State = "unread" if found is None else "missing"
        rows = [Row(state, first + place, None) for place in range(len(was_sent))]
        after = 0
    else:
        rows = _compared(was_sent, first, recorded, found)
        after = found.total - found.first - len(found.items)
    rows += [Row("new", place, None) for place in range(max(first, sent), end)]
    metadata_differs = _metadata_differs(metadata, found)
    last = max((row.planned for row in rows if row.planned is not None), default=first - 1)
    return Alignment(
        rows=tuple(rows),
        before=first,
        unread_after=max(0, after),
        planned_after=max(0, total - last - 1),
        metadata_differs=metadata_differs,
        shape=_shape(rows, sent, metadata_differs, found),
    )


def window_of_plan(*, sent: int, total: int, found: Found | None) -> tuple[int, int]:
    """From which planned item to which one a page shows them."""
    if found is not None and found.found:
        return min(found.first, total), min(total, found.first + len(found.items) + ROWS_WITHOUT_TARGET)
    begin = max(0, sent - ROWS_BEFORE) if found is None and sent < total else 0
    return begin, min(total, begin + ROWS_WITHOUT_TARGET)


def _compared(planned: Sequence[JsonObject], first: int, recorded: Sequence[str], found: Found) -> list[Row]:
    wanted = [canonical_line(item) for item in planned]
    # What was too large to keep is equal to nothing, and takes the place of what was planned there.
    read = [canonical_line(kept.item) if kept.item is not None else b"" for kept in found.items]
    known = set(wanted)
    rows: list[Row] = []
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, wanted, read, autojunk=False).get_opcodes():
        paired = min(i2 - i1, j2 - j1)
        for step in range(paired):
            place, kept = first + i1 + step, found.items[j1 + step]
            state: State = _equal(place, recorded, kept) if tag == "equal" else "changed"
            rows.append(Row("unread" if kept.item is None else state, place, kept))
        for place in range(first + i1 + paired, first + i2):
            at_end = i2 == len(wanted) and j2 == len(read)
            rows.append(Row("unread" if at_end and not found.to_the_end else "missing", place, None))
        for kept, line in zip(found.items[j1 + paired : j2], read[j1 + paired : j2], strict=True):
            rows.append(Row("repeat" if line in known else "extra", None, kept))
    return rows


def _equal(place: int, recorded: Sequence[str], kept: KeptItem) -> State:
    known = recorded[place] if place < len(recorded) else ""
    listed = listed_id(kept.item or {})
    return "other_id" if known and listed and known != listed else "equal"


def _metadata_differs(wanted: Mapping[str, str] | None, found: Found | None) -> bool:
    return (
        wanted is not None
        and found is not None
        and found.metadata is not None
        and not same_json(dict(wanted), found.metadata)
    )


def _shape(rows: Sequence[Row], sent: int, metadata_differs: bool, found: Found | None) -> Shape:
    if found is None:
        return ""
    if not found.found:
        return "gone"
    wrong = [row for row in rows if row.state in _WRONG]
    if not wrong:
        return "changed" if metadata_differs else "equal"
    if all(row.state == "missing" for row in wrong):
        return "missing_items"
    of_ours = max(
        (number for number, row in enumerate(rows) if row.planned is not None and row.planned < sent),
        default=-1,
    )
    only_after = all(row.state in {"extra", "repeat"} for row in wrong) and rows.index(wrong[0]) > of_ours
    return "continued" if only_after else "changed"
