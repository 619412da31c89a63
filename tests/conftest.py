"""Fixtures for all tests. The servers themselves are started by console.pytest_embedded."""

from __future__ import annotations

import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from migration_app.models.guards import GUARDED


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let the flush after a transactional test empty the tables that keep their rows.

    Only TRUNCATE, and only in test databases; tests/migration_app/models/test_guards.py switches it on again.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for model in GUARDED:
            cursor.execute(f"ALTER TABLE {model._meta.db_table} DISABLE TRIGGER console_keep_truncate")
