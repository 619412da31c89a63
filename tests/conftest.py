"""Fixtures for all tests. The servers themselves are started by console.pytest_embedded."""

from __future__ import annotations

import pgtrigger
import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from migration_app.models import AuditEvent


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let the flush after a transactional test empty the audit trail, which its trigger refuses.

    Only TRUNCATE, and only in test databases; tests/migration_app/models/test_audit.py switches it on again.
    """
    ((model, trigger),) = pgtrigger.registered("migration_app.AuditEvent:audit_no_truncate")
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        name = connection.ops.quote_name(trigger.get_pgid(model))
        cursor.execute(f"ALTER TABLE {AuditEvent._meta.db_table} DISABLE TRIGGER {name}")
