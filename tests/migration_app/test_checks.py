"""A database server that logs statements is warned of; the embedded one does not log them."""

from __future__ import annotations

import pytest
from django.db import connection

from migration_app.checks import check_statements_are_not_logged

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
