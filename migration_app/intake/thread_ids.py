"""Importing thread ids: a CSV of ids with, where known, the user and the assistant.

By COPY into a temporary table and one INSERT: a million ids take seconds (measured).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from django.db import connection, transaction

from migration_app.archive.ids import id_fault, storable_text
from migration_app.archive.reader import Reject
from migration_app.archive.rows import THREAD_ID_ALIASES, THREAD_ID_COLUMNS, Row, Table, read_rows
from migration_app.archive.streams import ArchiveUnreadableError, ByteReader
from migration_app.contracts import Actor
from migration_app.intake.tally import Progress, RejectSink, Tally
from migration_app.models import Assistant, SourceImport, Thread

_PIECE = 50_000

_CREATE = """
    CREATE TEMPORARY TABLE imported_ids (
        position bigint, thread_id text COLLATE "C", user_ref text COLLATE "C", assistant_id text COLLATE "C"
    ) ON COMMIT DROP
"""
# An id that stands there twice: its first line counts, and what that leaves open comes from later ones.
_MERGE = """
    CREATE TEMPORARY TABLE merged_ids ON COMMIT DROP AS
    SELECT thread_id,
           coalesce((array_agg(user_ref ORDER BY position) FILTER (WHERE user_ref <> ''))[1], '') AS user_ref,
           coalesce((array_agg(assistant_id ORDER BY position) FILTER (WHERE assistant_id <> ''))[1], '')
               AS assistant_id
    FROM imported_ids GROUP BY thread_id
"""
_ASSISTANTS = """
    WITH fresh AS (
        INSERT INTO migration_app_assistant
            (assistant_id, name, model, status, fidelity, requested_by_name, created_at, updated_at)
        SELECT DISTINCT assistant_id, '', '', %(assistant_registered)s, '', '', now(), now()
        FROM merged_ids WHERE assistant_id <> '' ORDER BY assistant_id
        ON CONFLICT (assistant_id) DO NOTHING RETURNING assistant_id
    )
    INSERT INTO migration_app_auditevent
        (at, actor, actor_user_id, verb, subject_kind, subject_id, before, after, reason, job_id, request_id)
    SELECT now(), %(actor)s, %(user_id)s, 'assistant.registered', 'assistant', assistant_id, '',
           %(assistant_registered)s, %(reason)s, %(job_id)s, '' FROM fresh
"""
_FILL = """
    UPDATE migration_app_thread AS t
    SET user_ref = CASE WHEN t.user_ref = '' THEN m.user_ref ELSE t.user_ref END,
        assistant_id = coalesce(t.assistant_id, a.id),
        updated_at = now()
    FROM merged_ids AS m LEFT JOIN migration_app_assistant AS a ON a.assistant_id = m.assistant_id
    WHERE t.thread_id = m.thread_id
      AND ((t.user_ref = '' AND m.user_ref <> '') OR (t.assistant_id IS NULL AND a.id IS NOT NULL))
"""
_INSERT = """
    WITH fresh AS (
        INSERT INTO migration_app_thread
            (thread_id, user_ref, assistant_id, status, fidelity, message_count, run_count, item_count,
             chunk_count, payload_bytes, finding_counts, error_code, error_text, attempts, pending_work,
             created_at, updated_at)
        SELECT m.thread_id, m.user_ref, a.id, %(registered)s, '', 0, 0, 0, 0, 0, '{}'::jsonb, '', '', 0, '',
               now(), now()
        FROM merged_ids AS m LEFT JOIN migration_app_assistant AS a ON a.assistant_id = m.assistant_id
        ORDER BY m.thread_id
        ON CONFLICT (thread_id) DO NOTHING RETURNING thread_id
    )
    INSERT INTO migration_app_auditevent
        (at, actor, actor_user_id, verb, subject_kind, subject_id, before, after, reason, job_id, request_id)
    SELECT now(), %(actor)s, %(user_id)s, 'thread.registered', 'thread', thread_id, '', %(registered)s,
           %(reason)s, %(job_id)s, '' FROM fresh
"""


def thread_ids_import(
    *,
    source_import: SourceImport,
    stream: ByteReader,
    actor: Actor,
    reject_sink: RejectSink | None = None,
    progress: Progress | None = None,
) -> None:
    """Register the threads of a CSV: a header ``thread_id[,user_ref][,assistant_id]``, or one id a line.

    All or nothing: one transaction. Known threads keep what they have; empty references are filled in.
    Raises ArchiveUnreadableError if there is no id in the file.
    """
    tally = Tally(source_import, stream, reject_sink=reject_sink, progress=progress)
    parameters = {
        "actor": actor.name,
        "user_id": actor.user_id,
        "job_id": actor.job_id,
        "reason": source_import.reason or f"Import {source_import.pk}.",
        "registered": Thread.Status.REGISTERED,
        "assistant_registered": Assistant.Status.REGISTERED,
    }
    rows = enumerate(_rows(tally))
    # Before the transaction: why a file could not be read is kept, though nothing of it goes in.
    piece = list(itertools.islice(rows, _PIECE))
    if not piece:
        tally.write()
        reason = f" The first reason: {tally.first_reason}" if tally.first_reason else ""
        raise ArchiveUnreadableError(f"There is no thread id in the file.{reason}")
    with transaction.atomic(), connection.cursor() as cursor:
        # They are there if the same transaction held an import before.
        cursor.execute("DROP TABLE IF EXISTS imported_ids, merged_ids")
        cursor.execute(_CREATE)
        copy = "COPY imported_ids (position, thread_id, user_ref, assistant_id) FROM STDIN"
        # Piece by piece: an upload is read over this very connection, which can do nothing else while it copies.
        while piece:
            with cursor.copy(copy) as target:
                for position, row in piece:
                    target.write_row((position, *row))
            tally.beat()
            piece = list(itertools.islice(rows, _PIECE))
        cursor.execute(_MERGE)
        cursor.execute("SELECT count(*) FROM merged_ids")
        distinct = cursor.fetchone()[0]
        cursor.execute(_ASSISTANTS, parameters)
        cursor.execute(_FILL)
        tally.counts["filled"] = cursor.rowcount
        cursor.execute(_INSERT, parameters)
        tally.counts["threads_new"] = cursor.rowcount
        tally.counts["threads"] = distinct
        tally.counts["unchanged"] = distinct - tally.counts["threads_new"]
        tally.counts["repeated"] = tally.counts["documents"] - distinct
        tally.write()


def _rows(tally: Tally) -> Iterator[tuple[str, str, str]]:
    rows = read_rows(
        tally.stream, known_columns=THREAD_ID_COLUMNS, aliases=THREAD_ID_ALIASES, single_column="thread_id"
    )
    for row in rows:
        if isinstance(row, Table):
            continue
        taken = row if isinstance(row, Reject) else _checked(row)
        if isinstance(taken, Reject):
            tally.reject(taken)
        else:
            tally.document()
            yield taken


def _checked(row: Row) -> tuple[str, str, str] | Reject:
    thread_id = row.cells.get("thread_id", "").strip()
    assistant_id = row.cells.get("assistant_id", "").strip()
    user_ref = row.cells.get("user_ref", "").strip()
    fault = id_fault(thread_id)
    if fault:
        return Reject(row.line_number, f"The thread id {fault}.", row.raw)
    if any(character.isspace() for character in thread_id):
        return Reject(row.line_number, "The thread id holds white space.", row.raw)
    if assistant_id and (fault := id_fault(assistant_id)):
        return Reject(row.line_number, f"The assistant id {fault}.", row.raw)
    return thread_id, storable_text(user_ref, 512), assistant_id
