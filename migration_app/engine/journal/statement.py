"""The one statement by which a group of entries is applied, planned seldom.

It has a part for each thing that an entry may ask for, and PostgreSQL would plan all of them at every execution, which
takes longer than the work (measured). So it is prepared; its plan is renewed every second, because one that was made
while the tables were empty is a hundred times slower when they are not; and entries of threads that simply go forward
have a shorter one. Must not import jobs or rq.
"""

from __future__ import annotations

import math
import time
import weakref
from collections.abc import Collection
from typing import Any

import psycopg
from django.db import connection
from psycopg.rows import tuple_row

from migration_app.contracts import Actor
from migration_app.models.batch_result import TROUBLE_RESULTS
from migration_app.statements import statements_of

_PLAN_SECONDS = 1.0
_RENEW = "SET jit = off; SET plan_cache_mode = force_generic_plan; DISCARD PLANS"

_SQL = statements_of(__name__)
_PARTS = {
    "orphan": ("orphaned",),
    "intent": ("intended",),
    "abandon": ("abandoned",),
    "conversation": ("conversed",),
    "withdrawn": ("withdrawn",),
    "appended": ("appended",),
    "sending": ("sending",),
    "deleting": ("deleting",),
    "deleted": ("deleted",),
    "detached": ("remembered", "emptied", "detached"),
    "set": ("changed",),
    "result": ("ended",),
    "quoted": ("quoted",),
    "reading": ("read",),
    "events": ("told",),
}
"""The parts of the statement by the name in an entry's document that asks for them."""
_FORWARD = frozenset({"intent", "conversation", "appended", "sending", "set", "result", "events"})
"""What a thread asks for on its way from the claim to verified."""
_RARE = _PARTS.keys() - _FORWARD

_planned_at: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()
"""When the statements of a connection were planned, by the monotonic clock."""


def _statement(asked: Collection[str]) -> str:
    names = [part for name, parts in _PARTS.items() if name in asked for part in parts]
    parts = [_SQL["held"], *(f"{name} AS (\n{_SQL[name]}\n)" for name in names)]
    return ",\n".join(parts) + "\n" + _SQL["answer"]


_SHORT = _statement(_FORWARD)
_WHOLE = _statement(_PARTS)


def documents_apply(documents: str, asked: Collection[str], actor: Actor) -> dict[int, bool]:
    """Apply documents of entries, a JSON array; ``asked`` names what they ask for.

    Returns the threads that were still held, and whether each has grown since. Raises Django's database errors.
    """
    arguments = {
        "documents": documents,
        "actor": actor.name,
        "user_id": actor.user_id,
        "job_id": actor.job_id,
        "trouble": list(TROUBLE_RESULTS),
    }
    connection.ensure_connection()
    raw = connection.connection
    # Django's own cursor puts the arguments into the text, so that nothing could be prepared.
    with connection.wrap_database_errors, psycopg.Cursor(raw, row_factory=tuple_row) as cursor:
        _keep_plans(raw)
        statement = _SHORT if _RARE.isdisjoint(asked) else _WHOLE
        cursor.execute(statement, arguments, prepare=True)
        return dict(cursor.fetchall())


def _keep_plans(raw: psycopg.Connection[Any]) -> None:
    """Have this connection keep plans of prepared statements, for a second."""
    now = time.monotonic()
    if now - _planned_at.get(raw, -math.inf) < _PLAN_SECONDS:
        return
    raw.prepare_threshold = 1_000_000  # at None, which Django sets, ``prepare=True`` has no effect
    raw.execute(_RENEW)
    _planned_at[raw] = now
