"""CSV rows as a stream, each with its raw text: comma, semicolon or tab, quotes, BOM.

Standard library only.
"""

from __future__ import annotations

import codecs
import csv
import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence

from migration_app.archive.files.reader import Reject
from migration_app.archive.files.streams import (
    REJECT_BYTES,
    ArchiveUnreadableError,
    ByteReader,
    ByteSource,
    Watch,
    nobody_watches,
)
from migration_app.archive.ids import MessageIds, id_fault
from migration_app.archive.transcripts import transcript_message, transcript_thread
from migration_app.contracts import JsonObject

MAX_CELL_CHARACTERS = 16 << 20
MAX_LINE_BYTES = 32 << 20
MAX_RECORD_BYTES = 64 << 20
MAX_CELLS = 1_000_000
"""Delimiters of a record, inside and between cells: as empty cells, a line could hold 32 million."""
_HEADER_BYTES = 65_536
_DELIMITERS = ",;\t"
_SPEAKERS = frozenset({"user", "assistant"})
TRANSCRIPT_COLUMNS = ("thread_id", "role", "content")
TRANSCRIPT_ALIASES = {"thread": "thread_id", "id": "message_id", "message": "content", "text": "content"}
TRANSCRIPT_READ = frozenset({*TRANSCRIPT_COLUMNS, "created_at", "message_id", "user_ref"})
THREAD_ID_COLUMNS = ("thread_id", "user_ref", "assistant_id")
THREAD_ID_ALIASES = {"id": "thread_id", "thread": "thread_id", "user_id": "user_ref", "user": "user_ref"}


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One record: its first line, its cells by column name, and its text as in the file."""

    line_number: int
    cells: Mapping[str, str]
    raw: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """The shape of a file: delimiter, column names, and the raw header (empty if it has none)."""

    delimiter: str
    columns: tuple[str, ...]
    header: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class _Line:
    number: int
    raw: bytes


class _Lines:
    """Feeds the CSV reader line by line and remembers the lines of the current record."""

    def __init__(self, source: ByteSource, delimiter: str) -> None:
        self._source = source
        self._taken: list[_Line] = []
        self._delimiter = delimiter.encode()
        self._size = self._cells = 0
        self.at_end = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number = self._source.line_number
        raw, too_long = self._source.line(MAX_LINE_BYTES)
        if not raw:
            self.at_end = True
            raise StopIteration
        self._taken.append(_Line(number, raw))
        self._size += len(raw)
        self._cells += raw.count(self._delimiter)
        if too_long or self._size > MAX_RECORD_BYTES or self._cells > MAX_CELLS:
            raise _TooLongError
        # Bytes that are no UTF-8 survive as lone surrogates: only their own record is rejected.
        return raw.decode(errors="surrogateescape")

    def record(self) -> tuple[int, bytes]:
        """The record's first line number and its text; then starts the next record."""
        taken, self._taken = self._taken, []
        self._size = self._cells = 0
        return taken[0].number, b"".join(line.raw for line in taken)

    def closes_early(self) -> bool:
        """Whether a quotation mark in the record closes a cell in the middle: it was meant to open one in another
        row."""
        if len(self._taken) < 2:
            return False
        text = [line.raw.decode(errors="replace") for line in self._taken]
        try:
            next(csv.reader(text, delimiter=self._delimiter.decode(), strict=True))
        except csv.Error:
            return True
        return False

    @property
    def count(self) -> int:
        """The number of lines in the current record."""
        return len(self._taken)

    def rejected(self, reason: str, table: Table) -> Iterator[Reject]:
        """Reject the record, line by line: if a quotation mark is missing, it contains whole rows.

        Each reject names its line's thread, if known: that thread now lacks a message.
        """
        (first, *others), self._taken = self._taken, []
        self._size = self._cells = 0
        raw = first.raw[:REJECT_BYTES]
        yield Reject(first.number, reason, raw, _named_thread(table, _cells_of(table, raw)))
        for line in others:
            reason = f"It belongs to the record that begins in line {first.number}, which can't be read."
            raw = line.raw[:REJECT_BYTES]
            yield Reject(line.number, reason, raw, _swallowed_thread(table, _cells_of(table, raw)))


