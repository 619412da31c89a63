"""CSV as the console hands it out: one writer for pages and commands. Imports nothing of the project.

A text cell that a spreadsheet would run as a formula begins with an apostrophe (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class TextFile(Protocol):
    """What rows are written to."""

    def write(self, text: str, /) -> Any:
        """Take a piece of text."""
        ...


class _Echo:
    """A file for the csv module that hands each row on instead of keeping it."""

    def write(self, row: str) -> str:
        return row


def csv_lines(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Yield the header and each row as a line of CSV, for a download that is streamed."""
    writer = csv.writer(_Echo())
    yield str(writer.writerow(header))
    for row in rows:
        yield str(writer.writerow([_cell(value) for value in row]))


def csv_write(file: TextFile, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Write the header and the rows to an open file, which must leave line ends alone (``newline=""``)."""
    for line in csv_lines(header, rows):
        file.write(line)


def safe_cell_sql(column: str) -> str:
    """The same as an SQL expression, for a CSV that PostgreSQL writes.

    By the first character's number: a regular expression on each cell takes longer (measured).
    """
    starts = ", ".join(str(ord(start)) for start in FORMULA_STARTS)
    return f"CASE WHEN ascii({column}) IN ({starts}) THEN '''' || ({column}) ELSE {column} END"


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
