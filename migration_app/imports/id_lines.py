"""Lists of thread ids, checked by the block: plain lines are passed on as bytes, any other line by itself.

One regular expression says of a quarter of a megabyte at once that each line in it is plain (half a second for a
million lines, measured; the CSV module with a check of each cell takes eight). Where it stops stands a line that is
not: it is read as CSV and checked cell by cell, so that a reject has its line number and its reason. No database here.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Iterator

from migration_app.archive.files.reader import Reject
from migration_app.archive.files.rows import (
    THREAD_ID_ALIASES,
    THREAD_ID_COLUMNS,
    Row,
    Table,
    read_records,
    read_table,
    unread_columns,
)
from migration_app.archive.files.streams import (
    ByteReader,
    ByteSource,
    Watch,
    nobody_watches,
)
from migration_app.archive.ids import id_fault, storable_text

_AFTER_OTHER = 32
"""So many records are read one by one behind a line that is not plain: such lines seldom come alone."""

# ASCII that can be seen, without the quotation mark, both delimiters and the backslash (to COPY "\." is an end).
_BARE = rb"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]"
_QUOTED = rb"[\x21\x23-\x5b\x5d-\x7e]"
_ID = rb"(?:%b{1,255}+|\"%b{1,255}+\")" % (_BARE, _QUOTED)
_CELLS = {
    "thread_id": _ID,
    "assistant_id": _ID + rb"?+",
    # Words with single or several blanks between them, none at the ends.
    "user_ref": rb"(?:(?:%b++(?: ++%b++)*+)?+|\"(?:%b++(?: ++%b++)*+)?+\")"
    % (_BARE, _BARE, _QUOTED, _QUOTED),
}


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    """Lines that may go into the database: CSV with line feeds, no header, empty cells for what is not known."""

    lines: int
    text: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """What ``Accepted.text`` looks like: some or all of THREAD_ID_COLUMNS, in the file's order."""

    columns: tuple[str, ...]
    delimiter: str
    unread: set[str] = dataclasses.field(default_factory=set)
    """Fills up with the columns that say something which nobody reads."""


def read_id_lines(
    stream: ByteReader, watch: Watch = nobody_watches
) -> tuple[Layout, Iterator[Accepted | Reject]]:
    """Read a list of thread ids: what is accepted, and what is not, in the file's order.

    Raises ArchiveUnreadableError if the file is something else.
    """
    source = ByteSource(stream, watch)
    table = read_table(
        source, known_columns=THREAD_ID_COLUMNS, aliases=THREAD_ID_ALIASES, single_column="thread_id"
    )
    plain = None if table is None else _plain_lines(table)
    layout = Layout(THREAD_ID_COLUMNS, ",")
    if table is not None and plain is not None:
        layout = Layout(table.columns, table.delimiter)
    return layout, _lines(source, table, plain, layout)


def _lines(
    source: ByteSource, table: Table | None, plain: re.Pattern[bytes] | None, layout: Layout
) -> Iterator[Accepted | Reject]:
    if table is not None:
        yield from _all_lines(source, read_records(source, table), plain, layout)
    for fault in source.faults:
        yield Reject(source.line_number, fault, b"")


def _all_lines(
    source: ByteSource, records: Iterator[Row | Reject], plain: re.Pattern[bytes] | None, layout: Layout
) -> Iterator[Accepted | Reject]:
    while True:
        others = _AFTER_OTHER
        if plain is not None:
            taken, is_cut = _taken(source, plain)
            if taken.lines:
                yield taken
            others = 1 if is_cut else _AFTER_OTHER
        for _ in range(others):
            record = next(records, None)
            if record is None:
                return
            yield record if isinstance(record, Reject) else _checked(record, layout)


def _plain_lines(table: Table) -> re.Pattern[bytes] | None:
    """What whole plain lines match, as many as there are; None if the table has other columns, or one twice."""
    if not set(table.columns) <= set(THREAD_ID_COLUMNS) or len(set(table.columns)) < len(table.columns):
        return None
    line = re.escape(table.delimiter.encode()).join(_CELLS[name] for name in table.columns)
    # Not the header once more, where several files were put together.
    again = rb"(?!%b\r?\n)" % re.escape(table.header.strip()) if table.header.strip() else b""
    return re.compile(rb"(?:%b%b\r?\n)*+" % (again, line))


def _taken(source: ByteSource, plain: re.Pattern[bytes]) -> tuple[Accepted, bool]:
    """The next plain lines of the current block, and whether the block ends inside the line after them.

    That line stays in the source.
    """
    block = source.chunk()
    found = plain.match(block)
    end = found.end() if found else 0
    text = block[:end]
    lines = text.count(b"\n")
    source.put_back(block[end:])
    source.line_number += lines
    # COPY wants one kind of line end in all of its data.
    accepted = Accepted(lines, text.replace(b"\r\n", b"\n") if b"\r" in text else text)
    return accepted, b"\n" not in block[end:]


def _checked(row: Row, layout: Layout) -> Accepted | Reject:
    layout.unread.update(unread_columns(row, THREAD_ID_COLUMNS))
    thread_id = row.cells.get("thread_id", "").strip()
    assistant_id = row.cells.get("assistant_id", "").strip()
    fault = id_fault(thread_id)
    if fault:
        return Reject(row.line_number, f"The thread id {fault}.", row.raw)
    if any(character.isspace() for character in thread_id):
        return Reject(row.line_number, "The thread id holds white space.", row.raw)
    if assistant_id and (fault := id_fault(assistant_id)):
        return Reject(row.line_number, f"The assistant id {fault}.", row.raw)
    cells = {
        "thread_id": thread_id,
        "assistant_id": assistant_id,
        "user_ref": storable_text(row.cells.get("user_ref", "").strip(), 512),
    }
    written = io.StringIO()
    writer = csv.writer(written, delimiter=layout.delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([cells[name] for name in layout.columns])
    return Accepted(1, written.getvalue().encode())