class _TooLongError(Exception):
    """A line or its record is too long, or has too many cells."""


def read_rows(
    stream: ByteReader,
    *,
    known_columns: Sequence[str] = TRANSCRIPT_COLUMNS,
    aliases: Mapping[str, str] = TRANSCRIPT_ALIASES,
    single_column: str = "",
    watch: Watch = nobody_watches,
) -> Iterator[Table | Row | Reject]:
    """Read a CSV file: first its Table, then its records.

    The first line is a header if it names the first of ``known_columns``. Without one the file must have a single
    column, named ``single_column``; ArchiveUnreadableError otherwise.
    """
    source = ByteSource(stream, watch)
    table = read_table(source, known_columns=known_columns, aliases=aliases, single_column=single_column)
    if table is not None:
        yield table
        yield from read_records(source, table)
    for fault in source.faults:
        yield Reject(source.line_number, fault, b"")


def read_table(
    source: ByteSource, *, known_columns: Sequence[str], aliases: Mapping[str, str], single_column: str = ""
) -> Table | None:
    """Read the header of a CSV file, as ``read_rows`` does; None if the file is empty."""
    if not source.first_byte():
        return None
    head, _too_long = source.line(MAX_LINE_BYTES)
    delimiter, names = column_names(head, aliases)
    if b"\r" in head.rstrip(b"\r\n"):
        raise ArchiveUnreadableError(
            "The lines end with carriage returns only: save the file with line feeds (Unix or Windows line ends)."
        )
    if known_columns[0] in names:
        if twice := [name for name in sorted({*known_columns, *aliases.values()}) if names.count(name) > 1]:
            raise ArchiveUnreadableError(
                f"The header names {', '.join(twice)} more than once (thread, id, user and similar names mean the same "
                "as these): leave one column for each."
            )
        return Table(delimiter, tuple(name or f"column {at}" for at, name in enumerate(names, 1)), head)
    if single_column and len([name for name in names if name]) == 1:
        source.put_back(head)
        source.line_number -= 1
        return Table(delimiter, (single_column,), b"")
    raise ArchiveUnreadableError(
        f"The first line must be a header with the columns {', '.join(known_columns)}; it is "
        f"{head.decode(errors='replace').strip()[:120]!r}."
    )


def read_records(source: ByteSource, table: Table) -> Iterator[Row | Reject]:
    """Read records from the current position. Nothing is read ahead: between two records other code may read
    from the source.
    """
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    yield from _records(_Lines(source, table.delimiter), table)


