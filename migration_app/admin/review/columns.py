"""Source, planned, target as it was read: rows for the page, differences numbered, equal stretches folded.

Text of content is put in only for those who may see it; the others get the structure. What a page has no room for is
counted on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from migration_app.admin.base.badges import Badge
from migration_app.admin.base.rendering import (
    Part,
    Sight,
    item_label,
    item_parts,
    pretty_json,
    time_text,
)
from migration_app.admin.threads.entries import entry_label, entry_parts, place_id, place_object
from migration_app.contracts import PlannedItem, SourceThread
from migration_app.conversion.comparison.canonical import canonical_item
from migration_app.conversion.comparison.conversations import listed_id
from migration_app.conversion.comparison.word_diff import TextDiff, text_diff
from migration_app.conversion.threads import thread_places
from migration_app.review.alignment import Alignment, Row, State

DIFFED = 10
"""Changed items whose texts are compared word by word; those after them are shown side by side."""
SHOWN = 150
"""Rows with something to see on one page."""
_EQUAL_CHARACTERS = 400
_OTHER_CHARACTERS = 4_000
_CONTEXT = 1
_FOLDED_FROM = 3

BADGES: Mapping[State, Badge] = {
    "equal": Badge("equal"),
    "changed": Badge("differs", "danger"),
    "other_id": Badge("another id", "warning"),
    "missing": Badge("missing at the target", "danger"),
    "extra": Badge("not ours", "warning"),
    "repeat": Badge("there twice", "danger"),
    "new": Badge("not sent yet", "info"),
    "unread": Badge("not kept", ""),
}


_NOT_READ = Badge("not read yet")


@dataclasses.dataclass(frozen=True, slots=True)
class SourceCell:
    """The source object that an item came from."""

    label: str
    source_id: str
    time: str
    parts: list[Part]


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """One item, planned or read; ``number`` counts from 1."""

    number: int
    label: str
    item_id: str
    parts: list[Part]
    left_out: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class ColumnRow:
    """One row of the page. ``difference``: its number from 1, 0 for none. ``source``: None where it is that of the row
    above, or there is none (``same_source`` says which). ``diff``: planned and read text, word by word.
    """

    badge: Badge
    state: State
    difference: int
    source: SourceCell | None
    same_source: bool
    planned: Cell | None
    target: Cell | None
    diff: TextDiff | None


@dataclasses.dataclass(frozen=True, slots=True)
class Stretch:
    """Rows that belong together: shown, or ``folded`` because all of them are equal."""

    folded: bool
    rows: Sequence[ColumnRow]


@dataclasses.dataclass(frozen=True, slots=True)
class Columns:
    """The columns. ``differences`` counts the rows that differ; ``not_shown`` those without room on the page."""

    stretches: Sequence[Stretch]
    differences: int
    not_shown: int


def columns_of(
    alignment: Alignment,
    source: SourceThread,
    planned: Sequence[PlannedItem],
    *,
    first: int,
    recorded: Sequence[str],
    sight: Sight,
) -> Columns:
    """Rows for a page. ``planned``: the items from place ``first`` on that the alignment speaks of."""
    wanted = {(str(item.source_kind), item.source_id) for item in planned}
    cells = _source_cells(source, wanted, sight)
    rows: list[ColumnRow] = []
    differences = diffed = 0
    last: tuple[str, str] | None = None
    shown = _shown(alignment.rows)
    for row in alignment.rows[:shown]:
        item = planned[row.planned - first] if row.planned is not None else None
        key = (item.source_kind, item.source_id) if item is not None else None
        differences += row.differs
        in_full = row.state == "changed" and diffed < DIFFED and sight.content
        diffed += in_full
        rows.append(
            ColumnRow(
                badge=_NOT_READ if row.state == "unread" and not alignment.shape else BADGES[row.state],
                state=row.state,
                difference=differences if row.differs else 0,
                source=cells.get(key) if key is not None and key != last else None,
                same_source=key is not None and key == last,
                planned=_planned_cell(row, item, recorded, sight),
                target=_target_cell(row, sight),
                diff=_diff(item, row) if in_full else None,
            )
        )
        last = key or last
    rest = sum(row.differs for row in alignment.rows[shown:])
    return Columns(_folded(rows), differences + rest, rest)


def _shown(rows: Sequence[Row]) -> int:
    """How many rows have room: equal ones are folded and short, and count little."""
    room = float(SHOWN)
    for number, row in enumerate(rows):
        room -= 1 if row.differs else 0.25
        if room < 0:
            return number
    return len(rows)


def _folded(rows: Sequence[ColumnRow]) -> list[Stretch]:
    """Fold what is equal, but for the rows beside a difference."""
    near = {
        place
        for number, row in enumerate(rows)
        if row.difference
        for place in range(number - _CONTEXT, number + _CONTEXT + 1)
    }
    stretches: list[Stretch] = []
    run: list[ColumnRow] = []
    is_folded = False
    for number, row in enumerate(rows):
        if run and (number not in near) != is_folded:
            stretches.append(Stretch(is_folded, run))
            run = []
        is_folded = number not in near
        run.append(row)
    if run:
        stretches.append(Stretch(is_folded, run))
    has_difference = any(row.difference for row in rows)
    return [
        dataclasses.replace(each, folded=each.folded and has_difference and len(each.rows) >= _FOLDED_FROM)
        for each in stretches
    ]


def _source_cells(
    source: SourceThread, wanted: set[tuple[str, str]], sight: Sight
) -> dict[tuple[str, str], SourceCell]:
    cells: dict[tuple[str, str], SourceCell] = {}
    for place in thread_places(source):
        key = (place.kind, place_id(source, place))
        if key in wanted and key not in cells:
            body = place_object(source, place)
            parts = [_cut(part, _OTHER_CHARACTERS) for part in entry_parts(source, place, body, sight)]
            cells[key] = SourceCell(
                entry_label(place, body), key[1], time_text(body.get("created_at")), parts
            )
    return cells


def _planned_cell(row: Row, item: PlannedItem | None, recorded: Sequence[str], sight: Sight) -> Cell | None:
    if item is None or row.planned is None:
        return None
    item_id = recorded[row.planned] if row.planned < len(recorded) else ""
    length = _EQUAL_CHARACTERS if row.state == "equal" else _OTHER_CHARACTERS
    parts = [_cut(part, length) for part in item_parts(item.item, sight)]
    return Cell(row.planned + 1, item_label(item.item), item_id, parts)


def _target_cell(row: Row, sight: Sight) -> Cell | None:
    if row.found is None:
        return None
    kept = row.found
    if kept.item is None:
        return Cell(
            kept.place + 1,
            "item",
            "",
            [],
            left_out=f"{kept.size:,} bytes: larger than what is kept of an item",
        )
    length = _EQUAL_CHARACTERS if row.state == "equal" else _OTHER_CHARACTERS
    parts = [] if row.state == "equal" else [_cut(part, length) for part in item_parts(kept.item, sight)]
    return Cell(kept.place + 1, item_label(kept.item), listed_id(kept.item), parts)


def _cut(part: Part, length: int) -> Part:
    if part.text is None or len(part.text) <= length:
        return part
    return dataclasses.replace(part, text=part.text[:length], cut=part.cut + len(part.text) - length)


def _diff(item: PlannedItem | None, row: Row) -> TextDiff | None:
    """The texts; where these are alike, all that the comparison sees, as JSON."""
    if item is None or row.found is None or row.found.item is None:
        return None
    whole = Sight(content=True, whole=True)
    before, after = (_text(item_parts(body, whole)) for body in (item.item, row.found.item))
    if before == after or item_label(item.item) != item_label(row.found.item):
        before, after = (pretty_json(canonical_item(body)) for body in (item.item, row.found.item))
    return text_diff(before, after)


def _text(parts: Sequence[Part]) -> str:
    return "\n".join(part.label if part.text is None else part.text for part in parts)
