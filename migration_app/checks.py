"""What `manage.py check --deploy --database default` reports about the database server and the proxies before the
console.

Must not import jobs or rq.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connections

_SHOULD_BE = {
    "log_min_error_statement": {"fatal", "panic"},
    "log_error_verbosity": {"terse"},
    "log_min_duration_statement": {"-1"},
    "log_statement": {"none", "ddl"},
}


@register(Tags.security, deploy=True)
def check_proxies_are_counted(_app_configs: Any = None, **_options: Any) -> list[CheckMessage]:
    """Warn if a proxy is trusted for https but not counted: all clients would seem to have its address."""
    if getattr(settings, "SECURE_PROXY_SSL_HEADER", None) is None or settings.TRUSTED_PROXIES:
        return []
    return [
        checks.Warning(
            "TRUST_X_FORWARDED_PROTO is on and TRUSTED_PROXIES is 0: everybody's failed sign-ins count for one "
            "address, the proxy's, and lock out everybody.",
            hint="Set TRUSTED_PROXIES to the number of proxies that append to X-Forwarded-For.",
            id="migration_app.W002",
        )
    ]


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