def column_names(head: bytes, aliases: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The delimiter and the column names of a file's first line, if it is a header."""
    text = head[:_HEADER_BYTES].decode(errors="replace").strip("\r\n").partition("\r")[0]
    delimiter = max(_DELIMITERS, key=text.count)
    cells = next(csv.reader([text], delimiter=delimiter), [])
    names = [cell.strip().lower().replace(" ", "_") for cell in cells]
    return delimiter, tuple(name if aliases.get(name) in names else aliases.get(name, name) for name in names)


def _records(lines: _Lines, table: Table) -> Iterator[Row | Reject]:
    # One reader for all: it starts fresh with each record, also after an error.
    reader = csv.reader(lines, delimiter=table.delimiter)
    while True:
        try:
            cells = next(reader, None)
        except _TooLongError:
            yield from lines.rejected(
                f"The line is longer than {MAX_LINE_BYTES:,} bytes, or its row is longer than {MAX_RECORD_BYTES:,} "
                f"bytes or has more than {MAX_CELLS:,} cells: a row must hold one message. Is a quotation mark open?",
                table,
            )
            continue
        except csv.Error as error:
            yield from lines.rejected(_explained(error), table)
            continue
        if cells is None:
            return
        if lines.at_end:  # and the record is not: only a quoted cell makes the reader ask for another line
            yield from lines.rejected(
                "A quotation mark opens a cell in the row that begins here, and none closes it up to the end of the "
                f"file: this line and the {lines.count - 1:,} after it, all to the end, were not read. Fix it, then "
                "import the file again.",
                table,
            )
            return
        if lines.closes_early():
            yield from lines.rejected(
                "A quotation mark opens a cell in the row that begins here, and the next one is before other text: "
                "one is missing or too many, so the rows between them are uncertain. Fix it, then import the file "
                "again.",
                table,
            )
            continue
        number, raw = lines.record()
        if raw.startswith(codecs.BOM_UTF8):  # the beginning of another file, if several were concatenated
            raw = raw[len(codecs.BOM_UTF8) :]
            cells = [cells[0].lstrip("\ufeff").strip('"'), *cells[1:]]
        if not any(cell.strip() for cell in cells) or raw.strip() == table.header.strip():
            continue
        if _is_header(table, cells):
            raise ArchiveUnreadableError(
                f"Line {number:,} has another header with other columns: everything before was read. Several "
                "files were concatenated here; import them one by one."
            )
        if any(
            0xDC80 <= ord(character) <= 0xDCFF for cell in cells if not cell.isascii() for character in cell
        ):
            reason = "Not valid UTF-8: save the file as UTF-8."
            yield Reject(number, reason, raw[:REJECT_BYTES], _named_thread(table, cells))
        elif len(cells) > len(table.columns) and any(cells[len(table.columns) :]):
            reason = (
                f"{len(cells)} cells under {len(table.columns)} columns: quote cells that hold the delimiter."
            )
            yield Reject(number, reason, raw[:REJECT_BYTES], _named_thread(table, cells))
        else:
            yield Row(number, dict(zip(table.columns, cells, strict=False)), raw)


def _is_header(table: Table, cells: Sequence[str]) -> bool:
    """Whether a row repeats the header: each known column that it has contains its name."""
    names = {cell.strip().lower().replace(" ", "_") for cell in cells}
    return len(table.columns) > 1 and {"thread_id", "role", "content"} <= names


def _cells_of(table: Table, raw: bytes) -> list[str]:
    """The cells of one line, read by itself."""
    try:
        return next(csv.reader([raw.decode(errors="replace").rstrip("\r\n")], delimiter=table.delimiter), [])
    except csv.Error:
        return []


def _swallowed_thread(table: Table, cells: Sequence[str]) -> str:
    """The thread of a row inside a quoted cell; empty if it may be a line of a message."""
    row = dict(zip(table.columns, cells, strict=False))
    is_row = len(cells) == len(table.columns) and row.get("role", "").strip() in _SPEAKERS
    named = row.get("thread_id", "").strip()
    return named if is_row and not id_fault(named) else ""


def unread_columns(row: Row, known: Collection[str]) -> Iterator[str]:
    """Names of unknown columns in which a row has a value."""
    return (name for name, cell in row.cells.items() if name not in known and cell.strip())


def _named_thread(table: Table, cells: Sequence[str]) -> str:
    """The thread of a row whose cells may be shifted: that of the first column, which can't be shifted."""
    named = cells[0].strip() if cells and table.columns[0] == "thread_id" else ""
    return "" if id_fault(named) else named


def _explained(error: csv.Error) -> str:
    if "field limit" in str(error):
        return f"A cell is longer than {MAX_CELL_CHARACTERS:,} characters. Is its closing quotation mark missing?"
    return f"Not readable CSV ({error}): a cell that holds line ends needs quotation marks."


def row_message(row: Mapping[str, str], ids: MessageIds) -> tuple[JsonObject, JsonObject] | str:
    """The thread and the message of a transcript's row, or why it is rejected."""
    thread, _messages, _user = transcript_thread({"thread_id": row.get("thread_id", ""), "messages": []})
    if isinstance(thread, str):
        return thread.replace("transcript's", "row's")
    cells: JsonObject = {"role": row.get("role", ""), "content": row.get("content", "")}
    for name in ("created_at", "message_id"):
        if row.get(name, "").strip():
            cells[name] = row[name].strip()
    message = transcript_message(thread["id"], cells, ids)
    return f"The row can't be read: {message}" if isinstance(message, str) else (thread, message)
