"""Getting past the triggers that keep rows as they were written, as only the tables' owner can."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from django.db import connection
from django.db.models import Model

OPERATIONS = ("update", "delete", "truncate")


@contextlib.contextmanager
def unguarded(model: type[Model]) -> Iterator[None]:
    """Let rows of this table be damaged or lost, as a failing disk or a mistaken owner does it."""
    _switch(model, "DISABLE")
    try:
        yield
    finally:
        _switch(model, "ENABLE ALWAYS")


def _switch(model: type[Model], how: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # what waits for the commit would be in the way
        for operation in ("update", "delete"):
            cursor.execute(f"ALTER TABLE {model._meta.db_table} {how} TRIGGER console_keep_{operation}")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
