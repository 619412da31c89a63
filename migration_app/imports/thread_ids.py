"""Importing thread ids: a CSV of ids with, where known, the user and the assistant.

By COPY into a temporary table, and from there in sorted order into the threads: a million ids take seconds
(measured, docs/performance.md). They are registered in one transaction, with the import's own end: an import that is
killed or cancelled has done nothing, and the next try does and counts everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper

from migration_app.archive.files.reader import Reject
from migration_app.archive.files.streams import ArchiveUnreadableError, ByteReader
from migration_app.contracts import Actor
from migration_app.imports.id_lines import Accepted, Layout, read_id_lines
from migration_app.imports.tally import ImportTally, Progress, RejectSink
from migration_app.models import Assistant, SourceImport, Thread
from migration_app.statements import statements_of
from migration_app.tasks.holding import Hold

_PIECE_BYTES = 2 << 20
# What the sorting of a million lines may take in PostgreSQL, for this transaction; it spills to disk beyond.
_WORK_MEM = "64MB"

_SQL = statements_of(__name__)
_IS_KNOWN = "EXISTS (SELECT FROM known_ids AS k WHERE k.thread_id = i.thread_id)"


def thread_ids_import(
    *,
    hold: Hold[SourceImport],
    stream: ByteReader,
    actor: Actor,
    reject_sink: RejectSink | None = None,
    progress: Progress | None = None,
    finish: Callable[[], None] | None = None,
) -> None:
    """Register the threads of a CSV: a header ``thread_id[,user_ref][,assistant_id]``, or one id a line.

    All or nothing: one transaction, ``finish`` called at its end. Known threads keep what they have; empty references
    are filled in. Raises ArchiveUnreadableError if there is no id in the file, or too much else.
    """
    tally = ImportTally(hold, stream, reject_sink=reject_sink, progress=progress)
    layout, lines = read_id_lines(tally.stream, tally.step)
    with connection.cursor() as cursor:
        # Read before the transaction: rejects are kept though nothing goes in, and nobody waits for the import's row.
        has_ids = _stage(cursor, layout, _pieces(lines, tally))
        tally.unread_columns |= layout.unread
        if not has_ids:
            tally.write()
            reason = f" The first reason: {tally.first_reason}" if tally.first_reason else ""
            raise ArchiveUnreadableError(f"There is no thread id in the file.{reason}")
        tally.write()
        with transaction.atomic():
            # The row stays unlocked meanwhile, so that the import can be cancelled; the end is fenced.
            _register(cursor, actor, tally)
            tally.write()
            if finish is not None:
                finish()


def _pieces(lines: Iterator[Accepted | Reject], tally: ImportTally) -> Iterator[bytes]:
    """What is accepted, a few MB at a time; the rest is counted and kept as rejects."""
    piece = bytearray()
    for line in lines:
        if isinstance(line, Reject):
            tally.reject(line)
        else:
            tally.document(line.lines)
            piece += line.text
            if len(piece) >= _PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
    if piece:
        yield bytes(piece)


def _stage(cursor: CursorWrapper, layout: Layout, pieces: Iterator[bytes]) -> bool:
    """Copy the lines into a table of this connection's own; returns whether there were any."""
    # They are there if the same connection held an import before.
    cursor.execute("DROP TABLE IF EXISTS imported_ids, known_ids")
    cursor.execute(_SQL["create"])
    columns = ", ".join(layout.columns)
    copy = (
        f"COPY imported_ids ({columns}) FROM STDIN"
        f" (FORMAT csv, DELIMITER '{layout.delimiter}', FORCE_NOT_NULL ({columns}))"
    )
    any_lines = False
    # Piece by piece: an upload is read over this very connection, which can do nothing else while it copies.
    for piece in pieces:
        with cursor.copy(copy) as target:
            target.write(piece)
        any_lines = True
    cursor.execute("ANALYZE imported_ids")
    return any_lines


def _register(cursor: CursorWrapper, actor: Actor, tally: ImportTally) -> None:
    source_import = tally.source_import
    cursor.execute("SELECT set_config('work_mem', %s, true)", [_WORK_MEM])
    parameters = {
        "actor": actor.name,
        "user_id": actor.user_id,
        "job_id": actor.job_id,
        "reason": source_import.reason or f"Import {source_import.pk}.",
        "registered": Thread.Status.REGISTERED,
        "assistant_registered": Assistant.Status.REGISTERED,
    }
    cursor.execute(_SQL["assistants"], parameters)
    try:
        with transaction.atomic():
            known, filled, fresh = _merge(cursor, parameters, conflict="")
    except IntegrityError:
        # Another import was faster with one of the ids.
        known, filled, fresh = _merge(cursor, parameters, conflict="ON CONFLICT (thread_id) DO NOTHING")
    counts = tally.counts
    if known + fresh < counts["documents"]:
        cursor.execute("SELECT count(DISTINCT thread_id) FROM imported_ids")
        counts["threads"] = cursor.fetchone()[0]
        # Ids that stand there twice, and threads that somebody else has registered in the meantime.
        cursor.execute(_SQL["fill"].format(which="", having="HAVING count(*) > 1"))
    else:
        counts["threads"] = counts["documents"]
    cursor.execute("DROP TABLE imported_ids, known_ids")
    counts["filled"] = filled
    counts["threads_new"] = fresh
    counts["unchanged"] = counts["threads"] - fresh
    counts["repeated"] = counts["documents"] - counts["threads"]


def _merge(cursor: CursorWrapper, parameters: dict[str, Any], *, conflict: str) -> tuple[int, int, int]:
    """Fill in what known threads lack and insert the others: how many are known, were filled, are new."""
    cursor.execute(_SQL["known"])
    known = int(cursor.rowcount)
    filled = 0
    if known:
        cursor.execute(_SQL["fill"].format(which=f"WHERE {_IS_KNOWN}", having=""))
        filled = int(cursor.rowcount)
    unknown = f"WHERE NOT {_IS_KNOWN}" if known else ""
    cursor.execute(_SQL["insert"].format(unknown=unknown, conflict=conflict), parameters)
    return known, filled, int(cursor.rowcount)
