"""The mapping, thread id → conversation id, as CSV by COPY: constant memory, one consistent moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db import connection

from migration_app.csv_files import safe_cell_sql
from migration_app.threads.selections import selection_threads

_BLOCK_BYTES = 256 * 1024

# Column → SQL. Cells with foreign text are made safe for spreadsheets.
_TEXT = "text"
_PLAIN = "plain"
_COLUMNS: Mapping[str, tuple[str, str]] = {
    "thread_id": (_TEXT, "t.thread_id"),
    # Only if it was verified once: until then it may be given up for a new one. One that is being deleted must not be
    # used any more.
    "conversation_id": (
        _TEXT,
        "CASE WHEN c.mapped_at IS NULL OR c.state = 'deleting' THEN '' ELSE c.conversation_id END",
    ),
    "status": (_PLAIN, "t.status"),
    "fidelity": (_PLAIN, "t.fidelity"),
    "user_ref": (_TEXT, "t.user_ref"),
    "assistant_id": (_TEXT, "coalesce(a.assistant_id, '')"),
    "message_count": (_PLAIN, "t.message_count"),
    "item_count": (_PLAIN, "coalesce(c.item_count, 0)"),
    "first_message_at": (
        _PLAIN,
        "to_char(t.first_message_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
    ),
    "last_message_at": (
        _PLAIN,
        "to_char(t.last_message_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
    ),
    "verified_at": (_PLAIN, "to_char(c.verified_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"),
    "fingerprint": (_PLAIN, "coalesce(c.fingerprint, '')"),
    "resources": (_TEXT, "t.resources"),
    "error": (_TEXT, "CASE WHEN t.error_code = '' THEN '' ELSE t.error_code || ': ' || t.error_text END"),
    "continued_after": (_PLAIN, "coalesce(c.continued_after::text, '')"),
}
# The thread's fields that _COLUMNS needs.
_FIELDS = (
    "id",
    "thread_id",
    "status",
    "fidelity",
    "user_ref",
    "assistant_id",
    "message_count",
    "first_message_at",
    "last_message_at",
    "resources",
    "error_code",
    "error_text",
)


def mapping_columns() -> Sequence[str]:
    """Return the names of the CSV's columns, in order."""
    return tuple(_COLUMNS)


def mapping_chunks(selection: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the CSV of a selection in blocks of about 256 kB, header first, ordered by registration.

    Times are UTC, ISO 8601. A cell that a spreadsheet would run as a formula begins with an apostrophe.
    """
    statement, params = mapping_statement(selection)
    with connection.cursor() as cursor:
        block = bytearray()
        # psycopg quotes the parameters on this side: COPY itself takes none.
        with cursor.cursor.copy(statement, params) as copy:
            for data in copy:
                block += data
                if len(block) >= _BLOCK_BYTES:
                    yield bytes(block)
                    block.clear()
        if block:
            yield bytes(block)


def mapping_statement(selection: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """The COPY that writes the CSV, and its parameters."""
    # The selection is read directly, without a second lookup by primary keys.
    chosen, params = selection_threads(selection).order_by().values(*_FIELDS).query.sql_with_params()
    columns = ", ".join(
        f"{safe_cell_sql(source) if kind is _TEXT else source} AS {name}"
        for name, (kind, source) in _COLUMNS.items()
    )
    statement = (
        f"COPY (SELECT {columns} FROM ({chosen}) AS t"  # noqa: S608 - this module's columns, our own query
        " LEFT JOIN migration_app_conversation c ON c.thread_id = t.id"
        " LEFT JOIN migration_app_assistant a ON a.id = t.assistant_id"
        " ORDER BY t.id) TO STDOUT WITH (FORMAT csv, HEADER true)"
    )
    return statement, params
