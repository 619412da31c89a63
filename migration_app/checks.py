"""What `manage.py check --deploy --database default` says of the database server. Must not import jobs or rq."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connections

_SHOULD_BE = {
    "log_min_error_statement": {"fatal", "panic"},
    "log_error_verbosity": {"terse"},
    "log_min_duration_statement": {"-1"},
    "log_statement": {"none", "ddl"},
}


@register(Tags.database, deploy=True)
def check_statements_are_not_logged(
    databases: Sequence[str] | None = None, **_options: Any
) -> list[CheckMessage]:
    """Warn where PostgreSQL writes statements, and users' messages with them, to its own log."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT name, setting FROM pg_settings WHERE name = ANY(%s) ORDER BY name", [list(_SHOULD_BE)]
            )
            found += [
                checks.Warning(
                    f"PostgreSQL may write users' messages to its log: {name} is {setting}.",
                    hint=f"It should be {' or '.join(sorted(_SHOULD_BE[name]))}: see docs/security.md.",
                    id="migration_app.W001",
                )
                for name, setting in cursor.fetchall()
                if setting not in _SHOULD_BE[name]
            ]
    return found
