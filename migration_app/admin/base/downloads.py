"""Downloads of CSV, streamed: a file is never held whole."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import StreamingHttpResponse

from migration_app.csv_files import csv_lines


def csv_response(
    file_name: str, header: Iterable[str], rows: Iterable[Iterable[object]]
) -> StreamingHttpResponse:
    """Stream rows as a CSV file of this name; cells are made safe for spreadsheets."""
    return streamed_csv(file_name, csv_lines(header, rows))


def streamed_csv(file_name: str, content: Iterable[str] | Iterable[bytes]) -> StreamingHttpResponse:
    """Stream text that is CSV already."""
    return StreamingHttpResponse(
        content,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file_name}"'},
    )
