"""A database server that logs statements, and a proxy that is not counted, are warned of."""

from __future__ import annotations

import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from migration_app.checks import check_proxies_are_counted, check_statements_are_not_logged

pytestmark = pytest.mark.django_db


def test_the_embedded_server_logs_no_statement() -> None:
    assert check_statements_are_not_logged(databases=["default"]) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log_min_error_statement", "error"),
        ("log_error_verbosity", "default"),
        ("log_min_duration_statement", "0"),
        ("log_statement", "all"),
    ],
)
def test_a_server_that_logs_statements_is_warned_of(name: str, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL {name} = '{value}'")
    (warning,) = check_statements_are_not_logged(databases=["default"])
    assert name in str(warning.msg)


@pytest.mark.parametrize(
    ("header", "proxies", "warned"),
    [
        (("HTTP_X_FORWARDED_PROTO", "https"), 0, True),
        (("HTTP_X_FORWARDED_PROTO", "https"), 1, False),
        (None, 0, False),
    ],
)
def test_a_proxy_that_is_trusted_and_not_counted_is_warned_of(
    header: tuple[str, str] | None, proxies: int, warned: bool, settings: Settings
) -> None:
    settings.SECURE_PROXY_SSL_HEADER, settings.TRUSTED_PROXIES = header, proxies
    assert [warning.id for warning in check_proxies_are_counted()] == ["migration_app.W002"] * warned
